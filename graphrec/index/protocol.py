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

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int,
        *,
        allow: npt.NDArray[np.bool_] | None = None,
        skip: ItemLists | None = None,
    ) -> ItemLists:
        """Return q lists of rows, best (highest score) first, ties by row.

        A row is legal for a query where ``allow`` holds it and the query's list of ``skip`` does not. Each list has
        exactly min(k, legal rows) entries: an index chooses by their share of all rows how it finds them (its own
        structure where many are legal, the legal rows one by one where few are), and never fails for too few.

        Parameters
        ----------
        vectors : array
            (q, dim) float32, finite.
        k : int
            Rows wanted, >= 1.
        allow : ndarray or None
            (n,) bool: rows that may come back to any query. None allows all.
        skip : ItemLists or None
            q lists of rows that may not come back to that query. None skips nothing.

        Raises
        ------
        DataError
            If the vectors have another width or a value that is not finite, ``allow`` is not (n,) bool, or ``skip``
            has another number of lists or a row out of range.
        ConfigError
            If ``k < 1``.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the index into ``directory``."""
        ...
