"""Finding edges of a knowledge graph that tell who takes what: held-out interactions must not reach training that way.

A catalogue graph holds no users of ours, but a knowledge graph may have entities for them, joined to items directly
(``user likes item``) or through a node for the event (``event by user``, ``event of item``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.checks import check_length
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, LeakError
from graphrec.graph.catalogue import CatalogueGraph


@dataclass(frozen=True, slots=True)
class Leaks:
    """Held-out pairs that the graph gives away: by relation, through event nodes, and how many pairs were looked at."""

    by_relation: dict[str, int]
    by_event: int
    n_pairs: int

    @property
    def total(self) -> int:
        """Edges and event nodes that give a held-out pair away."""
        return sum(self.by_relation.values()) + self.by_event


def user_nodes(catalogue: CatalogueGraph, users: Vocabulary, iri: Callable[[str], str]) -> npt.NDArray[np.int32]:
    """Return (n_users,) int32: the entity whose IRI is ``iri(user_id)``, -1 where the graph has none."""
    entities = catalogue.entities.rows([iri(user) for user in users], missing="mark")
    return np.where(entities < 0, -1, entities + catalogue.n_items).astype(np.int32)


def find_leaks(catalogue: CatalogueGraph, nodes: npt.NDArray[np.int32], test: Interactions) -> Leaks:
    """Return which edges of the catalogue encode held-out interactions.

    Parameters
    ----------
    catalogue : CatalogueGraph
        The graph that channels learn from.
    nodes : ndarray
        (n_users,) int32: the node of each user, -1 where there is none (see :func:`user_nodes`).
    test : Interactions
        The held-out events.

    Returns
    -------
    Leaks
        Edges between a user's node and a held-out item, by relation (either direction counts), and nodes that join
        just one user and one item that are a held-out pair.

    Raises
    ------
    DataError
        If ``nodes`` or the items have other sizes than ``test``.

    Notes
    -----
    Time and memory O(n_edges + events).
    """
    check_length(nodes, test.n_users, name="nodes")
    if catalogue.n_items != test.n_items:
        raise DataError(f"test has {test.n_items} items, the catalogue has {catalogue.n_items}")
    graph = catalogue.adjacency
    n = graph.n_nodes
    owners = nodes[test.users].astype(np.int64)
    known = owners >= 0
    pairs = np.unique(owners[known] * n + test.items[known])
    sources = np.repeat(np.arange(n, dtype=np.int64), graph.degrees)
    targets = graph.indices.astype(np.int64)
    given_away = np.isin(sources * n + targets, pairs) | np.isin(targets * n + sources, pairs)
    counts = np.bincount(graph.relations[given_away], minlength=len(graph.relation_names))
    by_relation = {name: int(count) for name, count in zip(graph.relation_names, counts, strict=True) if count}
    return Leaks(by_relation, _events(sources, targets, n, catalogue.n_items, nodes, pairs), len(pairs))


def _events(
    sources: npt.NDArray[np.int64],
    targets: npt.NDArray[np.int64],
    n: int,
    n_items: int,
    nodes: npt.NDArray[np.int32],
    pairs: npt.NDArray[np.int64],
) -> int:
    """Count nodes whose neighbours, either way, are one user and one item that are a held-out pair."""
    ones = np.ones(len(sources), dtype=np.int64)
    joined = sp.coo_array((ones, (sources, targets)), shape=(n, n)).tocsr()
    joined = sp.csr_array(joined + joined.T)
    joined.data[:] = 1
    is_user = np.zeros(n, dtype=np.bool_)
    is_user[nodes[nodes >= 0]] = True
    numbers = np.arange(n)
    is_item = numbers < n_items
    # With a single neighbour of a kind, the sum of their numbers is that neighbour.
    one_each = (joined @ is_user.astype(np.int64) == 1) & (joined @ is_item.astype(np.int64) == 1)
    users, items = joined @ np.where(is_user, numbers, 0), joined @ np.where(is_item, numbers, 0)
    middle = one_each & ~is_user & ~is_item
    return int(np.isin(users[middle] * n + items[middle], pairs).sum())


def refuse_leaks(leaks: Leaks) -> None:
    """Raise LeakError, naming the relations, where anything was found."""
    if leaks.total:
        where = [f"{name!r} ({count} edges)" for name, count in leaks.by_relation.items()]
        where += [f"event nodes ({leaks.by_event})"] if leaks.by_event else []
        raise LeakError(
            f"the knowledge graph gives away held-out interactions through {', '.join(where)}; leave them out"
        )
