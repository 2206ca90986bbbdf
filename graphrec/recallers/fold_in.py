"""The vector of a history by least squares: how a matrix factorisation is trained, and answers those it never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array
from graphrec.errors import DataError
from graphrec.kernels import kernel
from graphrec.threads import map_chunks

FloatArray = npt.NDArray[np.float32]
Dense = npt.NDArray[np.float64]
Bounds = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]

# Histories solved by one thread at a time, and vectors that it sums into a Gram matrix.
_CHUNK = 128
_GRAM_ROWS = 2048
# A history of this many items for each pass that steps would take is solved exactly, for no more.
_SHORT = 4


@dataclass(frozen=True, slots=True, eq=False)
class FoldIn:
    r"""What a history needs to be given a vector among factorised items.

    .. math:: x = \Big(\operatorname{diag}(g) + \lambda (c + b)^\nu I + \sum_p w_p v_p v_p^\top\Big)^{-1}
              \sum_p w_p v_p, \qquad c = \sum_p w_p

    The vectors :math:`v_p` are given in the basis in which their Gram matrix is diagonal (:func:`diagonal_basis`):
    a history of h items then costs a system of h equations, or of dim, whichever is less.

    Parameters
    ----------
    gram : ndarray
        (dim,) float32, >= 0: the weighted diagonal of the Gram matrix of all items.
    regularisation : float
        lambda, > 0.
    exponent : float
        nu, >= 0.
    background : float
        b, >= 0: the weight of all the items that a history does not name.

    Raises
    ------
    DataError
        If a value lies outside its range.
    """

    gram: FloatArray
    regularisation: float
    exponent: float
    background: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "gram", as_array(self.gram, np.float32, name="gram"))
        if not ((self.gram >= 0) & (self.gram < np.inf)).all():
            raise DataError("the diagonal of a Gram matrix holds a value that is below 0 or not finite")
        if not 0 < self.regularisation < np.inf:
            raise DataError(f"the regularisation of a fold-in is {self.regularisation}; it must be above 0")
        for name in ("exponent", "background"):
            if not 0 <= getattr(self, name) < np.inf:
                raise DataError(f"{name} of a fold-in is {getattr(self, name)}; it must be 0 or more")

    def settings(self) -> dict[str, float]:
        """Return the numbers, by the names that the constructor gives them."""
        return {name: float(getattr(self, name)) for name in ("regularisation", "exponent", "background")}

    def vectors(
        self,
        indptr: npt.NDArray[np.integer],
        positions: npt.NDArray[np.integer],
        weights: npt.NDArray[np.floating],
        items: FloatArray,
    ) -> FloatArray:
        """Return one vector a history, (n, dim) float32; zero where it is empty.

        Parameters
        ----------
        indptr, positions, weights : ndarray
            n histories: (n + 1,) bounds; (m,) rows of ``items``; (m,) weights > 0.
        items : ndarray
            (t, dim) float32.

        Notes
        -----
        Time O(s h dim + s^3) with s = min(h, dim); a history's vector does not depend on what stands beside it, nor on
        the number of threads.
        """
        solutions = np.zeros((len(indptr) - 1, len(self.gram)), dtype=np.float32)
        self.improve(solutions, indptr, positions, weights, items, steps=0)
        return solutions

    def improve(
        self,
        vectors: FloatArray,
        indptr: npt.NDArray[np.integer],
        positions: npt.NDArray[np.integer],
        weights: npt.NDArray[np.floating],
        items: FloatArray,
        *,
        steps: int,
    ) -> None:
        """Replace ``vectors`` (n, dim) by the solutions, or bring them nearer by ``steps`` of conjugate gradients.

        Steps are taken where they cost less, O(steps h dim), than the solution: by histories of more than some
        ``steps`` items. 0 steps solve all of them.
        """
        bounds, rows = indptr.astype(np.int64), positions.astype(np.int32, copy=False)
        factors = weights.astype(np.float32, copy=False)
        shrinkage = self._shrinkage(bounds, factors)

        def work(start: int, stop: int) -> None:
            _solve_rows(bounds, rows, factors, items, self.gram, shrinkage, vectors, start, stop, steps)

        for _ in map_chunks(work, len(vectors), chunk=_CHUNK):
            pass

    def _shrinkage(self, indptr: Bounds, weights: FloatArray) -> FloatArray:
        """Return (n,) float32: what each history's vector is regularised by."""
        owners = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        mass = np.bincount(owners, weights=weights, minlength=len(indptr) - 1) + self.background
        return np.asarray(self.regularisation * mass**self.exponent, dtype=np.float32)


