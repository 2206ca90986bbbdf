"""Node2Vec: skip-gram over random walks through users, items and entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import VectorSettings, history_half_life, history_weight_exponent
from graphrec.channels.shared import joined_graph
from graphrec.checks import check_choice
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext, Progress
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number, weights
from graphrec.data.scratch import scratch_directory
from graphrec.errors import MissingExtraError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.walks import Corpus, write_corpus
from graphrec.index import IndexKind
from graphrec.index.embeddings import EmbeddingTable
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table

FloatArray = npt.NDArray[np.float32]
Nodes = Literal["items", "users", "entities"]
QueryKind = Literal["items", "history", "user", "blend"]

# gensim cuts longer sentences off without a word.
_LONGEST_WALK = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node2Vec(VectorSettings):
    r"""Node2Vec over the graph of users, items and catalogue entities.

    Walks (:mod:`graphrec.graph.walks`) become sentences; skip-gram with negative sampling learns for each node a vector
    ``in`` (as centre) and ``out`` (as context) by raising :math:`\sigma(in_a \cdot out_b)` for b near a.
    Items whose ``in`` vectors are close have like neighbourhoods; that answers item to item. A user's or history's
    ``in`` vector times an item's ``out`` vector is the trained quantity; that answers user to item.

    Cold users are answered from their history; cold items by their entities, where the catalogue has any edges for
    them. Items that no walk reached have no vector and are never returned.

    Parameters
    ----------
    dim : int, default 64
        Width of the vectors.
    walks_per_node, length : int
        Walks from each node, and nodes in a walk (at most 10,000).
    window : int, default 5
        Nodes on either side that count as context.
    p, q : float, default 1.0
        Return and in-out parameters of the walk [1]_. Without triangles (users and items alone) only p / q matters.
    negative : int, default 5
        Negative samples a pair.
    epochs : int
        Passes over the walks.
    ns_exponent : float, default 0.75
        Negatives are drawn by (count of the node in the walks) to this power.
    lr : float
        First learning rate; falls linearly.
    workers : int, default 1
        Threads of training and of building the index. One gives the same channel on every run; more are faster and give
        that up.
    relation_weights : mapping of str to float
        Share of steps along each relation (see :func:`graphrec.graph.walks.generate_walks`); empty goes by edges alone.
    weighted : bool, default False
        Step in proportion to interaction weights (ratings).
    query : {"items", "history", "user", "blend"}
        Votes of the history's items, by their own nearest (:class:`graphrec.recallers.votes.VoteRecaller`); or what is
        nearest to the mean of the history, to the user's own vector, or to both
        (:class:`graphrec.recallers.query_encoder.UserEncoder`).
    neighbours, power : int, float
        For ``query="items"``: votes of each history item, and the power of the cosine that a vote weighs.
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
    gensim trains about 100,000 nodes of a walk a second on each worker (dim 64, window 5). ``out`` vectors are
    searched by inner product, ``in`` vectors by cosine.

    References
    ----------
    .. [1] A. Grover, J. Leskovec, "node2vec: Scalable feature learning for networks", KDD 2016.
    .. [2] O. Barkan, N. Koenigstein, "Item2vec: neural item embedding for collaborative filtering", MLSP 2016.
    """

    about: ClassVar[About] = About(
        recalls="near vectors, learnt by walks over users, items and entities",
        artefact="vectors and HNSW",
        cold_items="recalled by its entities",
        libraries=("gensim",),
    )

    dim: int = count(64, least=1, search=choices(32, 64, 128))
    walks_per_node: int = count(10, least=1, search=ints(5, 20))
    length: int = count(40, least=1, most=_LONGEST_WALK, unit="nodes")
    window: int = count(5, least=1, unit="nodes", search=ints(2, 10))
    p: float = number(1.0, least=1e-9, most=1e9, search=floats(0.25, 4.0, log=True))
    q: float = number(1.0, least=1e-9, most=1e9, search=floats(0.25, 4.0, log=True))
    negative: int = count(5, least=1)
    epochs: int = count(1, least=1)
    ns_exponent: float = number(0.75, least=-5, most=5, search=floats(-0.5, 1.0))
    lr: float = number(0.1, above=0)
    workers: int = count(1, least=1, unit="threads")
    relation_weights: Mapping[str, float] = weights(of="relations")
    weighted: bool = flag(False)
    query: QueryKind = choice("items", QueryKind)
    neighbours: int = count(20, least=1, search=ints(10, 100, log=True))
    power: float = number(4.0, above=0, search=floats(1.0, 8.0))
    half_life: float = history_half_life(0.0, choices(0.0, 10.0, 25.0, 50.0, 100.0))
    weight_exponent: float = history_weight_exponent(searched=False)
    index: IndexKind = choice("hnsw", IndexKind)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller | VoteRecaller:
        """Return the channel: walks, skip-gram, index. Same data, seed and ``workers=1`` give the same answers.

        Walks and votes take ``context.workers`` threads; skip-gram and the index take ``workers``, and no more than
        those. ``context.progress`` is called after the walks and after each epoch.

        Raises
        ------
        MissingExtraError
            If gensim is not installed.
        DataError
            If ``relation_weights`` names a relation that the graph does not have.
        """
        graph, centres, contexts = self._learn(data, context)
        n_users = len(data.users)
        # A node that stands alone is "walked", but learns nothing.
        joined = graph.degrees[n_users : n_users + len(data.items)] > 0
        rows = np.flatnonzero(joined & data.pool).astype(np.int32)
        sources = centres[n_users + rows]
        if self.query == "items":
            near = self.build_index(sources, "cosine", context.seed, threads=self._threads(context))
            return VoteRecaller(
                rows, sources, near, len(data.items), self.profile(), self.neighbours, self.power,
                vote_table(near, sources, self.neighbours, self.power),
            )  # fmt: skip
        history = HistoryEncoder(rows, sources, len(data.items), self.profile())
        users = np.where(graph.degrees[:n_users, None] > 0, centres[:n_users], np.float32(0))
        targets = contexts[n_users + rows]
        return VectorRecaller(
            history if self.query == "history" else UserEncoder(users, history, self.query),
            targets,
            self.build_index(targets, "ip", context.seed, queries=sources, threads=self._threads(context)),
        )

    def embed(self, data: RecallData, context: FitContext = ALONE, *, of: Nodes = "items") -> EmbeddingTable:
        """Return the ``in`` vectors of items, users or entities by id: :meth:`fit` without a channel.

        Nodes without an edge learn nothing and are not in the table; the pool plays no part.

        Parameters
        ----------
        of : {"items", "users", "entities"}
            Whose vectors.

        Raises
        ------
        MissingExtraError
            If gensim is not installed.
        ConfigError
            If ``of`` is something else.
        DataError
            As :meth:`fit`.
        """
        check_choice("of", of, get_args(Nodes))
        graph, centres, _ = self._learn(data, context)
        ids = {"users": data.users, "items": data.items, "entities": data.catalogue.entities}
        start = {"users": 0, "items": len(data.users), "entities": len(data.users) + len(data.items)}[of]
        joined = np.flatnonzero(graph.degrees[start : start + len(ids[of])] > 0)
        return EmbeddingTable(ids[of].take(joined), centres[start + joined])

    def _threads(self, context: FitContext) -> int:
        """Return the threads of steps whose result depends on their number: skip-gram, and an HNSW graph."""
        return min(self.workers, context.workers or self.workers)

    def _learn(self, data: RecallData, context: FitContext) -> tuple[Adjacency, FloatArray, FloatArray]:
        """Return the graph of users, items and entities, and the in and out vectors (n_nodes, dim) of its nodes."""
        model = _word2vec()
        graph = joined_graph(data, context, weighted=self.weighted)
        with scratch_directory("walks") as folder:
            path = folder / "walks.txt"
            corpus = write_corpus(
                graph,
                path,
                walks_per_node=self.walks_per_node,
                length=self.length,
                p=self.p,
                q=self.q,
                seed=context.seed,
                relation_weights=self.relation_weights,
            )
            context.progress(1, 1 + self.epochs)
            centres, contexts = self._train(model, path, corpus, context)
        return graph, centres, contexts

    def _train(self, model: Any, path: Path, corpus: Corpus, context: FitContext) -> tuple[FloatArray, FloatArray]:
        """Return in and out vectors (n_nodes, dim) of the walks in ``path``; zero for nodes that are not in them."""
        trained = model(
            vector_size=self.dim,
            window=self.window,
            sg=1,
            hs=0,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            min_count=0,  # the default drops rare nodes without a word
            sample=0,  # the default thins out hubs
            alpha=self.lr,
            min_alpha=min(1e-4, self.lr),
            epochs=self.epochs,
            workers=self._threads(context),
            seed=context.seed & 0x7FFFFFFF,
            hashfxn=_stable_hash,
        )
        counts = {str(node): int(count) for node, count in enumerate(corpus.counts) if count}
        centres = np.zeros((len(corpus.counts), self.dim), dtype=np.float32)
        contexts = np.zeros_like(centres)
        if not counts:
            return centres, contexts
        trained.build_vocab_from_freq(counts, corpus_count=corpus.n_walks)
        words = int(corpus.counts.sum())
        trained.train(
            corpus_file=str(path),
            total_words=words,
            total_examples=corpus.n_walks,
            epochs=self.epochs,
            callbacks=[_Epochs(context.progress, self.epochs)],
        )
        nodes = np.array([int(word) for word in trained.wv.index_to_key])
        centres[nodes], contexts[nodes] = trained.wv.vectors, trained.syn1neg
        return centres, contexts


class _Epochs:
    """Moves a fit's progress after each epoch; the walks were the first step."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress, self._epochs, self._done = progress, epochs, 0

    def on_epoch_end(self, _model: object) -> None:
        """Count the epoch."""
        self._done += 1
        self._progress(1 + self._done, 1 + self._epochs)

    def on_train_begin(self, _model: object) -> None:
        """Do nothing: gensim calls all four."""

    on_epoch_begin = on_train_end = on_train_begin


def _word2vec() -> Any:
    """Return gensim's Word2Vec."""
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise MissingExtraError("Node2Vec (gensim)", extra="train") from error
    return Word2Vec


def _stable_hash(word: str) -> int:
    """Return a hash that, unlike Python's own, is the same in every process."""
    return int(word)
