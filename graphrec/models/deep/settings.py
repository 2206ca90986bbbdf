"""What every model of towers has: its negatives, its training, and how its vectors are served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import history_half_life
from graphrec.contracts.described import item_columns
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.settings import count, flag, number, texts, weights
from graphrec.data.encoding.encoder import column_kinds
from graphrec.data.features import Features
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.index import Index
from graphrec.index.sketch import AUDITED
from graphrec.models.training.trained_vectors import TrainedVectors
from graphrec.negatives.kinds import KindSettings, check_mix, make_mixture
from graphrec.recallers.encoder import EncoderRecaller, TowerEncoder
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder, UserEncoder
from graphrec.recallers.query_fields import QueryFields, RowFeatures
from graphrec.recallers.vector import VectorRecaller

if TYPE_CHECKING:
    from graphrec.models.deep.recall_task import RecallTask
    from graphrec.models.deep.towers import Towers
    from graphrec.models.graph_networks.pinsage_batches import Histories

Similarity = Literal["cosine", "dot"]
Serve = Literal["vectors", "tower"]

REASON = "because you {verb} {source}: a model of who {verb} what puts it near"


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedSettings(TrainedVectors):
    """A recipe whose towers are trained by a sampled softmax over mixed negatives.

    A user is served by a part of his own, where he was trained or features of him are known, and by his history, known
    or live; without either the list is empty, but for models that rank items by what is the items' own. Items without
    events are recalled where features say something of them.

    Parameters
    ----------
    dim : int, default 64
        Width of the vectors, >= 1.
    ids, features : bool, default True
        Whether users and items have learnt vectors of their own; whether their features are read.
    entities : bool, default False
        Whether the entities that the catalogue's relations lead to (an author, a genre) are features of items, too.
    mix : mapping of str to float
        Kinds of negatives (:mod:`graphrec.negatives.kinds`) and their ratios; empty is ``{"all" = 1.0}``: the exact
        softmax up to 100,000 items, uniform draws above.
    negatives : int, default 4096
        Negatives of a step, of all kinds together, >= 1; those of the kind "all" are beside them, so that without a
        mix it counts for more than 100,000 items alone. Kinds of each user's own cost far more than shared ones.
    alpha : float, default 0.75
        Of the kind "popular".
    hard_from, hard_to : int, default 101 and 500
        Of the kind "hard": ranks of the model between which they are drawn.
    hard_guard : float, default 0.95
        Items that score above so much of the mean of a user's own are left out of his hard negatives; 0 keeps them.
    hard_starts, hard_full : float, default 0.3 and 0.6
        The curriculum of kinds that follow the model, shares of training: none of them before the first, all from the
        second on.
    refresh : int, default 5
        Epochs between two looks at what is hard, >= 1.
    rules : list of str
        Of the kind "rule": what an item must meet to be a negative (:mod:`graphrec.negatives.rules`).
    budget, committee : int, default 100,000 and 4
        Of the kind "active": pairs that are kept, and members of the committee.
    temperature : float
        tau, > 0: the lower, the more the nearest items that the user did not take matter.
    held : float, default 0.0
        Share of a history that a batch is to tell from the rest, from 0 up to but not including 1; 0 reads and tells
        all of it.
    discount : float, default 0.5
        What an item says in a history is divided by its number of events to this power.
    half_life_days : float, default infinite
        A pair counts half as much in the loss for each so many days that it is older than the newest. Of a
        factorisation machine this goes for the events that an item's own weight begins with, too; where it is infinite,
        those are counted by the half-life that foretells the newest fifth of the events best.
    history_exponent : float, default 0.5
        e: a history's sum is divided by its total weight to this power; 1 is the mean.
    epochs : int, default 30
        Passes over the users, >= 1.
    patience : int, default 0
        Checks in a row that may serve held-out users no better than the best before training stops; 0 trains all
        epochs. Where a fit is handed held-out users (:meth:`choose`), ``stop_at`` is the epoch of the best check.
    check_every : int, default 5
        Epochs between two checks, >= 1.
    stop_at : int, default 0
        Epochs after which training stops while the learning rate falls as for ``epochs``; 0 goes to the end.
    batch : int, default 1024
        Users of a step, >= 1; each with all of his items. These three were chosen on a validation part of Gowalla; on
        ml-latest-small, with its 610 users, they are within chance of smaller steps.
    regularisation : float, default 1.0
        Half of it times the mean squared length of a learnt vector, of each kind (users, items, each category), is
        added to the mean loss of a pair, so that it means the same for many users and for few; linear weights of a
        factorisation machine are not among them.
    lr, map_lr : float
        Greatest learning rates, of vectors of ids and of all else (categories, maps); they rise for a tenth of the
        steps at most, then fall along half a cosine to a tenth.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.
    """

    dim: int = count(64, least=1, search=choices(32, 64, 128))
    ids: bool = flag(True)
    features: bool = flag(True)
    entities: bool = flag(False)
    mix: Mapping[str, float] = weights(of="kinds of negatives")
    negatives: int = count(4096, least=1, unit="items")
    alpha: float = number(0.75)
    hard_from: int = count(101, least=1, unit="ranks")
    hard_to: int = count(500, least=1, unit="ranks")
    hard_guard: float = number(0.95, most=1.0)
    hard_starts: float = number(0.3, most=1.0)
    hard_full: float = number(0.6, most=1.0)
    refresh: int = count(5, least=1, unit="epochs")
    rules: tuple[str, ...] = texts(legal="a list of rules such as 'same category'")
    budget: int = count(100_000, least=1, unit="pairs")
    committee: int = count(4, least=1, unit="members")
    temperature: float = number(0.12, above=0, search=floats(0.05, 0.5, log=True))
    held: float = number(0.0, least=0, below=1, search=choices(0.0, 0.2, 0.5))
    discount: float = number(0.5, search=choices(0.0, 0.25, 0.5))
    half_life_days: float = number(
        math.inf, above=0, infinite=True, unit="days", search=choices(7.0, 30.0, 365.0, math.inf)
    )
    history_exponent: float = number(0.5, search=choices(0.5, 1.0))
    epochs: int = count(30, least=1, search=ints(10, 100, log=True))
    check_every: int = count(5, least=1, unit="epochs")
    batch: int = count(1024, least=1, unit="users", search=choices(128, 256, 1024))
    regularisation: float = number(1.0, search=floats(0.03, 10.0, log=True))
    lr: float = number(0.02, above=0, search=floats(0.002, 0.1, log=True))
    map_lr: float = number(0.001, search=floats(0.0001, 0.01, log=True))
    half_life: float = history_half_life(0.0)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        TrainedVectors.check(self)
        if self.hard_from > self.hard_to:
            raise ConfigError(f"hard_from is {self.hard_from}; it must be at most hard_to, which is {self.hard_to}")
        if self.hard_starts > self.hard_full:
            raise ConfigError(
                f"hard_starts is {self.hard_starts}; it must be at most hard_full, which is {self.hard_full}"
            )
        check_features(self.ids, self.features, self.entities)
        check_mix(self.kinds, self.rules)

    @property
    def kinds(self) -> Mapping[str, float]:
        """The kinds of negatives and their ratios."""
        return self.mix or {"all": 1.0}

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller:
        """Return the channel; the same for a seed, but for rounding, whatever the number of threads.

        An epoch takes O(pairs * dim + users * negatives * dim) time. Progress, record, checkpoints, device and
        processes are those of :func:`graphrec.models.training.loop.train`.

        Raises
        ------
        MissingExtraError
            If torch or Lightning Fabric is not installed.
        ConfigError
            If the loss is no longer finite, a kind of negatives cannot be had, or ids are off and the items have no
            features.
        DataError
            If a kind of negatives needs what the data do not have.
        """
        learnt, _ = self._task(data, context).run(context)
        return self._channel(data, learnt, context)

    def _towers(
        self, data: RecallData, histories: Histories, items: RowFeatures | None, users: RowFeatures | None
    ) -> Towers:
        """Return the model as it is drawn at first."""
        raise NotImplementedError

    def _task(self, data: RecallData, context: FitContext) -> RecallTask:
        """Return what is trained: the model, and what its batches are made of."""
        try:
            task = self._task_class()
        except ImportError as error:
            raise MissingExtraError(f"{type(self).__name__} (torch)", extra="train") from error
        items = encoded(item_columns(data, entities=self.entities, titles=False), self.features)
        if not self.ids and items is None:
            raise ConfigError(
                "there is nothing to tell items apart by: ids are off, and the items have no features; give them "
                "features, or set ids = true"
            )
        users = encoded(data.user_features, self.features)
        mixture = make_mixture(self.kinds, data, self._kind_settings())
        return task(self, data, mixture, lambda histories: self._towers(data, histories, items, users), context.seed)

    def _task_class(self) -> type[RecallTask]:
        """Return the class of what is trained."""
        from graphrec.models.deep.recall_task import RecallTask

        return RecallTask

    def _kind_settings(self) -> KindSettings:
        return KindSettings(
            alpha=self.alpha, hard_from=self.hard_from, hard_to=self.hard_to, hard_guard=self.hard_guard,
            hard_starts=self.hard_starts, hard_full=self.hard_full, rules=self.rules, budget=self.budget,
            committee=self.committee,
        )  # fmt: skip

    @property
    def serve(self) -> Serve:
        """What users are served by."""
        return "vectors"

    def _channel(self, data: RecallData, learnt: State, context: FitContext) -> VectorRecaller:
        """Return the channel of what was learnt: :meth:`graphrec.models.deep.recall_task.RecallTask.learnt`."""
        rows = np.flatnonzero(learnt["known"]).astype(np.int32)
        targets = self._searched(data, learnt["items"][rows], rows)
        history = HistoryEncoder(
            rows, learnt["says"][rows], len(data.items), self.profile(), exponent=self.history_exponent
        )
        drawn = np.random.default_rng(context.seed).permutation(len(rows))[:AUDITED]
        near = self._near(learnt, targets, history.sources[drawn], context.seed)
        if "tower" in learnt:
            return self._by_tower(data, learnt, history, targets, near)
        stranger = learnt["stranger"] if len(learnt["stranger"]) else None
        encoder = UserEncoder(learnt["own"], history, "sum", stranger) if learnt["own"].any() else history
        return VectorRecaller(encoder, targets, near, REASON)

    def _searched(self, data: RecallData, items: FloatArray, rows: npt.NDArray[np.int32]) -> FloatArray:  # noqa: ARG002
        """Return the vectors (t, width) of the items ``rows`` (t,) as they are searched."""
        return self.served(items)

    def _near(self, learnt: State, targets: FloatArray, queries: FloatArray, seed: int) -> Index:  # noqa: ARG002
        """Return the index over the vectors that are searched, tuned to such ``queries``."""
        return self.build_index(targets, "ip", seed, queries=queries)

    def _by_tower(
        self, data: RecallData, learnt: State, history: HistoryEncoder, targets: npt.NDArray[np.float32], near: Index
    ) -> EncoderRecaller:
        """Return the channel whose users are made by the tower when they ask."""
        read = encoded(data.user_features, self.features)
        fields = None if read is None else QueryFields.of(read)
        trained: npt.NDArray[np.bool_] = np.asarray(learnt["own"].any(axis=1))
        tower = OnnxTower(learnt["tower"].tobytes())
        return EncoderRecaller(TowerEncoder(tower, history, trained, fields), targets, near, REASON)


def check_features(ids: bool, features: bool, entities: bool) -> None:
    """Raise ConfigError where nothing would tell items apart, or entities are asked for and features are not read."""
    if not ids and not features:
        raise ConfigError("ids and features are both off, so nothing tells items apart; set one of them")
    if entities and not features:
        raise ConfigError("entities are features of items, and features is off; set features = true, or leave both off")


def encoded(features: Features | None, wanted: bool) -> RowFeatures | None:
    """Return features as models read them, fitted on themselves; None where nothing is known or wanted."""
    if not wanted or features is None or not features.n or not column_kinds(features):
        return None
    try:
        return RowFeatures.of(features)
    except DataError:  # every column is constant, or empty
        return None
