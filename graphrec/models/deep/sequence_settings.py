"""What every recipe of a sequence model has: its window, its loss, its training, and how it is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import history_half_life, history_interests, interest_spread
from graphrec.contracts.described import item_columns
from graphrec.contracts.domains import choices, floats
from graphrec.contracts.progress import ALONE, FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.settings import choice, count, flag, number, weights
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.index import Index
from graphrec.models.deep.settings import encoded
from graphrec.models.training.trained_vectors import TrainedVectors
from graphrec.negatives.kinds import KindSettings, check_mix, make_mixture
from graphrec.recallers.encoder import EncoderRecaller, TowerEncoder
from graphrec.recallers.interests import InterestRecaller, interest_channel
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.query_encoder import HistoryEncoder
from graphrec.recallers.query_fields import QueryFields, RowFeatures

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel
    from graphrec.models.deep.sequence_task import SequenceTask

Loss = Literal["softmax", "gbce"]
QueryKind = Literal["state", "interests"]
Start = Literal["spectral", "random"]
BlockKind = Literal["plain", "gated"]

REASON = "because you {verb} {source}: what others {verb} next puts it near"
# Kinds of negatives that all events of a step share: own negatives of each event would cost a table an event.
_SHARED = ("all", "in-batch", "uniform", "popular")


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceSettings(TrainedVectors):
    """A recipe that predicts each event of a history from those before it.

    A request's history is read as it is: its newest ``last`` events with a weight above 0, repeats included, whether
    they were there in training or happened since. Events of items that the model does not know are left out; without
    any other the list is empty. No vector of a user is kept.

    Parameters
    ----------
    last : int, default 50
        The window: newest events that are read, >= 1. Longer histories are cut into windows for training.
    overlap : int
        Windows of training that read an event, at most, >= 1: windows slide by their length divided by it, and each
        predicts the events that it slid by from all that it reads before them. 1 predicts all events of a window in one
        pass; ``last`` makes each event an example by itself.
    dim : int, default 128
        Width of the vectors, >= 1.
    features : bool, default True
        Whether the features of items are read beside their ids.
    start : {"spectral", "random"}
        What the vectors of ids are before training: the leading eigenvectors of the item graph [1]_, so that items that
        the same people took begin near each other, or drawn. Where events are few an item, training from there
        ends sooner and higher.
    loss : {"softmax", "gbce"}
        Softmax over the negatives, the whole catalogue where they are as many; or the generalised binary cross-entropy
        of gSASRec. All items but the next are negatives, those of the history too.
    calibration : float, default 0.75
        t of "gbce", from 0 to 1.
    mix : mapping of str to float
        Kinds of negatives and their ratios, of "all", "in-batch", "uniform" and "popular"; empty is
        ``{"uniform" = 1.0}``.
    negatives : int
        Negatives of a step, shared by its events, >= 1; as many as the pool has make the softmax exact.
    alpha : float, default 0.75
        Of the kind "popular".
    dropout : float
        Share of numbers that training hides, from 0 up to but not including 1.
    epochs : int
        Passes over the events, >= 1.
    patience, check_every, stop_at :
        See :class:`graphrec.models.deep.settings.LearnedSettings`.
    batch : int
        Windows of a step, >= 1.
    lr : float, default 0.001
        Greatest learning rate; it rises for a tenth of the steps at most, then falls along half a cosine to a tenth.
    weight_decay : float
        Of AdamW, on all weights but norms and biases.
    averaged : float
        Epochs that a running mean of the weights looks back on, which is what is checked and served; 0 takes the
        weights as they are. It stands in for a learning rate that falls.
    query : {"state", "interests"}
        By the state after the newest event; or by clusters of the newest ``last`` items, each with the item in its
        middle, on the vectors that were learnt (:class:`graphrec.recallers.interests.InterestRecaller`).
    interests, spread : int, float
        For ``query="interests"``: clusters that ask at most, and the height at which Ward's tree is cut.
    half_life, weight_exponent :
        Which event of the history is given as the reason, and how much it counts in a cluster; no part in a state.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Shen et al., "How powerful is graph convolution for recommendation?", CIKM 2021, eq. (9); here each
       eigenvector is multiplied by the fourth root of its eigenvalue.
    """

    last: int = count(50, least=1, most=4096, unit="events", search=choices(20, 50, 100, 200))
    overlap: int = count(1, least=1, most=4096, unit="windows", search=choices(1, 4, 16))
    dim: int = count(128, least=1, search=choices(64, 128, 256))
    features: bool = flag(True)
    start: Start = choice("spectral", Start)
    loss: Loss = choice("softmax", Loss)
    calibration: float = number(0.75, most=1.0)
    mix: Mapping[str, float] = weights(of="kinds of negatives")
    negatives: int = count(1024, least=1, unit="items")
    alpha: float = number(0.75)
    dropout: float = number(0.3, below=1.0, search=choices(0.1, 0.2, 0.3, 0.5))
    epochs: int = count(60, least=1)
    check_every: int = count(5, least=1, unit="epochs")
    batch: int = count(128, least=1, unit="windows")
    lr: float = number(0.001, above=0, search=floats(0.0003, 0.003, log=True))
    weight_decay: float = number(0.0, search=choices(0.0, 0.01, 0.1))
    averaged: float = number(0.0, unit="epochs", search=choices(0.0, 2.0, 5.0))
    query: QueryKind = choice("state", QueryKind)
    interests: int = history_interests()
    spread: float = interest_spread()
    half_life: float = history_half_life(10.0)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        TrainedVectors.check(self)
        check_mix(self.kinds, ())
        own = [kind for kind in self.kinds if kind not in _SHARED]
        if own:
            raise ConfigError(
                f"mix names {own[0]!r}, whose negatives are each user's own; a sequence model shares them among the "
                f"events of a step, so legal are {', '.join(map(repr, _SHARED))}"
            )

    @property
    def kinds(self) -> Mapping[str, float]:
        """The kinds of negatives and their ratios."""
        return self.mix or {"uniform": 1.0}

    def fit(self, data: RecallData, context: FitContext = ALONE) -> EncoderRecaller | InterestRecaller:
        """Return the channel; the same for a seed, but for rounding, whatever the number of threads.

        An epoch takes O(events * (negatives + window + dim) * dim) time. Progress, record, checkpoints, device and
        processes are those of :func:`graphrec.models.training.loop.train`.

        Raises
        ------
        MissingExtraError
            If torch, Lightning Fabric, onnx or onnxruntime is not installed.
        ConfigError
            If the loss is no longer finite.
        DataError
            If a kind of negatives needs what the data do not have.
        """
        learnt, _ = self._task(data, context).run(context)
        return self._channel(data, learnt, context)

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:
        """Return the model as it is drawn at first."""
        raise NotImplementedError

    def _users(self, data: RecallData) -> RowFeatures | None:  # noqa: ARG002
        """Return the features of users that the model reads, None where it reads none."""
        return None

    def _task(self, data: RecallData, context: FitContext) -> SequenceTask:
        """Return what is trained: the model, and what its batches are made of."""
        try:
            from graphrec.models.deep.inputs import FieldInputs
            from graphrec.models.deep.sequence_start import begin_at, spectral_vectors

            kind = self._kind_of_task()
        except ImportError as error:
            raise MissingExtraError(f"{type(self).__name__} (torch)", extra="train") from error
        items: RowFeatures | None = encoded(item_columns(data, entities=False, titles=False), self.features)
        n = len(data.items)

        def make(counts: npt.NDArray[np.int64]) -> SequenceModel:
            scale = float(np.sqrt(2 / (n + self.dim)))
            items_in = FieldInputs(n, self.dim, with_ids=counts > 0, features=items, scale=scale)
            if self.start == "spectral" and items_in.ids is not None:
                begin_at(items_in.ids.weight, spectral_vectors(data, context, self.dim))
            return self._model(items_in, data)

        mixture = make_mixture(self.kinds, data, KindSettings(alpha=self.alpha))
        return kind(self, data, mixture, make, context.seed)

    def _kind_of_task(self) -> type[SequenceTask]:
        """Return what makes examples of windows and their loss."""
        from graphrec.models.deep.sequence_task import SequenceTask

        return SequenceTask

    def _channel(self, data: RecallData, learnt: State, context: FitContext) -> EncoderRecaller | InterestRecaller:
        """Return the channel of what was learnt: :meth:`graphrec.models.deep.sequence_task.SequenceTask.learnt`."""
        rows = np.flatnonzero(learnt["known"]).astype(np.int32)
        vectors = np.ascontiguousarray(learnt["items"][rows])
        if self.query == "interests":
            return interest_channel(self, rows, vectors, len(data.items), context.seed, reason=REASON)
        history = HistoryEncoder(rows, vectors, len(data.items), self.profile())
        asked = learnt["asked"] if len(learnt["asked"]) else None
        near = self.build_index(vectors, "ip", context.seed, queries=asked)
        nobody = np.zeros(len(data.users), dtype=np.bool_)
        tower = OnnxTower(learnt["tower"].tobytes())
        users = self._users(data)
        fields = None if users is None else QueryFields.of(users)
        encoder = TowerEncoder(tower, history, nobody, fields, window=self.last, interests=self._interests)
        return self._served(encoder, vectors, near)

    @property
    def _interests(self) -> int:
        """Vectors that the tower makes of a history; 0 where it makes a single one."""
        return 0

    def _served(self, encoder: TowerEncoder, vectors: npt.NDArray[np.float32], near: Index) -> EncoderRecaller:
        """Return the channel of its parts."""
        return EncoderRecaller(encoder, vectors, near, REASON)
