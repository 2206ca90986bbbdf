"""Tables from files and frames, in batches with the place of every row, so that memory stays bounded."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from graphrec.data.limits import beyond_limit
from graphrec.errors import DataError, brief, nearest_names

from .arrow_files import arrow_table, parquet_table
from .batches import Table, check_file
from .frames import frame_table
from .lines import TextForm
from .packing import COMPRESSIONS
from .table_source import TableSource
from .text_files import text_table

# Names of columns that a sentence shows.
_SHOWN = 6

CSV, TSV, PARQUET, ARROW = "csv", "tsv", "parquet", "arrow"
FORMATS: Mapping[str, str] = {
    ".csv": CSV,
    ".dat": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".arrow": ARROW,
    ".feather": ARROW,
    ".ipc": ARROW,
}


def kind_of(path: Path, *, legal: Sequence[str] = ()) -> str:
    """Return the format of a file by its extension.

    Raises
    ------
    DataError
        If the file is missing, is a folder, is empty, or has an extension that says nothing.
    """
    check_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    ending = suffixes[-1] if suffixes else ""
    if ending not in FORMATS:
        known = ", ".join(dict.fromkeys([*legal, *FORMATS]))
        packed = " or ".join(COMPRESSIONS)
        raise DataError(f"{path} has the extension {ending!r}; legal are {known}, the text ones also with {packed}")
    return FORMATS[ending]


def open_table(source: TableSource) -> Table:
    """Open a file (CSV, TSV, Parquet, Arrow) or a frame (polars, pandas, Arrow) as a :class:`Table`.

    Raises
    ------
    DataError
        If the file is missing, empty, broken, of an unknown kind or beyond the limits, or a column name stands twice.
    ConfigError
        If the encoding is unknown.
    """
    table = _opened_file(source) if isinstance(source.path, Path) else frame_table(source.path, "the frame")
    if len(table.columns) > source.limits.columns:
        raise beyond_limit(table.name, f"there are {len(table.columns):,} columns", source.limits, "columns")
    name, n = Counter(table.columns).most_common(1)[0] if table.columns else ("", 0)
    if n > 1:
        raise DataError(f"{table.name} has the column {brief(name)} {n} times; names must differ")
    return table


def _opened_file(source: TableSource) -> Table:
    path: Path = source.path
    kind = kind_of(path)
    if kind == PARQUET:
        return parquet_table(path, source.limits)
    if kind == ARROW:
        return arrow_table(path)
    separator = source.separator or ("\t" if kind == TSV else ",")
    # In TSV a quote is a letter.
    form = TextForm(separator, "" if separator == "\t" else '"', source.encoding)
    return text_table(path, form, source.limits, header=source.header)


def named_columns(table: Table, source: TableSource) -> dict[str, str]:
    """Return graphrec's names -> the table's, for the columns that are there.

    Raises
    ------
    DataError
        If a column that ``source`` names or needs is not there.
    """
    present = {}
    for name in source.COLUMNS:
        column_name = source.columns.get(name, name)
        if column_name in table.columns:
            present[name] = column_name
        elif name in source.columns or name in source.required:
            near, other = nearest_names(column_name, table.columns), _other_separator(table)
            # Double quotes: in TOML single ones hold no escapes, such as that of a tab.
            remedy = (
                f"perhaps it needs separator = {json.dumps(other)}"
                if other
                else f'map it with columns = {{ {name} = "…" }}'
            )
            raise DataError(
                f"{table.name} has no column {column_name!r}{near}; found: {_list(table.columns)}; {remedy}"
            )
    return present


def _list(names: Sequence[str]) -> str:
    few = ", ".join(brief(name, 30) for name in names[:_SHOWN])
    return few if len(names) <= _SHOWN else f"{few} and {len(names) - _SHOWN:,} more"


def _other_separator(table: Table) -> str | None:
    """Return what the one column of a table seems to be divided by, if anything."""
    return next((mark for mark in ";\t|" if len(table.columns) == 1 and mark in table.columns[0]), None)
