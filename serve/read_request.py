"""From external ids to rows: requests, checked. Every wrong value gets a sentence here, before anything is computed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import MOST_WEIGHT
from graphrec.contracts.queries import Queries
from graphrec.data.lists import indptr_of, item_lists
from graphrec.data.sequences import Sequences, joined, slice_sequences, take_sequences, with_lengths
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, nearest_names

from .request import Request
from .state import State

History = Sequence[str] | Sequence[tuple[str, float]]
Rows = npt.NDArray[np.int32]
Weights = npt.NDArray[np.float32]

_NO_ROWS: Rows = np.empty(0, dtype=np.int32)
_LONGEST_S = 86_400.0
_LONGEST_DEADLINE_MS = 1e3 * _LONGEST_S


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted, whoever it is for: as the caller gave it to :meth:`graphrec.serve.Engine.recall`, unchecked."""

    k: int
    channels: Sequence[str] | None = None
    exclude: Iterable[str] = ()
    only: Iterable[str] | None = None
    context: Mapping[str, str] | None = None
    now: float | None = None


def read_request(
    state: State,
    wanted: Wanted,
    *,
    user: str | None,
    history: History | None,
    deadline_ms: float | None = None,
    list_depth: int = 1,
) -> Request:
    """Check one request and look its ids up.

    Raises
    ------
    ConfigError
        On an illegal value, an id that is no string, or an unknown channel (with the nearest names).
    """
    bundle = state.bundle
    count = read_count("k", wanted.k)
    if deadline_ms is not None and not (_is_number(deadline_ms, most=_LONGEST_DEADLINE_MS) and deadline_ms > 0):
        raise ConfigError(
            f"deadline_ms is {deadline_ms!r}; it must be above 0, or None for no deadline, and a day at most"
        )
    row = -1 if user is None else bundle.users.get(read_id("user", user))
    live, weights, unknown = _live(bundle.items, history)
    banned, missing = _rows(bundle.items, wanted.exclude, "exclude")
    users = np.array([row], dtype=np.int32)
    moment = _moment(wanted.now)
    events = None if history is None else Sequences([0, len(live)], live, weights)
    queries = Queries(
        users,
        _histories(bundle.history, users, events, now=moment),
        {name: [text] for name, text in _context(wanted.context).items()},
        now=moment,
    )
    return Request(
        queries=queries,
        exclude=item_lists([np.concatenate([queries.history.items, banned])]) if len(banned) else queries.history,
        allowed=_allowed(state, wanted.only),
        filtered=wanted.only is not None,
        channels=_channels(state, wanted.channels),
        chosen=wanted.channels is not None,
        **_lengths(state, count, list_depth),
        unknown=unknown + missing,
        deadline_ms=deadline_ms,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n users who are recalled for alike: their ids (null for nobody), rows and live events, and what holds for all."""

    ids: pa.Array
    users: Rows
    live: Sequences | None
    stored: Sequences
    context: Mapping[str, str]
    now: float
    request: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.users)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels to ask."""
        names: tuple[str, ...] = self.request["channels"]
        return names

    def part(self, start: int, stop: int) -> Request:
        """Return the requests of the users ``start:stop``."""
        users = self.users[start:stop]
        live = None if self.live is None else slice_sequences(self.live, start, start + len(users))
        context = {name: [text] * len(users) for name, text in self.context.items()}
        queries = Queries(users, _histories(self.stored, users, live, now=self.now), context, now=self.now)
        return Request(queries=queries, exclude=queries.history, **self.request)


def read_batch(
    state: State,
    wanted: Wanted,
    *,
    users: Iterable[str | None] | None,
    history: Sequence[History | None] | None,
    list_depth: int = 1,
) -> Batch:
    """Check a request for many users and look its ids up; see :meth:`graphrec.serve.Engine.recall_many`.

    Raises
    ------
    ConfigError
        As :func:`read_request` does, and where users and histories are not of one length.
    """
    bundle = state.bundle
    count = read_count("k", wanted.k)
    entries = None if history is None else list(_sequence(history, "history"))
    ids = _user_ids(bundle.users, users, None if entries is None else len(entries))
    if entries is not None and len(entries) != len(ids):
        raise ConfigError(f"there are {len(entries)} histories for {len(ids)} users; each user needs one, or None")
    parts = [_live(bundle.items, entry) for entry in entries or ()]
    live = None
    if parts:
        live = Sequences(
            indptr_of([len(rows) for rows, _, _ in parts]),
            np.concatenate([rows for rows, _, _ in parts]),
            np.concatenate([weights for _, weights, _ in parts]),
        )
    banned, _ = _rows(bundle.items, wanted.exclude, "exclude")
    allowed = _allowed(state, wanted.only)
    if len(banned):
        allowed = allowed.copy()
        allowed[banned] = False
    request = {
        "allowed": allowed,
        "filtered": wanted.only is not None,
        "channels": _channels(state, wanted.channels),
        "chosen": wanted.channels is not None,
        **_lengths(state, count, list_depth),
    }
    rows = bundle.users.rows(ids, missing="mark")
    return Batch(ids, rows, live, bundle.history, _context(wanted.context), _moment(wanted.now), request)


def read_ids(ids: Iterable[str], name: str = "ids") -> dict[str, None]:
    """Return ids, each once and in order, as the keys of a dictionary.

    Raises
    ------
    ConfigError
        If an entry is no string, or ``ids`` is one string.
    """
    return dict.fromkeys(_entry(name, value) for value in _sequence(ids, name))


def read_id(name: str, value: object) -> str:
    """Return an id.

    Raises
    ------
    ConfigError
        If it is no string.
    """
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {value!r} ({type(value).__name__}); ids are strings: {str(value)!r}")
    return value


def read_count(name: str, value: object) -> int:
    """Return a number of items or threads.

    Raises
    ------
    ConfigError
        If it is no whole number of 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of 1 or more")
    return int(value)


def read_duration(name: str, value: Any) -> float:
    """Return a number of seconds.

    Raises
    ------
    ConfigError
        If it is no number above 0, or more than a day.
    """
    if not (_is_number(value, most=_LONGEST_S) and value > 0):
        raise ConfigError(f"{name} is {value!r}; it must be a number of seconds above 0, and a day at most")
    return float(value)


def read_flag(name: str, value: object) -> bool:
    """Return a switch.

    Raises
    ------
    ConfigError
        If it is neither True nor False.
    """
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(f"{name} is {value!r}; it must be True or False")
    return bool(value)


def _is_number(value: Any, *, most: float = sys.float_info.max) -> bool:
    """Return whether a value is a number of at most that size; NaN and infinity are none."""
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        return False
    try:
        return abs(float(value)) <= most
    except OverflowError:  # an integer of more digits than a float holds
        return False


def _moment(now: float | None) -> float:
    """Return the moment of a request, settled once: all that looks at a schedule looks at the same one."""
    if now is None:
        return time.time()
    if not _is_number(now):
        raise ConfigError(f"now is {now!r}; it must be a moment in seconds UTC, or None for this one")
    return float(now)


def _entry(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} holds {value!r} ({type(value).__name__}); ids are strings: {str(value)!r}")
    return value


def _context(context: Mapping[str, str] | None) -> dict[str, str]:
    """Return what a request says of itself, by the name of a user label."""
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise ConfigError(f"context is {context!r}; it must be a mapping such as {{'country': 'DE'}}")
    return {_entry("context", name): _entry(f"context {name!r}", text) for name, text in context.items()}


def _sequence(values: object, name: str) -> Iterable[object]:
    """Return ``values``, unless they are one string, which would be read letter by letter."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} is {values!r}; it must be a sequence of ids")
    return values


