"""EASE: the linear model that predicts each item from all others, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from graphrec.channels.behaviour.ease_neighbourhood import restricted_weights
from graphrec.channels.families import HistorySettings
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.errors import ConfigError
from graphrec.kernels import kernel
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import Scale, degrees, scaled
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, chunk_rows, join, select_top
from graphrec.threads import map_chunks

# Items that predict each item where there are too many for the exact solution.
_NEIGHBOURHOOD = 100
# Co-occurrences kept an item, as a multiple of the neighbourhood.
_COUNTS_PER_NEIGHBOUR = 10

# Rows of one block of the inversion, and of one strip of its updates: products stay small, only the matrix is large.
BLOCK = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Ease(HistorySettings):
    r"""The k items that each item predicts best, all other items of the history being known.

    .. math:: P = (R^\top R + \lambda I)^{-1}, \qquad B_{ij} = -P_{ij} / P_{jj}, \quad B_{ii} = 0

    B minimises :math:`\|R - RB\|^2 + \lambda \|B\|^2` with a diagonal of zeros; row i of the table holds the k
    largest **positive** entries of row i of B. The entries left out, small ones and all the negative ones ("i is on the
    shelf, so j is less likely"), cost a tenth of Recall@50 on goodbooks where they are just dropped (lambda 200:
    .304 whole, .271 pruned). They come back as their mean (.317): each unit of history takes from item j

    .. math:: b_j = -\rho \sum_i c_i (B_{ij} - T_{ij}) \Big/ \sum_i c_i,

    with T the table and c the users of each item; items left with 0 or less are not returned.

    With a ``neighbourhood`` of n, each item is predicted from the n items nearest to it alone: n^3 operations an item
    instead of one inversion of I^3, and no I x I matrix. It costs nothing where histories are short: on the 10,000
    most popular items of Gowalla (validation, lambda 15.9, k 400) Recall@20 is .290 with n = 100 and .285 exact, in a
    sixth of the time.

    A user is served by his history, known or live; without history the list is empty. An item without events has
    no neighbours, is never returned, and takes no part in the inversion.

    Parameters
    ----------
    k : int, default 400
        Neighbours kept an item, >= 1.
    regularisation : float, default 100.0
        lambda, > 0, in users: added to the diagonal of the co-occurrences. It depends on the data: goodbooks is best
        at 100; 50 and 200 cost 1-3 % of Recall@50.
    remainder : float, default 1.0
        rho, how much of the mean of the entries left out counts; 0 leaves them out altogether. On goodbooks
        (validation, lambda 100) 1 lifts Recall@50 from .264 to .324.
    max_items : int, default 45000
        Items with events beyond which ``neighbourhood = 0`` means 100, for the time and memory of the exact solution
        grow as stated at :meth:`fit`.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    neighbourhood : int, default 0
        n, items that predict an item; 0 is the exact solution, all items.
    max_items_per_user : int, default 2000
        Newest items of a user that count, for co-occurrences are quadratic in a history; 0 takes all.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019, arXiv 1905.03375, eq. (8). Differs:
       pruned to k positive entries a row, the others by their mean.
    """

    about: ClassVar[About] = About(
        recalls="what a history predicts, all its items weighed together; exact to 45,000 items, beyond that from "
        "each item's 100 nearest",
        artefact="neighbour table",
    )

    k: int = count(400, least=1, unit="neighbours", search=ints(100, 2000, log=True))
    regularisation: float = number(100.0, above=0, unit="users", search=floats(10.0, 3000.0, log=True))
    remainder: float = number(1.0, search=floats(0.0, 1.5))
    max_items: int = count(45_000, least=1, unit="items")
    neighbourhood: int = count(0, unit="items", search=choices(0, 50, 100, 200))
    max_items_per_user: int = count(2000, unit="items")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel.

        With I items that have events, exact: time O(I^3), one multiplication and addition for each two; memory 4 I^2
        bytes for the one matrix, inverted in place, and about 12 KB * I beside it: 0.4 GB for 10,000 items, 8.7 for
        45,000. With a neighbourhood of n: time O(I n^3) and the sum over users of deg(u)^2; memory about 150 n bytes an
        item and, a thread, 8 n^2.

        Raises
        ------
        ConfigError
            If the matrix is too near to singular for float32.
        """
        taste = shared_taste(data, context, self.weight_exponent, max_items_per_user=self.max_items_per_user)
        n = self.neighbourhood
        if not n and int((degrees(taste, 0) > 0).sum()) > self.max_items:
            n = _NEIGHBOURHOOD
        table, left_out = self._restricted(taste, data.pool, n) if n else self._exact(taste, data.pool)
        profile = self.profile()
        reason = "because you {verb} {source}: of all you {verb}, it speaks for this most"
        background = (-self.remainder * left_out).astype(np.float32)
        return NeighbourRecaller([table], profile=profile, reason=reason, background=background)

    def _exact(self, taste: sp.csr_array, pool: npt.NDArray[np.bool_]) -> tuple[NeighbourTable, Scale]:
        """Return T, and (n_items,) the mean of what it leaves out of B, from one inversion."""
        counts = degrees(taste, 0)
        active = np.flatnonzero(counts > 0)
        gram = co_occurrences(sp.csr_array(taste[:, active]), self.regularisation)
        invert(gram)
        table = best_predicted(gram, active.astype(np.int32), np.asarray(pool, dtype=np.bool_), self.k)
        left_out = np.zeros(len(counts))
        left_out[active] = mean_left_out(gram, table, active, counts)
        return table, left_out

    def _restricted(self, taste: sp.csr_array, pool: npt.NDArray[np.bool_], n: int) -> tuple[NeighbourTable, Scale]:
        """Return T, and (n_items,) the mean of what it leaves out of B, from one small system an item."""
        counts = degrees(taste, 0)
        weights = restricted_weights(taste, n, float(self.regularisation), n_counts=_COUNTS_PER_NEIGHBOUR * n)
        by_target = sp.csr_array((weights.scores, weights.neighbours, weights.indptr), shape=(len(counts), len(counts)))
        whole = by_target @ counts
        table = csr_table(sp.csr_array(scaled(by_target, rows=pool.astype(np.float64)).T.tocsr()), k=self.k)
        return table, (whole - _kept(table, counts)) / max(float(counts.sum()), 1.0)


