"""BSPM: histories blurred by a graph filter, then sharpened by running the blur backwards."""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.behaviour.spectrum import bulk_slope, item_spectrum, spectral_recaller
from graphrec.channels.families import SpectralSettings
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.recallers.spectral import SpectralRecaller
from graphrec.sparse.taste import inverse_power


@dataclass(frozen=True, slots=True, kw_only=True)
class Bspm(SpectralSettings):
    r"""Items that a history leads to when it is blurred over the item graph and then sharpened; nothing is trained.

    .. math:: score = s\,\big(G + \beta\, D_i^{-1/2} V V^\top D_i^{1/2}\big)\, p(G), \qquad
              p(x) = \sum_{j=0}^{4} \frac{(-T x)^j}{j!}, \qquad G = N^\top N

    with s the history, V the leading right singular vectors of :math:`N = D_u^{-1/2} R D_i^{-1/2}`, and p one step of
    the fourth-order Runge-Kutta method over the time T of :math:`r' = -rG`. A user is served by his history, known or
    live; without history the list is empty. An item without events cannot come back.

    Parameters
    ----------
    rank : int, default 512
        Columns of V, >= 1. The paper takes 448 for Gowalla.
    low_pass : float, default 0.2
        beta, >= 0.
    sharpening : float, default 2.5
        T, >= 0; 0 sharpens nothing, which is GF-CF. Beyond about 2.8 the step is unstable at the end of the spectrum.
    last, half_life, weight_exponent, index :
        See :class:`graphrec.channels.families.SpectralSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    Notes
    -----
    On 2,000 users of a validation part of Gowalla's train (20 % a user), with the paper's settings, Recall@20 / NDCG@20
    are .1994 / .1385 this way and .1992 / .1389 with the whole polynomial.

    References
    ----------
    .. [1] Choi, Hong, Park, Cho, "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023, arXiv
       2211.09324, the early-merge form with one Euler step of blurring. Differs: :math:`G p(G)` is exact on the
       ``rank`` leading eigenvectors, and a line on the rest.
    """

    about: ClassVar[About] = About(
        recalls="where a history leads when it is blurred over the item graph and sharpened",
        artefact="spectral filter",
        libraries=("scikit-learn",),
    )

    rank: int = count(512, least=1, unit="eigenvectors", search=ints(32, 1024, log=True))
    low_pass: float = number(0.2, search=floats(0.0, 1.0))
    # Beyond 2.8 the step is unstable.
    sharpening: float = number(2.5, search=floats(0.0, 2.8))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> SpectralRecaller:
        """Return the channel. Time O(m rank + (n_users + n_items) rank^2); memory O((n_users + n_items) rank)."""
        spectrum = item_spectrum(data, context, rank=self.rank, weight_exponent=self.weight_exponent)
        leading, vectors = spectrum.eigenvalues, spectrum.vectors
        root = np.sqrt(spectrum.degrees)[:, None]
        slope = bulk_slope(lambda x: x * runge_kutta(x, self.sharpening), spectrum)
        gains = leading * runge_kutta(leading, self.sharpening) - slope * leading
        # Two low-rank parts over the same vectors: what the line misses, and the ideal low pass, sharpened.
        sharp = _sharpened(spectrum.normalised, (root * vectors).astype(np.float32), self.sharpening)
        return spectral_recaller(
            spectrum,
            np.hstack([vectors * gains, self.low_pass * vectors * inverse_power(spectrum.degrees, 0.5)[:, None]]),
            np.hstack([vectors, sharp]),
            slope=slope,
            exponent=0.0,
            pool=data.pool,
            profile=self.profile(),
            reason="because you {verb} {source}: the graph of what people {verb} together leads here",
            index=self.index,
        )


def runge_kutta(eigenvalues: npt.NDArray[np.float64], time: float) -> npt.NDArray[np.float64]:
    """Return p at (p,) ``eigenvalues``: one fourth-order step of r' = -r x over ``time``."""
    steps = [(-time * eigenvalues) ** j / factorial(j) for j in range(5)]
    total: npt.NDArray[np.float64] = np.sum(steps, axis=0)
    return total


def _sharpened(normalised: sp.csr_array, signals: npt.NDArray[np.float32], time: float) -> npt.NDArray[np.float32]:
    """Return ``p(G) @ signals``, (n_items, rank) float32."""
    by_item = sp.csr_array(normalised.T)
    total, term = signals.copy(), signals
    for j in range(1, 5):
        term = (by_item @ (normalised @ term)) * np.float32(-time / j)
        total += term
    return total
