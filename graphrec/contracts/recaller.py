"""One channel, ready to answer: what it must be able to do, and how it says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import CatalogueGraph


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """m paths through the catalogue graph, from a history item to the item that it leads to; some may be empty.

    ``indptr`` (m + 1,) int64: path ``i`` has the nodes ``nodes[indptr[i]:indptr[i + 1]]``. ``nodes`` (p,) int32 are
    rows of the graph. ``relations`` (p,) int16: the relation that leads to each node from the one before; -1 at the
    first node of a path. A relation may be walked against its direction: it is then named by its reverse.
    """

    indptr: npt.NDArray[np.int64]
    nodes: npt.NDArray[np.int32]
    relations: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, position: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
        """Return the nodes of one path, and the relations between them (one fewer; none of an empty path)."""
        here = slice(int(self.indptr[position]), int(self.indptr[position + 1]))
        return self.nodes[here], self.relations[here][1:]


def no_paths(n: int) -> Paths:
    """Return ``n`` empty paths."""
    return Paths(np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int16))


def joined_paths(parts: Sequence[Paths]) -> Paths:
    """Return the paths of all ``parts``, one part after the other."""
    lengths = [np.diff(part.indptr) for part in parts]
    return Paths(
        np.concatenate([[0], *lengths]).cumsum().astype(np.int64),
        np.concatenate([np.empty(0, dtype=np.int32), *(part.nodes for part in parts)]),
        np.concatenate([np.empty(0, dtype=np.int16), *(part.relations for part in parts)]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Why a channel returned each of m items to one query.

    ``sources`` (m,) int32: the history item that contributed most, -1 where none did.
    ``via`` (m,) int32: the middle row it went through (a tag), -1 where there is none that may be named.
    ``contributions`` (m,) float64: what that source (by that way) gave of the item's score; 0 where there is none.
    ``paths``: the m paths through the catalogue graph that scored the items, from source to item; empty where the
    channel walked none.
    """

    sources: npt.NDArray[np.int32]
    via: npt.NDArray[np.int32]
    contributions: npt.NDArray[np.float64]
    paths: Paths


def evidence_of(
    sources: npt.NDArray[np.int32],
    contributions: npt.NDArray[np.floating] | None = None,
    *,
    via: npt.NDArray[np.int32] | None = None,
    paths: Paths | None = None,
) -> Evidence:
    """Return evidence with ``sources`` (m,); parts that a channel does not have are empty."""
    m = len(sources)
    return Evidence(
        sources,
        np.full(m, -1, dtype=np.int32) if via is None else via,
        np.zeros(m) if contributions is None else contributions.astype(np.float64, copy=False),
        no_paths(m) if paths is None else paths,
    )


def no_evidence(n: int) -> Evidence:
    """Return the evidence of ``n`` items for which there is no source."""
    return evidence_of(np.full(n, -1, dtype=np.int32))


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """All that gave one item its score, in m entries whose amounts add up to it.

    ``sources`` (m,) int32: the history item that an entry comes from.
    ``via`` (m,) int32: the middle row it goes through (a tag), -1 where there is none that may be named.
    ``amounts`` (m,) float64: what the entry gave of the score; below 0 where it took away.
    ``shown`` (m,) float64: what its path gave of that; less than the amount where the entry stands for several paths
    of the same relations, of which it holds the best. 0 where it has no path.
    ``paths``: m paths through the catalogue graph, from source to item; empty where the channel walked none, or none
    that may be shown.
    """

    sources: npt.NDArray[np.int32]
    via: npt.NDArray[np.int32]
    amounts: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]
    paths: Paths

    def __len__(self) -> int:
        return len(self.sources)


def contributions_of(
    sources: npt.NDArray[np.int32],
    amounts: npt.NDArray[np.float64],
    *,
    via: npt.NDArray[np.int32] | None = None,
    shown: npt.NDArray[np.float64] | None = None,
    paths: Paths | None = None,
) -> Contributions:
    """Return contributions; parts that a channel does not have are empty."""
    m = len(sources)
    return Contributions(
        sources.astype(np.int32, copy=False),
        np.full(m, -1, dtype=np.int32) if via is None else via.astype(np.int32, copy=False),
        amounts.astype(np.float64, copy=False),
        np.zeros(m) if shown is None else shown,
        no_paths(m) if paths is None else paths,
    )


@dataclass(frozen=True, slots=True)
class BundleParts:
    """What a bundle already holds, handed to each recaller that is loaded from it: nothing is stored or read twice.

    ``users``, ``items`` are the vocabularies; ``catalogue`` is the graph of items and entities.
    """

    users: Vocabulary
    items: Vocabulary
    catalogue: CatalogueGraph


@runtime_checkable
class Audited(Protocol):
    """A channel that searches an index: what the index misses is measured when a bundle is published."""

    def audit(self, *, k: int = 100, seed: int = 0, n_queries: int = 200) -> float:
        """Return the share of the exact ``k`` best that the index returns, over ``n_queries`` drawn with ``seed``."""
        ...


@runtime_checkable
class Additive(Protocol):
    """A channel whose score of an item is a sum over the history: it can say what every part of the history gave."""

    def contributions(self, query: Queries, item: int) -> Contributions:
        """Return all that gave ``item`` its score in the answer to a single query; nothing where it has none.

        The amounts add up to the score, to the rounding of float32.
        """
        ...


@runtime_checkable
class Recaller(Protocol):
    """One channel, ready to answer. Implementations are immutable and safe to call from several threads.

    ``kind`` names the class in a saved bundle. ``reason`` is a template for people with the places ``{source}``
    (title of the history item), ``{via}``, ``{path}`` (what the catalogue graph says the two items share) and
    ``{verb}`` (what users do: "read").
    """

    kind: ClassVar[str]

    @property
    def reason(self) -> str:
        """Template of the sentence that explains an item of this channel."""
        ...

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return n lists of at most k items, best first, ties by row.

        Items of the history are *not* left out: that is done once for all channels (``graphrec.recallers.filtering``).
        A channel that knows nothing about a query answers an empty list.
        """
        ...

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return why each of ``items`` (m,) fits a single query."""
        ...

    def save(self, directory: Path) -> None:
        """Write arrays and settings into an existing, empty directory; no pickle."""
        ...

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; raise BundleError where it does not fit ``parts``."""
        ...
