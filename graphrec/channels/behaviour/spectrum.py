"""The spectrum of the item graph, on which graph filters are written, and the recaller that every filter ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.neighbours import csr_table
from graphrec.errors import MissingExtraError
from graphrec.index import ScanKind
from graphrec.index.sketch import AUDITED
from graphrec.recallers.profile import Profile
from graphrec.recallers.spectral import SpectralRecaller
from graphrec.sparse.taste import Scale, inverse_power, scaled, taste_matrix

# Power iterations of the randomised decomposition: with 4, leading singular values of Gowalla are right to 3 digits.
_ITERATIONS = 4
# Singular values below this are the rounding of float32 around 0; the largest is 1.
_LEAST = 1e-5

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    r"""Leading eigenvectors of :math:`G = N^\top N` with :math:`N = D_u^{-1/2} R D_i^{-1/2}`, whose spectrum is 0 to 1.

    ``normalised`` is N, (n_users, n_items) float32; ``degrees`` (n_items,) float64 the diagonal of :math:`D_i`, the
    sums of R's columns, as those of its rows are in :math:`D_u`; ``vectors`` (n_items, rank) float32; ``eigenvalues``
    (rank,) float64, falling, above 0.
    """

    normalised: sp.csr_array
    degrees: Scale
    vectors: npt.NDArray[np.float32]
    eigenvalues: npt.NDArray[np.float64]


def item_spectrum(data: RecallData, context: FitContext, *, rank: int, weight_exponent: float) -> Spectrum:
    """Return the ``rank`` leading eigenvectors of the item graph, or as many as there are; once a run.

    Time O(m rank + (n_users + n_items) rank^2) for m pairs; memory O((n_users + n_items) rank).

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    .. [1] Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011.
    """
    key = ("item-spectrum", rank, weight_exponent, context.seed)
    return context.once(
        data.interactions, key, lambda: _decomposed(data.interactions, rank, weight_exponent, context.seed)
    )


def _decomposed(interactions: Interactions, rank: int, weight_exponent: float, seed: int) -> Spectrum:
    """Return the spectrum, computed anew."""
    try:
        from sklearn.utils.extmath import randomized_svd
    except ImportError as error:
        raise MissingExtraError("the spectrum of the item graph", extra="train") from error
    taste = taste_matrix(interactions, weight_exponent)
    by_user, by_item = _sums(taste, 1), _sums(taste, 0)
    normalised = scaled(taste, rows=inverse_power(by_user, 0.5), columns=inverse_power(by_item, 0.5))
    rank = min(rank, int((by_user > 0).sum()), int((by_item > 0).sum()))
    if rank == 0:
        return Spectrum(normalised, by_item, np.empty((len(by_item), 0), dtype=np.float32), np.empty(0))
    _, values, vectors = randomized_svd(
        sp.csr_matrix(normalised), rank, n_iter=_ITERATIONS, power_iteration_normalizer="LU", random_state=seed
    )
    there = values > _LEAST
    # Rounding leaves items without events near 0; a history of them leads nowhere at all.
    vectors[:, by_item == 0] = 0
    eigenvalues = values[there].astype(np.float64) ** 2
    return Spectrum(normalised, by_item, np.ascontiguousarray(vectors[there].T, dtype=np.float32), eigenvalues)


def _sums(matrix: sp.csr_array, axis: int) -> Scale:
    """Return the sums of the columns (axis 0) or rows (axis 1), float64."""
    return np.asarray(matrix.sum(axis=axis, dtype=np.float64), dtype=np.float64)


def bulk_slope(response: Callable[[Values], Values], spectrum: Spectrum) -> float:
    """Return the slope of the line from 0 that meets ``response`` at the last leading eigenvalue.

    The filter is exact on the leading eigenvectors and this line on all others, whose eigenvalues are smaller: a query
    then costs two sparse products, whatever the filter, and the response has no step. A line that would fall is 0: a
    history leads to no item less than to one it knows nothing of.
    """
    last = float(spectrum.eigenvalues[-1]) if len(spectrum.eigenvalues) else 1.0
    return max(0.0, float(response(np.array([last]))[0]) / last)


def spectral_recaller(
    spectrum: Spectrum,
    sources: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    *,
    slope: float,
    exponent: float,
    pool: npt.NDArray[np.bool_],
    profile: Profile,
    reason: str,
    index: ScanKind,
) -> SpectralRecaller:
    r"""Return the recaller of :math:`D^{-b} (slope \cdot G) D^{b} + sources \, targets^\top`, b = ``exponent``.

    With the ``index`` "quantised" it has a sketch of its targets where that is worth it, audited on users' histories.
    """
    into = inverse_power(spectrum.degrees, exponent)
    # The power of the degree that leads out again; 0 keeps items outside the pool from coming back.
    out = np.where(pool & (spectrum.degrees > 0), spectrum.degrees**exponent, 0.0)
    recaller = SpectralRecaller(
        csr_table(sp.csr_array(scaled(spectrum.normalised, columns=into).T)),
        csr_table(scaled(spectrum.normalised, columns=slope * out)),
        sources.astype(np.float32),
        (targets * (out > 0)[:, None]).astype(np.float32),
        profile=profile,
        reason=reason,
    )
    return recaller if index == "exact" else recaller.with_sketch(_drawn_histories(spectrum.normalised))


def _drawn_histories(normalised: sp.csr_array) -> ItemLists:
    """Return the items of some users who have any, as lists; an item weighs 1."""
    lengths = np.diff(normalised.indptr)
    users = np.random.default_rng(0).permutation(np.flatnonzero(lengths))[:AUDITED]
    return take_lists(ItemLists(normalised.indptr, normalised.indices), users)
