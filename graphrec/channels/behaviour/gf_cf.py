"""GF-CF: a linear filter of the item graph, and its smoothest signals once more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrec.channels.behaviour.spectrum import item_spectrum, spectral_recaller
from graphrec.channels.families import SpectralSettings
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.recallers.spectral import SpectralRecaller
from graphrec.sparse.taste import inverse_power


@dataclass(frozen=True, slots=True, kw_only=True)
class GfCf(SpectralSettings):
    r"""Items that a low-pass filter of the item graph leads to from a history; nothing is trained.

    .. math:: score = s \,(N^\top N + \alpha\, D_i^{-1/2} V V^\top D_i^{1/2}), \qquad N = D_u^{-1/2} R D_i^{-1/2}

    with s the history, V the leading right singular vectors of N, and D the sums of R's rows and columns. A user is
    served by his history, known or live; without history the list is empty. An item without events cannot come
    back.

    Parameters
    ----------
    rank : int, default 512
        Columns of V, >= 1: the cut-off of the ideal low pass. The paper takes 256.
    low_pass : float, default 0.2
        alpha, >= 0. The paper takes 0.3 with 256 vectors.
    last, half_life, weight_exponent, index :
        See :class:`graphrec.channels.families.SpectralSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Shen, Wu, Zhang, Shan, Zhang, Letaief, Li, "How Powerful is Graph Convolution for Recommendation?", CIKM
       2021, arXiv 2108.07567, eq. (14). Differs: the singular vectors come from a randomised decomposition.
    """

    about: ClassVar[About] = About(
        recalls="where a low-pass filter of the item graph leads",
        artefact="spectral filter",
        libraries=("scikit-learn",),
    )

    rank: int = count(512, least=1, unit="eigenvectors", search=ints(32, 1024, log=True))
    low_pass: float = number(0.2, search=floats(0.0, 1.0))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> SpectralRecaller:
        """Return the channel. Time O(m rank + (n_users + n_items) rank^2); memory O((n_users + n_items) rank)."""
        spectrum = item_spectrum(data, context, rank=self.rank, weight_exponent=self.weight_exponent)
        return spectral_recaller(
            spectrum,
            self.low_pass * spectrum.vectors * inverse_power(spectrum.degrees, 0.5)[:, None],
            spectrum.vectors * np.sqrt(spectrum.degrees)[:, None],
            slope=1.0,
            exponent=0.0,
            pool=data.pool,
            profile=self.profile(),
            reason="because you {verb} {source}: the graph of what people {verb} together leads here",
            index=self.index,
        )
