"""Linking items to the entities of a knowledge graph: by IRI template, by table, or by a literal they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from graphrec.checks import typed
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, first_line, nearest_names

from .entity_types import members
from .iri_templates import candidates, check_template, ids_of, is_one_segment
from .knowledge_graph import KnowledgeGraph, relation_rows
from .linking_report import Linking, LinkingReport
from .normalisers import NORMALISERS, Normaliser
from .terms import EDGELESS
from .triple_kernels import mark_ends

Ambiguous = Literal["first", "drop"]
_EXAMPLES = 5


@typed
def link_by_template(
    items: Vocabulary, kg: KnowledgeGraph, template: str, *, ambiguous: Ambiguous = "first"
) -> Linking:
    """Return the links of items whose id is part of their entity's IRI.

    Parameters
    ----------
    template : str
        Such as ``"http://example.org/book/{id}"``. An IRI that holds the id as it is goes first, then those that hold
        it percent-encoded (RFC 3986), in upper or lower case, wholly or in part.

    Raises
    ------
    ConfigError
        If the template does not hold ``{id}`` exactly once.
    """
    check_template(template)
    rows, entities = candidates(items, kg.entities.ids, template)
    return linking_of_pairs(items, kg, rows, entities, ambiguous=ambiguous)


@typed
def ids_by_template(kg: KnowledgeGraph, template: str, *, of_type: str | None = None) -> list[str]:
    """Return the ids of all entities whose IRI fits ``template``, in order of IRI; no two are equal.

    Items that only the graph knows enter a catalogue this way, and :func:`link_by_template` leads each back to its
    entity. An id is percent-decoded, but where two entities would have one id or its bytes are not UTF-8. What stands
    in the place of ``{id}`` must be one part of a path: ``…/book/1/cover`` is no book. The template ``{id}`` alone
    tells items from nothing, and gives none, unless a class says which entities are items.

    Parameters
    ----------
    of_type : str, optional
        A class, as IRI or last part of it: only entities with this ``rdf:type``, or that of a class below it. Where
        items share a namespace with their authors and shelves, a template alone makes items of all of them.

    Raises
    ------
    ConfigError
        If the template does not hold ``{id}`` exactly once.
    DataError
        If no entity has a class of that name.
    """
    check_template(template)
    if template == "{id}" and of_type is None:
        return []
    rows, places, ids = ids_of(kg.entities.ids, template)
    kept = np.ones(len(kg.entities), dtype=np.bool_) if of_type is None else members(kg, of_type)
    named = zip(ids.to_pylist(), places.to_pylist(), kept[rows].tolist(), strict=True)
    # The template {id} takes whole IRIs: parts of paths they are not.
    return [name for name, place, member in named if member and (template == "{id}" or is_one_segment(place))]


@typed
def link_by_table(
    path: str | Path | pl.DataFrame,
    items: Vocabulary,
    kg: KnowledgeGraph,
    *,
    item_column: str = "item_id",
    iri_column: str = "iri",
    ambiguous: Ambiguous = "first",
) -> Linking:
    """Return the links that a table lists, one (item id, IRI) a row; rows without an IRI are passed over.

    Parameters
    ----------
    path : path or DataFrame
        CSV, TSV (by extension) or Parquet, or the table itself.

    Raises
    ------
    DataError
        If the file is missing, has another extension, or lacks a column; or if not one row names both an item of ours
        and an IRI of the graph.
    """
    where = "the link table" if isinstance(path, pl.DataFrame) else str(path)
    table = _columns_of_table(path, where, (item_column, iri_column))
    pairs = table.select(item=pl.col(item_column).cast(pl.String), iri=pl.col(iri_column).cast(pl.String))
    pairs = pairs.filter(pl.col("item").is_not_null() & pl.col("iri").is_not_null() & (pl.col("iri") != ""))
    rows = items.rows(pairs["item"].to_arrow(), missing="mark")
    entities = kg.entities.rows(pairs["iri"].str.strip_chars("<> ").to_arrow(), missing="mark")
    strange = {
        "unknown_items": pairs.filter(pl.Series(rows < 0))["item"],
        "unknown_iris": pairs.filter(pl.Series(entities < 0))["iri"],
    }
    known = (rows >= 0) & (entities >= 0)
    if not known.any():
        first = f"; the first is {pairs['item'][0]!r} -> {pairs['iri'][0]!r}" if pairs.height else ""
        raise DataError(
            f"{where}: none of its {pairs.height:,} links joins an item of ours to an IRI of the graph "
            f"({(rows < 0).sum():,} unknown items, {(entities < 0).sum():,} unknown IRIs{first})"
        )
    return linking_of_pairs(items, kg, rows[known], entities[known], ambiguous=ambiguous, unknown=strange)


@typed
def ids_by_table(path: str | Path | pl.DataFrame, *, item_column: str = "item_id") -> list[str]:
    """Return the item ids of a link table, each once, in order; rows without an id are passed over.

    Raises
    ------
    DataError
        As :func:`link_by_table`, but for what is known of the ids.
    """
    where = "the link table" if isinstance(path, pl.DataFrame) else str(path)
    ids = _columns_of_table(path, where, (item_column,))[item_column].cast(pl.String).drop_nulls()
    return [name for name in ids.unique(maintain_order=True).to_list() if name]


def _columns_of_table(path: str | Path | pl.DataFrame, where: str, columns: Sequence[str]) -> pl.DataFrame:
    """Return a link table, of which ``columns`` are there."""
    table = path if isinstance(path, pl.DataFrame) else _read_table(Path(path))
    for column in columns:
        if column not in table.columns:
            hint = nearest_names(column, table.columns)
            raise DataError(f"{where} has no column {column!r}; it has {', '.join(table.columns)}{hint}")
    return table


def _read_table(path: Path) -> pl.DataFrame:
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            # All text: an id such as 007 must not become a number; no quoting in TSV, where a quote is a letter.
            separator, quotes = (",", '"') if suffix == ".csv" else ("\t", None)
            return pl.read_csv(path, separator=separator, quote_char=quotes, infer_schema=False)
        if suffix == ".parquet":
            return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"{path} cannot be read as a link table ({first_line(error)}); give a CSV, TSV or Parquet file"
        ) from error
    raise DataError(f"{path} has the extension {suffix!r}; a link table is .csv, .tsv or .parquet")


@typed
def link_by_literal(
    items: Vocabulary,
    kg: KnowledgeGraph,
    predicate: str | Sequence[str],
    values: Sequence[str | Sequence[str] | None],
    *,
    normalise: Normaliser = "exact",
    ambiguous: Ambiguous = "first",
) -> Linking:
    """Return the links of items to entities that carry the same literal: an ISBN, a title, an identifier.

    Parameters
    ----------
    predicate : str or sequence of str
        IRIs, or last parts of them.
    values : sequence
        One text, several, or None for each item.
    normalise : {"isbn", "label", "exact"}
        How both sides are compared: as ISBN-13 (hyphens off, ISBN-10 converted, bad checksums never match); as text
        with case, width (NFKC) and spacing levelled; or as they are.

    Raises
    ------
    DataError
        If ``values`` is not one an item, or a predicate is unknown.
    """
    if len(values) != len(items):
        raise DataError(f"there are {len(values)} values for {len(items)} items; give a value or None for each")
    if normalise not in NORMALISERS:
        raise ConfigError(f"normalise is {normalise!r}; legal: {', '.join(NORMALISERS)}")
    level = NORMALISERS[normalise]
    facts = kg.literals.statements[np.isin(kg.literals.statements[:, 1], relation_rows(kg, predicate))]
    keys: dict[str, list[int]] = {}
    texts = kg.literals.texts.take(facts[:, 2]).to_pylist()
    for entity, text in zip(facts[:, 0].tolist(), texts, strict=True):
        if key := level(text):
            keys.setdefault(key, []).append(entity)
    rows: list[int] = []
    entities: list[int] = []
    for row, value in enumerate(values):
        if not isinstance(value, str | Iterable | None):
            raise DataError(f"values[{row}] is {value!r}; it must be a text, several, or None")
        for text in [value] if isinstance(value, str) else value or ():
            hits = keys.get(level(text) or "", ())
            rows.extend([row] * len(hits))
            entities.extend(hits)
    return linking_of_pairs(items, kg, np.asarray(rows, np.int64), np.asarray(entities, np.int32), ambiguous=ambiguous)


def linking_of_pairs(
    items: Vocabulary,
    kg: KnowledgeGraph,
    rows: npt.NDArray[np.integer],
    entities: npt.NDArray[np.integer],
    *,
    ambiguous: Ambiguous,
    unknown: Mapping[str, pl.Series] | None = None,
) -> Linking:
    """Return the links of (m,) candidate pairs (item row, entity row), repeats included.

    Raises
    ------
    ConfigError
        If ``ambiguous`` is something else.
    """
    if ambiguous not in ("first", "drop"):
        raise ConfigError(f"ambiguous is {ambiguous!r}; legal: 'first' (in order of IRI), 'drop'")
    pairs = _distinct_pairs(rows, entities, len(kg.entities))
    choices = np.bincount(pairs[:, 0], minlength=len(items))
    linked = np.full(len(items), -1, dtype=np.int32)
    linked[pairs[::-1, 0]] = pairs[::-1, 1]  # the last write wins: the entity whose IRI is first
    if ambiguous == "drop":
        linked[choices > 1] = -1
    taken = np.bincount(linked[linked >= 0], minlength=len(kg.entities))
    shared = (linked >= 0) & (taken[linked] > 1)
    edges = _with_edges(kg)[linked] & (linked >= 0)
    groups = {
        "matched": edges,
        "without_edges": (linked >= 0) & ~edges,
        "ambiguous": choices > 1,
        "missing": linked < 0,
        "shared": shared,
    }
    strange = unknown or {}
    examples = {name: _examples(items, kg, np.flatnonzero(mask), pairs) for name, mask in groups.items()}
    examples |= {name: tuple(series.head(_EXAMPLES).to_list()) for name, series in strange.items()}
    counts = {name: int(mask.sum()) for name, mask in groups.items()}
    counts |= {name: len(strange.get(name, ())) for name in ("unknown_items", "unknown_iris")}
    return Linking(linked, LinkingReport(len(items), resolution=ambiguous, examples=examples, **counts))


def _distinct_pairs(
    rows: npt.NDArray[np.integer], entities: npt.NDArray[np.integer], n_entities: int
) -> npt.NDArray[np.int64]:
    """Return the (m', 2) pairs in order, each once."""
    keys = rows.astype(np.int64) * n_entities + entities
    if not (keys[:-1] < keys[1:]).all():
        keys = np.unique(keys)
    pairs: npt.NDArray[np.int64] = np.stack(np.divmod(keys, max(n_entities, 1)), axis=1)
    return pairs


def _with_edges(kg: KnowledgeGraph) -> npt.NDArray[np.bool_]:
    """Return (n_entities + 1,) bool: entities with an edge that a catalogue graph can hold; the last is for row -1."""
    counts = np.ones(len(kg.relations), dtype=np.bool_)
    counts[kg.relations.rows(EDGELESS, missing="drop")] = False
    has = np.zeros(len(kg.entities) + 1, dtype=np.bool_)
    mark_ends(kg.triples, counts, has)
    return has


def _examples(
    items: Vocabulary,
    kg: KnowledgeGraph,
    rows: npt.NDArray[np.int64],
    pairs: npt.NDArray[np.int64],
) -> tuple[str, ...]:
    shown = []
    for row in rows[:_EXAMPLES].tolist():
        others = pairs[pairs[:, 0] == row, 1][:3]
        names = [kg.entities[int(e)] for e in others] if len(others) else []
        shown.append(" -> ".join([items[row], " | ".join(names)]) if names else items[row])
    return tuple(shown)
