"""A neighbour table beside the catalogue graph that explains it: what every channel of this kind answers alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers.neighbours import NeighbourRecaller


@dataclass(frozen=True, slots=True, init=False, eq=False)
class GraphTable:
    """It answers as its table does; how its neighbours come by their paths is for the class that extends it.

    Parameters
    ----------
    neighbours : NeighbourRecaller
        One table items -> items.
    catalogue : CatalogueGraph
        Items and entities.
    """

    neighbours: NeighbourRecaller
    catalogue: CatalogueGraph

    @property
    def reason(self) -> str:
        """Template of the sentence for people."""
        return self.neighbours.reason

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.neighbours.n_items

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return what the table gives: see :meth:`NeighbourRecaller.recall`."""
        return self.neighbours.recall(queries, k)

    def recall_allowed(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: ItemLists | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> ItemLists:
        """Return what the table gives: see :meth:`NeighbourRecaller.recall_allowed`."""
        return self.neighbours.recall_allowed(queries, k, exclude=exclude, allowed=allowed)
