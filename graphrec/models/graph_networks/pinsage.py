"""PinSage: items by what they are and by what is near them on walks, users by what they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import history_half_life, history_interests, interest_spread
from graphrec.channels.shared import joined_graph
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number, weights
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.graph.adjacency import check_relation_names
from graphrec.graph.catalogue import walked_relations
from graphrec.graph.importance import importance_neighbours
from graphrec.graph.ppr import push_pagerank, ranks_between
from graphrec.index.sketch import AUDITED
from graphrec.models.deep.settings import check_features
from graphrec.models.graph_networks.cosine_softmax import with_lengths
from graphrec.models.graph_networks.pinsage_batches import BatchSettings, histories_of
from graphrec.models.training.trained_vectors import TrainedVectors
from graphrec.recallers.interests import InterestRecaller, interest_channel
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller

if TYPE_CHECKING:
    from graphrec.models.graph_networks.pinsage_training import PinSageTask

QueryKind = Literal["user", "history", "interests"]
Loss = Literal["softmax", "margin"]

# What a push leaves to an edge of a node, times the last rank of hard negatives: at 1e-3 all but 1 in 200 (Gowalla;
# 1 in 50 on the books) stand within half to twice the ranks, for a twenty-fifth of the time of the power iteration.
_LEFT = 1e-3

_REASON = "because you {verb} {source}: close to it in the graph of who {verb} what"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSage(TrainedVectors):
    r"""The items whose vectors, made of what they are and of what is near them, are greatest times the user's.

    An item's neighbourhood N(i) are the ``neighbours`` items that walks with restart from it visit most, with their
    shares of the visits (:func:`graphrec.graph.importance.importance_neighbours`). Its vector starts from what is known
    of it (a learnt vector of its own, those of the users who took it, numbers, labels, tags, vectors) and takes in the
    importance-weighted mean of its neighbourhood in each of L layers:
    :mod:`graphrec.models.graph_networks.pinsage_model` has the formulas. A
    user's vector is one of his own, plus the weighted sum of a linear map of the learnt vectors of what he took (of
    their whole vectors, for items without).

    Both are learnt by Adam on batches of users, of whose histories a random part is read and the rest is to be told;
    and, with ``item_weight``, on pairs of items that one user took, whose own edges are taken out of the neighbourhoods
    of the batch. The loss of a pair is a softmax over its item and negatives that the batch shares (with the correction
    for how they were drawn; :func:`graphrec.models.deep.sampled_softmax.sampled_softmax`), or a margin. What a user has
    is no negative of his. Negatives that are hard come from a band of ranks by personalised PageRank, one more a query
    with every epoch.

    A user is served by his own vector, where he was trained, and by his history, known or live; without either the list
    is empty. With ``query = "interests"`` his history falls into clusters that ask each for itself
    (:class:`graphrec.recallers.interests.InterestRecaller`). An item without events is recalled where features or the
    catalogue say something of it.

    Parameters
    ----------
    dim : int, default 64
        Width of the vectors, >= 1.
    layers : int, default 1
        L, layers of importance pooling; 0 pools nothing.
    residual : bool, default True
        Whether layers add to what they read (:class:`graphrec.models.graph_networks.pinsage_model.ImportanceConv`);
        without it the network is the published one, which suits items of rich features.
    neighbours : int, default 20
        T, items of a neighbourhood, >= 1.
    walks, walk_length, restart : int, int and float
        Walks with restart from each item, steps in one (an item and a user a turn), and the probability of a restart
        before a step.
    catalogue : bool, default False
        Whether walks go through the catalogue's entities too.
    relation_weights : mapping of str to float
        Share of the steps along each relation; empty goes by edges alone.
    entities : bool, default False
        Whether the entities that the catalogue's relations lead to (an author, a genre) are read as tags of items. They
        teach much where most items have few events, and get in the way of ids where all have many.
    tag_weight : float, default 1.0
        What tags weigh beside an id, > 0: as Adam's steps are of one length, more is learnt of what items share.
    ids, features : bool, default True
        Whether items have learnt vectors of their own, and whether item features and tags are read. Without ids the
        model is inductive: an item that was not trained gets a vector of its features and neighbours alone.
    loss : {"softmax", "margin"}
        What is minimised (:mod:`graphrec.models.graph_networks.pinsage_training`).
    temperature : float
        tau of the softmax, > 0: the lower, the more the nearest items that the user did not take matter.
    margin : float
        Of the margin, by cosine, > 0.
    negatives : int
        Items drawn for each batch, which all of it shares, >= 1; as many as there are make the softmax exact.
    in_batch : bool, default False
        Whether the items that the batch is to tell are negatives too, corrected for how likely they were to be there.
    item_weight, user_weight : float
        Weights of the losses over pairs of items, and over pairs of user and item; not both 0.
    window : int, default 5
        Where times are known, positions between the two items of a pair at most; 0 takes any two of a user.
    hard_negatives : int, default 0
        Hard negatives of a query in the last epoch; they begin in the second with one and grow by one an epoch.
    hard_from, hard_to : int
        Ranks by personalised PageRank between which hard negatives are drawn; the ranks are those of a forward push
        (:func:`graphrec.graph.ppr.push_pagerank`), which costs about ``hard_to`` * 10 microseconds an item whatever the
        size of the graph.
    held : float, default 0.0
        Share of a history that a batch is to tell from the rest, from 0 up to but not including 1; 0 reads and tells
        all of it.
    discount : float, default 0.5
        What an item says in a history is divided by its number of events to this power.
    history_exponent : float, default 0.5
        e: a history's sum is divided by its total weight to this power; 1 is the mean.
    length_exponent : float
        rho, >= 0: items are served with their length to this power; 0 serves by cosine. The higher, the more popular
        what comes back.
    epochs : int
        Passes over the users, >= 1.
    patience : int, default 0
        Checks in a row that may serve held-out users no better than the best before training stops; 0 trains all
        epochs. Where a fit is handed held-out users (:meth:`choose`), ``stop_at`` is the epoch of the best check.
    check_every : int, default 5
        Epochs between two checks, >= 1.
    stop_at : int, default 0
        Epochs after which training stops while the learning rate falls as for ``epochs``; 0 goes to the end.
    batch : int, default 512
        Users of a batch, >= 1, each with all of his items. A step works on nearly the whole catalogue whatever its
        users are, so that for many of them larger batches are faster.
    regularisation : float, default 0.1
        Half of it times the mean squared length of a learnt vector, of each kind (users, items, each kind of feature),
        is added to the mean loss of a pair, so that it means the same for many users and for few. With ``entities`` 10
        serves better.
    lr, map_lr : float
        Greatest learning rates, of vectors and of maps; they rise for a tenth of the steps at most, then fall along
        half a cosine to a tenth.
    query : {"user", "history", "interests"}
        By the user's own vector and his history; by the history alone; or by clusters of the history.
    interests, spread : int and float
        For ``query="interests"``: clusters that ask at most, and the height at which they are cut.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Ying, He, Chen, Eksombatchai, Hamilton, Leskovec, "Graph convolutional neural networks for web-scale
       recommender systems", KDD 2018. Differs: layers add to what they read (as in DGL's example); users are learnt
       along with items; the softmax besides the margin.
    .. [2] Pal et al., "PinnerSage: multi-modal user embedding framework for recommendations at Pinterest", KDD 2020.
    """

    about: ClassVar[About] = About(
        recalls="graph convolution over item features and walk neighbourhoods",
        artefact="vectors",
        cold_items="recalled by features or catalogue",
        libraries=("torch", "torch-geometric", "lightning-fabric"),
    )

    dim: int = count(64, least=1, search=choices(32, 64, 128))
    layers: int = count(1, search=ints(0, 2))
    residual: bool = flag(True)
    neighbours: int = count(20, least=1, unit="items", search=choices(10, 20, 50))
    walks: int = count(200, least=1)
    walk_length: int = count(10, least=1, unit="steps")
    restart: float = number(0.5, least=0, below=1)
    catalogue: bool = flag(False, searched=True)
    relation_weights: Mapping[str, float] = weights(of="relations")
    entities: bool = flag(False, searched=True)
    tag_weight: float = number(1.0, above=0, search=choices(1.0, 3.0))
    ids: bool = flag(True)
    features: bool = flag(True)
    loss: Loss = choice("softmax", Loss)
    temperature: float = number(0.12, above=0, search=floats(0.05, 0.5, log=True))
    margin: float = number(0.2, above=0)
    negatives: int = count(4096, least=1, unit="items")
    in_batch: bool = flag(False)
    user_weight: float = number(1.0)
    item_weight: float = number(0.0, search=choices(0.0, 0.3, 1.0))
    window: int = count(5, unit="positions")
    hard_negatives: int = count(0, unit="items")
    hard_from: int = count(100, unit="ranks")
    hard_to: int = count(500, least=1, unit="ranks")
    held: float = number(0.0, least=0, below=1, search=choices(0.0, 0.2, 0.5))
    discount: float = number(0.5, search=choices(0.0, 0.25, 0.5))
    history_exponent: float = number(0.5, search=choices(0.5, 1.0))
    length_exponent: float = number(0.4, search=floats(0.0, 1.0))
    epochs: int = count(30, least=1, search=ints(10, 100, log=True))
    check_every: int = count(5, least=1, unit="epochs")
    batch: int = count(512, least=1, unit="users", search=choices(128, 512, 2048))
    regularisation: float = number(0.1, search=floats(0.03, 10.0, log=True))
    lr: float = number(0.02, above=0, search=floats(0.002, 0.1, log=True))
    map_lr: float = number(0.001, search=floats(0.0001, 0.01, log=True))
    query: QueryKind = choice("user", QueryKind)
    interests: int = history_interests()
    spread: float = interest_spread()
    half_life: float = history_half_life(0.0)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        TrainedVectors.check(self)
        if self.hard_from >= self.hard_to:
            raise ConfigError(f"hard_from is {self.hard_from}; it must be below hard_to, which is {self.hard_to}")
        if self.hard_negatives and not self.item_weight:
            raise ConfigError(
                f"hard_negatives is {self.hard_negatives}, and they are negatives of item pairs, which item_weight 0 "
                "leaves out; give item_weight a number above 0"
            )
        if not self.user_weight and not self.item_weight:
            raise ConfigError("user_weight and item_weight are both 0, so nothing would be learnt; give one above 0")
        if self.query == "user" and not self.user_weight:
            raise ConfigError(
                'query is "user" and user_weight 0, so no user is learnt; set query = "history" or "interests"'
            )
        check_features(self.ids, self.features, self.entities)

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a relation that is named, before anything is fitted."""
        check_relation_names(self.relation_weights, walked_relations(data.catalogue))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller | InterestRecaller:
        """Return the channel; the same for a seed, but for rounding, whatever the number of threads.

        An epoch takes O(sum over batches of the distinct items of their neighbourhoods * (dim^2 + neighbours * dim),
        and users * negatives * dim) time. Progress, record, checkpoints, device and processes are those of
        :func:`graphrec.models.training.loop.train`.

        Raises
        ------
        MissingExtraError
            If torch, torch-geometric or Lightning Fabric is not installed.
        ConfigError
            If the loss is no longer finite, or ids are off and the items have no features.
        DataError
            If ``relation_weights`` names a relation that the graph does not have.
        """
        learnt, _ = self._task(data, context).run(context)
        return self._channel(data, learnt, context)

    def _task(self, data: RecallData, context: FitContext) -> PinSageTask:
        """Return what is trained: the model, and what its batches are made of."""
        try:
            from graphrec.models.graph_networks.pinsage_training import PinSageTask
        except ImportError as error:
            raise MissingExtraError("PinSage (torch, torch-geometric)", extra="train") from error
        tables = self._neighbourhoods(data, context)
        return PinSageTask(self, data, histories_of(data.interactions), tables, context.seed)

    def _neighbourhoods(self, data: RecallData, context: FitContext) -> tuple[NeighbourTable, NeighbourTable | None]:
        """Return the importance neighbourhoods of all items, and the band of their hard negatives."""
        graph = joined_graph(data, context, weighted=False)
        start, stop = len(data.users), len(data.users) + len(data.items)
        items, ways = np.arange(start, stop), self._ways(data)
        near = importance_neighbours(
            graph, items, top=self.neighbours, walks=self.walks, length=self.walk_length, restart=self.restart,
            seed=context.seed, targets=(start, stop), relation_weights=ways,
        )  # fmt: skip
        if not self.hard_negatives:
            return near, None
        ranked = push_pagerank(
            graph, items, top=self.hard_to, epsilon=max(_LEFT / self.hard_to, 1e-12), drop_self=True,
            targets=(start, stop), relation_weights=ways,
        )  # fmt: skip
        return near, ranks_between(ranked.table, self.hard_from, self.hard_to)

    def _ways(self, data: RecallData) -> dict[str, float]:
        """Return the weights of relations: none of the catalogue's where walks do not go through it."""
        if self.catalogue:
            return dict(self.relation_weights)
        return {**dict.fromkeys(data.catalogue.adjacency.relation_names, 0.0), **self.relation_weights}

    def batch_settings(self) -> BatchSettings:
        """Return how batches are drawn."""
        return BatchSettings(
            batch=self.batch, held=self.held, exponent=self.history_exponent, discount=self.discount,
            profile=self.profile(), negatives=self.negatives, in_batch=self.in_batch,
            pairs=self.item_weight > 0, window=self.window,
        )  # fmt: skip

    def _channel(self, data: RecallData, learnt: State, context: FitContext) -> VectorRecaller | InterestRecaller:
        """Return the channel of what :class:`graphrec.models.graph_networks.pinsage_training.PinSageTask` learnt."""
        rows = np.flatnonzero(learnt["known"]).astype(np.int32)
        targets = self.served(learnt["items"][rows])
        if self.query == "interests":
            return interest_channel(self, rows, targets, len(data.items), context.seed, reason=_REASON)
        history = HistoryEncoder(
            rows, learnt["says"][rows], len(data.items), self.profile(), exponent=self.history_exponent
        )
        drawn = np.random.default_rng(context.seed).permutation(len(rows))[:AUDITED]
        near = self.build_index(targets, "ip", context.seed, queries=history.sources[drawn])
        encoder = UserEncoder(learnt["users"], history, "sum") if self.query == "user" else history
        return VectorRecaller(encoder, targets, near, _REASON)

    def served(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the items' vectors with their lengths to the power ``length_exponent``."""
        return with_lengths(items, self.length_exponent)
