"""ComiRec: several interests of a history, each a vector of its own that is searched for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number
from graphrec.index import Index
from graphrec.models.deep.sequence_settings import SequenceSettings
from graphrec.recallers.encoder import TowerEncoder
from graphrec.recallers.interest_encoder import InterestEncoderRecaller

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel

Routing = Literal["attention", "capsules"]

_REASON = "because you {verb} {source}: one of your interests, and what others {verb} next"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComiRec(SequenceSettings):
    r"""The items whose vectors are greatest times one of several states of the newest events, its interests.

    .. math:: h_{tc} = T\Big(\sum_{r \le t} a_{trc} v_{i_r}\Big), \qquad s(j \mid i_{1..t}) = \max_c h_{tc} \cdot v_j,
              \qquad g_{trc} = w_c \cdot \tanh(W v_{i_r}) + b_{c, t - r}

    With ``routing = "attention"`` [1]_ each interest c attends by itself: a is a softmax of g over the events r. With
    "capsules" [2]_ interests share each event out: a is a softmax over interests of g and of how near the event is to
    what they made of all in the round before, squashed. T adds hidden layers to its input. The numbers b of distances
    begin so that each interest looks four times as far back as the one before.

    In training the interest that the next item is nearest to learns from it. A request searches for each interest,
    and an item has the greatest of its products; as evidence stands the event that this interest is nearest to.

    Parameters
    ----------
    interests : int, default 4
        States of a history, >= 1.
    routing : {"attention", "capsules"}
        How interests are made of events.
    rounds : int, default 3
        Of "capsules", >= 1.
    layers : int, default 1
        Hidden layers over each interest.
    diversity : float, default 0.0
        What each better item of its interest takes from an item's score, >= 0: greater numbers give more interests
        places in front (:class:`graphrec.recallers.interest_encoder.InterestEncoderRecaller`).
    last, dim, features :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Cen et al., "Controllable multi-interest framework for recommendation", KDD 2020: ComiRec-SA and -DR.
       Differs: an interest has a number for each distance in place of positions added to items, each event of a window
       is an example, and diversity is of interests, not of categories.
    .. [2] Li et al., "Multi-interest network with dynamic routing for recommendation at Tmall", CIKM 2019. Differs:
       routing begins with g in place of random numbers, so that a request always gets the same answer; the number of
       interests is not made smaller for short histories.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by several interests of the newest events",
        artefact="encoder and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    interests: int = count(4, least=1, most=64, unit="vectors", search=ints(1, 8))
    routing: Routing = choice("attention", Routing, searched=True)
    rounds: int = count(3, least=1, most=16)
    layers: int = count(1, most=8, search=choices(0, 1, 2))
    diversity: float = number(0.0, search=floats(0.0, 0.1))

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:  # noqa: ARG002 - as its base has it
        from graphrec.models.deep.interest_model import AttentiveInterests, CapsuleInterests

        settings = {"interests": self.interests, "last": self.last, "layers": self.layers}
        if self.routing == "capsules":
            return CapsuleInterests(items_in, **settings, dropout=self.dropout, rounds=self.rounds)
        return AttentiveInterests(items_in, **settings, dropout=self.dropout)

    @property
    def _interests(self) -> int:
        """Vectors that the tower makes of a history."""
        return self.interests

    def _served(self, encoder: TowerEncoder, vectors: npt.NDArray[np.float32], near: Index) -> InterestEncoderRecaller:
        """Return the channel of its parts."""
        return InterestEncoderRecaller(encoder, vectors, near, _REASON, diversity=self.diversity)
