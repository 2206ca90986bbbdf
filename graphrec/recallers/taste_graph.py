"""The catalogue graph with the users and what they took, for recallers that walk over it at request time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from graphrec.contracts.recaller import BundleParts
from graphrec.data.interactions import Interactions
from graphrec.errors import BundleError, DataError, GraphRecError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.paths import path_graph
from graphrec.recallers.files import read_array, read_settings, setting, write_array, write_settings
from graphrec.recallers.profile import Profile

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


def save_walker(
    directory: Path, kind: str, graph: TasteGraph, settings: Mapping[str, Any], profile: Profile, reason: str
) -> None:
    """Write what a channel that walks over ``graph`` is made of; the catalogue graph is the bundle's."""
    write_settings(directory, kind, {"reason": reason, "profile": asdict(profile), kind: dict(settings)})
    graph.save(directory)


def read_walker(directory: Path, kind: str, parts: BundleParts) -> tuple[TasteGraph, dict[str, Any], Profile, str]:
    """Return the graph, settings, profile and reason that :func:`save_walker` wrote.

    Raises
    ------
    BundleError
        If a file is missing or damaged.
    DataError, TypeError, ValueError
        If a value in one is not legal.
    """
    saved = read_settings(directory, kind=kind)
    settings, profile = (setting(saved, name, dict, directory=directory) for name in (kind, "profile"))
    reason = setting(saved, "reason", str, directory=directory)
    return TasteGraph.load(directory, parts), settings, Profile(**profile), reason


@contextmanager
def must_fit(directory: Path) -> Iterator[None]:
    """Make what a constructor refuses of the files in ``directory`` a BundleError."""
    try:
        yield
    except BundleError:
        raise
    except (GraphRecError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise BundleError(f"{directory} does not fit the bundle ({error}); train the channel again") from error
