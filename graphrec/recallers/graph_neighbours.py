"""Recall from neighbours in the catalogue graph, which remembers how two items are near."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import (
    BundleParts,
    Contributions,
    Evidence,
    contributions_of,
    evidence_of,
    joined_paths,
)
from graphrec.errors import BundleError, DataError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers.files import read_settings, setting, write_settings
from graphrec.recallers.graph_table import GraphTable
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.walked import WalkWeights, all_paths, best_paths, walks_of

_TABLE = "neighbours"


@dataclass(frozen=True, slots=True, init=False, eq=False)
class GraphNeighbourRecaller(GraphTable):
    """A neighbour table made by walks over the catalogue graph, with the graph and the weights that it was made by.

    It answers as its table does. For a history item and an item that it leads to, it knows which walk gave most, by the
    formula of the table itself: nothing about paths is stored but the weights, the graph is the bundle's.

    Parameters
    ----------
    neighbours : NeighbourRecaller
        One table items -> items.
    catalogue : CatalogueGraph
        Items and entities.
    weights : WalkWeights
        What a walk gives.

    Raises
    ------
    DataError
        If the graph has another number of items, or lacks a relation of ``weights``.
    """

    kind: ClassVar[str] = "graph-neighbours"

    weights: WalkWeights
    _terms: npt.NDArray[np.float64]

    def __init__(self, neighbours: NeighbourRecaller, catalogue: CatalogueGraph, weights: WalkWeights) -> None:
        if catalogue.n_items != neighbours.n_items:
            raise DataError(f"the catalogue graph has {catalogue.n_items} items, the neighbours {neighbours.n_items}")
        set_field = object.__setattr__
        set_field(self, "neighbours", neighbours)
        set_field(self, "catalogue", catalogue)
        set_field(self, "weights", weights)
        set_field(self, "_terms", walks_of(catalogue.adjacency, catalogue.n_items, weights).terms)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the history item that gave it most, and the walk that gave most of that.

        The contribution is what that walk gave of the item's score: the source's part, times the walk's share of all
        walks between the two. Time that of the table's evidence, and O(edges of both) an item.
        """
        evidence = self.neighbours.evidence(query, items)
        targets = np.asarray(items, dtype=np.int32)
        graph = self.catalogue
        paths, shares = best_paths(graph.adjacency, graph.n_items, self._terms, evidence.sources, targets)
        return evidence_of(evidence.sources, evidence.contributions * shares, paths=paths)

    def contributions(self, query: Queries, item: int) -> Contributions:
        """Return every walk from the history to ``item``, and what it gave of the item's score.

        A history item's part is shared out as the formula of the table does. Time that of the table's, and
        O(d log d) a history item that leads there, for the d edges of the two.
        """
        given, graph = self.neighbours.contributions(query, item), self.catalogue
        walks = [all_paths(graph.adjacency, graph.n_items, self._terms, s, item) for s in given.sources.tolist()]
        counts = np.array([len(shares) for _, shares in walks], dtype=np.int64)
        shares = np.concatenate([np.empty(0), *(shares for _, shares in walks)])
        amounts = np.repeat(given.amounts, counts) * shares
        paths = joined_paths([paths for paths, _ in walks])
        return contributions_of(np.repeat(given.sources, counts), amounts, shown=amounts, paths=paths)

    def save(self, directory: Path) -> None:
        """Write the table and the weights; the graph is the bundle's."""
        weights = asdict(self.weights) | {"relations": dict(self.weights.relations)}
        write_settings(directory, self.kind, {"weights": weights})
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
        weights = setting(read_settings(directory, kind=cls.kind), "weights", dict, directory=directory)
        try:
            return cls(NeighbourRecaller.load(directory / _TABLE, parts), parts.catalogue, WalkWeights(**weights))
        except (DataError, TypeError, AttributeError) as error:
            raise BundleError(f"{directory} does not fit the bundle ({error}); train the channel again") from error
