r"""Complementary coverage: quotas chosen greedily by the held-out items that each further place adds.

The objective. Let :math:`F(q)` be the held-out (user, item) pairs that stand among the first :math:`q_c` entries of any
channel :math:`c`, for quotas :math:`q` (counted, or weighed by one over the user's number of held-out items). With a
price :math:`w_c` a place, look for the :math:`q` with :math:`\sum_c w_c q_c \le B` that makes :math:`F` largest.

What it is. Take as elements the pairs (channel, length), where (c, p) stands for the first p entries of c, covers what
these cover and costs :math:`w_c p`. F of a set of elements is a coverage function, hence monotone and submodular, and
one longest element a channel is all that a set needs, so that the quotas are **submodular maximisation under a
knapsack**. It is not the problem with one element a single entry (c, r): that function is submodular too and its budget
counts elements, but an entry comes only after all above it, and greedy steps of one place each can then be
arbitrarily bad (a channel whose first entry finds nothing is never begun, whatever stands below).

What greedy does. From the quotas q it lengthens the channel c to the p with the most gain a unit of price,

.. math:: \frac{F(q \text{ with } q_c := p) - F(q)}{w_c (p - q_c)}, \qquad w_c (p - q_c) \le B - \sum_d w_d q_d ,

until nothing gains. At each state it also looks at giving all that is left of the budget to one channel, and remembers
the best of all these ends.

What is guaranteed, with OPT the largest F there is:

1. Always at least OPT / 2. Let o be the element of the optimum that costs most, m its cost, and q the last greedy state
   that costs at most B - m. If q with o has OPT / 2, that end was looked at. Else the optimum's other elements, which
   cost at most B - m and all fit, gain more than OPT / 2 upon q and upon every state before; so up to and including the
   next step each took at least that density, and together they cost more than B - m and gained more than OPT / 2 [3]_.
2. At least (1 - 1/e) OPT where every best step fitted: as long as no step of higher density is refused for want of
   budget, a step of price s closes at least s / B of what is missing to OPT, so a budget used up in whole steps leaves
   a share of less than 1/e. This is so wherever each step is one place of price 1, as in [1]_, for instance
   where no channel's hits come more densely further down; ``whole_steps`` says whether it was so. Sviridenko's
   enumeration of all triples of elements would have 1 - 1/e always [2]_, at a cost of (C B)^5, and is not done.
3. For the instance at hand, ``bound`` is at least OPT: no quotas within the budget gain more upon a state than the
   fractional knapsack over the concave hulls of the channels' gains there. ``prefixes_cover / bound`` is therefore a
   certificate, usually far above both numbers.

Places and prefixes. F charges for an entry that another channel's prefix holds too, but a quota fusion that merges the
lists does not: whoever comes later goes further down. Its list of :math:`\sum_c q_c` places therefore holds all the
prefixes and, where channels overlap, more. So the ascent is done a second time as lists are really merged: a step of p
places gives each user the channel's next p items *that have no place yet*. That objective depends on the order of
steps, is not submodular, and has no bound of its own; usually it finds more. Of the two ends the one is returned whose
merged lists find more, so that they never find less than the first end covers: points 1 and 2 hold for
what is returned, against the best prefixes. (A guarantee against the best merged lists is not known to us.)

All this holds for the held-out events that the quotas were chosen on. For others it is an estimate.

References
----------
.. [1] G. Nemhauser, L. Wolsey, M. Fisher, "An analysis of approximations for maximizing submodular set functions I",
   Mathematical Programming 14, 1978 (a cardinality constraint).
.. [2] M. Sviridenko, "A note on maximizing a submodular set function subject to a knapsack constraint", Operations
   Research Letters 32, 2004.
.. [3] G. Yaroslavtsev, S. Zhou, D. Avdiukhin, "'Bring Your Own Greedy'+Max: Near-Optimal 1/2-Approximations for
   Submodular Knapsack", AISTATS 2020. Differs: elements of one channel share their entries, so a step pays for what
   it adds only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.coverage_places import ascend_places
from graphrec.fusion.coverage_prefixes import NOISE, Objective, ascend_prefixes, prefix_hits
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.quota import Quota, place
from graphrec.fusion.settings import FitResult


@dataclass(frozen=True, slots=True)
class Coverage:
    """Quotas chosen on held-out events under a total budget: see :func:`choose_quotas`. They serve as quota fusion.

    Parameters
    ----------
    budget : float, default 0
        What all places together may cost, > 0; 0 means the largest k, at a price of 1 a place.
    prices : dict of str to float
        What one place of a channel costs, > 0; channels that are not named cost 1.
    objective : "hits" or "recall", default "hits"
        Whether every held-out item counts alike, or every user.
    """

    kind: ClassVar[str] = "coverage"
    budget: float = 0.0
    prices: dict[str, float] = field(default_factory=dict)
    objective: Objective = "hits"

    def __post_init__(self) -> None:
        if not (np.isfinite(self.budget) and self.budget >= 0):
            raise ConfigError(f"the budget is {self.budget}; it must be above 0, or 0 for the largest k")
        if self.objective not in ("hits", "recall"):
            raise ConfigError(f"the objective is {self.objective!r}; legal: hits, recall")
        check_prices(self.prices)
        if 0 < self.budget < (cheapest := min([1.0, *self.prices.values()])):
            raise ConfigError(f"the budget of {self.budget:g} pays for no place: the cheapest costs {cheapest:g}")

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],  # noqa: ARG002 - one signature
        seed: int,  # noqa: ARG002
        graph: GraphLevels = NO_LEVELS,  # noqa: ARG002
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FitResult:
        """Return the quota fusion that covers most; nothing is drawn."""
        chosen = choose_quotas(
            lists, truth, budget=self.budget or float(k), prices=self.prices, objective=self.objective
        )
        report = {
            "kind": self.kind,
            "objective": self.objective,
            "budget": self.budget or k,
            "quotas": chosen.quotas,
            "covered": chosen.covered,
            "held_out": chosen.held_out,
            "prefixes_cover": chosen.prefixes_cover,
            "best_prefixes_at_most": chosen.bound,
            "whole_steps": chosen.whole_steps,
        }
        return FitResult(Quota(chosen.quotas), report)

    def channel_depth(self, k: int) -> int:
        """Return k: quota fusion places no more of one channel."""
        return k


@dataclass(frozen=True, slots=True)
class ChosenQuotas:
    """Quotas by channel with what they cover.

    ``covered`` is what the merged lists find and ``held_out`` the most that any lists could. ``prefixes_cover`` is what
    the first ascent reached, ``bound`` what no prefixes within the budget exceed on these events; ``whole_steps`` says
    whether the guarantee of 1 - 1/e holds.
    """

    quotas: dict[str, int]
    covered: float
    held_out: float
    prefixes_cover: float
    bound: float
    whole_steps: bool


def check_prices(prices: Mapping[str, float]) -> None:
    """Raise ConfigError unless every price is finite and above 0."""
    for name, price in prices.items():
        if not (np.isfinite(price) and price > 0):
            raise ConfigError(f"the price of a place of channel {name!r} is {price}; it must be above 0")


def choose_quotas(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    *,
    budget: float,
    prices: Mapping[str, float] | None = None,
    objective: Objective = "hits",
) -> ChosenQuotas:
    """Return the quotas that greedy coverage gives the channels; the module's docstring says how good they are.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to n users, best first, at least as long as its quota may become.
    truth : ItemLists
        n lists of held-out items: a validation part, never the test part.
    budget : float
        What the places may cost together, > 0.
    prices : mapping of str to float, optional
        What one place of a channel costs, > 0; default 1.
    objective : "hits" or "recall", default "hits"
        The number of held-out items covered, or the sum over users of the share of theirs.

    Returns
    -------
    ChosenQuotas
        Quotas in the order of ``lists``. They stop short of the budget where nothing more can be gained, and where
        what is left does not pay for a place.

    Raises
    ------
    ConfigError
        If the budget pays for no place at all, or a price is 0 or below.
    DataError
        If no user has any truth, no channel finds any of it within the budget, or numbers of users disagree.

    Notes
    -----
    Time O(steps * E) for E entries of all lists; memory O(E) beside them. Ties go to the channel that comes
    first, then to the shorter step. Deterministic.
    """
    check_prices(prices or {})
    cost = np.array([(prices or {}).get(name, 1.0) for name in lists], dtype=np.float64)
    if not budget >= cost.min(initial=np.inf):
        raise ConfigError(
            f"the budget of {budget:g} pays for no place: the cheapest costs {cost.min(initial=np.inf):g}"
        )
    hits = prefix_hits(lists, truth, budget / cost, objective)
    best = ascend_prefixes(hits, cost, budget)
    if not best.covered:
        raise DataError(
            "no channel finds any held-out item within the budget, so quotas cannot be chosen; raise the budget or "
            "hold out more events"
        )
    ends = (best.quotas, ascend_places(lists, truth, cost, budget, objective))
    merged = [_merged_objective(lists, truth, quotas, objective) for quotas in ends]
    chosen = int(merged[1] > merged[0] + NOISE)
    return ChosenQuotas(
        dict(zip(lists, map(int, ends[chosen]), strict=True)),
        merged[chosen],
        hits.held_out,
        best.covered,
        min(best.bound, hits.held_out),
        best.whole_steps,
    )


def _merged_objective(
    lists: Mapping[str, ItemLists], truth: ItemLists, quotas: npt.NDArray[np.int64], objective: Objective
) -> float:
    """Return the objective of the lists that the quotas merge, as long as the quotas together."""
    named = dict(zip(lists, map(int, quotas), strict=True))
    if not any(named.values()):
        return 0.0
    metrics = rank_metrics(place(lists, sum(named.values()), quotas=named).lists, truth, sum(named.values()))
    each = metrics.recall if objective == "recall" else metrics.precision * sum(named.values())
    return float(np.nansum(each))
