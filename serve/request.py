"""From external ids to rows: a request, checked."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, nearest_names

from .state import State

History = Sequence[str] | Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One request in rows.

    Parameters
    ----------
    queries : Queries
        The one query: user row and whole history.
    exclude : ItemLists
        One list: the history and what the caller excludes.
    allowed : ndarray
        (n_items,) bool: the pool without what is taken down, and the caller's filter where there is one.
    filtered : bool
        Whether there is one.
    channels : tuple of str
        Names of the channels to ask.
    chosen : bool
        Whether the caller named them.
    k : int
        Items wanted, at most n_items.
    unknown : int
        Ids that were ignored.
    deadline_ms : float or None
        Time within which channels must answer.
    """

    queries: Queries
    exclude: ItemLists
    allowed: npt.NDArray[np.bool_]
    filtered: bool
    channels: tuple[str, ...]
    chosen: bool
    k: int
    unknown: int
    deadline_ms: float | None

    @property
    def user_known(self) -> bool:
        """Whether the user is in the bundle."""
        return int(self.queries.users[0]) >= 0


def read_request(
    state: State,
    *,
    user: str | None,
    history: History | None,
    k: int,
    channels: Sequence[str] | None = None,
    exclude: Iterable[str] = (),
    only: Iterable[str] | None = None,
    deadline_ms: float | None = None,
    context: Mapping[str, str] | None = None,
    now: float | None = None,
) -> Request:
    """Check a request and look its ids up.

    Raises
    ------
    ConfigError
        On an illegal value, an id that is no string, or an unknown channel (with the nearest names).
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k is {k!r}; it must be a whole number of 1 or more")
    if deadline_ms is not None and not deadline_ms > 0:
        raise ConfigError(f"deadline_ms is {deadline_ms!r}; it must be above 0, or None for no deadline")
    if now is not None and not (isinstance(now, int | float) and math.isfinite(now)):
        raise ConfigError(f"now is {now!r}; it must be a moment in seconds UTC, or None for this one")
    items = state.bundle.items
    row = -1 if user is None else state.bundle.users.get(_id(user, "user"))
    live, weights, unknown = _live(items, history)
    rows, scores = _joined(state.bundle.history, row, live, weights)
    banned, missing = _rows(items, exclude, "exclude")
    return Request(
        queries=Queries(
            np.array([row], dtype=np.int32),
            ItemLists([0, len(rows)], rows, scores),
            _context(context),
            # Settled once: all that looks at a schedule for this request looks at the same moment.
            now=time.time() if now is None else float(now),
        ),
        exclude=item_lists([np.concatenate([rows, banned])]),
        allowed=_allowed(state, only),
        filtered=only is not None,
        channels=_channels(state, channels),
        chosen=channels is not None,
        k=min(int(k), max(len(items), 1)),
        unknown=unknown + missing,
        deadline_ms=deadline_ms,
    )


def read_ids(ids: Iterable[str], name: str = "ids") -> dict[str, None]:
    """Return ids, each once and in order, as the keys of a dictionary.

    Raises
    ------
    ConfigError
        If one is no string, or ``ids`` is one string.
    """
    return dict.fromkeys(_id(one, name) for one in _sequence(ids, name))


def _id(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{name} holds {value!r} ({type(value).__name__}); ids are strings: {str(value)!r}")
    return value


def _context(context: Mapping[str, str] | None) -> dict[str, list[str]]:
    """Return what the request says of itself, as the context of one query."""
    if context is None:
        return {}
    if not isinstance(context, Mapping):
        raise ConfigError(f"context is {context!r}; it must be a mapping such as {{'country': 'DE'}}")
    return {_id(name, "context"): [_id(text, f"context {name!r}")] for name, text in context.items()}


def _sequence(values: Iterable[object], name: str) -> Iterable[object]:
    """Return ``values``, unless they are one string, which would be read letter by letter."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} is {values!r}; it must be a sequence of ids")
    return values


def _rows(items: Vocabulary, ids: Iterable[str], name: str) -> tuple[npt.NDArray[np.int32], int]:
    """Return the rows of the ids that are known, and how many are not."""
    found = [items.get(_id(one, name)) for one in _sequence(ids, name)]
    known = [row for row in found if row >= 0]
    return np.array(known, dtype=np.int32), len(found) - len(known)


def _live(items: Vocabulary, history: History | None) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], int]:
    """Return rows and weights of the live history, and how many of its ids are unknown."""
    rows: list[int] = []
    weights: list[float] = []
    unknown = 0
    for entry in () if history is None else _sequence(history, "history"):
        external, weight = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, 1.0)
        row = items.get(_id(external, "history"))
        if not isinstance(weight, int | float | np.number) or not math.isfinite(weight):
            raise ConfigError(f"history gives {external!r} the weight {weight!r}; it must be a finite number")
        if row < 0:
            unknown += 1
            continue
        rows.append(row)
        weights.append(float(weight))
    return np.array(rows, dtype=np.int32), np.array(weights, dtype=np.float32), unknown


def _joined(
    stored: ItemLists, user: int, live: npt.NDArray[np.int32], weights: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Return the stored history with the live one behind it.

    An item that stands in it several times is kept at its last place with the summed weight, as
    ``graphrec.data.interactions.histories`` does.
    """
    rows, scores = live, weights
    if user >= 0:
        before, before_scores = stored[user]
        rows, scores = np.concatenate([before, live]), np.concatenate([before_scores, weights])
    if len(live) == 0:
        return rows, scores
    last = {row: position for position, row in enumerate(rows.tolist())}
    if len(last) == len(rows):
        return rows, scores
    positions = np.sort(np.fromiter(last.values(), dtype=np.int64, count=len(last)))
    summed = np.zeros(len(rows), dtype=np.float32)
    np.add.at(summed, [last[row] for row in rows.tolist()], scores)
    return rows[positions], summed[positions]


def _allowed(state: State, only: Iterable[str] | None) -> npt.NDArray[np.bool_]:
    """Return the pool, cut down to ``only`` where given. Unknown ids in it allow nothing, so they need no count."""
    pool = state.pool
    if only is None:
        return pool
    rows, _ = _rows(state.bundle.items, only, "only")
    allowed = np.zeros(len(pool), dtype=np.bool_)
    allowed[rows] = pool[rows]
    return allowed


def _channels(state: State, channels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the channels to ask, in the order of the bundle."""
    known = state.bundle.channels
    if channels is None:
        return tuple(known)
    wanted = [_id(name, "channels") for name in _sequence(channels, "channels")]
    if not wanted:
        raise ConfigError(f"channels is empty; name some of {', '.join(known)}, or leave it out to ask all")
    for name in wanted:
        if name not in known:
            raise ConfigError(f"channel {name!r} is not among {', '.join(known)}{nearest_names(name, known)}")
    return tuple(name for name in known if name in wanted)
