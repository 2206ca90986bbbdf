"""A sketch of a matrix: its rows on their principal axes, in int8. It says which few rows are worth a product.

Scoring n rows of float32 is bound by reading them. Of the sketch, a query reads the leading axes of all rows, the other
axes of the best rows by those, and of the best of these the matrix itself, 4 to 20 times fewer bytes in all. An
answer's scores are exact; what may be missing is a row that the sketch puts far behind. How many axes lead and how many
rows go on is chosen by an audit (:func:`choose_sketch`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_count, check_finite
from graphrec.data.files import read_array, read_json, write_array
from graphrec.errors import BundleError, DataError
from graphrec.index.sketch_kernels import CodeArray, add_products, exact_scores, project, refined_scores
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
# A byte of a row that is picked takes as long to read as this many of rows in a run (measured: 3 to 6).
_PICKED = 4
# To choose a candidate among all rows takes as long as to read this many (measured: 30 to 45 ns, 400 to 900 bytes).
_CHOSEN = 400
# A sketch must halve the cost of a scan.
_WORTH = 0.5
# Numbers of axes that are tried, in units of 64: one cache line of codes.
_UNIT = 64
_TRIED = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)
# Rows projected at a time.
_BLOCK = 1 << 14

_ARRAYS: dict[str, tuple[npt.DTypeLike, int]] = {
    "axes": (np.float32, 2),
    "leading": (np.int8, 2),
    "others": (np.int8, 2),
    "steps": (np.float32, 1),
}
_NUMBERS = ("candidates", "finalists", "depth")


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Approximate products with the n rows of a matrix (n, dim).

    Parameters
    ----------
    axes : ndarray
        (dim, dim) float32: principal axes of the rows, in columns, the longest first, each times the root mean square
        of the rows along it.
    leading, others : ndarray
        (n, a) and (n, dim - a) int8: what the rows are along the first a axes, and along the others, in whole steps.
    steps : ndarray
        (n,) float32: the length of each row's step.
    candidates, finalists, depth : int
        So many of the best rows by the leading axes, and of these by all axes, hold nearly all of the best ``depth``.

    Raises
    ------
    DataError
        If the shapes do not fit each other, or a number is out of range.
    """

    axes: FloatArray
    leading: CodeArray
    others: CodeArray
    steps: FloatArray
    candidates: int
    finalists: int
    depth: int

    def __post_init__(self) -> None:
        n, dim = len(self.steps), len(self.axes)
        shapes = {name: getattr(self, name).shape for name in _ARRAYS}
        if shapes["axes"] != (dim, dim) or shapes["leading"] != (n, self.n_axes) or self.n_axes > dim:
            raise DataError(f"the parts of a sketch do not fit each other: {shapes}")
        if shapes["others"] != (n, dim - self.n_axes):
            raise DataError(f"the parts of a sketch do not fit each other: {shapes}")
        if not 1 <= self.depth <= self.finalists <= self.candidates:
            raise DataError(
                f"a sketch has {self.candidates} candidates and {self.finalists} finalists for {self.depth} rows; "
                "these numbers must not rise"
            )
        for name in ("axes", "steps"):
            check_finite(getattr(self, name), name=f"{name} of a sketch")

    @property
    def n_axes(self) -> int:
        """Axes that lead."""
        return int(self.leading.shape[1])

    def __len__(self) -> int:
        return len(self.steps)

    def cost(self, k: int) -> int:
        """Return what a query for ``k`` rows costs, in bytes read in a run; all float32 rows cost 4 n dim."""
        return _cost(len(self), len(self.axes), self.n_axes, *self._widths(k))

    def _widths(self, k: int) -> tuple[int, int]:
        """Return how many candidates and finalists there are for ``k`` rows: as audited, in proportion beyond."""
        ratio = max(1.0, k / self.depth)
        return ceil(self.candidates * ratio), ceil(self.finalists * ratio)

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
        Time is :meth:`cost` bytes a query. A query's answer does not depend on those beside it.
        """
        candidates, finalists = self._widths(k)
        projected, units = self._projected(vectors)
        scores = base.copy()
        add_products(self.leading, self.steps, projected, units, scores)
        rows = best_columns(scores, candidates)
        refined = np.empty(rows.shape, dtype=np.float32)
        refined_scores(rows, self.others, self.steps, projected, units, self.n_axes, scores, refined)
        rows = np.take_along_axis(rows, best_columns(refined, finalists), axis=1)
        exact = np.empty(rows.shape, dtype=np.float32)
        exact_scores(rows, matrix, vectors, base, exact)
        return rows, exact

    def _projected(self, vectors: FloatArray) -> tuple[npt.NDArray[np.int16], FloatArray]:
        """Return ``vectors`` (q, dim) along the axes, in whole units, and each vector's unit (q,)."""
        projected = np.empty(vectors.shape, dtype=np.int16)
        units = np.empty(len(vectors), dtype=np.float32)
        project(vectors, self.axes, projected, units)
        return projected, units

    def save(self, directory: Path) -> None:
        """Write ``sketch.json`` and the arrays as ``sketch-NAME.npy``."""
        for name in _ARRAYS:
            write_array(directory / f"sketch-{name}.npy", getattr(self, name))
        text = json.dumps({name: getattr(self, name) for name in _NUMBERS})
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
        stored = read_json(path)
        numbers: dict[str, Any] = {name: stored[name] for name in _NUMBERS}
        for name, value in numbers.items():
            check_count(name, value, 1)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path} cannot be read ({error}); rebuild the index") from error
    arrays: dict[str, Any] = {
        name: read_array(directory / f"sketch-{name}.npy", dtype, ndim=ndim) for name, (dtype, ndim) in _ARRAYS.items()
    }
    try:
        sketch = Sketch(**arrays, **numbers)
    except DataError as error:
        raise BundleError(f"{directory}: {error}; rebuild the index") from error
    if (len(sketch), len(sketch.axes)) != (n, dim):
        raise BundleError(
            f"{directory}: the sketch is of {len(sketch)} rows of dim {len(sketch.axes)}, the matrix has {n} of {dim}; "
            "rebuild the index"
        )
    return sketch


