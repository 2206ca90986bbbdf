"""GRU4Rec: what is taken next, by a recurrent network over what was taken before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphrec.contracts.domains import choices
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count
from graphrec.models.deep.sequence_settings import SequenceSettings

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class GRU4Rec(SequenceSettings):
    r"""The items whose vectors are greatest times the state of gated recurrent units after the newest event.

    .. math:: h_t = \mathrm{GRU}(h_{t-1}, v_{i_t}), \qquad s(j \mid i_{1..t}) = (v_{i_t} + W h_t) \cdot v_j

    with :math:`h_0 = 0`; ``layers`` units stand on each other. W is 0 at first, so that training begins with the newest
    item's neighbours.

    Parameters
    ----------
    layers : int, default 1
        Units on each other.
    last, dim, features :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Hidasi et al., "Session-based recommendations with recurrent neural networks", ICLR 2016. Differs: items are
       read and searched by one vector, the newest item's is added to the state, and a softmax over shared negatives is
       in place of a loss of pairs.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by a recurrent network over the newest events",
        artefact="encoder and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    layers: int = count(1, least=1, most=8, search=choices(1, 2))

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:  # noqa: ARG002 - as its base has it
        from graphrec.models.deep.history_models import Recurrent

        return Recurrent(items_in, layers=self.layers, dropout=self.dropout)
