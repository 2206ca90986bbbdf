"""The contracts of recall: what a channel is asked, what it answers, what it learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.attributes import Attributes
from graphrec.data.exposures import Exposures
from graphrec.data.interactions import Interactions
from graphrec.data.item_tags import ItemTags
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.rules import Rules
from graphrec.data.user_tags import UserTags
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Queries:
    """n recall requests.

    Parameters
    ----------
    users : ndarray
        (n,) int32 user rows; -1 is somebody never seen.
    history : ItemLists
        n lists of item rows, oldest first, with weights as scores. It may be live: the newest events of a known
        user, or all that is known of an unknown one. Weights of 0 or below count as "seen" but say nothing of taste.
    context : mapping of str to sequence of (str or None), optional
        What the requests themselves say, by the name of a user label: n texts each, None where a request is silent.
        It goes before what is stored of the user: ``{"country": ["DE"]}`` is somebody who is in Germany now.
    now : float, optional
        The moment of the requests, seconds UTC, for channels that keep a schedule; None is when they are asked.

    Raises
    ------
    DataError
        If the lengths disagree or a user row is below -1.
    """

    users: npt.NDArray[np.int32]
    history: ItemLists
    context: Mapping[str, tuple[str | None, ...]]
    now: float | None

    def __init__(
        self,
        users: npt.ArrayLike,
        history: ItemLists,
        context: Mapping[str, Sequence[str | None]] | None = None,
        *,
        now: float | None = None,
    ) -> None:
        rows = as_array(users, np.int32, name="users")
        check_length(rows, len(history), name="users")
        if len(rows) and int(rows.min()) < -1:
            raise DataError(f"user row {int(rows.min())} is below -1; -1 stands for a user never seen")
        said = {name: tuple(texts) for name, texts in (context or {}).items()}
        for name, texts in said.items():
            if len(texts) != len(rows):
                raise DataError(f"the context {name!r} has {len(texts)} entries; it must have {len(rows)}")
        object.__setattr__(self, "users", rows)
        object.__setattr__(self, "history", history)
        object.__setattr__(self, "context", MappingProxyType(said))
        object.__setattr__(self, "now", now)

    def __len__(self) -> int:
        return len(self.users)


def take_queries(queries: Queries, positions: npt.ArrayLike) -> Queries:
    """Return the queries at ``positions`` (n',), in that order, context and moment included."""
    chosen = np.asarray(positions, dtype=np.int64)
    context = {name: [texts[at] for at in chosen.tolist()] for name, texts in queries.context.items()}
    return Queries(queries.users[chosen], take_lists(queries.history, chosen), context, now=queries.now)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a channel returned each of m items to one query.

    ``sources`` (m,) int32: the history item that contributed most, -1 where none did.
    ``via`` (m,) int32: the middle row it went through (a tag), -1 where there is none that may be named.
    """

    sources: npt.NDArray[np.int32]
    via: npt.NDArray[np.int32]


def no_evidence(n: int) -> Evidence:
    """Return the evidence of ``n`` items that nothing speaks for."""
    return Evidence(np.full(n, -1, dtype=np.int32), np.full(n, -1, dtype=np.int32))


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
        """Return why each of ``items`` (m,) fits the one query."""
        ...

    def save(self, directory: Path) -> None:
        """Write arrays and settings into an existing, empty directory; no pickle."""
        ...

    @classmethod
    def load(cls, directory: Path, items: Vocabulary) -> Self:
        """Read what :meth:`save` wrote; raise BundleError where it does not fit ``items``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class RecallData:
    """Everything recipes may learn from. What is held out is not in here.

    Parameters
    ----------
    users, items : Vocabulary
        External ids.
    interactions : Interactions
        The training events.
    catalogue : CatalogueGraph
        Items and entities; ``catalogue.items_only`` where there is no knowledge graph.
    item_tags : ItemTags or None
        Tags of items, for the tag channel; those of ``user_tags`` are among them.
    pool : ndarray
        (n_items,) bool: items that may be recalled at all.
    item_attributes, user_attributes : Attributes or None
        Numbers and labels of items (price, category) and of users (country).
    exposures : Exposures or None
        What was shown, and what came of it.
    rules : Rules or None
        What people decree, for the operations channel. Its deny lists are no longer in the pool.
    user_tags : UserTags or None
        Who gave which item which tag: what ``item_tags`` are made of again when something is held out.

    Raises
    ------
    DataError
        If the sizes of the parts disagree.
    """

    users: Vocabulary
    items: Vocabulary
    interactions: Interactions
    catalogue: CatalogueGraph
    item_tags: ItemTags | None = None
    pool: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    item_attributes: Attributes | None = None
    user_attributes: Attributes | None = None
    exposures: Exposures | None = None
    rules: Rules | None = None
    user_tags: UserTags | None = None

    def __post_init__(self) -> None:
        n = len(self.items)
        if self.pool.size == 0:
            object.__setattr__(self, "pool", np.ones(n, dtype=np.bool_))
        for name, found in (
            ("the table of interactions", self.interactions.n_items),
            ("the catalogue graph", self.catalogue.n_items),
            ("the pool", len(self.pool)),
            ("the tag table", n if self.item_tags is None else len(self.item_tags.table)),
            ("the table of item attributes", n if self.item_attributes is None else self.item_attributes.n),
            ("the table of exposures", n if self.exposures is None else self.exposures.n_items),
            ("the table of user tags", n if self.user_tags is None else self.user_tags.n_items),
        ):
            if found != n:
                raise DataError(f"{name} speaks of {found} items, the vocabulary has {n}")
        n = len(self.users)
        for name, found in (
            ("the table of interactions", self.interactions.n_users),
            ("the table of user attributes", n if self.user_attributes is None else self.user_attributes.n),
            ("the table of exposures", n if self.exposures is None else self.exposures.n_users),
            ("the table of user tags", n if self.user_tags is None else self.user_tags.n_users),
        ):
            if found != n:
                raise DataError(f"{name} speaks of {found} users, the vocabulary has {n}")


class Recipe(Protocol):
    """Settings of a method, as a frozen dataclass whose fields are the TOML keys, and how to make it ready."""

    def fit(self, data: RecallData, *, seed: int) -> Recaller:
        """Learn from ``data`` and return the channel. Same data and seed give the same answer."""
        ...


def known_queries(history: ItemLists, users: npt.ArrayLike, *, now: float | None = None) -> Queries:
    """Return queries for known ``users`` (n,), with their own histories taken from ``history`` (one list a user)."""
    rows = as_array(users, np.int32, name="users")
    check_rows(rows, len(history), name="users")
    return Queries(rows, take_lists(history, rows), now=now)
