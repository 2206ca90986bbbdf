"""What several channels of one run learn from, computed once a run."""

from __future__ import annotations

import scipy.sparse as sp

from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import with_users
from graphrec.sparse.taste import taste_matrix


def shared_taste(
    data: RecallData, context: FitContext, exponent: float = 0.0, *, max_items_per_user: int = 0
) -> sp.csr_array:
    """Return the events' :func:`graphrec.sparse.taste.taste_matrix`, which belongs to the run and is not changed."""
    return context.once(
        data,
        ("taste", exponent, max_items_per_user),
        lambda: taste_matrix(data.interactions, exponent, max_items_per_user=max_items_per_user),
    )


def joined_graph(data: RecallData, context: FitContext, *, weighted: bool) -> Adjacency:
    """Return :func:`graphrec.graph.catalogue.with_users` of catalogue and events; it belongs to the run."""
    return context.once(
        data, ("joined graph", weighted), lambda: with_users(data.catalogue, data.interactions, weighted=weighted)
    )
