"""Recall requests, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_length, check_rows, typed_fields, typed_late
from graphrec.data.features import Features, take_features
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.sequences import Sequences, take_sequences, without_repeats
from graphrec.errors import DataError

T = TypeVar("T")


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class Queries:
    """A batch of n recall requests.

    What a user did is there twice: :attr:`events` as it happened, for models of sequences, and :attr:`history`, each
    item once, for all others. Either is made from the other when it is first looked at, and shared by all channels.

    Parameters
    ----------
    users : ndarray
        (n,) int32 user rows; -1 is a user that training did not see.
    history : Sequences or ItemLists
        n lists of events, or of distinct items with weights as scores, oldest first. It may be live: the newest events
        of a known user, or all that is known of an unknown one. Weights of 0 or below count as "seen" but not as
        taste.
    context : mapping of str to sequence of (str or None), optional
        Labels of the requests themselves, by the name of a user label: n texts each, None where a request has none.
        It goes before what is stored of the user: ``{"country": ["DE"]}`` is a user who is in Germany now.
    features : Features, optional
        What is known of each request besides, n rows: numbers, categories, texts, vectors. For channels that learnt
        from columns of these names; others do not read it.
    now : float, optional
        The moment of the requests, seconds UTC, for channels that keep a schedule; None is the present.

    Raises
    ------
    DataError
        If the lengths disagree or a user row is below -1.
    """

    users: npt.NDArray[np.int32]
    context: Mapping[str, tuple[str | None, ...]]
    features: Features | None
    now: float | None
    _events: Sequences | None
    _history: ItemLists | None
    _computed: dict[Hashable, Any]

    def __init__(
        self,
        users: npt.ArrayLike,
        history: Sequences | ItemLists,
        context: Mapping[str, Sequence[str | None]] | None = None,
        *,
        features: Features | None = None,
        now: float | None = None,
    ) -> None:
        rows = as_array(users, np.int32, name="users")
        check_length(rows, len(history), name="users")
        if len(rows) and int(rows.min()) < -1:
            raise DataError(f"user row {int(rows.min())} is below -1; -1 stands for an unknown user")
        labels = {name: tuple(texts) for name, texts in (context or {}).items()}
        for name, texts in labels.items():
            if len(texts) != len(rows):
                raise DataError(f"the context {name!r} has {len(texts)} entries; it must have {len(rows)}")
        if features is not None and features.n != len(rows):
            raise DataError(f"the features of the queries have {features.n} rows; they must have {len(rows)}")
        set_field = object.__setattr__
        set_field(self, "users", rows)
        set_field(self, "context", MappingProxyType(labels))
        set_field(self, "features", features)
        set_field(self, "now", now)
        set_field(self, "_events", history if isinstance(history, Sequences) else None)
        set_field(self, "_history", None if isinstance(history, Sequences) else history)
        set_field(self, "_computed", {})

    def __len__(self) -> int:
        return len(self.users)

    @property
    def events(self) -> Sequences:
        """N lists of events, oldest first."""
        events = self._events
        if events is None:
            events = without_repeats(self.history)
            object.__setattr__(self, "_events", events)
        return events

    @property
    def history(self) -> ItemLists:
        """N lists of distinct items, each at the place of its last event, with summed weights as scores."""
        history = self._history
        if history is None:
            history = self.events.distinct
            object.__setattr__(self, "_history", history)
        return history

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what ``compute`` returns of these queries, and the same for the same ``key`` ever after.

        For what a channel needs again when it explains its answer, or shares with others. It is kept as long as the
        queries are. Threads that come first at once may each compute it, so it must be a function of the queries.
        """
        computed = self._computed
        if key not in computed:
            computed[key] = compute()
        value: T = computed[key]
        return value


@typed_late
def take_queries(queries: Queries, positions: npt.ArrayLike) -> Queries:
    """Return the queries at ``positions`` (n',), in that order, context, features and moment included."""
    chosen = np.asarray(positions, dtype=np.int64)
    context = {name: [texts[at] for at in chosen.tolist()] for name, texts in queries.context.items()}
    features = None if queries.features is None else take_features(queries.features, chosen)
    return Queries(queries.users[chosen], _taken(queries, chosen), context, features=features, now=queries.now)


def _taken(queries: Queries, chosen: npt.NDArray[np.int64]) -> Sequences | ItemLists:
    """Return the histories at ``chosen``: the events where there are any yet, else the distinct items."""
    if queries._events is None:
        return take_lists(queries.history, chosen)
    return take_sequences(queries._events, chosen)


@typed_late
def known_queries(history: Sequences | ItemLists, users: npt.ArrayLike, *, now: float | None = None) -> Queries:
    """Return queries for known ``users`` (n,), with their own histories taken from ``history`` (one list a user)."""
    rows = as_array(users, np.int32, name="users")
    check_rows(rows, len(history), name="users")
    taken = take_sequences(history, rows) if isinstance(history, Sequences) else take_lists(history, rows)
    return Queries(rows, taken, now=now)
