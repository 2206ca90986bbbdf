"""A channel out of vectors that say what items are: texts, images, videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from graphrec.channels.families import VectorSettings, history_half_life, history_interests, interest_spread
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.settings import choice, count, number
from graphrec.errors import DataError
from graphrec.models.content.projection import Features, Projection, chosen_projection
from graphrec.recallers.interests import InterestRecaller, interest_channel
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder
from graphrec.recallers.sentences import SentenceEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table

ContentRecaller = VectorRecaller | VoteRecaller | InterestRecaller
ContentQuery = Literal["items", "history", "interests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSettings(VectorSettings):
    """What every recipe of content has besides: how its vectors answer, and whether they are projected.

    Parameters
    ----------
    query : {"items", "history", "interests"}
        Votes of the history's items, the items nearest to the weighted mean of the history, or those near to the middle
        of one of its clusters (:class:`graphrec.recallers.interests.InterestRecaller`).
    neighbours, power : int, float
        For ``query="items"``: votes of each history item, and the power of the cosine that a vote weighs.
    interests, spread : int, float
        For ``query="interests"``: clusters that ask at most, and the height at which Ward's tree is cut.
    projection : {"none", "ridge"}
        Vectors as they are, or a linear map of them towards what is taken together, where held-out items are recalled
        better by it (:func:`graphrec.models.content.projection.chosen_projection`).
    projection_dim : int, default 128
        Width of projected vectors, at most.
    """

    query: ContentQuery = choice("items", ContentQuery, searched=True)
    neighbours: int = count(10, least=1, unit="items", search=ints(5, 100, log=True))
    power: float = number(2.0, above=0.0, search=floats(1.0, 8.0))
    interests: int = history_interests()
    spread: float = interest_spread()
    projection: Projection = choice("none", Projection, searched=True)
    projection_dim: int = count(128, least=1, most=4096, search=ints(32, 256, log=True))
    half_life: float = history_half_life(0.0)


def content_channel(
    settings: ContentSettings,
    data: RecallData,
    vectors: FloatArray,
    context: FitContext,
    *,
    reason: str,
    sentences: SentenceEncoder | None = None,
) -> ContentRecaller:
    """Return the channel of (n_items, dim) vectors of length 1; an item whose vector is zero says nothing.

    Raises
    ------
    DataError
        If no item of the pool has a vector.
    """
    rows = np.flatnonzero(vectors.any(axis=1) & data.pool).astype(np.int32)
    if not len(rows):
        raise DataError(
            f"of {len(data.items):,} items none has a vector and is in the pool; there is nothing to recall"
        )
    sources = np.ascontiguousarray(vectors[rows])
    if settings.query == "interests":
        return interest_channel(
            settings, rows, sources, len(data.items), context.seed, reason=reason, sentences=sentences
        )
    near = settings.build_index(sources, "cosine", context.seed)
    if settings.query == "history":
        history = HistoryEncoder(rows, sources, len(data.items), settings.profile())
        return VectorRecaller(history, sources, near, reason, sentences=sentences)
    return VoteRecaller(
        rows, sources, near, len(data.items), settings.profile(), settings.neighbours, settings.power,
        vote_table(near, sources, settings.neighbours, settings.power), reason, sentences=sentences,
    )  # fmt: skip


def learnt_projection(
    settings: ContentSettings, data: RecallData, vectors: FloatArray, features: Features, context: FitContext
) -> FloatArray | None:
    """Return the map (f, e) of the features (n_items, f) that a recipe learns, None where ``vectors`` serve better.

    Parameters
    ----------
    vectors : ndarray
        (n_items, dim) float32 of length 1: the content as it is.
    """
    if settings.projection == "none":
        return None
    return chosen_projection(
        features,
        data,
        context,
        dim=settings.projection_dim,
        plain=vectors,
        channel=lambda part, made: content_channel(settings, part, made, context, reason=""),
    )
