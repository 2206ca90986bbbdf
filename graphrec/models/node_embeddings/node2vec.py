"""Node2Vec: skip-gram over random walks through users, items and entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import VectorSettings, history_half_life, history_weight_exponent
from graphrec.channels.shared import joined_graph
from graphrec.checks import check_choice
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext, TrainingPoint
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number, texts, weights
from graphrec.data.scratch import scratch_directory
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, check_relation_names
from graphrec.graph.catalogue import walked_relations, with_users
from graphrec.graph.metapaths import pattern_of
from graphrec.graph.walks import stream_walks, write_corpus
from graphrec.index import IndexKind
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.graph_networks.cosine_softmax import with_lengths
from graphrec.models.node_embeddings.gensim_skip_gram import LONGEST_SENTENCE, train_gensim
from graphrec.models.node_embeddings.node_vectors import Kind, NodeVectors, grown, touched
from graphrec.models.node_embeddings.skip_gram import (
    Loss,
    Progress,
    SkipGram,
    Vectors,
    block_walks,
    first_vectors,
    node_counts,
    train_skip_gram,
)
from graphrec.recallers.embeddings import Nodes, node_embeddings
from graphrec.recallers.entity_vectors import EntityVectors
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table

FloatArray = npt.NDArray[np.float32]
QueryKind = Literal["items", "history", "user", "blend", "sum"]
Trainer = Literal["numba", "gensim"]

# Of a fit's progress.
_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Node2Vec(VectorSettings):
    r"""Node2Vec over the graph of users, items and catalogue entities.

    Walks (:mod:`graphrec.graph.walks`) become sentences; skip-gram with negative sampling learns for each node a vector
    ``in`` (as centre) and ``out`` (as context) by raising :math:`\sigma(in_a \cdot out_b)` for b near a.
    Items whose ``in`` vectors are close have like neighbourhoods; that answers item to item. What is trained is the
    product of one node's ``in`` and another's ``out``, and walks go either way, so that a user or a history x and an
    item y are scored by :math:`in_x \cdot out_y + out_x \cdot in_y`, over a power of the length of y
    (``length_exponent``).

    Cold users are answered from their history; cold items by their entities, where the catalogue has any edges for
    them. Items that no walk reached have no vector and are never returned.

    Parameters
    ----------
    dim : int, default 64
        Width of the vectors.
    walks_per_node, length : int
        Walks from each node, and nodes in a walk (at most 10,000).
    window : int, default 3
        Nodes on either side that count as context, at most: each window is drawn from 1 to this.
    p, q : float, default 1.0
        Return and in-out parameters of the walk [1]_. Without triangles (users and items alone) only p / q matters.
    loss : {"negative", "hierarchical"}
        Negative sampling; or hierarchical softmax over a Huffman tree of the nodes
        (:mod:`graphrec.models.node_embeddings.skip_gram`), which learns ``in`` vectors alone, so that ``query`` must be
        "items", and which cannot be extended.
    negative : int, default 20
        Negative samples a pair.
    epochs : int
        Passes, each over walks of its own.
    ns_exponent : float, default 0.0
        Negatives are drawn by (count of the node in the walks) to this power: 0 draws all nodes alike, and leaves how
        popular an item is in its score.
    lr : float
        First learning rate; falls linearly.
    workers : int, default 1
        Threads of training and of building the index. One gives the same channel on every run; more are faster and give
        that up.
    trainer : {"numba", "gensim"}
        What learns of the walks: :mod:`graphrec.models.node_embeddings.skip_gram`, which draws them as it goes; or
        gensim, which reads them from a file, several times slower, with the same walks in each epoch.
    relation_weights : mapping of str to float
        Share of steps along each relation (see :func:`graphrec.graph.walks.generate_walks`); empty goes by edges alone.
    metapath : list of str
        Types of nodes (``["user", "item", "author", "item", "user"]``) or relations that walks follow again and again
        [3]_; they have no p, q and relation weights. Empty walks anywhere.
    weighted : bool, default False
        Step in proportion to interaction weights (ratings).
    query : {"items", "history", "user", "blend", "sum"}
        Votes of the history's items, by their own nearest (:class:`graphrec.recallers.votes.VoteRecaller`); or what is
        nearest to the mean of the history, to the user's own vector, or to both
        (:class:`graphrec.recallers.query_encoder.UserEncoder`).
    neighbours, power : int, float
        For ``query="items"``: votes of each history item, and the power of the cosine that a vote weighs.
    length_exponent : float, default 0.25
        For the other queries: items are served with their length to this power, >= 0. 1 is the product that was
        trained, 0 a cosine; less returns fewer popular items.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the nearest vectors are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Notes
    -----
    ``query="items"`` searches ``in`` vectors by cosine; the others search both vectors of an item, side by side, by
    inner product. Which is best depends on the data: votes where items have much in common besides users (goodbooks
    with its knowledge graph), "history" where they have users alone (Gowalla, where the sum of both products has a
    tenth more Recall@20 than in · out).

    Settings of skip-gram for text do not fit graphs of users and items: uniform negatives (``ns_exponent=0``) and
    rates of 0.1 to 0.2 are better than 0.75 and 0.025; at 0.3 training fails. So is a ``length_exponent`` of 0.25 than
    the plain product (``query="history"``, validation parts of train: Recall@20 .163 in place of .156 on goodbooks,
    .190 in place of .188 on Gowalla).

    References
    ----------
    .. [1] A. Grover, J. Leskovec, "node2vec: Scalable feature learning for networks", KDD 2016.
    .. [2] O. Barkan, N. Koenigstein, "Item2vec: neural item embedding for collaborative filtering", MLSP 2016.
    .. [3] Y. Dong, N. Chawla, A. Swami, "metapath2vec: scalable representation learning for heterogeneous networks",
       KDD 2017.
    """

    about: ClassVar[About] = About(
        recalls="near vectors, learnt by walks over users, items and entities",
        artefact="vectors and HNSW",
        cold_items="recalled by its entities",
    )

    dim: int = count(64, least=1, search=choices(32, 64, 128))
    walks_per_node: int = count(12, least=1, search=ints(5, 80, log=True))
    length: int = count(40, least=1, most=LONGEST_SENTENCE, unit="nodes")
    window: int = count(3, least=1, unit="nodes", search=ints(2, 10))
    p: float = number(1.0, least=1e-9, most=1e9, search=floats(0.25, 4.0, log=True))
    q: float = number(1.0, least=1e-9, most=1e9, search=floats(0.25, 4.0, log=True))
    loss: Loss = choice("negative", Loss)
    negative: int = count(20, least=1)
    epochs: int = count(1, least=1)
    ns_exponent: float = number(0.0, least=-5, most=5, search=floats(-0.5, 1.0))
    lr: float = number(0.15, above=0)
    workers: int = count(1, least=1, unit="threads")
    relation_weights: Mapping[str, float] = weights(of="relations")
    metapath: tuple[str, ...] = texts(legal="a list of types of nodes, or of relations")
    weighted: bool = flag(False)
    trainer: Trainer = choice("numba", Trainer)
    query: QueryKind = choice("items", QueryKind)
    neighbours: int = count(20, least=1, search=ints(10, 100, log=True))
    power: float = number(4.0, above=0, search=floats(1.0, 8.0))
    length_exponent: float = number(0.25, search=floats(0.0, 1.0))
    half_life: float = history_half_life(0.0, choices(0.0, 10.0, 25.0, 50.0, 100.0))
    weight_exponent: float = history_weight_exponent(searched=False)
    index: IndexKind = choice("auto", IndexKind)

    def check(self) -> None:
        """Refuse to serve ``out`` vectors that are not learnt."""
        if self.loss == "hierarchical" and self.query != "items":
            raise ConfigError(
                f"query is {self.query!r}, which serves in and out vectors; loss 'hierarchical' learns in vectors "
                "alone, so take query 'items' or loss 'negative'"
            )

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a named relation or no walk can follow ``metapath``, before any fit."""
        check_relation_names(self.relation_weights, walked_relations(data.catalogue))
        if self.metapath:
            pattern_of(with_users(data.catalogue, data.interactions), self.metapath)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller | VoteRecaller:
        """Return the channel: walks, skip-gram, index. Same data, seed and ``workers=1`` give the same answers.

        Walks and votes take ``context.workers`` threads; skip-gram and the index take ``workers``, and no more than
        those. ``context.progress`` gets the loss, a hundred times.

        Raises
        ------
        DataError
            If ``relation_weights`` names a relation that the graph does not have.
        ConfigError
            If the loss is no longer finite: ``lr`` is too large.
        MissingExtraError
            If gensim is to train and is not installed.
        """
        return self.channel(self.learn(data, context), data, context)

    def learn(self, data: RecallData, context: FitContext = ALONE) -> NodeVectors:
        """Return both vectors of every user, item and entity: :meth:`fit` without a channel. Raises as it does."""
        return self._learn(data, context)[1]

    def learn_graph(self, graph: Adjacency, context: FitContext = ALONE) -> Vectors:
        """Return both vectors of every node of any graph, (n_nodes, dim) each. Raises as :meth:`fit`."""
        return self._by_gensim(graph, context) if self.trainer == "gensim" else self._by_numba(graph, context)

    def extend(
        self, old: NodeVectors, data: RecallData, context: FitContext = ALONE, *, keep: bool = False
    ) -> NodeVectors:
        """Return vectors for data that have grown, going on from those of before.

        Walks start at new nodes, at their neighbours and at nodes with another number of edges, as many from each as in
        a training; the rate falls again from ``lr``. New nodes begin at the mean of their old neighbours. Nodes that
        are no longer in the data are left out. Time goes by the nodes walked from, and by the graph once.

        Parameters
        ----------
        old : NodeVectors
            What :meth:`learn` or :meth:`extend` returned, or :meth:`NodeVectors.load` read.
        data : RecallData
            All there is now, old and new.
        keep : bool, default False
            Old vectors stay as they are, to the byte; new ones fit themselves to them.

        Raises
        ------
        ConfigError
            If the old vectors have another width than ``dim``, gensim or a tree is to train, or as :meth:`fit`.
        DataError
            As :meth:`fit`.
        """
        if old.dim != self.dim:
            raise ConfigError(f"the old vectors have dim {old.dim}, the recipe {self.dim}; give it dim={old.dim}")
        if self.trainer != "numba":
            raise ConfigError(f"trainer is {self.trainer!r}, which starts anew; extend takes trainer='numba'")
        if self.loss != "negative":
            raise ConfigError(f"loss is {self.loss!r}, whose tree is of the old nodes; extend takes loss='negative'")
        graph, ids = joined_graph(data, context, weighted=self.weighted), _ids(data)
        places = old.places_in(ids)
        start = grown(old, graph, places, first_vectors(graph.n_nodes, self.dim, context.seed))
        starts = touched(old, graph, places)
        if len(starts):
            known = np.flatnonzero(places >= 0)
            fixed = np.zeros(graph.n_nodes, np.bool_)
            fixed[known] = keep & (old.degrees[places[known]] > 0)
            # What a walk comes by is about in proportion to its edges.
            self._by_numba(graph, context, starts=starts, counts=graph.degrees, start=start, fixed=fixed)
        return NodeVectors(ids, start, graph.degrees)

    def channel(
        self, learnt: NodeVectors, data: RecallData, context: FitContext = ALONE
    ) -> VectorRecaller | VoteRecaller:
        """Return the channel that serves what was learnt of ``data``.

        Raises
        ------
        DataError
            If it was learnt of other users, items or entities.
        """
        if any(learnt.ids[of] != ids for of, ids in _ids(data).items()):
            raise DataError("the vectors were learnt of other users, items or entities than the data's; extend them")
        # A node that stands alone learns nothing.
        joined = learnt.degrees > 0
        items, users, entities = learnt.rows("items"), learnt.rows("users"), learnt.rows("entities")
        rows = np.flatnonzero(joined[items] & data.pool).astype(np.int32)
        inputs, outputs = (part[items][rows] for part in learnt.vectors)
        if self.query == "items":
            near = self.build_index(inputs, "cosine", context.seed, threads=self._threads(context))
            return VoteRecaller(
                rows, inputs, near, len(data.items), self.profile(), self.neighbours, self.power,
                vote_table(near, inputs, self.neighbours, self.power),
                entities=EntityVectors.of_nodes(learnt.vectors.inputs[entities], joined[entities]),
            )  # fmt: skip
        # in · out + out · in as one product of twice the width.
        sources = np.hstack([inputs, outputs])
        targets = with_lengths(np.hstack([outputs, inputs]), self.length_exponent)
        history = HistoryEncoder(rows, sources, len(data.items), self.profile())
        own = np.hstack([part[users] for part in learnt.vectors]) * joined[users, None]
        return VectorRecaller(
            history if self.query == "history" else UserEncoder(own, history, self.query),
            targets,
            self.build_index(targets, "ip", context.seed, queries=sources, threads=self._threads(context)),
            entities=EntityVectors.of_nodes(np.hstack([part[entities] for part in learnt.vectors]), joined[entities]),
        )

    def embed(self, data: RecallData, context: FitContext = ALONE, *, of: Nodes = "all") -> EmbeddingTable:
        """Return the ``in`` vectors of users, items and entities by id: :meth:`fit` without a channel.

        Nodes without an edge learn nothing and are not in the table; the pool plays no part.

        Parameters
        ----------
        of : {"all", "items", "users", "entities"}
            Whose vectors. All, and entities, have kinds: the types of the graph's nodes, "user", "item", "author".

        Raises
        ------
        ConfigError
            If ``of`` is something else, or as :meth:`fit`.
        DataError, MissingExtraError
            As :meth:`fit`.
        """
        check_choice("of", of, get_args(Nodes))  # before an hour of training
        graph, learnt = self._learn(data, context)
        return node_embeddings(data, graph, learnt.vectors.inputs, of)

    def _threads(self, context: FitContext) -> int:
        """Return the threads of steps whose result depends on their number: skip-gram, and an HNSW graph."""
        return min(self.workers, context.workers or self.workers)

    def _learn(self, data: RecallData, context: FitContext) -> tuple[Adjacency, NodeVectors]:
        """Return the graph of users, items and entities, and what is learnt of its nodes."""
        graph = joined_graph(data, context, weighted=self.weighted)
        return graph, NodeVectors(_ids(data), self.learn_graph(graph, context), graph.degrees)

    def _skip_gram(self) -> SkipGram:
        return SkipGram(
            dim=self.dim, window=self.window, negative=self.negative, ns_exponent=self.ns_exponent, lr=self.lr,
            loss=self.loss,
        )  # fmt: skip

    def _by_numba(
        self,
        graph: Adjacency,
        context: FitContext,
        *,
        starts: npt.NDArray[np.int64] | None = None,
        counts: npt.NDArray[np.int64] | None = None,
        **options: Any,
    ) -> Vectors:
        """Return the vectors that our own skip-gram learns of walks drawn anew in each epoch.

        ``options`` are those of :func:`graphrec.models.node_embeddings.skip_gram.train_skip_gram`.
        """
        walking = self._walking(graph) if starts is None else {**self._walking(graph), "starts": starts}
        walks = stream_walks(
            graph, walks_per_node=self.walks_per_node * self.epochs, seed=context.seed, threads=1,
            block_walks=block_walks(self.length), **walking,
        )  # fmt: skip
        # The first walk from every start, in an order drawn at random, and then the second: no stretch of the training
        # sees one type of nodes alone.
        walks = replace(walks, starts=np.random.default_rng(context.seed).permutation(walks.starts))
        if counts is None:
            counts = node_counts(walks, graph.n_nodes, self.walks_per_node * len(walks.starts))
        if self.loss == "hierarchical":  # later walks may come by nodes that these do not, and need their place
            counts = np.maximum(counts, graph.degrees > 0)
        return train_skip_gram(
            walks, counts, self._skip_gram(), seed=context.seed, threads=self._threads(context),
            progress=_in_steps(context, walks.n_walks), **options,
        )  # fmt: skip

    def _walking(self, graph: Adjacency) -> dict[str, Any]:
        """Return the settings of the walks but for their number."""
        if self.metapath:
            return {"length": self.length, "metapath": self.metapath}
        starts = np.flatnonzero(graph.degrees)
        return {"length": self.length, "p": self.p, "q": self.q, "relation_weights": self.relation_weights,
                "starts": starts}  # fmt: skip

    def _by_gensim(self, graph: Adjacency, context: FitContext) -> Vectors:
        """Return the vectors that gensim learns of the same walks in each epoch."""
        with scratch_directory("walks") as folder:
            path = folder / "walks.txt"
            corpus = write_corpus(
                graph, path, walks_per_node=self.walks_per_node, seed=context.seed, **self._walking(graph)
            )  # fmt: skip
            return train_gensim(
                path, corpus, self._skip_gram(), epochs=self.epochs, seed=context.seed, threads=self._threads(context),
                progress=_in_steps(context, corpus.n_walks * self.epochs),
            )  # fmt: skip


def _ids(data: RecallData) -> dict[Kind, Vocabulary]:
    """Return the ids of the nodes, by kind."""
    return {"users": data.users, "items": data.items, "entities": data.catalogue.entities}


def _in_steps(context: FitContext, n_walks: int) -> Progress:
    """Return what moves a fit's progress by hundredths of the walks, with the mean loss of each."""
    shown, losses = 0, list[float]()

    def moved(walks: int, loss: float) -> None:
        nonlocal shown
        losses.append(loss)
        step = _STEPS * walks // n_walks
        if step > shown:
            mean = sum(losses) / len(losses)
            context.progress(step, _STEPS, **({} if isnan(mean) else {"loss": mean}))
            if not isnan(mean):
                context.record(TrainingPoint("step", step, mean))
            shown = step
            losses.clear()

    return moved
