"""What to try next, and which settings mattered: Optuna, by a draw at a time.

Every draw is a pure function of the space, the trials so far and a seed: the study is built anew from the log, and a
sampler is seeded for this one draw. So nothing but the log is kept, and a search that was stopped goes on with the
same draws as one that was not.
"""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from graphrec.contracts.domains import Choices, Domain, Space
from graphrec.errors import MissingExtraError

from .trial_log import Trial

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import TrialState, create_trial
except ImportError as error:
    raise MissingExtraError("tuning", extra="tune") from error

# Fewer trials say nothing of importance.
_LEAST_TRIALS = 5


def draw(space: Space, trials: Sequence[Trial], *, seed: int, channel: str) -> dict[str, float]:
    """Return the numbers to try next: field -> a number of its domain.

    Parameters
    ----------
    space : mapping of str to Domain
        What is searched.
    trials : sequence of Trial
        Those made so far. Failed ones, and settings outside the space, teach nothing.
    seed : int
        Same seed, channel and trials, same draw (with the same version of Optuna).
    channel : str
        Channels with the same seed draw differently.

    Notes
    -----
    Tree-structured Parzen estimator [1]_ over all fields together, with Optuna's settings: the first ten draws are
    random.

    References
    ----------
    .. [1] Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011.
    """
    mixed = np.random.SeedSequence([seed, zlib.crc32(channel.encode()), len(trials)]).generate_state(1)
    with _quiet():
        study = _study(space, trials, optuna.samplers.TPESampler(seed=int(mixed[0]), multivariate=True))
        return dict(study.ask(fixed_distributions=_distributions(space)).params)


def importances(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """Return the share of the values' variance that each field explains by itself [1]_, largest first.

    Empty where there are too few trials, or all have the same value. Shares of what fields do together are left out,
    so they need not sum to 1.

    References
    ----------
    .. [1] Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    done = [trial for trial in trials if trial.value is not None and trial.drawn is not None]
    if len(done) < _LEAST_TRIALS or len({trial.value for trial in done}) < 2:
        return {}
    with _quiet():
        study = _study(space, done, optuna.samplers.RandomSampler(seed=0))
        try:
            evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        except ImportError as error:
            raise MissingExtraError("importances of settings", extra="tune") from error
        shares = evaluator.evaluate(study)
    return {field: float(share) for field, share in shares.items() if math.isfinite(share)}


def _study(space: Space, trials: Sequence[Trial], sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """Return a study in memory that knows the trials."""
    study = optuna.create_study(direction="maximize", sampler=sampler)
    distributions = _distributions(space)
    for trial in trials:
        if trial.drawn is not None:
            state = TrialState.FAIL if trial.value is None else TrialState.COMPLETE
            study.add_trial(
                create_trial(state=state, value=trial.value, params=dict(trial.drawn), distributions=distributions)
            )
    return study


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    return {field: _distribution(domain) for field, domain in space.items()}


def _distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choices):
        # Places, for Optuna takes no lists or tables for values, and True == 1 would be one of them.
        return CategoricalDistribution(tuple(range(len(domain.values))))
    if domain.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's remarks and warnings off the terminal: what matters is shown in our own words."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(level)