def co_occurrences(taste: sp.csr_array, regularisation: float) -> FloatArray:
    """Return ``R^T R + lambda I``, (n, n) float32, filled strip by strip."""
    n = taste.shape[1]
    gram = np.empty((n, n), dtype=np.float32)
    by_item = sp.csr_array(taste.T.tocsr())
    for start in range(0, n, BLOCK):
        (by_item[start : start + BLOCK] @ taste).toarray(out=gram[start : start + BLOCK])
    gram.flat[:: n + 1] += np.float32(regularisation)
    return gram


def invert(matrix: FloatArray) -> None:
    r"""Turn a symmetric positive definite matrix into its inverse, in place, block by block.

    Each step sweeps one block K: with :math:`D = A_{KK}^{-1}`, :math:`A_{ij} \mathrel{-}= A_{iK} D A_{Kj}`, then
    :math:`A_{iK} = A_{iK} D` and :math:`A_{KK} = -D`; once all are swept, A is minus the inverse [1]_. One LAPACK call
    for the whole would be no faster, and some builds crash on matrices of 40,000 rows.

    Parameters
    ----------
    matrix : ndarray
        (n, n) float32; only the lower triangle is read.

    Raises
    ------
    ConfigError
        If a block is not positive definite in float32: the regularisation is too small.

    Notes
    -----
    n^3 floating-point operations, in products of 512 rows; memory two strips (n, 512) and one (512, n).

    References
    ----------
    .. [1] Goodnight, "A Tutorial on the SWEEP Operator", The American Statistician 33(3), 1979. Differs: blocks.
    """
    n = len(matrix)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        # (n, block): column K as a whole, the part above the diagonal taken from row K.
        column = np.concatenate([matrix[start:stop, :start].T, matrix[start:, start:stop]])
        pivot = _small_inverse(np.tril(column[start:stop]))
        swept = column @ pivot  # (n, block)
        for first in range(0, n, BLOCK):
            last = min(first + BLOCK, n)
            matrix[first:last, :last] -= swept[first:last] @ column[:last].T
        matrix[start:, start:stop] = swept[start:]
        matrix[start:stop, :start] = swept[:start].T
        matrix[start:stop, start:stop] = -pivot
    for first in range(0, n, BLOCK):  # the lower triangle, negated, is the inverse; mirror it
        last = min(first + BLOCK, n)
        np.negative(matrix[first:last, :last], out=matrix[first:last, :last])
        matrix[:first, first:last] = matrix[first:last, :first].T
        square = np.tril(matrix[first:last, first:last])
        matrix[first:last, first:last] = square + np.tril(square, -1).T


