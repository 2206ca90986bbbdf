"""Interactions from files and frames: external ids to rows, every cell checked, nothing dropped in silence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graphrec.checks import typed
from graphrec.data.files import file_sha256
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from .batches import check_file
from .events import Events, encode, read_batch
from .list_files import Pairs, list_pairs
from .rejects import Rejects
from .rows import UNKNOWN_ITEM, UNKNOWN_USER, Counted, Rows, counts, read_rows
from .table_source import InteractionsSource


@dataclass(frozen=True, slots=True, eq=False)
class InteractionTable:
    """Interactions that were read, with the ids of their rows.

    ``report`` has ``rows``, ``kept``, ``rejected``, ``rejects`` (reason -> count), ``duplicates`` (rows that repeat
    another in all parts), ``repeats`` (further rows of a (user, item) pair), ``unknown`` (rows left out because a given
    vocabulary does not hold their id), ``blank`` (lines of a file), ``joined`` (further lines of rows whose quotes join
    them), ``time_range`` ([first, last] in seconds, or None), ``users`` and ``items``; of lists also
    ``users_without_items``. Always ``rows = kept + rejected + unknown``, where a rejected row counts once a line.
    """

    users: Vocabulary
    items: Vocabulary
    interactions: Interactions
    report: dict[str, Any]

    @property
    def n_rejected(self) -> int:
        """Rows that could not be used."""
        return int(self.report["rejected"])


@typed
def read_interactions(
    source: object,
    *,
    users: Vocabulary | None = None,
    items: Vocabulary | None = None,
    rejects: str | Path | None = None,
    **settings: Any,
) -> InteractionTable:
    """Read interactions from a file or a frame.

    Parameters
    ----------
    source : path, frame or InteractionsSource
        What to read.
    users, items : Vocabulary or None
        Given vocabularies do not grow: rows with other ids are left out and counted as unknown, not as faults.
    rejects : Path or None
        Where rows that cannot be used are written: line, reason, row.
    **settings
        Fields of :class:`graphrec.pipelines.readers.table_source.InteractionsSource`: columns, separator, encoding,
        header, time_unit, max_reject_share, event_weights, format.

    Returns
    -------
    InteractionTable
        Rows of users and items are in the order of their first appearance. Duplicate rows are kept as events.

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, times are in another unit, or too many rows are bad.
    ConfigError
        If a setting is unknown or has an illegal value.

    Notes
    -----
    Ids are text as it stands: nothing is stripped, "07" and "7" differ. Integer columns become their digits; whole
    floats (which pandas makes of integers with gaps) become integers, others are rejected.
    """
    table = InteractionsSource.of(source, settings)
    rows_of = (Rows(users), Rows(items))
    if table.format == "lists":
        return _read_lists(table, rows_of, rejects)
    parts, reading = read_rows(
        table, partial(read_batch, rows_of=rows_of, event_weights=table.event_weights), rejects=rejects
    )
    if reading.counted.rows == 0:
        raise DataError(f"{reading.table.name} has columns but no rows; it needs at least one interaction")
    return _joined(parts, rows_of, reading.counted, reading.bad, timed="timestamp" in reading.names)


def _joined(
    parts: Sequence[Events],
    rows_of: tuple[Rows, Rows],
    counted: Counted,
    bad: Rejects,
    *,
    timed: bool,
) -> InteractionTable:
    users, items = rows_of[0].vocabulary(), rows_of[1].vocabulary()
    joined = Events(*map(np.concatenate, zip(*parts, strict=True)))
    times = joined.times if timed else None
    interactions = Interactions(
        joined.users, joined.items, joined.weights, times, n_users=len(users), n_items=len(items)
    )
    if len(interactions) == 0 and rows_of[0].given is None:
        raise DataError(f"{bad.name}: none of its {counted.rows:,} rows can be used{_most_often(bad)}")
    return InteractionTable(users, items, interactions, _report(interactions, counted, bad))


def _most_often(bad: Rejects) -> str:
    """Return the commonest reason as the end of a sentence."""
    if not bad.reasons:
        return ""
    reason, case = max(bad.reasons.items(), key=lambda pair: pair[1].count)
    return f"; most often: {reason} (first in {bad.place} {case.place})"


def _report(interactions: Interactions, counted: Counted, bad: Rejects) -> dict[str, Any]:
    duplicates, repeats = _count_repeats(interactions)
    return {
        **counts(bad, counted, len(interactions), interactions.times),
        "duplicates": duplicates,
        "repeats": repeats,
        "users": interactions.n_users,
        "items": interactions.n_items,
    }


def _count_repeats(interactions: Interactions) -> tuple[int, int]:
    """Return how many rows repeat another in all parts, and how many repeat its (user, item) pair."""
    key = interactions.users.astype(np.int64) * interactions.n_items + interactions.items
    order = np.argsort(key, kind="stable")
    same = np.diff(key[order]) == 0
    if not same.any():
        return 0, 0
    # Only rows that share their pair with another can repeat it whole; they are compared in all parts.
    shared = order[np.append(same, False) | np.append(False, same)]
    frame = pl.DataFrame({"pair": key[shared], "weight": interactions.weights[shared]})
    if interactions.times is not None:
        frame = frame.with_columns(pl.Series("time", interactions.times[shared]))
    return len(frame) - frame.n_unique(), int(same.sum())


def _read_lists(source: InteractionsSource, rows_of: tuple[Rows, Rows], rejects: str | Path | None) -> InteractionTable:
    """Read ``user item item …``, one user a line (plain, .gz or .zst), as the Gowalla split of LightGCN has it.

    A row is a pair; lines of a user without items are counted apart.
    """
    parts: list[Events] = []
    counted, n_alone = Counted(), 0
    with Rejects(rejects, name=str(source.path), place="line") as bad:
        for pairs in list_pairs(source):
            parts.append(_known_pairs(pairs, rows_of, bad))
            counted.rows += len(pairs.lines)
            counted.blank += pairs.n_blank
            n_alone += pairs.n_alone
    if counted.rows == 0:
        raise DataError(f"{source.path} holds no pairs; each line is a user and the items of that user")
    read = _joined(parts, rows_of, counted, bad, timed=False)
    read.report["users_without_items"] = n_alone
    return read


def _known_pairs(pairs: Pairs, rows_of: tuple[Rows, Rows], bad: Rejects) -> Events:
    """Return the pairs of known users and items; count the others."""
    user_rows, item_rows = encode(rows_of, pairs.users, pairs.items)
    known = (user_rows >= 0) & (item_rows >= 0)
    for at in np.flatnonzero(~known).tolist():
        reason = UNKNOWN_USER if user_rows[at] < 0 else UNKNOWN_ITEM
        row = f"{pairs.users[at]} {pairs.items[at]}"
        bad.add(reason, int(pairs.lines[at]), (row,), value=row)
    n = int(known.sum())
    return Events(user_rows[known], item_rows[known], np.ones(n, np.float32), np.zeros(n, np.int64))


def data_fingerprint(paths: Iterable[Path]) -> str:
    """Return one sha256 (hex) over the names and contents of files, in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda p: (p.name, str(p))):
        check_file(path)
        digest.update(f"{path.name}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