def sketch_rows(matrix: FloatArray, n_axes: int, *, candidates: int, finalists: int, depth: int) -> Sketch:
    """Return a sketch of ``matrix`` (n, dim) whose ``n_axes`` longest principal axes lead.

    Axes are those of the rows around 0, for products are what is sketched. Time O(n dim^2 + dim^3); memory n dim bytes
    twice.
    """
    axes, codes, steps = _quantised(matrix)
    return Sketch(axes, *_divided(codes, n_axes), steps, candidates, finalists, depth)


def choose_sketch(matrix: FloatArray, queries: FloatArray, base: FloatArray | None = None) -> Sketch | None:
    """Return the sketch that finds the best rows of ``queries`` at the least cost; None where none is worth it.

    For each number of leading axes, an audit finds how many candidates hold 99.5 % of the queries' best 400 rows, and
    how many finalists by all axes; the cheapest pair is taken.

    Parameters
    ----------
    matrix : ndarray
        (n, dim) float32.
    queries : ndarray
        (s, dim) float32, of the kind that will be asked; the first hundred are looked at.
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
    vectors = np.ascontiguousarray(queries[asked])
    scores = np.zeros((len(asked), n), dtype=np.float32) if base is None else base[asked]
    best = best_columns(scores + vectors @ matrix.T, DEPTH)  # (s, depth)
    axes, codes, steps = _quantised(matrix)
    needed: dict[int, int] = {}
    for start, stop in pairwise(sorted({0, dim} | {min(_UNIT * tried, dim) for tried in _TRIED})):
        part = np.ascontiguousarray(codes[:, start:stop]).astype(np.float32) * steps[:, None]
        scores += (vectors @ axes[:, start:stop]) @ part.T
        needed[stop] = max(int(_LEAST_RATIO * DEPTH), int(np.quantile(_ranks(scores, best), KEPT)) + 1)
    finalists = needed[dim]
    costs = {a: _cost(n, dim, a, candidates, finalists) for a, candidates in needed.items()}
    n_axes = min(costs, key=lambda a: costs[a])
    if costs[n_axes] > _WORTH * 4 * n * dim:
        return None
    return Sketch(axes, *_divided(codes, n_axes), steps, max(needed[n_axes], finalists), finalists, DEPTH)


def _cost(n: int, dim: int, n_axes: int, candidates: int, finalists: int) -> int:
    """Return the cost of a query: leading codes in a run, candidates chosen, their other codes and finalists picked."""
    return n * n_axes + _CHOSEN * candidates + _PICKED * (candidates * (dim - n_axes) + 4 * dim * finalists)


def _quantised(matrix: FloatArray) -> tuple[FloatArray, CodeArray, FloatArray]:
    """Return axes (dim, dim), codes (n, dim) along them, and steps (n,); see :class:`Sketch`."""
    n, dim = matrix.shape
    gram = np.zeros((dim, dim))
    for start in range(0, n, _BLOCK):
        block = matrix[start : start + _BLOCK]
        gram += block.T @ block
    values, basis = np.linalg.eigh(gram / max(n, 1))
    values, basis = values[::-1], basis[:, ::-1]
    lengths = np.sqrt(np.maximum(values, 0.0))
    lengths[lengths <= 1e-6 * lengths.max(initial=0.0)] = 0.0  # rounding, along axes that the rows do not reach
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    into = (basis * inverse).astype(np.float32)  # along each axis, the rows' root mean square becomes 1
    codes, steps = np.empty((n, dim), dtype=np.int8), np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):
        along = matrix[start : start + _BLOCK] @ into
        step = np.abs(along).max(axis=1, initial=0.0) / np.float32(127)
        np.rint(along / np.where(step > 0, step, 1)[:, None], out=along)
        codes[start : start + _BLOCK], steps[start : start + _BLOCK] = along, step
    return np.ascontiguousarray(basis * lengths, dtype=np.float32), codes, steps


def _divided(codes: CodeArray, n_axes: int) -> tuple[CodeArray, CodeArray]:
    return np.ascontiguousarray(codes[:, :n_axes]), np.ascontiguousarray(codes[:, n_axes:])


def _ranks(scores: FloatArray, best: RowArray) -> npt.NDArray[np.int64]:
    """Return the place that each row of ``best`` (s, depth) has when all rows stand in the order of ``scores``."""
    ranks = np.empty(best.shape, dtype=np.int64)
    for i, rows in enumerate(best):
        ranks[i] = np.searchsorted(np.sort(-scores[i]), -scores[i, rows])
    return ranks.ravel()