def _user_ids(known: Vocabulary, users: Iterable[str | None] | None, n: int | None) -> pa.Array:
    """Return the ids of the users to recall for: all of the bundle by default, n nulls beside histories alone."""
    if users is None:
        return known.ids if n is None else pa.nulls(n, pa.large_string())
    ids = [None if user is None else _entry("users", user) for user in _sequence(users, "users")]
    return pa.array(ids, pa.large_string())


def _rows(items: Vocabulary, ids: Iterable[str], name: str) -> tuple[Rows, int]:
    """Return the rows of the ids that are known, and how many are not."""
    rows = [items.get(_entry(name, value)) for value in _sequence(ids, name)]
    known = [row for row in rows if row >= 0]
    return np.array(known, dtype=np.int32), len(rows) - len(known)


def _live(items: Vocabulary, history: object) -> tuple[Rows, Weights, int]:
    """Return rows and weights of the live events, and how many of their ids are unknown."""
    if history is None:
        return _NO_ROWS, np.empty(0, dtype=np.float32), 0
    if isinstance(history, Mapping):
        raise ConfigError("history is a mapping; give its pairs, oldest first: list(history.items())")
    rows: list[int] = []
    weights: list[float] = []
    unknown = 0
    for entry in _sequence(history, "history"):
        external, weight = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 1.0)
        row = items.get(_entry("history", external))
        if not _is_number(weight, most=MOST_WEIGHT):
            legal = f"a finite number, at most {MOST_WEIGHT:g} either way"
            raise ConfigError(f"history gives {external!r} the weight {weight!r}; it must be {legal}")
        if row < 0:
            unknown += 1
            continue
        rows.append(row)
        weights.append(float(weight))
    return np.array(rows, dtype=np.int32), np.array(weights, dtype=np.float32), unknown


