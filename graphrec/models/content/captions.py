"""A space of words and pictures, learnt on the catalogue: sentences as vectors among those of pictures or videos."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from graphrec.models.content.projection import STRENGTHS, Features, projected, ridge, with_content
from graphrec.recallers.query_encoder import FloatArray
from graphrec.recallers.sentences import SentenceEncoder, unit_rows

_log = logging.getLogger(__name__)

# Principal directions of the pictures that words lead to: a token's vector is so wide.
_WIDTH = 128
# Fewer items with words and a picture teach nothing.
_FEWEST = 50
_SHARE = 0.1


def captioned(encoder: SentenceEncoder, features: Features, vectors: FloatArray, seed: int) -> SentenceEncoder | None:
    """Return the encoder of sentences in the space of pictures; None where too few items have words and a picture.

    Ridge regression leads from the words of items to the leading 128 principal directions of their pictures. Its
    strength is the one by which the words of a tenth of the items, held out, come nearest to their own pictures among
    all (mean reciprocal rank).

    Parameters
    ----------
    encoder : SentenceEncoder
        Of the items' words.
    features : csr_array or ndarray
        (n_items, f) float32 rows of length 1, or zero: what the encoder's vectors are made of.
    vectors : ndarray
        (n_items, dim) float32 of length 1, or zero: the pictures.
    seed : int
        Of the items held out.
    """
    rows = np.flatnonzero(vectors.any(axis=1) & with_content(features))
    if len(rows) < _FEWEST:
        _log.info("%d items have words and a picture, of %d that it takes to learn from", len(rows), _FEWEST)
        return None
    said, pictures = features[rows], vectors[rows]
    directions = np.linalg.svd(pictures - pictures.mean(axis=0), full_matrices=False)[2][:_WIDTH]  # (e, dim)
    targets = pictures @ directions.T
    held = np.zeros(len(rows), dtype=np.bool_)
    held[np.random.default_rng(seed).permutation(len(rows))[: round(_SHARE * len(rows))]] = True
    ranks = {
        strength: own_ranks(
            projected(said[held], ridge(said[~held], targets[~held], strength)), unit_rows(targets), held
        )
        for strength in STRENGTHS
    }
    best = max(ranks, key=lambda strength: float(np.mean(1.0 / ranks[strength])))
    _log.info(
        "of %d held-out items the words lead to their own picture among the first 10 of %d: %.3f (strength %g)",
        held.sum(), len(rows), np.mean(ranks[best] <= 10), best,
    )  # fmt: skip
    return encoder.projected(ridge(said, targets, best), onto=np.ascontiguousarray(directions, dtype=np.float32))


def own_ranks(sentences: FloatArray, pictures: FloatArray, held: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return (h,) from 1: the place of its own picture for each sentence (h, e), among all pictures (n, e).

    ``held`` (n,) has h trues: the sentences' own pictures, in their order. Equal cosines count as better ones.
    """
    cosines = sentences @ pictures.T  # (h, n)
    own = cosines[np.arange(len(sentences)), np.flatnonzero(held)]
    return np.asarray((cosines >= own[:, None]).sum(axis=1), dtype=np.int64)
