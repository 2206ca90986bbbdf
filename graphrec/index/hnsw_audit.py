"""The audit of an HNSW graph: as wide a search as its own vectors show to be needed, or none."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.index.exact import ExactIndex
from graphrec.index.hnsw import HnswIndex, exact_search, is_quicker, widened

# The share of the best 100 rows of a query that a search is to find.
LEAST_RECALL, AUDITED_K = 0.98, 100
# Queries of an audit.
_SAMPLE = 256
# Scores as far apart as this, in parts of the last place's, are one score rounded in two ways.
_ROUNDING = 1e-5

_log = logging.getLogger(__name__)


def audited_hnsw(index: HnswIndex, queries: npt.NDArray[np.float32], *, seed: int) -> HnswIndex | ExactIndex:
    """Return the index, searched as wide as recall@100 >= 0.98 takes; exact search where that is the quicker way to it.

    What a graph finds at a width depends on the vectors: draws of many dimensions around centres need more than others
    of the same size. So a sample is searched by the graph and exactly, and the width (``settings.ef_search``, which
    :meth:`graphrec.index.hnsw.HnswIndex.save` keeps) is raised by half until the mean share found, less two standard
    errors, is as high. A width that is enough stays. The choice is logged.

    Parameters
    ----------
    index : HnswIndex
        As it was built; its graph is handed on to what is returned.
    queries : ndarray
        (s, dim) float32: queries as they will come, or the index's own rows; 256 of them are drawn.
    seed : int
        Of the draw.

    Notes
    -----
    Time O(256 * n * dim) for exact search, and 256 searches a width. Each width is half as much again as the last, and
    none costs more than exact search, so there are O(log n) of them.
    """
    sample = _drawn(queries, seed)
    if not len(sample):
        return index
    truth = exact_search(index).search(sample, AUDITED_K)
    recall, least = _recall(truth, index.search(sample, AUDITED_K))
    while least < LEAST_RECALL:
        index = widened(index, AUDITED_K)
        if not is_quicker(index, AUDITED_K):
            _log.info(
                "exact search over %d vectors of %d by %s: a graph that finds %.2f of the best %d is slower",
                len(index), index.dim, index.metric, LEAST_RECALL, AUDITED_K,
            )  # fmt: skip
            return exact_search(index)
        recall, least = _recall(truth, index.search(sample, AUDITED_K))
    _log.info(
        "hnsw over %d vectors of %d by %s: ef_search %d finds %.4f of the best %d of %d queries",
        len(index), index.dim, index.metric, index.settings.ef_search, recall, AUDITED_K, len(sample),
    )  # fmt: skip
    return index


def _drawn(queries: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    """Return up to 256 of the queries (s, dim) that are not zero: zero leads nowhere, and is searched exactly."""
    rows = np.flatnonzero(queries.any(axis=1))
    drawn: npt.NDArray[np.float32] = queries[np.random.default_rng(seed).permutation(rows)[:_SAMPLE]]
    return drawn


def _recall(truth: ItemLists, answer: ItemLists) -> tuple[float, float]:
    """Return the mean share of the best rows that an answer holds, and that less two of its standard errors.

    An entry counts by its score, so that any of several rows with the score of the last place will do.
    """
    last = truth.scores[truth.indptr[1:] - 1]
    owners = np.repeat(np.arange(len(answer)), answer.lengths)
    good = answer.scores >= (last - _ROUNDING * np.abs(last))[owners]
    shares = np.bincount(owners, good, minlength=len(answer)) / truth.lengths
    mean = float(shares.mean())
    return mean, mean - 2 * float(shares.std()) / len(shares) ** 0.5
