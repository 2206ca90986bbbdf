"""Recall for several interests at once: a history falls into clusters, and each asks with the item in its middle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts
from graphrec.data.lists import ItemLists, concatenate, places_among, take_lists
from graphrec.errors import ConfigError
from graphrec.index import Index
from graphrec.index.order import ordered_lists
from graphrec.recallers.files import load_saved, setting
from graphrec.recallers.item_vectors import ItemVectors, read_item_vectors, save_item_vectors
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, unit_vectors, usable_entries
from graphrec.recallers.sentences import SentenceEncoder, load_sentences, save_sentences

# Queries answered at a time, so that memory does not grow with the batch.
_CHUNK = 1024
# Newest items of a history that are clustered: the time of it is quadratic.
_MOST_ITEMS = 200


class Interests(NamedTuple):
    """A history's clusters, heaviest first: ``medoids`` (c,) rows of vectors, and ``shares`` (c,) of its weight."""

    medoids: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class InterestRecaller(ItemVectors):
    r"""Items near one of a history's interests, each interest with places in proportion to its weight.

    The unit vectors of a history's items are clustered by Ward's method, up to the height ``spread``. A cluster asks
    with its medoid, the member that is nearest to all of it; it weighs the sum of its items' weights, so that newer
    interests count more where the profile lets items age. The ``interests`` heaviest are asked, and

    .. math:: score(j) = \max_c \frac{W_c}{\sum_{c'} W_{c'}} \cdot \frac{1}{rank_c(j)}

    with the rank (from 1) of j by its cosine with the medoid: the order in which D'Hondt's method hands out seats. A
    query without any item that has a vector gets an empty list.

    Parameters
    ----------
    rows, sources, near, n_items, profile :
        As of :class:`graphrec.recallers.item_vectors.ItemVectors`. At most the newest 200 items of a history are
        clustered.
    interests : int
        Clusters that ask, at most, >= 1.
    spread : float
        Height at which Ward's tree is cut, >= 0: 0 asks with every item, from about 2 sqrt(items) on with one. Two
        items alone are joined below their distance, which is sqrt(2) for orthogonal vectors.
    reason : str
        Template of the sentence for people.
    sentences : SentenceEncoder or None
        Makes vectors of sentences in the space of the items'.

    Raises
    ------
    DataError
        As of :class:`graphrec.recallers.item_vectors.ItemVectors`.
    ConfigError
        If ``interests`` or ``spread`` is out of range.

    Notes
    -----
    For a history of h items, O(h^2 dim) time and O(h^2) memory before the searches.

    References
    ----------
    .. [1] Pal, Eksombatchai, Zhou, Zhao, Rosenberg, Leskovec, "PinnerSage: multi-modal user embedding framework for
       recommendations at Pinterest", KDD 2020. Differs: what the medoids bring is merged by their weights; there three
       medoids are drawn in proportion to them.
    """

    kind: ClassVar[str] = "interests"

    interests: int = 3
    spread: float = 1.0
    reason: str = "because you {verb} {source}: close to it in the graph"
    sentences: SentenceEncoder | None = None

    def __post_init__(self) -> None:
        if self.interests < 1 or not self.spread >= 0:
            raise ConfigError(
                f"interests is {self.interests} and spread {self.spread}; they must be 1 or more, and 0 or more"
            )
        ItemVectors.__post_init__(self)

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return at most k items a query, best first, ties by row."""
        return self._recall(queries, k, None, None)

    def recall_allowed(
        self, queries: Queries, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]
    ) -> ItemLists:
        """Return at most k items a query, none of them in its list of ``exclude`` or disallowed.

        ``exclude`` holds n lists, ``allowed`` is (n_items,) bool; the index leaves them out. Raises as :meth:`recall`.
        """
        allow = None if allowed.all() else allowed[self.rows]
        return self._recall(queries, k, allow, places_among(exclude, self.rows))

    def _recall(
        self, queries: Queries, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        check_k(k)
        check_rows(queries.history.items, self.n_items, name="history items")
        return concatenate([self._answers(part, k, allow, own) for part, own in query_parts(queries, skip)])

    def _answers(
        self, queries: Queries, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        """Search with every medoid of every query at once, and merge by query."""
        found = self.interests_of(queries.history)
        owners = np.repeat(np.arange(len(queries)), [len(each.medoids) for each in found])
        if not len(owners):
            return ordered_lists(owners, owners, np.empty(0, np.float32), n=len(queries), k=k)
        medoids, shares = (np.concatenate(column) for column in zip(*found, strict=True))
        own = None if skip is None else take_lists(skip, owners)
        near = self.near.search(self.sources[medoids], k, allow=allow, skip=own)
        lists = np.repeat(np.arange(len(owners)), near.lengths)
        ranks = 1 + np.arange(len(lists)) - near.indptr[lists]
        pairs, place = np.unique(owners[lists] * len(self.rows) + near.items, return_inverse=True)
        best = np.zeros(len(pairs))
        np.maximum.at(best, place, shares[lists] / ranks)
        which, places = np.divmod(pairs, len(self.rows))
        return ordered_lists(which, self.rows[places], best.astype(np.float32), n=len(queries), k=k)

    def interests_of(self, history: ItemLists) -> list[Interests]:
        """Return the interests of n histories, at most :attr:`interests` each; none where no item has a vector."""
        lists, positions, weights = usable_entries(history, self.profile, self.rows)
        ends = np.searchsorted(lists, np.arange(len(history)), side="right")
        starts = np.maximum(np.searchsorted(lists, np.arange(len(history))), ends - _MOST_ITEMS)
        return [
            self._clustered(positions[start:end], weights[start:end]) for start, end in zip(starts, ends, strict=True)
        ]

    def _clustered(self, positions: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> Interests:
        """Cluster one history's items, and choose the heaviest clusters; of equal ones the older."""
        # Not above: whatever serves sentences imports this module, and scipy takes longer than all of it.
        from scipy.cluster.hierarchy import fcluster, linkage

        vectors = unit_vectors(self.sources[positions]).astype(np.float64)
        labels = np.zeros(len(positions), dtype=np.int64)
        if len(positions) > 1:
            labels = fcluster(linkage(vectors, "ward"), self.spread, "distance").astype(np.int64) - 1
        mass = np.bincount(labels, weights=weights)
        heaviest = np.argsort(-mass, kind="stable")[: self.interests]
        medoids = [_medoid(vectors, np.flatnonzero(labels == label)) for label in heaviest]
        return Interests(positions[np.array(medoids, dtype=np.int64)], mass[heaviest] / max(mass.sum(), 1e-300))

    def save(self, directory: Path) -> None:
        """Write ``recaller.json``, the arrays as ``.npy``, and the index in ``index/``."""
        settings = {
            "interests": self.interests,
            "spread": float(self.spread),
            "reason": self.reason,
            **save_sentences(directory, self.sentences),
        }
        save_item_vectors(self, directory, self.kind, settings)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; arrays stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, the parts do not fit, or the recaller was made for other items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def query_parts(queries: Queries, skip: ItemLists | None) -> Iterator[tuple[Queries, ItemLists | None]]:
    """Yield the queries a chunk at a time, and their lists of ``skip``."""
    for start in range(0, len(queries), _CHUNK):
        chosen = np.arange(start, min(start + _CHUNK, len(queries)))
        part = queries if len(chosen) == len(queries) else take_queries(queries, chosen)
        yield part, None if skip is None else take_lists(skip, chosen)


