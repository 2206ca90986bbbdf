"""DIN as recall: each candidate reads the history anew, of the candidates that several interests name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from graphrec.contracts.domains import choices, ints
from graphrec.contracts.progress import FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number
from graphrec.index import Index
from graphrec.models.deep.sequence_settings import SequenceSettings
from graphrec.recallers.encoder import EncoderRecaller, TowerEncoder
from graphrec.recallers.interest_encoder import InterestEncoderRecaller
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.target_attention import TargetAttentionRecaller

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel
    from graphrec.models.deep.sequence_task import SequenceTask

Serve = Literal["attention", "interests"]

_REASON = "because you {verb} {source}, which counts most beside it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DIN(SequenceSettings):
    r"""The items that score highest by a net in which each of them attends to the newest events by itself.

    .. math:: u_j = N\Big(\sum_r \mathrm{softmax}_r\big(w \cdot \mathrm{relu}(A v_{i_r} + B v_j
              + C v_{i_r} \odot D v_j) + b_{t - r}\big) v_{i_r}\Big), \qquad
              s(j) = u_j \cdot v_j + g(u_j, v_j, u_j \odot v_j)

    g is a hidden layer. No index finds the greatest of such scores, so there are two ways to serve them:

    * "attention": the net, an ONNX graph of (history, candidates), scores the ``candidates`` items that the interests
      of :class:`graphrec.models.deep.comirec.ComiRec`, a tower on the same vectors, put first;
    * "interests": that tower alone, which has learnt from the net: with ``distillation`` its softmax over the step's
      negatives is drawn towards the net's.

    What each loses against scoring the whole catalogue is measured by ``python -m benchmarks.din``.

    Parameters
    ----------
    serve : {"attention", "interests"}
        Who has the last word.
    candidates : int, default 1000
        Of "attention": items that the net scores, >= 1; as many as are asked for where these are more.
    interests, layers : int
        Of the tower: states of a history, and hidden layers over each.
    hidden : int, default 32
        Width of the net's hidden layers, >= 1.
    examples : int, default 2
        Events of a window that the net predicts in a step, >= 1.
    contrasts : int, default 64
        Negatives of a step that the net reads, of those that there are, >= 1.
    distillation : float, default 1.0
        Weight of the net's scores in what the tower learns, >= 0.
    last, dim, features :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    Notes
    -----
    A request by "attention" takes O(candidates * (last * hidden + dim * hidden)) time beside the searches.

    References
    ----------
    .. [1] Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018. Differs: a softmax over
       sampled negatives, not a click's probability; attention is a softmax; the activation unit multiplies maps of
       event and candidate, so that all but a few operations are of either alone; the score begins as a product.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by attention of each candidate over the newest events",
        artefact="encoder, net and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    serve: Serve = choice("attention", Serve)
    candidates: int = count(1000, least=1, unit="items")
    interests: int = count(4, least=1, most=64, unit="vectors", search=ints(1, 8))
    layers: int = count(1, most=8, search=choices(0, 1, 2))
    hidden: int = count(32, least=1)
    examples: int = count(2, least=1, unit="events")
    contrasts: int = count(64, least=1, unit="items")
    distillation: float = number(1.0, search=choices(0.0, 0.3, 1.0))

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:  # noqa: ARG002 - as its base has it
        from graphrec.models.deep.target_attention import TargetAware

        return TargetAware(
            items_in, interests=self.interests, last=self.last, layers=self.layers, dropout=self.dropout,
            hidden=self.hidden,
        )  # fmt: skip

    def _kind_of_task(self) -> type[SequenceTask]:
        from graphrec.models.deep.target_task import TargetTask

        return TargetTask

    @property
    def _interests(self) -> int:
        """Vectors that the tower makes of a history."""
        return self.interests

    def _channel(self, data: RecallData, learnt: State, context: FitContext) -> EncoderRecaller | InterestRecaller:
        """Return the channel of what was learnt: :meth:`graphrec.models.deep.target_task.TargetTask.learnt`."""
        tower = SequenceSettings._channel(self, data, learnt, context)
        if self.serve == "interests" or not isinstance(tower, InterestEncoderRecaller):
            return tower
        net = OnnxTower(learnt["net"].tobytes())
        return TargetAttentionRecaller(
            tower.encoder, tower.targets, tower.near, _REASON, net=net, candidates=self.candidates
        )

    def _served(self, encoder: TowerEncoder, vectors: npt.NDArray[np.float32], near: Index) -> InterestEncoderRecaller:
        """Return the tower as a channel of its own."""
        return InterestEncoderRecaller(encoder, vectors, near, _REASON)
