"""What every vector index answers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists

Metric = Literal["cosine", "ip", "l2"]


class Index(Protocol):
    """Nearest rows among n vectors. Immutable; safe to search from several threads."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        ...

    @property
    def metric(self) -> Metric:
        """Cosine similarity, inner product, or negated squared Euclidean distance as the score."""
        ...

    def __len__(self) -> int:
        """Return the number of vectors."""
        ...

    def search(self, vectors: npt.ArrayLike, k: int, *, allow: npt.NDArray[np.bool_] | None = None) -> ItemLists:
        """Return q lists of at most k rows, best (highest score) first, ties by row.

        Parameters
        ----------
        vectors : array
            (q, dim) float32, finite.
        k : int
            Rows wanted, >= 1. Fewer come back where fewer exist or are allowed; that is no error.
        allow : ndarray or None
            (n,) bool: rows that may come back.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``."""
        ...
