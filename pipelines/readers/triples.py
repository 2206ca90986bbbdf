"""Relations of items and entities from tables: columns of the items table, triples, hierarchies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import typed
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import INTERACTS, ITEM, REVERSE_INTERACTS
from graphrec.graph.named_edges import NamedEdges
from graphrec.kg.naming import unique_names

from .batches import Batch
from .cells import id_cells
from .rejects import Rejects
from .rows import UNKNOWN_ITEM, Counted, Reading, Rows, counts, read_rows
from .table_source import TriplesSource

_RESERVED = (INTERACTS, REVERSE_INTERACTS)


class _Part(NamedTuple):
    """(n,) usable rows: heads, relations and tails as text."""

    heads: pa.Array
    relations: pa.Array
    tails: pa.Array


@typed
def read_triples(
    source: object, *, items: Vocabulary, rejects: str | Path | None = None, **settings: Any
) -> tuple[NamedEdges, dict[str, Any]]:
    """Read a table of head, relation and tail, or of child and parent.

    Parameters
    ----------
    source : path, frame or TriplesSource
        What to read.
    items : Vocabulary
        The items. An end that is said to be one, and is not, leaves its row out, as unknown.
    rejects : Path or None
        Where rows that cannot be used are written: line, reason, row.
    **settings
        Fields of :class:`graphrec.pipelines.readers.table_source.TriplesSource`.

    Returns
    -------
    edges : NamedEdges
        Rows that repeat another count once.
    report : dict
        ``rows``, ``kept``, ``rejected``, ``rejects`` (reason -> count), ``unknown`` (rows of unknown items), ``blank``,
        ``joined``, ``edges`` (distinct ones), ``relations`` (edges by name).

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, too many rows are bad, or none can be used.
    ConfigError
        If a setting is unknown or has an illegal value, or both or neither of a column and a name of the relation are
        given.
    """
    table = TriplesSource.of(source, settings)
    parts, reading = read_rows(table, partial(_read_batch, source=table, known=Rows(items)), rejects=rejects)
    if not sum(len(part.heads) for part in parts):
        raise DataError(f"{reading.bad.name}: none of its {reading.counted.rows:,} rows can be used as a triple")
    columns = _Part(*(pa.concat_arrays(list(column)) for column in zip(*parts, strict=True)))
    edges = edges_of(
        columns.heads, columns.relations, columns.tails, head_type=table.head_type, tail_type=table.tail_type
    )
    return edges, _report(edges, len(columns.heads), reading.counted, reading.bad)


def edges_of(
    heads: pa.Array,
    relations: pa.Array,
    tails: pa.Array,
    *,
    head_type: str | None,
    tail_type: str | Mapping[str, str] | None,
) -> NamedEdges:
    """Return the distinct edges of (m,) heads, relations and tails as text.

    Parameters
    ----------
    head_type, tail_type : str or None
        Node types of the two sides (``"item"`` for items); None leaves it to the graph that the edges are joined to
        (:class:`NamedEdges`). A mapping gives the type of tails by relation.
    """
    kinds = relations.dictionary_encode()
    names = kinds.dictionary.to_pylist()
    sides = (_nodes(heads, [head_type] * len(names), kinds), _nodes(tails, _by_relation(tail_type, names), kinds))
    nodes = Vocabulary([]).extend(pa.concat_arrays([side.ids for side in sides]))
    types: list[str | None] = [None] * len(nodes)
    labels: list[str | None] = [None] * len(nodes)
    rows = [nodes.rows(side.ids) for side in sides]
    for side, places in zip(sides, rows, strict=True):
        for place, kind, label in zip(places.tolist(), side.types, side.labels, strict=True):
            types[place], labels[place] = types[place] or kind, labels[place] or label
    keys = np.column_stack([rows[0][sides[0].rows], kinds.indices.to_numpy(), rows[1][sides[1].rows]])
    distinct = np.unique(keys, axis=0).astype(np.int32)
    return NamedEdges(
        nodes, types, labels, distinct[:, 0], distinct[:, 1], distinct[:, 2], unique_names(names, reserved=_RESERVED)
    )


class _Side(NamedTuple):
    """The distinct nodes of a column: ids, types and labels of each; ``rows`` (m,) is the node of each cell."""

    ids: pa.Array
    types: list[str | None]
    labels: list[str | None]
    rows: npt.NDArray[np.int64]


def _nodes(cells: pa.Array, types: list[str | None], relations: pa.DictionaryArray) -> _Side:
    """Return the nodes of (m,) cells; ``types`` are those of each relation."""
    coded = cells.dictionary_encode()
    kinds = list(dict.fromkeys(types))
    numbers = np.array([kinds.index(kind) for kind in types], dtype=np.int64)[relations.indices.to_numpy()]
    keys, rows = np.unique(coded.indices.to_numpy() * np.int64(len(kinds)) + numbers, return_inverse=True)
    texts = coded.dictionary.to_pylist()
    pairs = [(texts[key // len(kinds)], kinds[key % len(kinds)]) for key in keys.tolist()]
    ids = [node_id(text, kind) for text, kind in pairs]
    # What has no type, or is called what it says, needs no other name.
    labels = [None if name == text else text for name, (text, _) in zip(ids, pairs, strict=True)]
    return _Side(pa.array(ids, pa.large_string()), [kind for _, kind in pairs], labels, rows)


def node_id(text: str, kind: str | None) -> str:
    """Return the id of a node: IRIs, items and what has no type as they are, others with their type before them.

    So the category and the brand "Apple" are two nodes.

    >>> [node_id("Sci Fi", "genre"), node_id("http://e.org/x", "genre"), node_id("b1", "item"), node_id("m.02", None)]
    ['genre#Sci%20Fi', 'http://e.org/x', 'b1', 'm.02']
    """
    whole = kind is None or kind == ITEM or "://" in text or text.startswith("urn:")
    return text if whole else f"{kind}#{quote(text, safe='')}"


def _by_relation(kinds: str | Mapping[str, str] | None, names: list[str]) -> list[str | None]:
    return [kinds.get(name) if isinstance(kinds, Mapping) else kinds for name in names]


def _read_batch(batch: Batch, reading: Reading, *, source: TriplesSource, known: Rows) -> _Part:
    """Return the good rows of a batch."""
    if ("relation" in reading.names) == (source.relation is not None):
        raise ConfigError(
            f"{reading.bad.name}: give the column of the relation (columns.relation) or its name (relation); "
            f"found {'both' if source.relation is not None else 'neither'}"
        )
    heads, tails = reading.cells(batch, "head", id_cells), reading.cells(batch, "tail", id_cells)
    named = [] if source.relation is not None else [reading.cells(batch, "relation", id_cells)]
    kept = reading.sound_rows(batch, (heads, tails, *named))
    for cells, kind in ((heads, source.head_type), (tails, source.tail_type)):
        if kind == ITEM:
            unknown = known.of(cells.values.take(pa.array(kept))) < 0
            reading.reject(batch, kept[unknown], UNKNOWN_ITEM)
            kept = kept[~unknown]
    chosen = pa.array(kept)
    relations = named[0].values.take(chosen) if named else pa.array([source.relation] * len(kept), pa.large_string())
    return _Part(heads.values.take(chosen), relations, tails.values.take(chosen))


def _report(edges: NamedEdges, n_kept: int, counted: Counted, bad: Rejects) -> dict[str, Any]:
    sizes = np.bincount(edges.relations, minlength=len(edges.relation_names))
    return {
        **counts(bad, counted, n_kept, None),
        "edges": len(edges.heads),
        "relations": dict(zip(edges.relation_names, map(int, sizes), strict=True)),
    }
