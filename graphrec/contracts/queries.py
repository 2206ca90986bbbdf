"""What channels are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.lists import ItemLists, take_lists
from graphrec.errors import DataError


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


def known_queries(history: ItemLists, users: npt.ArrayLike, *, now: float | None = None) -> Queries:
    """Return queries for known ``users`` (n,), with their own histories taken from ``history`` (one list a user)."""
    rows = as_array(users, np.int32, name="users")
    check_rows(rows, len(history), name="users")
    return Queries(rows, take_lists(history, rows), now=now)
