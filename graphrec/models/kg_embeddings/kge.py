"""KG embeddings: TransE, DistMult, ComplEx and RotatE over catalogue and events, as a channel and as tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from graphrec.channels.families import VectorSettings, history_half_life
from graphrec.channels.shared import joined_graph
from graphrec.checks import check_choice
from graphrec.contracts.choosing import ChosenFit
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, number
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import INTERACTS
from graphrec.index.embeddings import EmbeddingTable
from graphrec.index.sketch import AUDITED
from graphrec.recallers.embeddings import Nodes, node_embeddings
from graphrec.recallers.entity_vectors import EntityVectors
from graphrec.recallers.query_encoder import HistoryEncoder, QueryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller

ModelName = Literal["transe", "distmult", "complex", "rotate"]
QueryKind = Literal["user", "history", "blend", "sum"]

_REASON = "because you {verb} {source}: close to it in the knowledge graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kge(VectorSettings):
    r"""The items that best complete "user interacts …" by an embedding of users, items and entities.

    The graph is that of the catalogue, with each event as an edge of one more relation, ``interacts``. Each node and
    relation gets a vector such that true triples score higher than those with another head or tail of the same type;
    :mod:`graphrec.models.kg_embeddings.kge_scores` has the four scores,
    :mod:`graphrec.models.kg_embeddings.kge_training` the loss.

    A user is served by his own vector, where he was trained; by his history, known or live, through the heads that its
    items look for; or by both: ``query``. Without either the list is empty. An item without events is recalled by what
    its entities made of its vector; an item without any edge has none and is never returned. Scores by distance are
    served as products (:func:`graphrec.models.kg_embeddings.kge_training.searched_by`), so that every index can search
    them.

    Parameters
    ----------
    model : {"transe", "distmult", "complex", "rotate"}
        How a triple is scored.
    dim : int, default 64
        Width of the vectors, >= 1; even for complex vectors, whose real and imaginary parts both count.
    temperature : float
        tau of the softmax, > 0: the lower, the more the nearest false ends matter.
    regularisation : float
        Half of it times the mean squared length of a triple's vectors is added to its loss.
    negatives : int
        Nodes of the right type that a batch's triples are told from, on either side, >= 1; ends that complete another
        triple of the data are left out. Where a type has no more nodes the softmax is exact.
    batch : int
        Triples of a batch, >= 1; all have heads of one type and tails of one type.
    epochs : int
        Passes over the triples, >= 1.
    patience : int, default 0
        Checks in a row that may serve held-out users no better than the best before training stops; 0 trains all
        epochs. Where a fit is handed held-out users (:meth:`choose`), ``stop_at`` is the epoch of the best check.
    check_every : int, default 1
        Epochs between two checks, >= 1.
    stop_at : int, default 0
        Epochs after which training stops while the learning rate falls as for ``epochs``; 0 goes to the end.
    lr : float
        Greatest learning rate, > 0; falls along half a cosine to a tenth.
    query : {"user", "history", "blend", "sum"}
        By the user's own vector, and his history's where there is none; by the history alone; or by both: see
        :class:`graphrec.recallers.query_encoder.UserEncoder`.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, ``stop_at`` beyond ``epochs``, or ``dim`` is odd for complex vectors.

    References
    ----------
    .. [1] Zhang, Yuan, Lian, Xie, Ma, "Collaborative knowledge base embedding for recommender systems", KDD 2016.
       Differs: users are nodes of the same graph, and events a relation like any other (as in [2]).
    .. [2] He, Kang, McAuley, "Translation-based recommendation", RecSys 2017.
    """

    about: ClassVar[About] = About(
        recalls="an embedding of users, items and entities, by relation",
        artefact="vectors",
        cold_items="recalled by its entities",
        libraries=("torch", "torch-geometric", "lightning-fabric"),
        of_graph=True,
    )

    model: ModelName = choice("distmult", ModelName)
    dim: int = count(64, least=1, search=choices(32, 64, 128))
    temperature: float = number(1.0, above=0, search=floats(0.03, 3.0, log=True))
    regularisation: float = number(0.0, search=floats(0.0, 0.01))
    negatives: int = count(1024, least=1, unit="nodes")
    batch: int = count(8192, least=1, unit="triples")
    epochs: int = count(10, least=1, search=ints(3, 50, log=True))
    patience: int = count(0, unit="checks")
    check_every: int = count(1, least=1, unit="epochs")
    stop_at: int = count(0, unit="epochs")
    lr: float = number(0.01, above=0, search=floats(0.001, 0.1, log=True))
    query: QueryKind = choice("sum", QueryKind)
    half_life: float = history_half_life(0.0)

    def check(self) -> None:
        """Refuse to stop after the last epoch, and half a complex number."""
        if self.stop_at > self.epochs:
            raise ConfigError(f"stop_at is {self.stop_at}; it must be at most epochs, which is {self.epochs}, or 0")
        if self.model in ("complex", "rotate") and self.dim % 2:
            raise ConfigError(
                f"dim is {self.dim}; vectors of {self.model} have as many real as imaginary parts, so make it even"
            )

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller:
        """Return the channel; the same for a seed and a number of threads.

        For m triples an epoch takes O(m * negatives * dim) time; memory is 20 dim bytes a node, and
        20 batch * negatives bytes. Progress, record, checkpoints, device and processes are those of
        :func:`graphrec.models.training.loop.train`.

        Raises
        ------
        MissingExtraError
            If torch, torch-geometric or Lightning Fabric is not installed.
        ConfigError
            If the loss is no longer finite: ``lr`` is too large.
        """
        graph = joined_graph(data, context, weighted=False)
        learnt, _ = self._train(graph, context)
        return self._channel(data, graph, learnt, context)

    @property
    def chooses(self) -> bool:
        """Whether where to stop is to be chosen on held-out users."""
        return self.patience > 0 and self.stop_at == 0

    def choose(self, data: RecallData, context: FitContext) -> ChosenFit:
        """Return the recipe whose ``stop_at`` is the best of the checks, and its channel.

        A check searches exactly, whatever the index; checkpoints as :meth:`fit` has them.

        Raises
        ------
        ConfigError, MissingExtraError
            As :meth:`fit`; ConfigError if the context has no held-out users or no objective.
        """
        if not self.chooses:
            return ChosenFit(self, self.fit(data, context))
        graph, exact = joined_graph(data, context, weighted=False), replace(self, index="exact")
        learnt, epoch = self._train(
            graph, context, lambda learnt: context.score(exact._channel(data, graph, learnt, context))
        )
        chosen = replace(self, stop_at=epoch)
        return ChosenFit(chosen, chosen._channel(data, graph, learnt, context))

    def embed(self, data: RecallData, context: FitContext = ALONE, *, of: Nodes = "entities") -> EmbeddingTable:
        """Return the vectors of entities by IRI, or of other nodes by id: :meth:`fit` without a channel.

        Nodes without an edge learn nothing and are not in the table; the pool plays no part.

        Parameters
        ----------
        of : {"all", "items", "users", "entities"}
            Whose vectors. All, and entities, have kinds: the types of the graph's nodes, "user", "item", "author".

        Raises
        ------
        ConfigError
            If ``of`` is something else, or as :meth:`fit`.
        MissingExtraError
            As :meth:`fit`.
        """
        check_choice("of", of, get_args(Nodes))  # before an hour of training
        graph = joined_graph(data, context, weighted=False)
        learnt, _ = self._train(graph, context)
        return node_embeddings(data, graph, learnt["nodes"], of)

    def _train(
        self, graph: Adjacency, context: FitContext, validate: Callable[[State], float] | None = None
    ) -> tuple[State, int]:
        """Return what is learnt of the graph, :meth:`KgeTask.served` of ``interacts``, and after how many epochs."""
        try:
            from graphrec.models.kg_embeddings.kge_training import KgeTask
            from graphrec.models.kg_embeddings.kge_triples import triples_of
            from graphrec.models.training.loop import TrainingSettings, train
        except ImportError as error:
            raise MissingExtraError("Kge (torch, torch-geometric)", extra="train") from error
        task = KgeTask(
            triples_of(graph), self.model, dim=self.dim, batch=self.batch, negatives=self.negatives,
            temperature=self.temperature, regularisation=self.regularisation, seed=context.seed,
        )  # fmt: skip
        settings = TrainingSettings(
            epochs=self.epochs, stop_at=self.stop_at, patience=self.patience if validate else 0,
            check_every=self.check_every, lr=self.lr,
        )  # fmt: skip
        interacts = graph.relation_names.index(INTERACTS)

        def served() -> State:
            return task.served(interacts, graph.degrees > 0)

        history = train(task, settings, context, validate=None if validate is None else lambda: validate(served()))
        return served(), history.epoch

    def _channel(self, data: RecallData, graph: Adjacency, learnt: State, context: FitContext) -> VectorRecaller:
        """Return the channel of what was learnt."""
        n_users, n_items = len(data.users), len(data.items)
        rows = np.flatnonzero(graph.degrees[n_users : n_users + n_items] > 0).astype(np.int32)
        targets = learnt["candidates"][n_users + rows]
        sources = learnt["returns"][n_users + rows]
        users = learnt["queries"][:n_users]
        history = HistoryEncoder(rows, sources, n_items, self.profile())
        encoder: QueryEncoder = history if self.query == "history" else UserEncoder(users, history, self.query)
        known = np.flatnonzero((users != 0).any(axis=1))
        drawn = np.random.default_rng(context.seed).permutation(known)[:AUDITED]
        near = self.build_index(targets, "ip", context.seed, queries=users[drawn] if len(drawn) else None)
        entities = slice(n_users + n_items, graph.n_nodes)
        kept = EntityVectors.of_nodes(learnt["returns"][entities], graph.degrees[entities] > 0)
        return VectorRecaller(encoder, targets, near, _REASON, kept)
