"""The kinds of negatives by name, and a mixture of them made of settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall_data import RecallData
from graphrec.errors import ConfigError, nearest_names
from graphrec.negatives.active import LeastSure
from graphrec.negatives.exposed import exposed_without_click
from graphrec.negatives.hard import ModelHard
from graphrec.negatives.in_batch import InBatch
from graphrec.negatives.irrelevant import ContentTeacher, Irrelevant, item_terms
from graphrec.negatives.mixture import Mixture, Part
from graphrec.negatives.popularity import Popularity, WholePool
from graphrec.negatives.protocol import NegativeSampler
from graphrec.negatives.rules import BusinessRule
from graphrec.negatives.taken import Taken
from graphrec.sparse.taste import liked_pairs

# Items of a pool up to which "all" is all of them; of a larger one it is "uniform".
MOST = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSettings:
    """What the kinds need to know; recipes have settings of the same names, where they are explained."""

    alpha: float = 0.75
    hard_from: int = 101
    hard_to: int = 500
    hard_guard: float = 0.95
    hard_starts: float = 0.0
    hard_full: float = 0.0
    rules: Sequence[str] = ()
    budget: int = 100_000
    committee: int = 4


def _counts(data: RecallData) -> npt.NDArray[np.int64]:
    """Return (n_items,) the liked pairs of each item: what batches are made of."""
    return np.bincount(liked_pairs(data.interactions).items, minlength=len(data.items))


_Make = Callable[[RecallData, Taken, KindSettings], NegativeSampler]


def _in_batch(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:  # noqa: ARG001
    return InBatch(_counts(data), taken)


def _all(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:
    if np.count_nonzero(data.pool) > MOST:
        return _uniform(data, taken, settings)
    return WholePool(data.pool, taken)


def _uniform(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:  # noqa: ARG001
    return Popularity(np.ones(len(data.items)), data.pool, taken)


def _popular(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:
    return Popularity(_counts(data), data.pool, taken, alpha=settings.alpha)


def _hard(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:
    return ModelHard(
        taken, data.pool, first=settings.hard_from, last=settings.hard_to, guard=settings.hard_guard
    )  # fmt: skip


def _rule(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:
    return BusinessRule(settings.rules, data.item_features, data.pool, taken)


def _exposed(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:  # noqa: ARG001
    return exposed_without_click(data.exposures, data.pool, taken)


def _active(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:
    return LeastSure(taken, data.pool, budget=settings.budget, members=settings.committee)


def _irrelevant(data: RecallData, taken: Taken, settings: KindSettings) -> NegativeSampler:  # noqa: ARG001
    return Irrelevant(taken, data.pool, ContentTeacher(item_terms(data), taken))


KINDS: Mapping[str, _Make] = {
    "all": _all,
    "in-batch": _in_batch,
    "uniform": _uniform,
    "popular": _popular,
    "hard": _hard,
    "rule": _rule,
    "exposed": _exposed,
    "active": _active,
    "irrelevant": _irrelevant,
}
# Kinds that follow the model and the curriculum: at first there is no model to follow.
_LATE = ("hard", "active", "irrelevant")


def check_mix(mix: Mapping[str, float], rules: Sequence[str]) -> None:
    """Raise ConfigError unless ``mix`` names kinds of negatives with a ratio above 0, and rules where it has them."""
    for kind in mix:
        if kind not in KINDS:
            raise ConfigError(
                f"mix names {kind!r}; the kinds of negatives are {', '.join(KINDS)}{nearest_names(kind, KINDS)}"
            )
    if not any(mix.values()):
        raise ConfigError("mix has no kind of negatives with a ratio above 0; without negatives nothing is learnt")
    if ("rule" in mix) != bool(rules):
        given = "mix has the kind 'rule' and rules is empty" if not rules else "there are rules, and mix lacks 'rule'"
        raise ConfigError(f"{given}; give both or neither")


def make_mixture(mix: Mapping[str, float], data: RecallData, settings: KindSettings) -> Mixture:
    """Return the mixture of kinds by their ratios; kinds with ratio 0 are left out.

    Raises
    ------
    ConfigError, DataError
        If a kind cannot be made of the data: no exposures, rules that leave nothing, an empty pool.
    """
    taken = Taken(data.interactions)
    late = settings.hard_starts, settings.hard_full
    return Mixture(
        [
            Part(KINDS[kind](data, taken, settings), ratio, *(late if kind in _LATE else (0.0, 0.0)))
            for kind, ratio in mix.items()
            if ratio
        ]
    )
