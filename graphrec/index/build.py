"""Building whichever index a recipe wants, or the kind that suits its size."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array
from graphrec.errors import ConfigError
from graphrec.index.exact import ExactIndex
from graphrec.index.hnsw import HnswIndex, build_hnsw
from graphrec.index.hnsw_audit import audited_hnsw
from graphrec.index.order import check_matrix
from graphrec.index.protocol import Index
from graphrec.index.quantised import QuantisedIndex, build_quantised
from graphrec.index.tree import TreeIndex

IndexKind = Literal["auto", "quantised", "exact", "hnsw"]
# What scores all rows can be told of: by a sketch, or all of them exactly.
ScanKind = Literal["quantised", "exact"]

# Numbers in a matrix (rows times dimensions): up to the first a query reads them all in less time than an HNSW graph
# takes to lead it; up to the second a sketch of them is built in a small part of the time of a graph, and is read in
# a time that is still small beside that of a request (python -m benchmarks.ann).
_EXACT_NUMBERS = 1 << 19
_SKETCHED_NUMBERS, _SKETCHED_PRODUCTS = 1 << 22, 1 << 27

_log = logging.getLogger(__name__)


def check_index_kind(kind: str) -> None:
    """Raise ConfigError unless ``kind`` is "auto", "hnsw", "exact" or "quantised"."""
    if not isinstance(kind, str) or kind not in get_args(IndexKind):
        raise ConfigError(f"index is {kind!r}; legal are {', '.join(map(repr, get_args(IndexKind)))}")


def build_index(
    matrix: npt.ArrayLike,
    kind: IndexKind,
    metric: str,
    *,
    seed: int,
    queries: npt.ArrayLike | None = None,
    **settings: int,
) -> Index:
    """Return an index of ``kind`` over ``matrix`` (n, dim); :func:`index_kind` says what it became.

    "auto" goes by the size. A graph is audited (:func:`graphrec.index.hnsw_audit.audited_hnsw`): its searches are
    widened until they find 0.98 of the best 100 rows, or exact search takes its place where that is quicker.

    ``queries`` (s, dim) are such as will be asked, for an index that is tuned to them; ``settings`` are those of
    :func:`graphrec.index.hnsw.build_hnsw`.
    """
    check_index_kind(kind)
    if kind == "auto":
        n, dim = check_matrix(matrix, metric).shape
        kind = suitable_kind(n, dim, metric)
        _log.info("index %s over %d vectors of %d by %s", kind, n, dim, metric)
    if kind == "exact":
        return ExactIndex(matrix, metric)
    if kind == "quantised":
        return build_quantised(matrix, metric=metric, queries=queries, seed=seed)
    index = build_hnsw(matrix, metric=metric, seed=seed, **settings)
    pool = matrix if queries is None else queries
    return audited_hnsw(index, as_array(pool, np.float32, name="queries", ndim=2), seed=seed)


def suitable_kind(n: int, dim: int, metric: str = "cosine") -> IndexKind:
    """Return the kind of index that suits ``n`` vectors of ``dim``: what "auto" stands for.

    A graph finds fewer of the greatest inner products than of the nearest directions, so that these are sketched up to
    a larger size.
    """
    if n * dim <= _EXACT_NUMBERS:
        return "exact"
    most = _SKETCHED_PRODUCTS if metric == "ip" else _SKETCHED_NUMBERS
    return "quantised" if n * dim <= most else "hnsw"


def index_kind(index: Index) -> str:
    """Return the kind of an index: "exact", "quantised", "hnsw", "tree", or the name of a class of somebody else."""
    kinds = {ExactIndex: "exact", QuantisedIndex: "quantised", HnswIndex: "hnsw", TreeIndex: "tree"}
    return kinds.get(type(index), type(index).__name__)
