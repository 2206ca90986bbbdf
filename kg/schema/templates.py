"""IRI templates that ids or IRIs suggest: ``http://example.org/book/{id}``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

import pyarrow as pa

# Where an id may begin or end inside an IRI.
_BORDER = re.compile(r"[/#:=?&_.,;~-]")
# Parts of an IRI that are looked at, counted from its end, and IRIs that are looked at.
_PARTS = 6
_SAMPLE = 50_000


def templates_of(ids: Iterable[str], iris: pa.LargeStringArray, *, n: int = 5) -> list[str]:
    """Return up to ``n`` templates that lead from ids to IRIs, those that fit most IRIs first.

    A template fits where what stands in the place of ``{id}`` is one of ``ids``, as it is or percent-decoded. An even
    sample of 50,000 IRIs is looked at, and of each the parts between separators.
    """
    known = set(ids)
    counts: Counter[tuple[str, str]] = Counter()
    for iri in _sample(iris):
        for start, stop in _places(iri):
            place = iri[start:stop]
            if place in known or ("%" in place and unquote(place) in known):
                counts[iri[:start], iri[stop:]] += 1
    # A place inside a longer one that fits as often says less: b{id} where ids are b1, b2 is never counted.
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], len(entry[0][0]) + len(entry[0][1]), entry[0]))
    legal = (f"{prefix}{{id}}{suffix}" for (prefix, suffix), _ in ranked if "{id}" not in prefix + suffix)
    return [template for template, _ in zip(legal, range(n), strict=False)]


def common_template(iris: pa.LargeStringArray) -> str | None:
    """Return the template that most IRIs fit with their last part as the id, None where it is fewer than half."""
    counts: Counter[str] = Counter()
    sample = list(_sample(iris))
    for iri in sample:
        trimmed = iri.rstrip("/#")
        cut = max(trimmed.rfind(mark) for mark in "/#:") + 1
        if 0 < cut < len(trimmed):
            counts[f"{trimmed[:cut]}{{id}}{iri[len(trimmed) :]}"] += 1
    best = counts.most_common(1)
    if not best or best[0][1] * 2 < len(sample) or best[0][0].count("{id}") != 1:
        return None
    return best[0][0]


def _sample(iris: pa.LargeStringArray) -> Iterator[str]:
    step = -(-len(iris) // _SAMPLE) or 1
    rows = pa.array(range(0, len(iris), step), pa.int64())
    yield from iris.take(rows).to_pylist()


def _places(iri: str) -> Iterator[tuple[int, int]]:
    """Yield the (start, stop) of every run of whole parts among the last parts of an IRI, and the IRI itself."""
    borders = [match.start() for match in _BORDER.finditer(iri)][-_PARTS:]
    stops = [*borders, len(iri)]
    yield 0, len(iri)
    for position, border in enumerate(borders):
        for stop in stops[position + 1 :]:
            if border + 1 < stop:
                yield border + 1, stop
