"""Mobius: two towers that know what is irrelevant, and what an item is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.contracts.domains import floats
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import number, text
from graphrec.models.deep.item_worth import item_worth
from graphrec.models.deep.two_tower import TwoTower
from graphrec.recallers.query_encoder import FloatArray

if TYPE_CHECKING:
    from graphrec.models.deep.recall_task import RecallTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Mobius(TwoTower):
    r"""Two towers whose negatives are what they would recall and a teacher finds irrelevant, weighed by value.

    Three things are added to :class:`graphrec.models.deep.two_tower.TwoTower`. *Bad cases*: every few epochs users are
    crossed with what others took; of what a teacher, who knows the items' labels, tags and words alone, finds less
    relevant to a user than nearly all that users have, the items of the model's highest scores are his own negatives
    (:class:`graphrec.negatives.irrelevant.Irrelevant`). *Value in the objective*: the loss of a pair counts
    :math:`(b_i / \bar b)^\beta`, with b what the item is worth. *Value in the search*: the vectors searched are

    .. math:: b_i^\gamma \, v_i / |v_i|^{1 - \rho}

    so that any index, a quantised one too, returns the greatest products of score and power of the worth, with no
    second look at a longer list. The higher gamma, the more value and the fewer hits: ``python -m
    benchmarks.value_curve`` has the curve.

    Parameters
    ----------
    value : str, default ""
        Column of numbers of the items: price, margin, bid; "" weighs none.
    value_exponent : float, default 0.1
        gamma, from 0 to 1.
    pair_exponent : float, default 0.0
        beta, from 0 to 1.
    mix : mapping of str to float
        Empty is ``{"all" = 1.0, "irrelevant" = 0.002}``; without "irrelevant" there is no teacher.
    similarity, length_exponent, layers, user_layers, serve :
        See :class:`graphrec.models.deep.two_tower.TwoTower`.
    dim, ids, features :
        See :class:`graphrec.models.deep.settings.LearnedSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Fan, Guo, Zhu, Jia, Zhang, Li, "MOBIUS: towards the next generation of query-ad matching in Baidu's sponsored
       search", KDD 2019. Differs: bad cases are negatives of the softmax, not a third class; the worth has an exponent.
    """

    about: ClassVar[About] = About(
        recalls="two towers that know bad cases by content, weighed by value",
        artefact="vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric"),
    )

    value: str = text("")
    value_exponent: float = number(0.1, most=1.0, search=floats(0.0, 0.5))
    pair_exponent: float = number(0.0, most=1.0, search=floats(0.0, 0.5))

    @property
    def kinds(self) -> Mapping[str, float]:
        """The kinds of negatives and their ratios."""
        return self.mix or {"all": 1.0, "irrelevant": 0.002}

    def _task_class(self) -> type[RecallTask]:
        from graphrec.models.deep.mobius_task import MobiusTask

        return MobiusTask

    def _searched(self, data: RecallData, items: FloatArray, rows: npt.NDArray[np.int32]) -> FloatArray:
        served = self.served(items)
        if not self.value:
            return served
        weights = item_worth(data.item_features, self.value)[rows] ** self.value_exponent
        weighed: FloatArray = served * weights.astype(np.float32)[:, None]
        return weighed
