"""Recall from neighbours along meta-paths, which keeps the best path that each neighbour came by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_length, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, Paths, evidence_of
from graphrec.data.lists import indptr_of
from graphrec.errors import BundleError, DataError
from graphrec.graph.adjacency import relation_number
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers.files import read_array, read_settings, setting, write_array, write_settings
from graphrec.recallers.graph_table import GraphTable
from graphrec.recallers.neighbours import NeighbourRecaller

_TABLE = "neighbours"
_ARRAYS = {"numbers": np.int16, "nodes": np.int32, "shares": np.float32}


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
    _relations: tuple[npt.NDArray[np.int16], ...]
    _bounds: npt.NDArray[np.int64]

    def __init__(
        self,
        neighbours: NeighbourRecaller,
        catalogue: CatalogueGraph,
        metapaths: Sequence[Sequence[str]],
        numbers: npt.ArrayLike,
        nodes: npt.ArrayLike,
        shares: npt.ArrayLike,
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

    def _path(self, place: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
        """Return the nodes between the ends of an entry's path, and the relations of its steps."""
        nodes = self.nodes[self._bounds[place] : self._bounds[place + 1]]
        return nodes, self._relations[int(self.numbers[place])]

    def save(self, directory: Path) -> None:
        """Write the table and the paths; the graph is the bundle's."""
        write_settings(directory, self.kind, {"metapaths": [list(path) for path in self.metapaths]})
        for name in _ARRAYS:
            write_array(directory, name, getattr(self, name))
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
        metapaths = setting(read_settings(directory, kind=cls.kind), "metapaths", list, directory=directory)
        neighbours = NeighbourRecaller.load(directory / _TABLE, parts)
        arrays = [read_array(directory, name, dtype) for name, dtype in _ARRAYS.items()]
        try:
            return cls(neighbours, parts.catalogue, _texts(metapaths), *arrays)
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


@nb.njit(nogil=True, cache=True)
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
