"""A table of items: their titles, and tags for the tag channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.neighbours import NeighbourTable
from graphrec.recall import ItemTags
from graphrec.vocabulary import Vocabulary
from pipelines.cells import id_cells
from pipelines.tables import open_table

OURS = ("item_id", "label", "tags")


@dataclass(frozen=True, slots=True, eq=False)
class ItemTable:
    """What an items table says.

    ``labels`` is (n_items,) Arrow text, null where an item has none; ``item_tags`` is None where the table has no tags.
    ``report`` has ``rows``, ``matched``, ``unknown`` (ids that the vocabulary does not hold), ``repeated`` (further
    rows of an item: the first counts), ``empty_ids``, ``without_row`` (items of the vocabulary), ``tags``.
    """

    items: Vocabulary
    labels: pa.LargeStringArray
    item_tags: ItemTags | None
    report: dict[str, Any]


def read_attributes(
    source: object, *, items: Vocabulary | None = None, columns: Mapping[str, str] | None = None,
    tag_separator: str = "|", separator: str | None = None, encoding: str = "utf-8", header: tuple[str, ...] = (),
) -> ItemTable:  # fmt: skip
    """Read titles and tags of items from a file or a frame.

    Parameters
    ----------
    source : path or frame
        As for :func:`pipelines.sources.read_interactions`.
    items : Vocabulary or None
        The items to speak of; None takes those of the table, in its order.
    columns : mapping
        Our names (item_id, label, tags) to the table's; only item_id must be there.
    tag_separator : str
        What stands between tags. Tags are stripped of white space; empty ones do not count.
    separator, encoding, header : str, str, tuple of str
        Of text files.

    Returns
    -------
    ItemTable
        Tags are in alphabetical order, each weighing 1.

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, or no id of the table is among ``items``.
    ConfigError
        If ``columns`` names something unknown, or ``tag_separator`` is empty.
    """
    if not tag_separator:
        raise ConfigError("tag_separator is empty; it must be what stands between tags, such as '|'")
    ids, labels, tags, report, name = _read(source, columns or {}, separator, encoding, header)
    first = _first_rows(ids, report)
    vocabulary = Vocabulary([ids[row] for row in first]) if items is None else items
    rows = vocabulary.rows([ids[row] for row in first], missing="mark")
    known = rows >= 0
    report.update(matched=int(known.sum()), unknown=int((~known).sum()), without_row=len(vocabulary) - int(known.sum()))
    if not report["matched"]:
        example = f"{ids[first[0]]!r} is not among {vocabulary!r}" if first else "it has no rows"
        raise DataError(f"{name}: no id of column 'item_id' is among the {len(vocabulary):,} items; {example}")
    place_of = {int(row): first[at] for at, row in enumerate(rows) if row >= 0}
    named = [labels[place_of[row]] or None if labels and row in place_of else None for row in range(len(vocabulary))]
    item_tags = None if tags is None else _item_tags(tags, place_of, len(vocabulary), tag_separator)
    report["tags"] = 0 if item_tags is None else len(item_tags.tags)
    return ItemTable(vocabulary, pa.array(named, pa.large_string()), item_tags, report)


def _read(
    source: object, wanted: Mapping[str, str], separator: str | None, encoding: str, header: tuple[str, ...]
) -> tuple[list[str], list[str | None], list[str | None] | None, dict[str, Any], str]:
    """Return ids, labels, tags (None where there is no such column), a report, and the table's name."""
    table = open_table(source, separator=separator, encoding=encoding, header=header)
    for ours in wanted:
        if ours not in OURS:
            raise ConfigError(f"columns: {ours!r} is not a name of ours{nearest_names(ours, OURS)}; legal: {OURS}")
    names = {}
    for ours in OURS:
        theirs = wanted.get(ours, ours)
        if theirs in table.columns:
            names[ours] = theirs
        elif ours in wanted or ours == "item_id":
            near = nearest_names(theirs, table.columns)
            found = ", ".join(map(repr, table.columns))
            raise DataError(f"{table.name} has no column {theirs!r}{near}; found: {found}")
    cells: dict[str, list[str | None]] = {ours: [] for ours in names}
    # A column asked for twice (an id that is its own label) is read once.
    for batch in table.read(list(dict.fromkeys(names.values()))):
        for ours, theirs in names.items():
            column = batch.rows.column(theirs)
            text = id_cells(column, theirs, table.name).values if ours == "item_id" else column.cast(pa.large_string())
            cells[ours] += text.to_pylist()
    ids = [text or "" for text in cells["item_id"]]
    report = {"name": table.name, "rows": len(ids), "ragged": len(table.ragged)}
    return ids, cells.get("label", []), cells.get("tags"), report, table.name


def _first_rows(ids: list[str], report: dict[str, Any]) -> list[int]:
    """Return the places of the first row of each id, and count empty and repeated ones."""
    first: dict[str, int] = {}
    for place, name in enumerate(ids):
        if name:
            first.setdefault(name, place)
    report["empty_ids"] = sum(not name for name in ids)
    report["repeated"] = len(ids) - report["empty_ids"] - len(first)
    return list(first.values())


def _item_tags(tags: list[str | None], place_of: Mapping[int, int], n_items: int, separator: str) -> ItemTags:
    """Return the tags of each item row; ``place_of`` is item row -> place in ``tags``."""
    split = [
        sorted({tag.strip() for tag in (tags[place_of[row]] or "").split(separator)} - {""}) if row in place_of else []
        for row in range(n_items)
    ]
    counts = Counter(tag for one in split for tag in one)
    vocabulary = Vocabulary(sorted(counts))
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum([len(one) for one in split], out=indptr[1:])
    flat = pa.array([tag for one in split for tag in one], pa.large_string())
    neighbours = pc.index_in(flat, value_set=vocabulary.ids).to_numpy().astype(np.int32)
    scores = np.ones(len(neighbours), dtype=np.float32)
    return ItemTags(vocabulary, NeighbourTable(indptr, neighbours, scores, n_columns=len(vocabulary)))
