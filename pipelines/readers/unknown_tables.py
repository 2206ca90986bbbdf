"""Tables that no configuration describes yet: which column is what is guessed from names and from what can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, nearest_names

from .sources import InteractionTable, read_interactions
from .table_source import InteractionsSource, ItemsSource, TableSource
from .tables import open_table

# What columns are called elsewhere, in lower case without signs, the likeliest first.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "user_id": ("userid", "user", "uid", "reader", "readerid", "customerid", "customer", "householdid", "memberid",
                "member", "visitorid", "sessionid"),
    "item_id": ("itemid", "item", "iid", "bookid", "movieid", "productid", "asin", "trackid", "articleid", "businessid",
                "songid", "book", "movie", "product", "isbn", "id"),
    "weight": ("weight", "rating", "score", "stars", "count"),
    "timestamp": ("timestamp", "time", "datetime", "date", "unixtime", "createdat"),
    "label": ("label", "title", "name"),
}  # fmt: skip
# Another column than the guessed one holds the ids of items where it holds this share of those of the events.
_OVERLAP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class UnknownTable:
    """A table that was read by guess.

    ``rows`` has graphrec's names for the columns that were recognised; ``settings`` are the keys for a configuration:
    ``columns`` (graphrec's names to the table's), and ``time_unit`` where it is not seconds.
    """

    path: Path
    rows: pl.DataFrame
    settings: dict[str, Any]


def unknown_events(path: Path, columns: Mapping[str, str]) -> UnknownTable:
    """Return ``user_id`` and ``item_id`` of a table of events; weights and times are recognised where they can be read.

    Parameters
    ----------
    columns : mapping
        Columns that are known, graphrec's names to the table's.

    Raises
    ------
    DataError
        If no column looks like users or items, or the table cannot be read as events whatever is left out.
    """
    known = _columns(InteractionsSource(path=path), columns, ("user_id", "item_id", "weight", "timestamp"))
    for name in ("user_id", "item_id"):
        if name not in known:
            raise _unnamed(path, name)
    table, settings = _first_readable(path, known)
    interactions = table.interactions
    rows = pl.DataFrame(
        {
            "user_id": pl.Series(table.users.ids, dtype=pl.String).gather(interactions.users),
            "item_id": pl.Series(table.items.ids, dtype=pl.String).gather(interactions.items),
        }
    )
    return UnknownTable(path, rows, settings)


def _first_readable(path: Path, known: Mapping[str, str]) -> tuple[InteractionTable, dict[str, Any]]:
    """Read the events with times in the first unit that fits, else without times, else without weights."""
    failure: DataError | None = None
    for settings in _attempts(known):
        try:
            return read_interactions(path, **settings), settings
        except DataError as error:
            failure = failure or error
    assert failure is not None  # nosec B101
    raise failure


def _attempts(known: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for left_out in ((), ("timestamp",), ("timestamp", "weight")):
        chosen = {name: column for name, column in known.items() if name not in left_out}
        if left_out and not set(left_out) & set(known):
            continue
        yield {"columns": chosen}
        for unit in ("ms", "us", "ns") if "timestamp" in chosen else ():
            yield {"columns": chosen, "time_unit": unit}


def unknown_items(path: Path, columns: Mapping[str, str], events: pl.DataFrame | None) -> UnknownTable:
    """Return a table of items, every column as text, ``item_id`` and ``label`` by these names where recognised.

    With events, the id column is the one that holds their item ids, whatever it is called.

    Raises
    ------
    DataError
        If no column looks like ids of items.
    """
    source = ItemsSource(path=path)
    known = _columns(source, columns, ("item_id", "label"))
    table = open_table(source)
    parts = [pl.DataFrame(pl.from_arrow(batch.rows)) for batch in table.read(table.columns)]
    rows = pl.concat(parts).select(pl.all().cast(pl.String, strict=False))
    if events is not None and "item_id" not in columns:
        known |= _by_overlap(
            rows, known.get("item_id"), Vocabulary(events["item_id"].unique(maintain_order=True).to_arrow())
        )
    if "item_id" not in known:
        raise _unnamed(path, "item_id")
    if known.get("label") == known["item_id"]:
        del known["label"]
    ours = {column: name for name, column in known.items()}
    # A column that has one of our names but another role.
    clashing = [column for column in rows.columns if column in known and column not in ours]
    return UnknownTable(path, rows.drop(clashing).rename(ours), {"columns": known})


def _by_overlap(rows: pl.DataFrame, guess: str | None, items: Vocabulary) -> dict[str, str]:
    """Return the column that holds most items of the events; nothing where the guess holds nearly as many."""
    shares: dict[str, float] = {}
    for column in rows.columns:
        known = np.unique(items.rows(rows[column].fill_null("").to_arrow(), missing="drop"))
        # A count or a year holds many of the ids that are small numbers, but each of them many times.
        distinct = rows[column].n_unique() / max(rows.height, 1)
        shares[column] = len(known) / len(items) * distinct
    best = max(shares, key=lambda column: shares[column], default=None)
    if best is None or shares[best] < _OVERLAP or shares.get(guess or "", 0.0) >= 0.9 * shares[best]:
        return {}
    return {"item_id": best}


def _columns(source: TableSource, given: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """Return graphrec's names -> the table's, of those wanted columns that the table has."""
    present = open_table(source).columns
    levelled = {re.sub(r"[^a-z0-9]", "", column.lower()): column for column in reversed(present)}
    known: dict[str, str] = {}
    for name in wanted:
        if given.get(name) in present:
            known[name] = given[name]
            continue
        guess = next((levelled[alias] for alias in _NAMES[name] if alias in levelled), None)
        if guess is not None and guess not in known.values():
            known[name] = guess
    return known


def check_columns(columns: Mapping[str, str], tables: Sequence[TableSource]) -> None:
    """Raise ConfigError where a column that somebody named is in none of the tables, or has no such role."""
    present = [column for source in tables for column in open_table(source).columns]
    for name, column in columns.items():
        if name not in _NAMES:
            raise ConfigError(f"column {name}={column}: {name!r} is no role{nearest_names(name, _NAMES)}; "
                              f"legal: {', '.join(_NAMES)}")  # fmt: skip
        if column not in present:
            raise ConfigError(
                f"column {name}={column}: no table that was given has the column {column!r}"
                f"{nearest_names(column, present)}"
            )


def _unnamed(path: Path, name: str) -> DataError:
    shown = ", ".join(open_table(TableSource(path=path)).columns[:12])
    return DataError(f"{path}: no column looks like {name}; name it with --column {name}=COLUMN: it has {shown}")