def _small_inverse(lower: FloatArray) -> FloatArray:
    """Return the inverse of one block, float32, worked out in float64 from its lower triangle."""
    try:
        factor = scipy.linalg.cho_factor(lower.astype(np.float64), lower=True)
    except scipy.linalg.LinAlgError as error:
        raise ConfigError("the co-occurrences are too near to singular for float32; raise regularisation") from error
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(lower)))
    return np.asarray((inverse + inverse.T) / 2, dtype=np.float32)


def best_predicted(inverse: FloatArray, active: RowArray, pool: npt.NDArray[np.bool_], k: int) -> NeighbourTable:
    """Return the k largest positive ``-P_ij / P_jj`` of each row, as a table over all items; the others have none."""
    n, width = len(pool), min(k, len(active))
    # Columns outside the pool get 0, and 0 is not kept.
    scale = -1.0 / np.ascontiguousarray(inverse.diagonal()).astype(np.float64) * pool[active]

    def work(start: int, stop: int) -> Pushed:
        counts = np.empty(stop - start, dtype=np.int64)
        size = (stop - start) * width
        rows, scores = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.float32)
        total = _best_of_rows(inverse, start, scale, active, counts, rows, scores, width)
        return indptr_of(counts), rows[:total].copy(), scores[:total].copy()

    bounds, rows, scores = join(list(map_chunks(work, len(active), chunk=chunk_rows(width))))
    lengths = np.zeros(n, dtype=np.int64)
    lengths[active] = np.diff(bounds)
    return NeighbourTable(indptr_of(lengths), rows, scores, n_columns=n)


def mean_left_out(
    inverse: FloatArray, table: NeighbourTable, active: npt.NDArray[np.intp], counts: Scale
) -> npt.NDArray[np.float64]:
    """Return (len(active),): the mean of each column of B less the table, rows weighted by ``counts`` (n_items,)."""
    weights = counts[active]
    # -P_jj / P_jj = -1 stands where B has 0.
    whole = weights - (weights.astype(np.float32) @ inverse).astype(np.float64) / inverse.diagonal()
    return np.asarray((whole - _kept(table, counts)[active]) / max(float(weights.sum()), 1.0))


def _kept(table: NeighbourTable, counts: Scale) -> Scale:
    """Return (n_items,): the sum of each column of the table, rows weighted by ``counts``."""
    sources = np.repeat(np.arange(len(table)), np.diff(table.indptr))
    return np.bincount(table.neighbours, weights=counts[sources] * table.scores, minlength=len(table)).astype(
        np.float64
    )


@kernel
def _best_of_rows(
    inverse: FloatArray,
    start: int,
    scale: npt.NDArray[np.float64],
    active: RowArray,
    counts: npt.NDArray[np.int64],
    rows: RowArray,
    scores: FloatArray,
    k: int,
) -> int:  # pragma: no cover - compiled
    """Write the k best positive entries of rows ``start``, ... of B, as item rows; return how many there are."""
    total = 0
    values, candidates = np.empty(active.size), np.empty(active.size, dtype=np.int32)
    for i in range(counts.size):
        n = 0
        for j in range(active.size):
            values[j] = inverse[start + i, j] * scale[j]
            if j != start + i and np.float32(values[j]) > 0.0:
                candidates[n] = j
                n += 1
        counts[i] = select_top(values, candidates[:n], k, rows[total:], scores[total:])
        for p in range(total, total + counts[i]):
            rows[p] = active[rows[p]]
        total += counts[i]
    return total
