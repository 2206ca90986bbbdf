"""Tables of items (titles, tags, attributes) and of users (attributes)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.checks import typed
from graphrec.data.features import Features
from graphrec.data.item_tags import ItemTags
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.catalogue import ITEM
from graphrec.graph.named_edges import NamedEdges
from graphrec.kg.naming import short_name

from .batches import Batch, Table
from .cells import id_cells, text_cells
from .columns import Gathered
from .rejects import Rejects
from .rows import Counted, joined_cells, reject_rows, reject_unfit
from .table_source import AttributesSource, ItemsSource, UsersSource
from .tables import named_columns, open_table
from .triples import edges_of

# The name of titles among the texts of items.
TITLE = "title"


@dataclass(frozen=True, slots=True, eq=False)
class ItemTable:
    """What an items table says.

    ``labels`` is (n_items,) Arrow text, null where an item has none; ``item_tags`` is None where the table has no tags;
    ``attributes`` has the columns that the source names, and the titles as the text "title"; ``edges`` lead from the
    items to the values of the columns of relations (None where the source names none).
    ``report`` has ``rows``, which are ``kept``, ``rejected`` (too many or too few fields, no id) or ``unknown`` (of ids
    that the vocabulary does not hold); ``blank`` and ``joined`` lines as in every table; of the rows kept those
    ``matched`` (the first of an item) and ``repeated`` (further ones: they do not count); ``empty_ids``,
    ``without_row`` (items of the vocabulary), ``tags``; and where the source names attributes ``known`` (rows by
    attribute), ``unreadable`` (cells) and ``rejects`` (reason -> count, those of cells among them).
    """

    items: Vocabulary
    labels: pa.LargeStringArray
    item_tags: ItemTags | None
    attributes: Features
    report: dict[str, Any]
    edges: NamedEdges | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UserTable:
    """What a users table says; ``report`` is that of :class:`ItemTable`, without tags."""

    attributes: Features
    report: dict[str, Any]


@typed
def read_attributes(
    source: object, *, items: Vocabulary | None = None, rejects: str | Path | None = None, **settings: Any
) -> ItemTable:
    """Read titles, tags and attributes of items from a file or a frame.

    Parameters
    ----------
    source : path, frame or ItemsSource
        What to read.
    items : Vocabulary or None
        The items to speak of; None takes those of the table, in its order.
    rejects : Path or None
        Where lines with cells that cannot be read, and lines of another number of fields, are written: line, reason,
        row.
    **settings
        Fields of :class:`graphrec.pipelines.readers.table_source.ItemsSource`: which columns become attributes
        (numbers, labels, times), tag_separator, columns, ….

    Returns
    -------
    ItemTable
        Tags are in alphabetical order, each weighing 1; they are stripped of white space, and empty ones do not count.
        An attribute whose cell cannot be read is counted and taken as missing.

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, no id of the table is among ``items``, or too many cells
        of a column cannot be read.
    ConfigError
        If a setting is unknown or has an illegal value.
    """
    table = ItemsSource.of(source, settings)
    read = _read(table, rejects)
    first = _first_rows(read.ids, read.report)
    vocabulary = Vocabulary([read.ids[row] for row in first]) if items is None else items
    places = _places(read, first, vocabulary, "item")
    labels = read.cells.get("label", [])
    named = [labels[place] or None if labels and place >= 0 else None for place in places.tolist()]
    tags = read.cells.get("tags")
    item_tags = None if tags is None else _item_tags(tags, places, table.tag_separator)
    read.report["tags"] = 0 if item_tags is None else len(item_tags.tags)
    titles = pa.array(named, pa.large_string())
    attributes = _with_titles(_described(read, places), titles)
    edges = _edges(table, read, places, vocabulary) if table.relations else None
    return ItemTable(vocabulary, titles, item_tags, attributes, read.report, edges)


def _edges(table: ItemsSource, read: _Read, places: npt.NDArray[np.int64], items: Vocabulary) -> NamedEdges:
    """Return the edges from items to the values of the columns of relations, and count them in the report.

    Values are stripped of white space, and empty ones do not count.
    """
    schema = pa.schema([(name, pa.large_string()) for name in ("head", "relation", "tail")])
    parts = [schema.empty_table()]
    for name in table.relations:
        cells = pl.DataFrame({"head": items.ids, "tail": read.gathered.texts(name, places)})
        split = cells.drop_nulls().with_columns(pl.col("tail").str.split(table.relation_separator)).explode("tail")
        values = split.with_columns(pl.col("tail").str.strip_chars()).filter(pl.col("tail") != "")
        parts.append(values.select("head", pl.lit(name).alias("relation"), "tail").to_arrow().cast(schema))
    joined = pa.concat_tables(parts).combine_chunks()
    columns = [joined.column(name).combine_chunks() for name in schema.names]
    types = {name: short_name(name) for name in table.relations}
    edges = edges_of(columns[0], columns[1], columns[2], head_type=ITEM, tail_type=types)
    read.report["edges"] = len(edges.heads)
    return edges


def _with_titles(features: Features, titles: pa.LargeStringArray) -> Features:
    """Return features with the titles among the texts, where there are any and no attribute has the name."""
    if titles.null_count == len(titles) or TITLE in {*features.numbers, *features.labels, *features.texts}:
        return features
    return dataclasses.replace(features, texts={TITLE: titles, **features.texts})


@typed
def read_users(source: object, *, users: Vocabulary, rejects: str | Path | None = None, **settings: Any) -> UserTable:
    """Read attributes of ``users`` from a file or a frame, as :func:`read_attributes` does those of items.

    ``settings`` are fields of :class:`graphrec.pipelines.readers.table_source.UsersSource`.
    """
    read = _read(UsersSource.of(source, settings), rejects)
    places = _places(read, _first_rows(read.ids, read.report), users, "user")
    return UserTable(_described(read, places), read.report)


@dataclass(frozen=True, slots=True)
class _Read:
    """The rows of a table: ids, its other columns as text, the columns of attributes, and a report.

    A row without an id, or whose id holds a line end, has the id "".
    """

    ids: list[str]
    cells: dict[str, list[str | None]]
    gathered: Gathered
    report: dict[str, Any]


def _read(source: AttributesSource, rejects: str | Path | None) -> _Read:
    """Return all rows of a table; the first of its columns is that of the id."""
    table = open_table(source)
    names, id_column = named_columns(table, source), source.COLUMNS[0]
    cells: dict[str, list[Any]] = {name: [] for name in names}
    counted = Counted()
    with Rejects(rejects, name=table.name, place=table.place) as bad:
        gathered = Gathered(source, table, bad)
        # A column that is named twice (an id that is its own label) is read once.
        for batch in table.read(list(dict.fromkeys([*names.values(), *source.columns_read]))):
            counted.add(batch)
            reject_unfit(batch, bad)
            gathered.add(batch)
            for name, column_name in names.items():
                if name == id_column:
                    cells[name] += _ids(batch, column_name, table, bad, counted)
                else:
                    cells[name] += text_cells(batch.rows.column(column_name), column_name, table.name).to_pylist()
    rejected = bad.n - gathered.n_unreadable
    # A row that names nothing describes nothing: it is counted, and no reason to stop.
    bad.check(counted.rows, source.max_reject_share, forgiven=[*gathered.reasons, f"{names[id_column]} is empty"])
    ids = cells.pop(id_column)
    report = {
        "name": table.name,
        "rows": counted.rows,
        "rejected": rejected,
        "blank": counted.blank,
        "joined": counted.joined,
        "rejects": {reason: case.count for reason, case in bad.reasons.items()},
    }
    return _Read([text or "" for text in ids], cells, gathered, report)


def _ids(batch: Batch, name: str, table: Table, bad: Rejects, counted: Counted) -> list[str]:
    """Return the ids of a batch, "" where there is none; such rows are rejected."""
    ids = id_cells(batch.rows.column(name), name, table.name)
    texts: list[str] = ids.values.to_pylist()
    rejected = np.zeros(len(texts), dtype=np.bool_)
    for reason, mask in [*joined_cells(batch, [ids.values]), *ids.faults]:
        reject_rows(batch, np.flatnonzero(mask & ~rejected), reason, bad, counted)
        rejected |= mask
    for at in np.flatnonzero(rejected).tolist():
        texts[at] = ""
    return texts


def _places(read: _Read, first: list[int], vocabulary: Vocabulary, kind: str) -> npt.NDArray[np.int64]:
    """Return (n,) int64: the place in the table of each row of a vocabulary, -1 where it has none; count both."""
    ids = read.ids
    rows = vocabulary.rows([ids[row] for row in first], missing="mark")
    known = rows >= 0
    matched = int(known.sum())
    strangers = {ids[first[at]] for at in np.flatnonzero(~known).tolist()}
    unknown = sum(name in strangers for name in ids) if strangers else 0
    read.report.update(matched=matched, unknown=unknown, without_row=len(vocabulary) - matched)
    read.report["kept"] = read.report["rows"] - read.report["rejected"] - unknown
    read.report["repeated"] = read.report["kept"] - matched
    if not matched:
        example = f"{ids[first[0]]!r} is not among {vocabulary!r}" if first else "it has no rows"
        raise DataError(
            f"{read.report['name']}: no id of column '{kind}_id' is among the {len(vocabulary):,} {kind}s; {example}"
        )
    places = np.full(len(vocabulary), -1, dtype=np.int64)
    places[rows[known]] = np.asarray(first, dtype=np.int64)[known]
    return places


def _described(read: _Read, places: npt.NDArray[np.int64]) -> Features:
    """Return the attributes of the rows at ``places``, and add to the report what became of the cells."""
    attributes = read.gathered.attributes(places)
    if read.gathered.source.columns_read:
        read.report.update(read.gathered.report(attributes))
    return attributes


def _first_rows(ids: list[str], report: dict[str, Any]) -> list[int]:
    """Return the places of the first row of each id, and count the empty ones."""
    first: dict[str, int] = {}
    for place, name in enumerate(ids):
        if name:
            first.setdefault(name, place)
    report["empty_ids"] = sum(not name for name in ids)
    return list(first.values())


def _item_tags(tags: list[str | None], places: npt.NDArray[np.int64], separator: str) -> ItemTags:
    """Return the tags of each item row; ``places`` says where its row stands in ``tags``."""
    split = [
        sorted({tag.strip() for tag in (tags[place] or "").split(separator)} - {""}) if place >= 0 else []
        for place in places.tolist()
    ]
    counts = Counter(tag for own in split for tag in own)
    vocabulary = Vocabulary(sorted(counts))
    indptr = indptr_of([len(own) for own in split])
    flat = pa.array([tag for own in split for tag in own], pa.large_string())
    neighbours = pc.index_in(flat, value_set=vocabulary.ids).to_numpy().astype(np.int32)
    scores = np.ones(len(neighbours), dtype=np.float32)
    return ItemTags(vocabulary, NeighbourTable(indptr, neighbours, scores, n_columns=len(vocabulary)))
