r"""What another policy would have earned, from a log that says how probable each impression was.

For impressions :math:`i` of item :math:`a_i` in context :math:`x_i` with reward :math:`r_i`, propensity :math:`p_i` of
the policy that logged them, a target policy :math:`\pi` and a model :math:`q` of the reward, with
:math:`w_i = \pi(a_i | x_i) / p_i`:

.. math::
    \mathrm{IPS} = \frac{1}{m} \sum_i w_i r_i, \qquad
    \mathrm{SNIPS} = \frac{\sum_i w_i r_i}{\sum_i w_i}, \qquad
    \mathrm{DR} = \frac{1}{m} \sum_i \Big( \sum_a \pi(a | x_i) q(x_i, a) + w_i (r_i - q(x_i, a_i)) \Big)

References
----------
.. [1] D. G. Horvitz, D. J. Thompson, "A Generalization of Sampling Without Replacement From a Finite Universe", JASA
   1952 (IPS).
.. [2] A. Swaminathan, T. Joachims, "The Self-Normalized Estimator for Counterfactual Learning", NIPS 2015 (SNIPS).
.. [3] M. Dudik, J. Langford, L. Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011 (DR).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_rows, typed
from graphrec.data.exposures import Exposures
from graphrec.errors import DataError
from graphrec.evaluation.bootstrap import Interval, percentile_interval, resampled_means

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a target policy would have earned an impression, with 95 % intervals of a bootstrap over impressions.

    Parameters
    ----------
    ips, snips : Interval
        Inverse-propensity estimates, plain and self-normalised.
    dr : Interval or None
        The doubly robust estimate, where a model of the reward was given.
    logged : Interval
        What the policy of the log earned.
    n : int
        Impressions.
    effective : float
        Kish's effective number of impressions, ``(sum w)^2 / sum w^2``: far below ``n`` the log says little of the
        target.
    mean_weight : float
        About 1 where the log's propensities are true and cover the target.
    """

    ips: Interval
    snips: Interval
    dr: Interval | None
    logged: Interval
    n: int
    effective: float
    mean_weight: float


@typed
def policy_value(
    exposures: Exposures,
    policy: npt.ArrayLike,
    *,
    contexts: npt.ArrayLike | None = None,
    model: npt.ArrayLike | None = None,
    value: bool = False,
    rounds: int = 1000,
    seed: int = 0,
) -> PolicyValue:
    """Return what ``policy`` would have earned on the impressions of a log.

    Parameters
    ----------
    exposures : Exposures
        m impressions with propensities.
    policy : array
        (c, n_items): the probability that the target policy shows each item in each context; each row sums to 1.
    contexts : array, optional
        (m,) rows of ``policy``, such as the place on the page; None is context 0 throughout.
    model : array, optional
        (c, n_items) expected reward, finite: for the doubly robust estimate. It must not have seen these impressions.
    value : bool, default False
        Whether the reward is the value of an impression; else it is 1 where it converted.
    rounds, seed : int
        Of the bootstrap.

    Raises
    ------
    DataError
        If there are no propensities or values, nothing or everything converted, ``policy`` is no distribution over the
        items, or the target shows none of what was logged.

    Notes
    -----
    Time O(m rounds). The log must cover the target: what was never logged counts as earning nothing (IPS).
    """
    chances, rewards = _propensities(exposures), _rewards(exposures, value)
    target = _checked_policy(policy, exposures.n_items)
    rows = (
        np.zeros(len(exposures), dtype=np.int64) if contexts is None else as_array(contexts, np.int64, name="contexts")
    )
    if len(rows) != len(exposures):
        raise DataError(f"there are {len(rows)} contexts for {len(exposures)} exposures; give a context for each")
    check_rows(rows, len(target), name="contexts")
    weights = target[rows, exposures.items] / chances
    if not weights.any():
        raise DataError("the target policy shows none of the items that were logged; the log says nothing of it")
    columns = [weights * rewards, weights, rewards]
    if model is not None:
        columns.append(_doubly_robust(model, target, rows, exposures.items, weights, rewards))
    means = resampled_means(np.stack(columns, axis=1), rounds=rounds, seed=seed)  # (rounds, 3 or 4)
    ips, snips, logged, dr = columns[0], weights, rewards, columns[-1]
    ratio = means[:, 0] / np.where(means[:, 1] > 0, means[:, 1], np.inf)
    return PolicyValue(
        ips=percentile_interval(float(ips.mean()), means[:, 0]),
        snips=percentile_interval(float(ips.sum() / snips.sum()), ratio),
        dr=None if model is None else percentile_interval(float(dr.mean()), means[:, 3]),
        logged=percentile_interval(float(logged.mean()), means[:, 2]),
        n=len(exposures),
        effective=float(weights.sum() ** 2 / np.square(weights).sum()),
        mean_weight=float(weights.mean()),
    )


def _propensities(exposures: Exposures) -> Values:
    if exposures.propensities is None:
        raise DataError(
            "the exposures have no propensities, so another policy cannot be judged by them; name their column "
            "'propensity', or give Exposures(..., propensities=...)"
        )
    return exposures.propensities.astype(np.float64)


def _rewards(exposures: Exposures, value: bool) -> Values:
    n_converted = int(exposures.converted.sum())
    if n_converted in (0, len(exposures)):
        which = "none" if n_converted == 0 else "all"
        raise DataError(
            f"{which} of the {len(exposures):,} exposures converted; a policy is judged by a log of both kinds"
        )
    if not value:
        return exposures.converted.astype(np.float64)
    if exposures.values is None:
        raise DataError("the exposures have no values; name their column 'value', or judge by conversions")
    return exposures.values.astype(np.float64)


def _checked_policy(policy: npt.ArrayLike, n_items: int) -> Values:
    target: Values = as_array(policy, np.float64, name="policy", ndim=2)
    if target.shape[1] != n_items:
        raise DataError(f"the policy has probabilities of {target.shape[1]} items; there are {n_items}")
    # A comparison that NaN fails.
    if not (target >= 0).all():
        raise DataError(f"the policy holds {target[~(target >= 0)][0]}; a probability is 0 or more")
    sums = target.sum(axis=1)
    off = np.abs(sums - 1) > 1e-6
    if off.any():
        raise DataError(
            f"the probabilities of context {int(np.argmax(off))} sum to {sums[off][0]:g}; they must sum to 1"
        )
    return target


def _doubly_robust(
    model: npt.ArrayLike,
    target: Values,
    rows: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    weights: Values,
    rewards: Values,
) -> Values:
    """Return (m,) the doubly robust reward of each impression."""
    expected: Values = as_array(model, np.float64, name="model", ndim=2)
    if expected.shape != target.shape or not np.isfinite(expected).all():
        raise DataError(f"the model is of shape {expected.shape}; it must be finite and {target.shape}, as the policy")
    direct = (target * expected).sum(axis=1)
    values: Values = direct[rows] + weights * (rewards - expected[rows, items])
    return values
