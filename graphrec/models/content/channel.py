"""A channel out of vectors that say what items are: texts, images, videos."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import DataError
from graphrec.recallers.interests import InterestRecaller, InterestSettings, interest_channel
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder
from graphrec.recallers.sentences import SentenceEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table

ContentRecaller = VectorRecaller | VoteRecaller | InterestRecaller
ContentQuery = Literal["items", "history", "interests"]


class ContentSettings(InterestSettings, Protocol):
    """What a recipe of content says of how its vectors answer."""

    @property
    def query(self) -> ContentQuery:
        """Whether items vote, the history asks, or its clusters do."""
        ...

    @property
    def neighbours(self) -> int:
        """Neighbours of an item that it votes for."""
        ...

    @property
    def power(self) -> float:
        """Of a cosine, which makes a vote of it."""
        ...


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
