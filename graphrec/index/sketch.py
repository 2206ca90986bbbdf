"""A sketch of a matrix: its rows on their leading principal axes, in int8. It says which few rows are worth a product.

Scoring n rows of float32 is bound by reading them. The sketch is read instead, 8 to 64 times less, and the best rows by
it are scored again by the matrix itself: an answer's scores are exact, and what may be missing is a row that the sketch
puts far behind. How many axes and how many rows to score again is chosen by an audit (:func:`choose_sketch`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_finite
from graphrec.data.files import read_array, write_array
from graphrec.errors import BundleError, DataError
from graphrec.index.sketch_kernels import CodeArray, add_products, exact_scores, project
from graphrec.sparse.topk import FloatArray, RowArray, best_columns

# The share of the best rows that an audited sketch keeps among its candidates, and how many best rows that is about.
# A serving engine asks a channel for 200 to 400 rows.
KEPT = 0.995
DEPTH = 400
# Queries of an audit, and the scores that they may hold together (4 bytes each).
AUDITED = 96
_AUDIT_SCORES = 1 << 24
# Candidates are at least this many times the rows wanted.
_LEAST_RATIO = 1.25
# A matrix of fewer numbers is read in a tenth of a millisecond, as it is.
_LEAST_NUMBERS = 1 << 20
# A sketch must halve what is read.
_WORTH = 0.5
# Numbers of axes that are tried, in units of 64: one cache line of codes.
_UNIT = 64
_TRIED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
# Rows projected at a time.
_BLOCK = 1 << 14

_NAMES = ("axes", "codes", "steps")


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Approximate products with the n rows of a matrix (n, dim).

    Parameters
    ----------
    axes : ndarray
        (dim, a) float32: principal axes of the rows, in columns, each times the root mean square of the rows along it.
    codes : ndarray
        (n, a) int8: what the rows are along the axes, in whole steps.
    steps : ndarray
        (n,) float32: the length of each row's step.
    candidates, depth : int
        So many of the best rows by the sketch hold nearly all of the best ``depth`` rows.

    Raises
    ------
    DataError
        If the shapes do not fit each other, or a number is out of range.
    """

    axes: FloatArray
    codes: CodeArray
    steps: FloatArray
    candidates: int
    depth: int

    def __post_init__(self) -> None:
        shapes = {"axes": self.axes.shape, "codes": self.codes.shape, "steps": self.steps.shape}
        if self.axes.shape[1:] != self.codes.shape[1:] or self.codes.shape[:1] != self.steps.shape:
            raise DataError(f"the parts of a sketch do not fit each other: {shapes}")
        if not 1 <= self.depth <= self.candidates:
            raise DataError(f"a sketch gives {self.candidates} candidates for {self.depth} rows; it must be more")
        for name in ("axes", "steps"):
            check_finite(getattr(self, name), name=f"{name} of a sketch")

    @property
    def n_axes(self) -> int:
        """Axes that the sketch has."""
        return int(self.codes.shape[1])

    def __len__(self) -> int:
        return len(self.codes)

    def candidates_for(self, k: int) -> int:
        """Return how many rows are scored again to find the best ``k``: what the audit found, in proportion beyond."""
        return int(np.ceil(self.candidates * max(1.0, k / self.depth)))

    def bytes_read(self, k: int) -> int:
        """Return how many bytes a query for ``k`` rows reads: the codes, and the candidates' float32."""
        return self.codes.size + 4 * self.candidates_for(k) * len(self.axes)

    def add_products(self, vectors: FloatArray, scores: FloatArray) -> None:
        """Add approximate products of ``vectors`` (q, dim) with all rows to ``scores`` (q, n)."""
        projected = np.empty((len(vectors), self.n_axes), dtype=np.int16)
        units = np.empty(len(vectors), dtype=np.float32)
        project(vectors, self.axes, projected, units)
        add_products(self.codes, self.steps, projected, units, scores)

    def shortlist(
        self, matrix: FloatArray, vectors: FloatArray, base: FloatArray, k: int
    ) -> tuple[RowArray, FloatArray]:
        """Return candidates for the best ``k`` rows by ``base + vectors @ matrix.T``, with exact scores.

        Parameters
        ----------
        matrix : ndarray
            (n, dim) float32: what the sketch was made of.
        vectors : ndarray
            (q, dim) float32.
        base : ndarray
            (q, n) float32: what each row has besides the product; minus infinity for a row that may not come back.
        k : int
            Rows wanted.

        Returns
        -------
        rows, scores : ndarray
            (q, c) int32, ascending, and (q, c) float32; minus infinity where fewer than c rows may come back.

        Notes
        -----
        Time O(n a + c dim) a query. A query's answer does not depend on those beside it.
        """
        scores = base.copy()
        self.add_products(vectors, scores)
        rows = best_columns(scores, self.candidates_for(k))
        exact = np.empty(rows.shape, dtype=np.float32)
        exact_scores(rows, matrix, vectors, base, exact)
        return rows, exact

    def save(self, directory: Path) -> None:
        """Write ``sketch.json`` and the arrays as ``sketch-NAME.npy``."""
        for name in _NAMES:
            write_array(directory / f"sketch-{name}.npy", getattr(self, name))
        text = json.dumps({"candidates": self.candidates, "depth": self.depth})
        (directory / "sketch.json").write_text(text + "\n", encoding="utf-8")


