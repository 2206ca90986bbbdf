"""Recall by several vectors of one history: a tower makes them, each is searched for, the best of all answers stay."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, concatenate, take_lists
from graphrec.errors import ConfigError
from graphrec.index.order import ordered_lists
from graphrec.recallers.encoder import EncoderRecaller, TowerEncoder, read_encoder
from graphrec.recallers.files import load_saved, setting
from graphrec.recallers.interests import query_parts
from graphrec.recallers.newest_events import newest_events
from graphrec.recallers.query_encoder import FloatArray, positions_among, unit_vectors


@dataclass(frozen=True, slots=True, eq=False)
class InterestEncoderRecaller(EncoderRecaller):
    r"""Items whose vectors are nearest to one of the vectors that a tower makes of a query, its interests.

    .. math:: score(j) = \max_c v_c \cdot x_j - \lambda \, rank(j)

    where rank counts from 0 the better items of the interest that j is nearest to. A list in this order is what
    ComiRec's controllable aggregation [1]_ chooses step by step, with interests in place of categories: of two items
    of one value the one whose interest has fewer items in the list comes first.

    Parameters
    ----------
    encoder : TowerEncoder
        Makes several vectors of a query (``encoder.interests``).
    targets, near, reason :
        As of :class:`graphrec.recallers.vector.VectorRecaller`.
    diversity : float, default 0.0
        :math:`\lambda`, >= 0, in units of the score: 0 takes the greatest products.

    Raises
    ------
    ConfigError
        If ``diversity`` is below 0.

    References
    ----------
    .. [1] Cen et al., "Controllable multi-interest framework for recommendation", KDD 2020, section 3.4.
    """

    kind: ClassVar[str] = "interest-encoder"

    diversity: float = 0.0

    def __post_init__(self) -> None:
        EncoderRecaller.__post_init__(self)
        if not self.diversity >= 0:
            raise ConfigError(f"diversity is {self.diversity}; it must be 0 or more")

    def _search(
        self, queries: Queries, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        """Search for every interest of every query, and merge by query."""
        check_k(k)
        check_rows(queries.history.items, self.n_items, name="history items")
        parts = query_parts(queries, skip)
        return concatenate([self._answers(self.encoder.vectors(part), k, allow, own) for part, own in parts])

    def _answers(
        self, vectors: FloatArray, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        """Return n lists for ``vectors`` (n, interests, dim)."""
        n, interests, dim = vectors.shape
        known = np.flatnonzero(vectors.any(axis=2))
        own = None if skip is None else take_lists(skip, known // interests)
        near = self.near.search(vectors.reshape(-1, dim)[known], k, allow=allow, skip=own)
        askers = np.repeat(known, near.lengths)
        # Of each query and item the interest that it is nearest to; the first of equals.
        order = np.lexsort((askers, -near.scores, near.items, askers // interests))
        askers, places, scores = askers[order], near.items[order].astype(np.int64), near.scores[order]
        pairs = askers // interests * len(self.rows) + places
        best = np.append(True, np.diff(pairs) > 0)[: len(pairs)]
        askers, places, scores = askers[best], places[best], scores[best]
        if self.diversity:
            scores = (scores - self.diversity * ranks_within(askers, places, scores)).astype(np.float32)
        return ordered_lists(askers // interests, self.rows[places], scores, n=n, k=k)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the event that its interest is nearest to, of those that the tower read."""
        encoder = self.encoder
        vectors = encoder.vectors(query)[:1].reshape(-1, self.sources.shape[1])
        if not isinstance(encoder, TowerEncoder) or not vectors.any() or not len(items):
            return no_evidence(len(items))
        read = newest_events(query.events, self.rows, encoder.window).positions[0]
        known = positions_among(self.rows, items)
        interest = (self.targets[np.maximum(known, 0)] @ vectors.T).argmax(axis=1)
        nearest = read[(unit_vectors(vectors) @ unit_vectors(self.sources[read]).T).argmax(axis=1)]
        return evidence_of(np.where(known >= 0, self.rows[nearest[interest]], -1).astype(np.int32))

    def _settings(self, encoder: TowerEncoder) -> dict[str, Any]:
        """Return what ``recaller.json`` says."""
        said = EncoderRecaller._settings(self, encoder)
        return {**said, "interests": encoder.interests, "diversity": float(self.diversity)}

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote. Raises as :meth:`EncoderRecaller.load`."""
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**read_interests(directory, settings)))


def read_interests(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    interests = setting(settings, "interests", int, directory=directory)
    diversity = setting(settings, "diversity", float, directory=directory)
    return {**read_encoder(directory, settings, interests=interests), "diversity": diversity}


def ranks_within(
    groups: npt.NDArray[np.integer], rows: npt.NDArray[np.integer], scores: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Return (m,) int64: how many of each entry's group score higher; of equals the lower row comes first."""
    order = np.lexsort((rows, -scores, groups))
    sorted_groups = groups[order]
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - np.searchsorted(sorted_groups, sorted_groups)
    return ranks
