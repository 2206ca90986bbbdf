"""How much each token counts, learnt of a catalogue, and what all its sentences have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.recallers.sentences import FloatArray
from graphrec.sparse.taste import inverse_power, scaled

Weighting = Literal["none", "sif", "tf-idf"]

# Fewer texts share nothing that could be told from what they say.
_FEWEST = 3
# Mean by root mean square of the texts along a direction, from which on it is shared: 1 where all lie alike.
_SHARED = 0.7


def token_weights(ids: Sequence[Sequence[int]], n_tokens: int, weighting: Weighting, smoothing: float) -> FloatArray:
    r"""Return (n_tokens,) float32: what each token counts.

    .. math:: w_t = \frac{a}{a + p(t)} \quad\text{(sif)}, \qquad
        w_t = \log\left(1 + \frac{n}{\max(1, n_t)}\right) \quad\text{(tf-idf)}

    Parameters
    ----------
    ids : sequence of lists
        The tokens of n texts.
    n_tokens : int
        Tokens of the table.
    weighting : {"none", "sif", "tf-idf"}
        "none" makes them ones.
    smoothing : float
        a, > 0.

    Notes
    -----
    p(t) is the share of t among all tokens of the texts, :math:`n_t` the texts that have it. Time and memory linear in
    the tokens.

    References
    ----------
    .. [1] Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017, algorithm 1.
       Differs: p is that of the catalogue, not of a corpus of the language.
    """
    if weighting == "none":
        return np.ones(n_tokens, dtype=np.float32)
    counts = np.zeros(n_tokens, dtype=np.float64)
    for own in ids:
        if weighting == "sif":
            np.add.at(counts, own, 1.0)
        else:
            counts[np.unique(np.asarray(own, dtype=np.int64))] += 1.0
    if weighting == "sif":
        share = counts / max(1.0, float(counts.sum()))
        return np.asarray(smoothing / (smoothing + share), dtype=np.float32)
    weights: FloatArray = np.log1p(max(1, len(ids)) / np.maximum(counts, 1.0)).astype(np.float32)
    return weights


def shared_direction(vectors: FloatArray) -> FloatArray | None:
    """Return the (1, dim) first right singular vector of (m, dim) vectors, where it is what nearly all have in common.

    None where they lie along it to both sides, as texts of two kinds do: it then tells them apart. Found through the
    Gram matrix, so time is O(m dim^2) and memory O(dim^2).
    """
    known = vectors[vectors.any(axis=1)]
    if len(known) < _FEWEST:
        return None
    gram: npt.NDArray[np.float64] = known.T.astype(np.float64) @ known.astype(np.float64)
    direction = np.ascontiguousarray(np.linalg.eigh(gram)[1][:, -1:].T, dtype=np.float32)
    along = known @ direction[0]
    return direction if abs(along.mean()) >= _SHARED * np.sqrt(np.square(along).mean()) else None


def token_features(ids: Sequence[Sequence[int]], weights: FloatArray) -> sp.csr_array:
    """Return (n, n_tokens) float32: how often each text has each token, times its squared weight; rows of length 1.

    Squared as in a cosine, to which both sides bring their weight. The row of a text without tokens is zero.
    """
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    tokens = np.fromiter((token for own in ids for token in own), dtype=np.int32, count=int(lengths.sum()))
    counts = sp.csr_array(
        (np.square(weights)[tokens], tokens, np.concatenate([[0], np.cumsum(lengths)])), shape=(len(ids), len(weights))
    )
    counts.sum_duplicates()
    norms = np.sqrt(counts.multiply(counts).sum(axis=1, dtype=np.float64))
    return scaled(counts, rows=inverse_power(norms, 1.0))
