"""Vectors with the ids they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, init=False, eq=False)
class EmbeddingTable:
    """One float32 vector an id.

    Parameters
    ----------
    vocabulary : Vocabulary
        n ids.
    matrix : ndarray
        (n, dim) float32, finite; row ``i`` belongs to id ``i``.

    Raises
    ------
    DataError
        If the number of rows differs from the vocabulary's, dim is 0, or a value is not finite.
    """

    vocabulary: Vocabulary
    matrix: npt.NDArray[np.float32]

    def __init__(self, vocabulary: Vocabulary, matrix: npt.ArrayLike) -> None:
        array = as_array(matrix, np.float32, name="matrix", ndim=2)
        if len(array) != len(vocabulary):
            raise DataError(f"the matrix has {len(array)} rows, the vocabulary {len(vocabulary)} ids")
        if array.shape[1] == 0:
            raise DataError("the matrix has 0 columns; vectors need at least 1 dimension")
        check_finite(array, name="matrix")
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "matrix", array)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __getitem__(self, external: str) -> npt.NDArray[np.float32]:
        vector: npt.NDArray[np.float32] = self.matrix[self.vocabulary.row(external)]
        return vector
