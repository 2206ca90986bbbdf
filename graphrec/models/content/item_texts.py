"""The text of an item: chosen columns of texts, labels, tags and linked entities, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise

import pyarrow as pa

from graphrec.contracts.described import item_columns
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.item_tags import ItemTags
from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.recallers.sentences import plain_text

_log = logging.getLogger(__name__)
# What stands between two columns, and between two tags of one.
_BETWEEN, _COMMA = ". ", ", "


def item_texts(data: RecallData, columns: Sequence[str], max_characters: int) -> list[str | None]:
    """Return the text of each item, None where nothing is said of it.

    Parameters
    ----------
    data : RecallData
        Its :func:`graphrec.contracts.described.item_columns`.
    columns : sequence of str
        Texts, labels, tags and relations, in this order; an entity is named by its label, else by the end of its IRI.
        None named takes every text, tag and relation.
    max_characters : int
        A column's text is cut to so many.

    Raises
    ------
    ConfigError
        If a column is unknown, or holds no words, with the nearest.
    DataError
        If no item has a text.
    """
    features = item_columns(data)
    chosen = list(columns) or [*features.texts, *features.tags]
    names = _names_of_entities(data)
    parts: list[list[str]] = [[] for _ in range(features.n)]
    for name in chosen:
        for own, text in zip(parts, _column(features, name, names), strict=True):
            if text and (plain := plain_text(text, max_characters)):
                own.append(plain)
    texts = [_BETWEEN.join(own) or None for own in parts]
    without = sum(text is None for text in texts)
    if without == len(texts):
        raise DataError(
            f"no item has a text in {', '.join(chosen) or 'any column'}; name columns of titles, descriptions or tags"
        )
    _log.info("%d of %d items have a text (%s)", len(texts) - without, len(texts), ", ".join(chosen))
    return texts


def check_columns(data: RecallData, columns: Sequence[str]) -> None:
    """Raise ConfigError where a column of words does not exist."""
    features = item_columns(data)
    for name in columns:
        _known(features, name)


def _known(features: Features, name: str) -> pa.LargeStringArray | Labels | ItemTags:
    """Return the column of words."""
    words = {**features.texts, **features.labels, **features.tags}
    if name not in words:
        raise ConfigError(
            f"column {name!r} is not among the texts, labels and tags of the items: {', '.join(words) or 'none'}"
            f"{nearest_names(name, words)}"
        )
    return words[name]


def _column(features: Features, name: str, names: dict[str, str]) -> list[str | None]:
    """Return what a column says of each item."""
    column = _known(features, name)
    if isinstance(column, Labels):
        labels: list[str] = column.names.ids.to_pylist()
        return [labels[code] if code >= 0 else None for code in column.codes.tolist()]
    if isinstance(column, ItemTags):
        return _tag_texts(column, names)
    texts: list[str | None] = column.to_pylist()
    return texts


def _tag_texts(column: ItemTags, names: dict[str, str]) -> list[str | None]:
    tags = [names.get(tag, tag) for tag in column.tags.ids.to_pylist()]
    bounds, rows = column.table.indptr.tolist(), column.table.neighbours.tolist()
    return [_COMMA.join(tags[row] for row in rows[start:stop]) or None for start, stop in pairwise(bounds)]


def _names_of_entities(data: RecallData) -> dict[str, str]:
    """Return the labels of entities by IRI; of those without one the last part of the IRI, its marks as spaces."""
    catalogue = data.catalogue
    labels = catalogue.labels[len(data.items) :].to_pylist()
    iris: list[str] = catalogue.entities.ids.to_pylist()
    return {iri: label or _last_part(iri) for iri, label in zip(iris, labels, strict=True)}


def _last_part(iri: str) -> str:
    return iri.rstrip("/#").replace("#", "/").rpartition("/")[2].replace("_", " ").replace("-", " ")
