"""Building whichever index a recipe asks for."""

from __future__ import annotations

from typing import Literal, get_args

import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.index.exact import ExactIndex
from graphrec.index.hnsw import build_hnsw
from graphrec.index.protocol import Index
from graphrec.index.quantised import build_quantised

IndexKind = Literal["quantised", "exact", "hnsw"]
# What scores all rows can be told of: by a sketch, or all of them exactly.
ScanKind = Literal["quantised", "exact"]


def check_index_kind(kind: str) -> None:
    """Raise ConfigError unless ``kind`` is "hnsw", "exact" or "quantised"."""
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
    """Return an index of ``kind`` over ``matrix`` (n, dim).

    ``queries`` (s, dim) are such as will be asked, for an index that is tuned to them; ``settings`` are those of
    :func:`graphrec.index.hnsw.build_hnsw`.
    """
    check_index_kind(kind)
    if kind == "exact":
        return ExactIndex(matrix, metric)
    if kind == "quantised":
        return build_quantised(matrix, metric=metric, queries=queries, seed=seed)
    return build_hnsw(matrix, metric=metric, seed=seed, **settings)