class InterestSettings(Protocol):
    """What a recipe says of how clusters of a history ask."""

    @property
    def interests(self) -> int:
        """Clusters that ask, at most."""
        ...

    @property
    def spread(self) -> float:
        """Height at which Ward's tree is cut."""
        ...

    def profile(self) -> Profile:
        """Return how much each item of a history counts."""
        ...

    def build_index(self, vectors: npt.ArrayLike, metric: str, seed: int) -> Index:
        """Return an index over vectors (n, dim)."""
        ...


def interest_channel(
    settings: InterestSettings,
    rows: npt.NDArray[np.int32],
    vectors: FloatArray,
    n_items: int,
    seed: int,
    *,
    reason: str,
    sentences: SentenceEncoder | None = None,
) -> InterestRecaller:
    """Return the channel of ``vectors`` (t, dim) of the items ``rows`` (t,), whatever made them: by their cosines."""
    units = unit_vectors(vectors)
    near = settings.build_index(units, "cosine", seed)
    profile = settings.profile()
    return InterestRecaller(rows, units, near, n_items, profile, settings.interests, settings.spread, reason, sentences)


def _read(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    return {
        **read_item_vectors(directory, settings),
        "interests": setting(settings, "interests", int, directory=directory),
        "spread": setting(settings, "spread", float, directory=directory),
        "reason": setting(settings, "reason", str, directory=directory),
        "sentences": load_sentences(directory, settings),
    }


def _medoid(vectors: npt.NDArray[np.float64], members: npt.NDArray[np.int64]) -> int:
    """Return the member whose squared distances to all members have the least sum; the oldest of equals."""
    own = vectors[members]
    return int(members[np.argmax(np.round(own @ own.sum(axis=0), 12))])
