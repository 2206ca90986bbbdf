"""Rates out of few trials: what a rate most likely is, and what it is at least."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

Numbers = npt.NDArray[np.float64]


def beta_prior(successes: Numbers, trials: Numbers) -> tuple[float, float]:
    r"""Return (a, b) of the Beta distribution that the true rates of all rows follow, by the method of moments.

    With weights :math:`w_i = n_i / N`, the pooled rate :math:`p` and the spread
    :math:`S = \sum_i w_i (x_i / n_i - p)^2`, the share of the spread that is no chance is

    .. math:: \rho = \frac{S - p(1-p) \sum_i w_i (1 - w_i) / n_i}{p(1-p) \sum_i w_i (1 - w_i)(1 - 1 / n_i)}

    and :math:`a + b = 1 / \rho - 1`, :math:`a = p\,(a + b)`.

    Parameters
    ----------
    successes, trials : ndarray
        (m,) float64, 0 <= successes <= trials; fractions are legal (decayed counts). Rows without trials say nothing.

    Returns
    -------
    a, b : float
        Both above 0. Where the rows differ by no more than chance, the prior weighs as much as all trials together,
        and every row is given nearly the pooled rate.

    Notes
    -----
    The pooled rate is (sum of successes + 1/2) / (sum of trials + 1), so that it is never 0 or 1. Time O(m).

    References
    ----------
    .. [1] J. Kleinman, "Proportions with extraneous variance: single and independent samples", JASA 68 (1973).
    """
    tried = trials > 0
    x, n = successes[tried], trials[tried]
    total = float(n.sum())
    p = (float(x.sum()) + 0.5) / (total + 1.0)
    if len(n) < 2:
        return p * max(total, 1.0), (1 - p) * max(total, 1.0)
    weights = n / total
    spread = float((weights * (x / n - p) ** 2).sum())
    chance = float((weights * (1 - weights) / n).sum())
    room = float((weights * (1 - weights) * (1 - 1 / n)).sum())
    rho = (spread - p * (1 - p) * chance) / (p * (1 - p) * room) if room > 0 else 0.0
    least = 1.0 / (max(total, 1.0) + 1.0)
    strength = 1.0 / min(max(rho, least), 0.999) - 1.0
    return p * strength, (1 - p) * strength


def posterior_mean(successes: Numbers, trials: Numbers, prior: tuple[float, float]) -> Numbers:
    """Return (m,) float64 smoothed rates: (x + a) / (n + a + b)."""
    a, b = prior
    smoothed: Numbers = np.divide(successes + a, trials + (a + b))
    return smoothed


def posterior_lower(successes: Numbers, trials: Numbers, prior: tuple[float, float], confidence: float) -> Numbers:
    """Return (m,) float64: what each rate exceeds with probability ``confidence``, under Beta(x + a, n - x + b)."""
    a, b = prior
    return np.asarray(betaincinv(successes + a, trials - successes + b, 1.0 - confidence), dtype=np.float64)


def wilson_lower(successes: Numbers, trials: Numbers, confidence: float) -> Numbers:
    r"""Return (m,) float64: the lower end of Wilson's one-sided interval; 0 where nothing was tried.

    .. math:: \frac{\hat p + z^2 / 2n - z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4n^2}}{1 + z^2 / n}

    References
    ----------
    .. [1] E. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    z = float(ndtri(confidence))
    n = np.where(trials > 0, trials, 1.0)
    rate = successes / n
    half = z * np.sqrt(np.maximum(rate * (1 - rate), 0.0) / n + z**2 / (4 * n**2))
    lower = (rate + z**2 / (2 * n) - half) / (1 + z**2 / n)
    return np.where(trials > 0, np.maximum(lower, 0.0), 0.0)
