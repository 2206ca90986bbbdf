"""A schema as a picture: classes as boxes with their literals, predicates as arrows; as Mermaid and as DOT."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphrec.escapes import one_line
from graphrec.graph.iris import local_name

from ..terms import EDGELESS
from .values import INTERACTIONS, GraphSchema, PredicateSummary

_BOXES, _ARROWS, _LINES = 12, 30, 6
# A class is an end of a predicate from this share of its statements on.
_END = 0.1
_NO_CLASS = "no class"


@dataclass(frozen=True, slots=True)
class Box:
    """A class: its name, its members (None where they have no class), and literals as ``name : kind``."""

    name: str
    n_members: int | None
    lines: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name and members in one line."""
        return self.name if self.n_members is None else f"{self.name} ({self.n_members:,})"


@dataclass(frozen=True, slots=True)
class Arrow:
    """Predicates between two boxes, by position, a line each; dashed where they hold interactions."""

    start: int
    stop: int
    lines: tuple[str, ...]
    dashed: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a picture of a schema shows; what is beyond 12 boxes or 30 arrows is counted in ``left_out``."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left_out: int


def drawing_of(schema: GraphSchema) -> Drawing:
    """Return the boxes and arrows of the largest classes and predicates.

    Values without a class stand in a box in brackets, named after the predicate that leads to them.
    """
    names = _names([entry.iri for entry in schema.classes])
    members = {names[entry.iri]: entry.n_members for entry in schema.classes}
    between: dict[tuple[str, str], list[PredicateSummary]] = defaultdict(list)
    literals: dict[str, list[str]] = defaultdict(list)
    for entry in schema.predicates:
        if entry.iri in EDGELESS and INTERACTIONS not in entry.flags:
            continue
        for start in _ends(entry.domain, names) or [_NO_CLASS]:
            if entry.datatypes:
                literals[start].append(f"{entry.name} : {local_name(entry.datatypes[0].name)}")
            for stop in _ends(entry.range, names) or [f"[{entry.name}]"] if entry.kind != "literal" else ():
                between[start, stop].append(entry)
    order = list(dict.fromkeys([*members, *(name for pair in between for name in pair), *literals]))
    joined = {name for pair in between for name in pair} | set(literals)
    shown = [name for name in order if name in joined or name in members][:_BOXES]
    place = {name: position for position, name in enumerate(shown)}
    arrows = [
        Arrow(place[start], place[stop], _labels(entries), any(INTERACTIONS in entry.flags for entry in entries))
        for (start, stop), entries in between.items()
        if start in place and stop in place
    ]
    boxes = tuple(Box(name, members.get(name), _cut(literals[name])) for name in shown)
    left_out = len(order) - len(shown) + max(len(arrows) - _ARROWS, 0)
    return Drawing(boxes, tuple(arrows[:_ARROWS]), left_out)


def _names(iris: Sequence[str]) -> Mapping[str, str]:
    """Return a name for each class: the last part of its IRI where no other has it."""
    last = [local_name(iri) for iri in iris]
    return {iri: name if last.count(name) == 1 else iri for iri, name in zip(iris, last, strict=True)}


def _ends(shares: Sequence[tuple[str, float]], names: Mapping[str, str]) -> list[str]:
    return [names[iri] for iri, share in shares if share >= _END and iri in names]


def _labels(entries: Sequence[PredicateSummary]) -> tuple[str, ...]:
    return _cut([f"{entry.name} ({entry.n_statements:,})" for entry in entries])


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    return (*lines[:_LINES], f"… {len(lines) - _LINES} more") if len(lines) > _LINES else tuple(lines)


def mermaid(drawing: Drawing) -> str:
    """Return a Mermaid class diagram, which many pages and editors draw."""
    lines = ["classDiagram"]
    for position, box in enumerate(drawing.boxes):
        lines.append(f'  class c{position}["{_plain(box.title)}"]')
        lines += [f"  c{position} : {_plain(line)}" for line in box.lines]
    for arrow in drawing.arrows:
        line = ".." if arrow.dashed else "--"
        lines.append(f"  c{arrow.start} {line}> c{arrow.stop} : {', '.join(map(_plain, arrow.lines))}")
    return "\n".join(lines) + "\n"


def dot(drawing: Drawing) -> str:
    """Return a graph in the language of Graphviz."""
    lines = ["digraph schema {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for position, box in enumerate(drawing.boxes):
        lines.append(f"  c{position} [label={_quoted([box.title, *box.lines])}];")
    for arrow in drawing.arrows:
        style = ", style=dashed" if arrow.dashed else ""
        lines.append(f"  c{arrow.start} -> c{arrow.stop} [label={_quoted(arrow.lines)}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def _plain(text: str) -> str:
    """Return a text without what is a sign of Mermaid's."""
    return re.sub(r"[^\w .,:()\[\]…/#-]", "_", one_line(text))


def _quoted(lines: Sequence[str]) -> str:
    escaped = (one_line(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
