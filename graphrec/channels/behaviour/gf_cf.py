"""GF-CF: a linear filter of the item graph, and its smoothest signals once more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphrec.channels.behaviour.spectrum import item_spectrum, spectral_recaller
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.recallers.profile import Profile
from graphrec.recallers.spectral import SpectralRecaller
from graphrec.sparse.taste import check_at_least, check_count, inverse_power


@dataclass(frozen=True, slots=True)
class GfCf:
    r"""Items that a low-pass filter of the item graph leads to from a history; nothing is trained.

    .. math:: score = s \,(N^\top N + \alpha\, D_i^{-1/2} V V^\top D_i^{1/2}), \qquad N = D_u^{-1/2} R D_i^{-1/2}

    with s the history, V the leading right singular vectors of N, and D the sums of R's rows and columns. A user is
    served by his history, known or live; one without history gets an empty list. An item without events cannot come
    back.

    Parameters
    ----------
    rank : int, default 512
        Columns of V, >= 1: the cut-off of the ideal low pass. The paper takes 256.
    low_pass : float, default 0.2
        alpha, >= 0. The paper takes 0.3 with 256 vectors.
    last : int, default 0
        Newest history items used; 0 uses all.
    half_life : float, default 100.0
        Positions after which a history item counts half; 0 means that age does not matter.
    weight_exponent : float, default 0.0
        Power of interaction weights in R and in histories; 0 makes them ones.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Shen, Wu, Zhang, Shan, Zhang, Letaief, Li, "How Powerful is Graph Convolution for Recommendation?", CIKM
       2021, arXiv 2108.07567, eq. (14). Differs: the singular vectors come from a randomised decomposition.
    """

    rank: int = 512
    low_pass: float = 0.2
    last: int = 0
    half_life: float = 100.0
    weight_exponent: float = 0.0

    def __post_init__(self) -> None:
        check_count("rank", self.rank, 1)
        check_count("last", self.last, 0)
        for name in ("low_pass", "half_life", "weight_exponent"):
            check_at_least(name, getattr(self, name), 0)

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
            profile=Profile(self.last, self.half_life, self.weight_exponent),
            reason="because you {verb} {source}: the graph of what people {verb} together leads here",
        )
