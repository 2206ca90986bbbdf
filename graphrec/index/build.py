"""Building whichever index a recipe asks for."""

from __future__ import annotations

from typing import Literal

import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.index.exact import ExactIndex
from graphrec.index.hnsw import build_hnsw
from graphrec.index.protocol import Index

IndexKind = Literal["hnsw", "exact"]


def check_index_kind(kind: str) -> None:
    """Raise ConfigError unless ``kind`` is "hnsw" or "exact"."""
    if kind not in ("hnsw", "exact"):
        raise ConfigError(f"index is {kind!r}; legal are 'hnsw', 'exact'")


def build_index(matrix: npt.ArrayLike, kind: IndexKind, metric: str, *, seed: int, **settings: int) -> Index:
    """Return an index of ``kind`` over ``matrix`` (n, dim); ``settings`` are those of :func:`build_hnsw`."""
    check_index_kind(kind)
    if kind == "exact":
        return ExactIndex(matrix, metric)
    return build_hnsw(matrix, metric=metric, seed=seed, **settings)
