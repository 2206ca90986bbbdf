"""Skip-gram by gensim, from walks written to a file: the other trainer of Node2Vec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphrec.errors import MissingExtraError
from graphrec.graph.walks import Corpus
from graphrec.models.node_embeddings.skip_gram import Progress, SkipGram, Vectors

# gensim cuts longer sentences off without a word.
LONGEST_SENTENCE = 10_000


def train_gensim(
    path: Path,
    corpus: Corpus,
    settings: SkipGram,
    *,
    epochs: int,
    seed: int,
    threads: int = 1,
    progress: Progress = lambda _walks, _loss: None,
) -> Vectors:
    """Return the vectors that gensim learns of the walks in ``path``; zero for nodes that are not in them.

    Parameters
    ----------
    path, corpus :
        What :func:`graphrec.graph.walks.write_corpus` wrote, and what it returned. gensim reads the file in C; fed by
        an iterator it takes about twice as long.
    settings, seed, threads :
        As :func:`graphrec.models.node_embeddings.skip_gram.train_skip_gram` has them.
    epochs : int
        Passes over the same walks.
    progress : callable
        Called after each epoch with the walks done; gensim gives no loss of a file's sentences, so that it is nan.

    Raises
    ------
    MissingExtraError
        If gensim is not installed.
    """
    hierarchical = settings.loss == "hierarchical"
    model = _word2vec()(
        vector_size=settings.dim,
        window=settings.window,
        sg=1,
        hs=int(hierarchical),
        negative=0 if hierarchical else settings.negative,
        ns_exponent=settings.ns_exponent,
        min_count=0,  # the default drops rare nodes without a word
        sample=0,  # the default thins out hubs
        alpha=settings.lr,
        min_alpha=min(1e-4, settings.lr),
        epochs=epochs,
        workers=threads,
        seed=seed & 0x7FFFFFFF,
        hashfxn=_stable_hash,
    )
    counts = {str(node): int(count) for node, count in enumerate(corpus.counts) if count}
    vectors = Vectors(*(np.zeros((len(corpus.counts), settings.dim), dtype=np.float32) for _ in range(2)))
    if not counts:
        return vectors
    model.build_vocab_from_freq(counts, corpus_count=corpus.n_walks)
    model.train(
        corpus_file=str(path),
        total_words=int(corpus.counts.sum()),
        total_examples=corpus.n_walks,
        epochs=epochs,
        callbacks=[_Epochs(progress, corpus.n_walks)],
    )
    nodes = np.array([int(word) for word in model.wv.index_to_key])
    vectors.inputs[nodes] = model.wv.vectors
    if not hierarchical:
        vectors.outputs[nodes] = model.syn1neg
    return vectors


class _Epochs:
    """Moves a fit's progress after each epoch."""

    def __init__(self, progress: Progress, n_walks: int) -> None:
        self._progress, self._n_walks, self._done = progress, n_walks, 0

    def on_epoch_end(self, _model: object) -> None:
        """Count the epoch."""
        self._done += 1
        self._progress(self._done * self._n_walks, float("nan"))

    def on_train_begin(self, _model: object) -> None:
        """Do nothing: gensim calls all four."""

    on_epoch_begin = on_train_end = on_train_begin


def _word2vec() -> Any:
    """Return gensim's Word2Vec."""
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise MissingExtraError('Node2Vec(trainer="gensim")', extra="train") from error
    return Word2Vec


def _stable_hash(word: str) -> int:
    """Return a hash that, unlike Python's own, is the same in every process."""
    return int(word)