def diagonal_basis(vectors: FloatArray) -> tuple[FloatArray, Dense]:
    """Return the rotation (dim, dim) float32 that makes the Gram matrix diagonal, and that diagonal, (dim,) float64.

    Products between vectors turned alike are what they were.
    """
    values, basis = np.linalg.eigh(gram_matrix(vectors))
    return np.ascontiguousarray(basis, dtype=np.float32), np.maximum(values, 0.0)


def turn(vectors: FloatArray, basis: FloatArray) -> FloatArray:
    """Return ``vectors @ basis``, (n, dim) float32; equal vectors stay equal bit by bit, unlike BLAS's."""
    turned = np.empty_like(vectors)

    def work(start: int, stop: int) -> None:
        _turn(vectors, basis, turned, start, stop)

    for _ in map_chunks(work, len(vectors), chunk=_GRAM_ROWS):
        pass
    return turned


def gram_matrix(vectors: FloatArray) -> Dense:
    """Return V'V, (dim, dim) float64; the same bits whatever the number of threads."""
    dim = vectors.shape[1]
    weights = np.ones(_GRAM_ROWS, dtype=np.float32)

    def work(start: int, stop: int) -> FloatArray:
        part = np.zeros((dim, dim), dtype=np.float32)
        _add_products(vectors, np.arange(start, stop, dtype=np.int32), weights, part)
        return part

    total = np.zeros((dim, dim))
    for part in map_chunks(work, len(vectors), chunk=_GRAM_ROWS):
        total += part
    return np.asarray(total + np.tril(total, -1).T)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _turn(
    vectors: FloatArray, basis: FloatArray, turned: FloatArray, start: int, stop: int
) -> None:  # pragma: no cover - compiled
    dim = basis.shape[0]
    whole = dim - dim % 4
    for u in range(start, stop):
        vector, line = vectors[u], turned[u]
        line[:] = 0
        for i in range(0, whole, 4):
            b0, b1, b2, b3 = basis[i], basis[i + 1], basis[i + 2], basis[i + 3]
            for j in range(dim):
                line[j] += vector[i] * b0[j] + vector[i + 1] * b1[j] + vector[i + 2] * b2[j] + vector[i + 3] * b3[j]
        for i in range(whole, dim):
            for j in range(dim):
                line[j] += vector[i] * basis[i, j]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _add_products(
    vectors: FloatArray, rows: Rows, weights: FloatArray, total: FloatArray
) -> None:  # pragma: no cover - compiled
    """Add sum_p weights[p] v_p v_p' to the lower triangle of ``total`` (dim, dim), v_p = vectors[rows[p]]."""
    width, whole = total.shape[0], rows.size - rows.size % 4
    for p in range(0, whole, 4):  # four rows at a time: each entry of the total is loaded and stored once for them
        v0, v1 = vectors[rows[p]], vectors[rows[p + 1]]
        v2, v3 = vectors[rows[p + 2]], vectors[rows[p + 3]]
        for i in range(width):
            a0, a1 = weights[p] * v0[i], weights[p + 1] * v1[i]
            a2, a3 = weights[p + 2] * v2[i], weights[p + 3] * v3[i]
            line = total[i]
            for j in range(i + 1):
                line[j] += a0 * v0[j] + a1 * v1[j] + a2 * v2[j] + a3 * v3[j]
    for p in range(whole, rows.size):
        vector = vectors[rows[p]]
        for i in range(width):
            scaled = weights[p] * vector[i]
            for j in range(i + 1):
                total[i, j] += scaled * vector[j]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _solve(matrix: FloatArray, right: FloatArray, n: int) -> None:  # pragma: no cover - compiled
    """Turn the first n of ``right`` into the solution by Cholesky, over the lower triangle of ``matrix``."""
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j]
            for h in range(j):
                rest -= matrix[i, h] * matrix[j, h]
            matrix[i, j] = np.sqrt(rest) if i == j else rest / matrix[j, j]
    for i in range(n):
        rest = right[i]
        for h in range(i):
            rest -= matrix[i, h] * right[h]
        right[i] = rest / matrix[i, i]
    for i in range(n - 1, -1, -1):
        right[i] /= matrix[i, i]
        for h in range(i):
            right[h] -= matrix[i, h] * right[i]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _solve_short(
    rows: Rows,
    weights: FloatArray,
    items: FloatArray,
    diagonal: FloatArray,
    mine: FloatArray,
    scaled: FloatArray,
    matrix: FloatArray,
    right: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Solve for the h items: (D + Y'Y)^-1 Y' s = D^-1 Y' (I + Y D^-1 Y')^-1 s, with Y the rows times s = sqrt(w).

    Overwrites ``diagonal`` with D^-1/2.
    """
    h, dim = rows.size, mine.size
    for d in range(dim):
        diagonal[d] = np.float32(1) / np.sqrt(diagonal[d])
    for p in range(h):
        root, item = np.sqrt(weights[p]), items[rows[p]]
        for d in range(dim):
            scaled[p, d] = root * item[d] * diagonal[d]
        right[p] = root
    for i in range(h):
        row = scaled[i]
        for j in range(i + 1):
            other, product = scaled[j], np.float32(0)
            for d in range(dim):
                product += row[d] * other[d]
            matrix[i, j] = product
        matrix[i, i] += np.float32(1)
    _solve(matrix, right, h)
    mine[:] = 0
    for p in range(h):
        for d in range(dim):
            mine[d] += right[p] * scaled[p, d]
    for d in range(dim):
        mine[d] *= diagonal[d]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _solve_long(
    rows: Rows, weights: FloatArray, items: FloatArray, diagonal: FloatArray, mine: FloatArray, matrix: FloatArray
) -> None:  # pragma: no cover - compiled
    """Solve for the dim coordinates: (D + Y'Y)^-1 Y'w."""
    dim = mine.size
    mine[:] = 0
    for p in range(rows.size):
        item = items[rows[p]]
        for d in range(dim):
            mine[d] += weights[p] * item[d]
    for i in range(dim):
        matrix[i, :i] = 0
        matrix[i, i] = diagonal[i]
    _add_products(items, rows, weights, matrix)
    _solve(matrix, mine, dim)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _pull(
    rows: Rows, weights: FloatArray, items: FloatArray, goal: np.float32, vector: FloatArray, total: FloatArray
) -> None:  # pragma: no cover - compiled
    """Add sum_p weights[p] (goal - v_p'x) v_p to ``total`` (dim,), x the ``vector`` and v_p = items[rows[p]]."""
    dim = vector.size
    for p in range(rows.size):
        item, product = items[rows[p]], np.float32(0)
        for d in range(dim):
            product += item[d] * vector[d]
        scale = weights[p] * (goal - product)
        for d in range(dim):
            total[d] += scale * item[d]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _approach(
    rows: Rows,
    weights: FloatArray,
    items: FloatArray,
    diagonal: FloatArray,
    mine: FloatArray,
    steps: int,
    residual: FloatArray,
    direction: FloatArray,
    image: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Bring ``mine`` nearer to the solution by conjugate gradients, preconditioned by the diagonal D."""
    dim = mine.size
    for d in range(dim):
        residual[d] = -diagonal[d] * mine[d]
        direction[d] = 0
    _pull(rows, weights, items, np.float32(1), mine, residual)
    before = np.float32(1)
    for _ in range(steps):
        length = np.float32(0)
        for d in range(dim):
            length += residual[d] * residual[d] / diagonal[d]
        if length == 0:
            return
        for d in range(dim):
            direction[d] = residual[d] / diagonal[d] + length / before * direction[d]
            image[d] = -diagonal[d] * direction[d]
        _pull(rows, weights, items, np.float32(0), direction, image)  # minus the matrix times the direction
        bend = np.float32(0)
        for d in range(dim):
            bend -= direction[d] * image[d]
        for d in range(dim):
            mine[d] += length / bend * direction[d]
            residual[d] += length / bend * image[d]
        before = length


@kernel
def _solve_rows(
    indptr: Bounds,
    rows: Rows,
    weights: FloatArray,
    items: FloatArray,
    gram: FloatArray,
    shrinkage: FloatArray,
    vectors: FloatArray,
    start: int,
    stop: int,
    steps: int,
) -> None:  # pragma: no cover - compiled
    """Solve the histories ``start``..``stop - 1``, or bring the vectors of the longer ones nearer by ``steps`` > 0."""
    dim = gram.size
    longest = np.max(indptr[start + 1 : stop + 1] - indptr[start:stop])
    size = min(dim, min(longest, _SHORT * (steps + 1)) if steps else longest)
    scaled, matrix = np.empty((size, dim), dtype=np.float32), np.empty((size, size), dtype=np.float32)
    right = np.empty(size, dtype=np.float32)
    residual, direction = np.empty(dim, dtype=np.float32), np.empty(dim, dtype=np.float32)
    image = np.empty(dim, dtype=np.float32)
    for u in range(start, stop):
        first, last = indptr[u], indptr[u + 1]
        mine, diagonal = vectors[u], gram + shrinkage[u]
        if first == last:
            mine[:] = 0
        elif last - first <= size:
            _solve_short(rows[first:last], weights[first:last], items, diagonal, mine, scaled, matrix, right)
        elif steps:
            _approach(rows[first:last], weights[first:last], items, diagonal, mine, steps, residual, direction, image)
        else:
            _solve_long(rows[first:last], weights[first:last], items, diagonal, mine, matrix)
