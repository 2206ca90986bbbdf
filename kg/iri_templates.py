"""Ids inside IRIs: ``http://example.org/book/{id}`` and back, one to one.

IRIs are compared letter by letter, but one id may be spelled in several: ``a/b`` as ``a%2Fb`` and ``a%2fb``. So whoever
decodes must know what else the graph holds, or two entities become one item.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError

Int64 = npt.NDArray[np.int64]


def check_template(template: str) -> None:
    """Raise ConfigError unless ``template`` holds ``{id}`` exactly once."""
    if not isinstance(template, str) or template.count("{id}") != 1:
        raise ConfigError(
            f"template {template!r} must hold {{id}} exactly once, as in 'http://example.org/book/{{id}}'"
        )


def ids_of(iris: pa.LargeStringArray, template: str) -> tuple[Int64, pa.LargeStringArray, pa.LargeStringArray]:
    """Return the rows of the IRIs that fit, what stands in the place of ``{id}``, and the id of each.

    The id is the percent-decoded place where no other IRI that fits has an equal claim to it, else the place as it is
    spelled: where the decoded text is the very spelling of another place, where an earlier IRI decodes to the same,
    or where the bytes are not UTF-8. No two ids are equal.

    Parameters
    ----------
    iris : Arrow array
        (n,) distinct IRIs in their order.
    template : str
        ``{id}`` alone takes every IRI as it is.
    """
    rows, places = _places(iris, template)
    taken: dict[str, None] = {}
    positions, decoded = _decoded(places, template)
    spelled = pc.is_in(pa.array(decoded, pa.large_string()), value_set=places).to_pylist() if decoded else []
    chosen = pc.fill_null(places, "")
    replaced, texts = np.zeros(len(places), dtype=np.bool_), []
    for position, text, is_place in zip(positions, decoded, spelled, strict=True):
        if not is_place and text not in taken:
            taken[text] = None
            replaced[position] = True
            texts.append(text)
    if texts:
        chosen = pc.replace_with_mask(places, pa.array(replaced), pa.array(texts, pa.large_string()))
    return rows, places, chosen


def candidates(items: Vocabulary, iris: pa.LargeStringArray, template: str) -> tuple[Int64, Int64]:
    """Return (m,) item rows and (m,) rows of the IRIs that spell their ids.

    An IRI that holds the id as it is goes before those that hold it encoded, in whatever letters.
    """
    rows, places = _places(iris, template)
    of_place = items.rows(places, missing="mark").astype(np.int64)
    plain = of_place >= 0
    positions, decoded = _decoded(places, template)
    of_decoded = items.rows(pa.array(decoded, pa.large_string()), missing="mark").astype(np.int64)
    has_plain = np.zeros(len(items) + 1, dtype=np.bool_)  # the last one is for row -1
    has_plain[of_place[plain]] = True
    kept = (of_decoded >= 0) & ~has_plain[of_decoded]
    encoded_rows = rows[np.asarray(positions, dtype=np.int64)[kept]]
    return np.concatenate([of_place[plain], of_decoded[kept]]), np.concatenate([rows[plain], encoded_rows])


def is_one_segment(place: str) -> bool:
    """Return whether ``place`` is one part of a path: ``b1/cover`` is the cover of a book, and no book."""
    return bool(place) and not re.search("[/?#]", place)


def _places(iris: pa.LargeStringArray, template: str) -> tuple[Int64, pa.LargeStringArray]:
    """Return the rows of the IRIs that fit, and what stands in each between the two parts of the template."""
    before, after = template.split("{id}")
    if not before and not after:
        return np.arange(len(iris)), iris
    long_enough = pc.greater(pc.utf8_length(iris), len(before) + len(after))
    fits = pc.and_(pc.and_(pc.starts_with(iris, before), pc.ends_with(iris, after)), long_enough)
    fitting = iris.filter(fits)
    places = pc.utf8_slice_codeunits(fitting, len(before), -len(after) if after else None)
    return np.flatnonzero(fits.to_numpy(zero_copy_only=False)), places


def _decoded(places: pa.LargeStringArray, template: str) -> tuple[list[int], list[str]]:
    """Return the positions of places that decode to something else, and what they decode to."""
    if template == "{id}":
        return [], []
    encoded = pc.match_substring(places, "%").to_numpy(zero_copy_only=False)
    positions, texts = [], []
    for position in np.flatnonzero(encoded).tolist():
        place = places[position].as_py()
        try:
            text = unquote(place, errors="strict")
        except UnicodeDecodeError:
            continue
        if text != place:
            positions.append(position)
            texts.append(text)
    return positions, texts
