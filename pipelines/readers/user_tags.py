"""Tags that users gave items, from files and frames: who, what, which tag, when, every cell checked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.checks import typed
from graphrec.data.item_tags import ItemTags
from graphrec.data.user_tags import UserTags, plain_tag, without_rare
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from .batches import Batch
from .cells import Cells, id_cells, label_cells
from .rejects import Rejects
from .rows import Counted, Reading, Rows, counts, read_rows
from .table_source import UserTagsSource


class _Part(NamedTuple):
    """Rows that can be used: (n,) people (-1: not said who), items and tags int32, times int64."""

    people: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    tags: npt.NDArray[np.int32]
    times: npt.NDArray[np.int64]


@typed
def read_user_tags(
    source: object, *, users: Vocabulary, items: Vocabulary, given: ItemTags | None = None,
    rejects: str | Path | None = None, **settings: Any,
) -> tuple[UserTags, dict[str, Any]]:  # fmt: skip
    """Return who gave which item which tag, and a report of what was read.

    Parameters
    ----------
    source : path, frame or UserTagsSource
        What to read; in batches.
    users, items : Vocabulary
        They do not grow. Rows of other items are left out and counted as unknown. Rows of other users stay, each of
        those users a person; so does a row that does not say who, as of a person of its own.
    given : ItemTags or None
        Tags that items have from elsewhere. A tag of users that differs from one of them in case and white space
        alone is that tag.
    rejects : Path or None
        Where rows that cannot be used are written: line, reason, row.
    **settings
        Fields of :class:`graphrec.pipelines.readers.table_source.UserTagsSource`. Unknown items do not count towards
        ``max_reject_share``.

    Returns
    -------
    tagged : UserTags
        The rows that count, in the order of the file, over the sorted tags of users and of ``given``.
    report : dict
        ``rows``, ``kept`` (rows that can be used), ``rejected``, ``rejects`` (reason -> count), ``unknown`` (rows of
        unknown items), ``anonymous`` (kept rows of no known user), ``rare`` (kept rows whose tag too few people gave
        the item), ``tags`` (that users' rows bring to items), ``tagged_items``, ``time_range``.

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, too many rows are bad, none can be used, or no tag was
        given to one item by ``min_users`` and there are no ``given`` ones.
    ConfigError
        If a setting is unknown or has an illegal value.
    """
    table = UserTagsSource.of(source, settings)
    people, tags = Rows(None), Rows(None)
    people.of(users.ids)
    batch_reader = partial(_read_batch, people=people, tags=tags, known=Rows(items))
    parts, reading = read_rows(table, batch_reader, rejects=rejects)
    names, bad = reading.names, reading.bad
    if not sum(len(part.items) for part in parts):
        raise DataError(f"{bad.name}: none of its {reading.counted.rows:,} rows can be used as a tag of a known item")
    joined = _Part(*map(np.concatenate, zip(*parts, strict=True)))
    vocabulary, rows = _spelled(tags.vocabulary(), given)
    read = UserTags(
        _everyone(joined.people, len(people.vocabulary())),
        joined.items,
        rows[joined.tags],
        joined.times if "timestamp" in names else None,
        vocabulary=vocabulary,
        given=given,
        min_users=table.min_users,
        n_users=len(users),
        n_items=len(items),
    )
    tagged = without_rare(read)
    if not len(tagged) and given is None:
        raise DataError(
            f"{bad.name}: no tag was given to one item by min_users = {table.min_users} users or more; lower min_users"
        )
    return tagged, _report(read, tagged, reading.counted, bad)


def _read_batch(batch: Batch, reading: Reading, *, people: Rows, tags: Rows, known: Rows) -> _Part:
    """Return the good rows of a batch."""
    items, given = reading.cells(batch, "item_id", id_cells), reading.cells(batch, "tag", tag_cells)
    who = Cells(pa.array([""] * batch.rows.num_rows, pa.large_string()), ())
    if "user_id" in reading.names:
        cells = reading.cells(batch, "user_id", id_cells)
        # An empty cell is no fault: it does not say who.
        who = Cells(cells.values, cells.faults[1:])
    times = reading.times(batch)
    kept, rows = reading.known_rows(batch, (items, given, who, times), items, known)
    chosen = pa.array(kept)
    tagged = tags.of(given.values.take(chosen))
    return _Part(_people(who.values.take(chosen), people), rows, tagged, times.values[kept])


def tag_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return tags in their plain form (:func:`graphrec.data.user_tags.plain_tag`) as an Arrow array of (n,) text.

    Raises
    ------
    DataError
        If the column holds something else than text, whole numbers and truth values.
    """
    labels = label_cells(column, name, where)
    coded = labels.values.dictionary_encode()
    plain = pa.array([plain_tag(tag) for tag in coded.dictionary.to_pylist()], pa.large_string())
    text = pc.fill_null(plain.take(coded.indices), "")
    empty = np.asarray(pc.equal(text, "").to_numpy(zero_copy_only=False), dtype=np.bool_)
    return Cells(text, (*labels.faults, (f"{name} is empty", empty)))


def _people(ids: pa.Array, rows: Rows) -> npt.NDArray[np.int32]:
    """Return the (n,) people behind ids; -1 where there is none."""
    said = np.asarray(pc.not_equal(ids, "").to_numpy(zero_copy_only=False), dtype=np.bool_)
    people = np.full(len(ids), -1, dtype=np.int32)
    people[said] = rows.of(ids.filter(pa.array(said)))
    return people


def _everyone(people: npt.NDArray[np.int32], n_people: int) -> npt.NDArray[np.int32]:
    """Return the people with a number of its own, from ``n_people`` on, for each row that does not say who."""
    nobody = people < 0
    return np.where(nobody, n_people + np.cumsum(nobody) - 1, people).astype(np.int32)


def _spelled(plain: Vocabulary, given: ItemTags | None) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    """Return the sorted tags, spelled as the given ones where they are the same, and the row of each plain one."""
    known = [] if given is None else sorted(given.tags, reverse=True)
    # Of given tags that have one plain form, the first in alphabetical order.
    spelling = {plain_tag(tag): tag for tag in known}
    names = [spelling.get(tag, tag) for tag in plain]
    vocabulary = Vocabulary(sorted({*names, *known}))
    return vocabulary, vocabulary.rows(names)


def _report(read: UserTags, tagged: UserTags, counted: Counted, bad: Rejects) -> dict[str, Any]:
    return {
        **counts(bad, counted, len(read), read.times),
        "anonymous": int((read.users >= read.n_users).sum()),
        "rare": len(read) - len(tagged),
        "min_users": read.min_users,
        "tags": len(np.unique(tagged.tags)),
        "tagged_items": len(np.unique(tagged.items)),
    }
