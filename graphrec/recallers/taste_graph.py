"""The catalogue graph with the users and what they took, for recallers that walk over it at request time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from graphrec.contracts.recaller import BundleParts
from graphrec.data.interactions import Interactions
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.paths import path_graph
from graphrec.recallers.files import read_array, write_array

_ARRAYS = ("taken-users", "taken-items")


@dataclass(frozen=True, slots=True, init=False, eq=False)
class TasteGraph:
    """Items, entities, then users, who are never named; items are the first nodes.

    Parameters
    ----------
    catalogue : CatalogueGraph
        Items and entities.
    taken : Interactions
        One event a pair of user and item.

    Raises
    ------
    DataError
        If they are of different numbers of items.
    """

    catalogue: CatalogueGraph
    taken: Interactions
    adjacency: Adjacency

    def __init__(self, catalogue: CatalogueGraph, taken: Interactions) -> None:
        if catalogue.n_items != taken.n_items:
            raise DataError(f"the catalogue graph has {catalogue.n_items} items, the events {taken.n_items}")
        object.__setattr__(self, "catalogue", catalogue)
        object.__setattr__(self, "taken", taken)
        object.__setattr__(self, "adjacency", path_graph(catalogue, taken))

    @property
    def n_items(self) -> int:
        """Number of items."""
        return self.catalogue.n_items

    @property
    def n_named(self) -> int:
        """Number of nodes that may be named: items and entities."""
        return self.catalogue.adjacency.n_nodes

    def save(self, directory: Path) -> None:
        """Write the pairs of users and items; the catalogue is the bundle's."""
        for name, rows in zip(_ARRAYS, (self.taken.users, self.taken.items), strict=True):
            write_array(directory, name, rows)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged.
        DataError
            If a row is out of range.
        """
        users, items = (read_array(directory, name, np.int32) for name in _ARRAYS)
        return cls(parts.catalogue, Interactions(users, items, n_users=len(parts.users), n_items=len(parts.items)))
