"""Recall from neighbours along meta-paths, which keeps the best path that each neighbour came by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_length, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import (
    BundleParts,
    Contributions,
    Evidence,
    Paths,
    contributions_of,
    evidence_of,
    joined_paths,
    no_paths,
)
from graphrec.data.lists import indptr_of
from graphrec.errors import BundleError, DataError
from graphrec.graph.adjacency import relation_number
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.path_parts import PathParts
from graphrec.kernels import kernel
from graphrec.recallers.files import read_array, read_settings, setting, write_array, write_settings
from graphrec.recallers.graph_table import GraphTable
from graphrec.recallers.neighbours import NeighbourRecaller

_TABLE = "neighbours"
_ARRAYS = {"numbers": np.int16, "nodes": np.int32, "shares": np.float32}
_PARTS = {"indptr": np.int64, "numbers": np.int16, "shares": np.float32, "best": np.float32, "nodes": np.int32}
_NO_NODES = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class PathNeighbourRecaller(GraphTable):
    """A neighbour table whose entries each remember the path through the catalogue graph that gave them most.

    It answers as its table does. Nothing is searched for evidence: the path was kept when the table was made.

    Parameters
    ----------
    neighbours : NeighbourRecaller
        One table items -> items of m entries.
    catalogue : CatalogueGraph
        Items and entities.
    metapaths : sequence of sequence of str
        Relations of each meta-path that the catalogue graph holds, by name.
    numbers : ndarray
        (m,) int16: the meta-path of the best path of each entry; -1 where it has none that may be shown.
    nodes : ndarray
        (p,) int32: the nodes between the two items of each such path, entry after entry.
    shares : ndarray
        (m,) float32: what that path gave of the entry's score, from 0 to 1.
    parts : PathParts or None
        What each meta-path gave of each entry's score, and its best path. Without them only the best path of all is
        known.

    Raises
    ------
    DataError
        If the sizes disagree, a row is out of range, or the graph lacks a relation.
    """

    kind: ClassVar[str] = "path-neighbours"

    metapaths: tuple[tuple[str, ...], ...]
    numbers: npt.NDArray[np.int16]
    nodes: npt.NDArray[np.int32]
    shares: npt.NDArray[np.float32]
    parts: PathParts | None
    _relations: tuple[npt.NDArray[np.int16], ...]
    _bounds: npt.NDArray[np.int64]
    _part_bounds: npt.NDArray[np.int64]

    def __init__(
        self,
        neighbours: NeighbourRecaller,
        catalogue: CatalogueGraph,
        metapaths: Sequence[Sequence[str]],
        numbers: npt.ArrayLike,
        nodes: npt.ArrayLike,
        shares: npt.ArrayLike,
        parts: PathParts | None = None,
    ) -> None:
        if catalogue.n_items != neighbours.n_items or len(neighbours.tables) != 1:
            raise DataError(
                f"paths need one table over the {catalogue.n_items} items of the catalogue graph; there are "
                f"{len(neighbours.tables)} over {neighbours.n_items}"
            )
        set_field = object.__setattr__
        set_field(self, "neighbours", neighbours)
        set_field(self, "catalogue", catalogue)
        set_field(self, "metapaths", tuple(tuple(path) for path in metapaths))
        for name, array in (("numbers", numbers), ("nodes", nodes), ("shares", shares)):
            set_field(self, name, as_array(array, _ARRAYS[name], name=name))
        relations = [[relation_number(catalogue.adjacency, name) for name in path] for path in self.metapaths]
        set_field(self, "_relations", tuple(np.array(path, dtype=np.int16) for path in relations))
        m = len(neighbours.tables[0].neighbours)
        check_length(self.numbers, m, name="numbers")
        check_length(self.shares, m, name="shares")
        check_finite(self.shares, name="shares")
        check_rows(self.numbers + np.int16(1), len(self.metapaths) + 1, name="numbers, counted from 1,")
        check_rows(self.nodes, catalogue.adjacency.n_nodes, name="nodes")
        # The last entry is that of number -1: no nodes.
        between = np.array([*(len(path) - 1 for path in self.metapaths), 0], dtype=np.int64)
        set_field(self, "_bounds", indptr_of(between[self.numbers]))
        check_length(self.nodes, int(self._bounds[-1]), name="nodes")
        set_field(self, "parts", parts)
        set_field(self, "_part_bounds", self._bounds if parts is None else self._checked(parts, m, between))

    def _checked(self, parts: PathParts, m: int, between: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return where the nodes of each part begin; raise DataError where the parts do not fit ``m`` entries."""
        check_length(parts.indptr, m + 1, name="indptr of the parts")
        q = len(parts.numbers)
        if m and (parts.indptr[0] != 0 or (np.diff(parts.indptr) < 0).any() or parts.indptr[-1] != q):
            raise DataError(f"indptr of the parts does not rise from 0 to {q}; every entry has its parts in a row")
        for name in ("shares", "best"):
            check_length(getattr(parts, name), q, name=f"{name} of the parts")
            check_finite(getattr(parts, name), name=f"{name} of the parts")
        check_rows(parts.numbers + np.int16(1), len(self.metapaths) + 1, name="numbers of the parts, counted from 1,")
        check_rows(parts.nodes, self.catalogue.adjacency.n_nodes, name="nodes of the parts")
        bounds = indptr_of(between[parts.numbers])
        check_length(parts.nodes, int(bounds[-1]), name="nodes of the parts")
        return bounds

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the history item that gave it most, and the path kept for the two.

        The contribution is what that path gave of the item's score; where only paths through users lead to an item the
        path is empty, and the contribution is the source's. Time that of the table's evidence, and O(k) an item.
        """
        evidence = self.neighbours.evidence(query, items)
        targets = np.asarray(items, dtype=np.int32)
        table = self.neighbours.tables[0]
        places = np.full(len(targets), -1, dtype=np.int64)
        _places(table.indptr, table.neighbours, evidence.sources, targets, places)
        shown = (places >= 0) & (self.numbers[places] >= 0) if len(self.numbers) else np.zeros(len(targets), np.bool_)
        paths = [self._path(int(place)) for place in places[shown]]
        lengths = np.zeros(len(targets), dtype=np.int64)
        lengths[shown] = [len(between) + 2 for between, _ in paths]
        ends = zip(evidence.sources[shown], targets[shown], paths, strict=True)
        nodes = [np.concatenate([[source], between, [target]]) for source, target, (between, _) in ends]
        relations = [np.concatenate([[-1], steps]) for _, steps in paths]
        shares = np.where(shown, self.shares[places] if len(self.shares) else 0.0, 1.0)
        walked = Paths(indptr_of(lengths), _joined(nodes, np.int32), _joined(relations, np.int16))
        return evidence_of(evidence.sources, evidence.contributions * shares, paths=walked)

    def contributions(self, query: Queries, item: int) -> Contributions:
        """Return what each history item gave ``item`` by each meta-path, with the best path of each.

        An entry without a path stands for those through users, which are not shown. Where the channel was made without
        parts an entry with the best path of a history item is followed by the rest of what it gave.
        """
        given, table = self.neighbours.contributions(query, item), self.neighbours.tables[0]
        places = np.full(len(given), -1, dtype=np.int64)
        _places(table.indptr, table.neighbours, given.sources, np.full(len(given), item, np.int32), places)
        known = [self._parts_of(int(place)) if place >= 0 else [(-1, 1.0, 0.0, _NO_NODES)] for place in places.tolist()]
        sources, amounts, shown, paths = [], [], [], []
        for source, amount, parts in zip(given.sources.tolist(), given.amounts.tolist(), known, strict=True):
            for number, share, best, nodes in parts:
                sources.append(source)
                amounts.append(amount * share)
                shown.append(amount * best)
                paths.append(self._walked(source, item, number, nodes))
        return contributions_of(
            np.array(sources, np.int32), np.array(amounts), shown=np.array(shown), paths=joined_paths(paths)
        )

    def _parts_of(self, place: int) -> list[tuple[int, float, float, npt.NDArray[np.int32]]]:
        """Return number, share, share of the best path, and its nodes for each part of an entry; shares add up to 1."""
        parts = self.parts
        if parts is None:
            best, number = float(self.shares[place]), int(self.numbers[place])
            shown = [(number, best, best, self._path(place)[0])] if number >= 0 else []
            return [*shown, (-1, 1.0 - best if shown else 1.0, 0.0, _NO_NODES)]
        here = range(int(parts.indptr[place]), int(parts.indptr[place + 1]))
        total = max(sum(float(parts.shares[part]) for part in here), np.finfo(np.float64).tiny)
        rows = [
            (
                int(parts.numbers[part]), float(parts.shares[part]) / total, float(parts.best[part]) / total,
                parts.nodes[self._part_bounds[part] : self._part_bounds[part + 1]],
            )
            for part in here
        ]  # fmt: skip
        hidden = sum(share for number, share, _, _ in rows if number < 0)
        return [row for row in rows if row[0] >= 0] + ([(-1, hidden, 0.0, _NO_NODES)] if hidden else [])

    def _walked(self, source: int, item: int, number: int, nodes: npt.NDArray[np.int32]) -> Paths:
        """Return one path from ``source`` to ``item``; an empty one where there is no meta-path."""
        if number < 0:
            return no_paths(1)
        whole = np.concatenate([[source], nodes, [item]]).astype(np.int32)
        steps = np.concatenate([[-1], self._relations[number]]).astype(np.int16)
        return Paths(np.array([0, len(whole)], dtype=np.int64), whole, steps)

    def _path(self, place: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
        """Return the nodes between the ends of an entry's path, and the relations of its steps."""
        nodes = self.nodes[self._bounds[place] : self._bounds[place + 1]]
        return nodes, self._relations[int(self.numbers[place])]

    def save(self, directory: Path) -> None:
        """Write the table and the paths; the graph is the bundle's."""
        metapaths = [list(path) for path in self.metapaths]
        write_settings(directory, self.kind, {"metapaths": metapaths, "has_parts": self.parts is not None})
        for name in _ARRAYS:
            write_array(directory, name, getattr(self, name))
        if self.parts is not None:
            for name in _PARTS:
                write_array(directory, f"parts-{name}", getattr(self.parts, name))
        (directory / _TABLE).mkdir()
        self.neighbours.save(directory / _TABLE)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or it was made for other items or another graph.
        """
        settings = read_settings(directory, kind=cls.kind)
        metapaths = setting(settings, "metapaths", list, directory=directory)
        neighbours = NeighbourRecaller.load(directory / _TABLE, parts)
        numbers, nodes, shares = (read_array(directory, name, dtype) for name, dtype in _ARRAYS.items())
        has_parts = settings.get("has_parts") is True
        kinds = [read_array(directory, f"parts-{name}", dtype) for name, dtype in _PARTS.items()] if has_parts else []
        try:
            path_kinds = PathParts(*kinds) if has_parts else None
            return cls(neighbours, parts.catalogue, _texts(metapaths), numbers, nodes, shares, path_kinds)
        except (DataError, TypeError) as error:
            raise BundleError(f"{directory} does not fit the bundle ({error}); train the channel again") from error


def _texts(metapaths: list[Any]) -> list[list[str]]:
    """Return lists of one name or more; raise TypeError where they are anything else."""
    for path in metapaths:
        if not isinstance(path, list) or not path or not all(isinstance(name, str) for name in path):
            raise TypeError(f"a meta-path is {path!r}, no list of names")
    return metapaths


def _joined(parts: list[npt.NDArray[Any]], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


@kernel
def _places(
    indptr: npt.NDArray[np.int64],
    neighbours: npt.NDArray[np.int32],
    sources: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    places: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Write where each pair of source and item stands in a table; -1 where it does not."""
    for i in range(sources.size):
        if sources[i] < 0:
            continue
        for place in range(indptr[sources[i]], indptr[sources[i] + 1]):
            if neighbours[place] == items[i]:
                places[i] = place
                break
