"""What the engine answers: plain values on external ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from graphrec.fusion.fused import FusedLists


class Place(NamedTuple):
    """Where a channel put an item: its 1-based rank among what may be shown, and the channel's own score."""

    rank: int
    score: float


class Places(Mapping[str, Place]):
    """The places of one item by channel, read from the merged arrays when somebody looks: an answer has a thousand.

    Parameters
    ----------
    merged : FusedLists
        The lists of one request.
    entry : int
        Position of the item in them.
    """

    __slots__ = ("_entry", "_merged")

    def __init__(self, merged: FusedLists, entry: int) -> None:
        self._merged, self._entry = merged, entry

    def __getitem__(self, channel: str) -> Place:
        try:
            column = self._merged.channels.index(channel)
        except ValueError:
            raise KeyError(channel) from None
        rank = int(self._merged.ranks[self._entry, column])
        if rank == 0:
            raise KeyError(channel)
        return Place(rank, float(self._merged.scores[self._entry, column]))

    def __iter__(self) -> Iterator[str]:
        ranks = self._merged.ranks[self._entry].tolist()
        return (channel for channel, rank in zip(self._merged.channels, ranks, strict=True) if rank)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._merged.ranks[self._entry]))

    def __repr__(self) -> str:
        return repr(dict(self))


class Recalled(NamedTuple):
    """One candidate.

    ``channels`` tells every channel that returned it; it is empty where the item came from the fallback.
    ``explanation`` is a sentence for people where reasons were wanted.
    """

    item: str
    title: str
    score: float
    channels: Mapping[str, Place]
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The candidates of one request, and how they came about.

    Parameters
    ----------
    items : tuple of Recalled
        Best first.
    user_known : bool
        Whether the user is in the bundle.
    fallback : str or None
        What filled the places that the channels left empty: a channel's name, "popularity", or both.
    left_out : mapping
        Channel that was late or broken, and why.
    unexplained : mapping
        Channel whose reasons were wanted and cannot be used, and why not; its items are in the answer all the same.
    unknown : int
        Ids of the history and the exclusions that the bundle does not know; they were ignored.
    empty_because : str or None
        Why there are no items, where there are none.
    version : str
        Name of the bundle that answered.
    took_ms : float
        Wall time.
    """

    items: tuple[Recalled, ...]
    user_known: bool
    fallback: str | None
    left_out: Mapping[str, str]
    unexplained: Mapping[str, str]
    unknown: int
    empty_because: str | None
    version: str
    took_ms: float

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ids(self) -> list[str]:
        """The item ids, best first."""
        return [entry.item for entry in self.items]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        document["left_out"], document["unexplained"] = dict(self.left_out), dict(self.unexplained)
        document["items"] = [
            entry._asdict() | {"channels": {name: place._asdict() for name, place in entry.channels.items()}}
            for entry in self.items
        ]
        return document


class TakeDown(NamedTuple):
    """What taking items down, or putting them back, did.

    ``changed`` are down now and were not before (or the other way round); ``unknown`` are not among the items of the
    bundle in service, and are remembered for a later bundle; ``in_file`` are named by ``taken-down.txt``, and stay down
    as long as they are.
    """

    changed: tuple[str, ...]
    unknown: tuple[str, ...]
    in_file: tuple[str, ...]


class Shared(NamedTuple):
    """What two items have in common: an entity (its id and name), or None of both where they are joined directly."""

    relation: str
    entity: str | None
    label: str | None


class Neighbour(NamedTuple):
    """A node near another in the catalogue graph: an item, or the entity that a path ends at.

    ``item`` is its id or IRI, ``kind`` its type of node. ``shared`` is what two items have in common, the most specific
    first; ``path`` the ids and relations of the best way along a path, in turns, from the node that it starts at.
    ``source`` is the item of a user's history that it is near to.
    """

    item: str
    title: str
    score: float
    shared: tuple[Shared, ...]
    explanation: str
    kind: str = "item"
    path: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nodes near ``item``, an item, an entity or a user as ``kind`` says, best first."""

    item: str
    title: str
    relation: str | None
    items: tuple[Neighbour, ...]
    version: str
    took_ms: float
    kind: str = "item"
    path: str | None = None

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ids(self) -> list[str]:
        """The item ids, best first."""
        return [entry.item for entry in self.items]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        document["items"] = [
            entry._asdict() | {"shared": [shared._asdict() for shared in entry.shared]} for entry in self.items
        ]
        return document


class PathNode(NamedTuple):
    """A node on a path: id or IRI, name, type of node, and the relation that leads to it (None at the first)."""

    id: str
    label: str
    kind: str
    relation: str | None


class Reason(NamedTuple):
    """Something of a history that gave an item a part of a channel's score.

    ``contribution`` is that part and ``share`` its part of the whole; both are None where the channel's score is no
    sum.
    ``of_path`` is what the path itself gave: less than the contribution where the reason stands for all paths of the
    same relations, of which ``path`` is the best. ``source`` is the item of the history, None where the channel does
    not go by it; ``via`` what lies between, such as a tag.
    """

    channel: str
    text: str
    share: float | None
    contribution: float | None
    of_path: float | None
    source: str | None
    via: str | None
    path: tuple[PathNode, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item fits a history, by the greatest shares first: see :meth:`graphrec.serve.engine.Engine.explain`.

    Parameters
    ----------
    reasons : tuple of Reason
        The k wanted, of ``n_reasons`` that there are.
    scores : mapping of str to float
        The own score of each channel that leads to the item.
    unconnected : str or None
        Why no reason names anything of the history, where none does.
    unexplained : mapping
        Channel that cannot say why, and what was wrong.
    unknown : int
        Ids of the history that the bundle does not know; they were ignored.
    """

    item: str
    title: str
    reasons: tuple[Reason, ...]
    n_reasons: int
    scores: Mapping[str, float]
    unconnected: str | None
    unexplained: Mapping[str, str]
    unknown: int
    version: str
    took_ms: float

    def __len__(self) -> int:
        return len(self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        document: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        document["scores"], document["unexplained"] = dict(self.scores), dict(self.unexplained)
        document["reasons"] = [
            reason._asdict() | {"path": [node._asdict() for node in reason.path]} for reason in self.reasons
        ]
        return document