def load_sketch(directory: Path, *, n: int, dim: int) -> Sketch:
    """Return what :meth:`Sketch.save` wrote for a matrix (n, dim); arrays stay on disk, memory-mapped.

    Raises
    ------
    BundleError
        If a file is missing or damaged, or the sketch is of another matrix's shape.
    """
    path = directory / "sketch.json"
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
        candidates, depth = int(numbers["candidates"]), int(numbers["depth"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path} cannot be read ({error}); rebuild the index") from error
    kinds = ((np.float32, 2), (np.int8, 2), (np.float32, 1))
    arrays = [
        read_array(directory / f"sketch-{name}.npy", dtype, ndim=ndim)
        for name, (dtype, ndim) in zip(_NAMES, kinds, strict=True)
    ]
    try:
        sketch = Sketch(*arrays, candidates, depth)
    except DataError as error:
        raise BundleError(f"{directory}: {error}; rebuild the index") from error
    if (len(sketch), len(sketch.axes)) != (n, dim):
        raise BundleError(
            f"{directory}: the sketch is of {len(sketch)} rows of dim {len(sketch.axes)}, the matrix has {n} of {dim}; "
            "rebuild the index"
        )
    return sketch


def sketch_rows(matrix: FloatArray, n_axes: int, *, candidates: int, depth: int) -> Sketch:
    """Return a sketch of ``matrix`` (n, dim) on its ``n_axes`` leading principal axes.

    Axes are those of the rows around 0, for products are what is sketched. Time O(n dim (dim + n_axes) + dim^3); memory
    n * n_axes bytes beside the sketch's own.
    """
    n, dim = matrix.shape
    gram = np.zeros((dim, dim))
    for start in range(0, n, _BLOCK):
        block = matrix[start : start + _BLOCK]
        gram += block.T @ block
    values, basis = np.linalg.eigh(gram / max(n, 1))
    leading = np.argsort(-values, kind="stable")[:n_axes]
    lengths = np.sqrt(np.maximum(values[leading], 0.0))
    lengths[lengths < 1e-6 * max(lengths.max(initial=0.0), 1e-30)] = 0.0  # rounding of axes that the rows do not reach
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    into = (basis[:, leading] * inverse).astype(np.float32)  # (dim, a): the rows' own lengths along each axis are 1
    codes, steps = np.empty((n, len(leading)), dtype=np.int8), np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        block = matrix[start : start + _BLOCK] @ into
        step = np.abs(block).max(axis=1, initial=0.0) / np.float32(127)
        np.rint(block / np.where(step > 0, step, 1)[:, None], out=block)
        codes[start : start + _BLOCK], steps[start : start + _BLOCK] = block, step
    axes = (basis[:, leading] * lengths).astype(np.float32)
    return Sketch(np.ascontiguousarray(axes), codes, steps, candidates, depth)


def choose_sketch(matrix: FloatArray, queries: FloatArray, base: FloatArray | None = None) -> Sketch | None:
    """Return the sketch of ``matrix`` that reads least for the best rows of ``queries``; None where none is worth it.

    For each number of axes, an audit finds how many candidates hold 99.5 % of the queries' best 400 rows. Of these
    pairs the one is taken by which a query reads the fewest bytes.

    Parameters
    ----------
    matrix : ndarray
        (n, dim) float32.
    queries : ndarray
        (s, dim) float32, of the kind that will be asked; some hundred are enough, and more are not looked at.
    base : ndarray or None
        (s, n) float32: what each row has besides the product; minus infinity where it may not come back. None is zero.

    Notes
    -----
    Time O(n dim^2 + dim^3 + s n dim), and s sorts of n scores for each number of axes.
    """
    n, dim = matrix.shape
    most = min(AUDITED, max(16, _AUDIT_SCORES // max(n, 1)))
    asked = np.flatnonzero((queries != 0).any(axis=1))[:most]
    if n * dim < _LEAST_NUMBERS or n <= 2 * DEPTH or len(asked) == 0:
        return None
    vectors = queries[asked]
    start = np.zeros((len(asked), n), dtype=np.float32) if base is None else base[asked]
    best = best_columns(start + vectors @ matrix.T, DEPTH)  # (s, depth)
    whole = sketch_rows(matrix, dim, candidates=DEPTH, depth=DEPTH)
    read: dict[tuple[int, int], int] = {}
    scores, done = start.copy(), 0
    for n_axes in sorted({min(_UNIT * tried, dim) for tried in _TRIED} | {dim}):
        part = _leading(whole, done, n_axes, DEPTH)
        part.add_products(vectors, scores)
        done = n_axes
        candidates = max(int(_LEAST_RATIO * DEPTH), int(np.quantile(_ranks(scores, best), KEPT)) + 1)
        read[n_axes, candidates] = _leading(whole, 0, n_axes, candidates).bytes_read(DEPTH)
    n_axes, candidates = min(read, key=lambda pair: read[pair])
    if read[n_axes, candidates] > _WORTH * 4 * n * dim:
        return None
    return _leading(whole, 0, n_axes, candidates)


def _leading(sketch: Sketch, start: int, stop: int, candidates: int) -> Sketch:
    """Return the sketch with the axes ``start``..``stop - 1`` alone."""
    axes, codes = sketch.axes[:, start:stop], sketch.codes[:, start:stop]
    return Sketch(np.ascontiguousarray(axes), np.ascontiguousarray(codes), sketch.steps, candidates, sketch.depth)


def _ranks(scores: FloatArray, best: RowArray) -> npt.NDArray[np.int64]:
    """Return the place that each row of ``best`` (s, depth) has when all rows stand in the order of ``scores``."""
    ranks = np.empty(best.shape, dtype=np.int64)
    for i, rows in enumerate(best):
        ranks[i] = np.searchsorted(np.sort(-scores[i]), -scores[i, rows])
    return ranks.ravel()