def _histories(stored: Sequences, users: Rows, live: Sequences | None, *, now: float) -> Sequences:
    """Return the stored events of each user with the live ones behind them; none are stored of user -1."""
    known = _stored(stored, users)
    if live is None or len(live.items) == 0:
        return known
    return joined(known, live, now=now) if len(known.items) else live


def _stored(stored: Sequences, users: Rows) -> Sequences:
    """Return the stored events of each user; user -1 has none."""
    if len(users) == 1 and users[0] >= 0:
        return slice_sequences(stored, int(users[0]), int(users[0]) + 1)
    known = users >= 0
    if known.all():
        return take_sequences(stored, users)
    taken = take_sequences(stored, users[known])
    lengths = np.zeros(len(users), dtype=np.int64)
    lengths[known] = taken.lengths
    return with_lengths(taken, lengths)


def _allowed(state: State, only: Iterable[str] | None) -> npt.NDArray[np.bool_]:
    """Return the pool, cut down to ``only`` where given. Unknown ids in it allow nothing, so they need no count."""
    pool = state.pool
    if only is None:
        return pool
    rows, _ = _rows(state.bundle.items, only, "only")
    allowed = np.zeros(len(pool), dtype=np.bool_)
    allowed[rows] = pool[rows]
    return allowed


def _lengths(state: State, count: int, list_depth: int) -> dict[str, int]:
    """Return the items of the list that is made and of the head that is returned, at most those that there are."""
    n_items = max(len(state.bundle.items), 1)
    return {"k": min(max(count, list_depth), n_items), "head": min(count, n_items)}


def _channels(state: State, channels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the channels to ask, in the order of the bundle."""
    known = state.bundle.channels
    if channels is None:
        return tuple(known)
    wanted = [_entry("channels", name) for name in _sequence(channels, "channels")]
    if not wanted:
        raise ConfigError(f"channels is empty; name some of {', '.join(known)}, or leave it out to ask all")
    for name in wanted:
        if name not in known:
            raise ConfigError(f"channel {name!r} is not among {', '.join(known)}{nearest_names(name, known)}")
    return tuple(name for name in known if name in wanted)
