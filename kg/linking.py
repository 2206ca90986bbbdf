"""Linking items to the entities of a knowledge graph: by IRI template, by table, or by a literal they share."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.compute as pc
from rich.table import Table
from rich.text import Text

from graphrec.checks import as_array, typed
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.escapes import one_line

from .knowledge_graph import KnowledgeGraph, relation_rows

Ambiguous = Literal["first", "drop"]
Normaliser = Literal["isbn", "label", "exact"]
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class LinkingReport:
    """How linking went; every count has up to five examples, in item order.

    Features
    ----------
    n_items, matched, ambiguous, missing : int
        Items; items that are linked; items that had several entities to choose from; items without a link.
        ``matched + missing == n_items``; ambiguous ones are among either, as ``resolution`` says.
    shared : int
        Items that are linked to an entity that another item is linked to as well (several editions of one work).
    unknown_items, unknown_iris : int
        Rows of a link table that name no item of ours, and rows whose IRI the graph does not hold.
    resolution : str
        "first": an ambiguous item took the entity whose IRI comes first in order; "drop": it was left unlinked.
    examples : mapping
        From the name of a count to examples of it.
    """

    n_items: int
    matched: int
    ambiguous: int
    missing: int
    shared: int
    unknown_items: int
    unknown_iris: int
    resolution: str
    examples: Mapping[str, tuple[str, ...]]

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON can hold it."""
        counts: dict[str, object] = {"n_items": self.n_items}
        counts.update({name: getattr(self, name) for name in _COUNTS})
        counts["resolution"] = self.resolution
        counts["examples"] = {name: list(shown) for name, shown in self.examples.items()}
        return counts

    def table(self) -> Table:
        """Return the report for rich to print."""
        table = Table("", "count", "share", "examples", title=f"Linking of {self.n_items:,} items")
        for name in _COUNTS:
            count = int(getattr(self, name))
            share = "" if name.startswith("unknown") or not self.n_items else f"{count / self.n_items:.1%}"
            # As they stand: brackets in an id are no markup.
            examples = Text("\n".join(one_line(example) for example in self.examples.get(name, ())))
            table.add_row(name.replace("_", " "), f"{count:,}", share, examples)
        return table


_COUNTS = ("matched", "ambiguous", "missing", "shared", "unknown_items", "unknown_iris")


@dataclass(frozen=True, slots=True, eq=False)
class Linking:
    """The entity of each item: ``entities`` (n_items,) int32 rows, -1 where there is none."""

    entities: npt.NDArray[np.int32]
    report: LinkingReport

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", as_array(self.entities, np.int32, name="entities"))
        if len(self.entities) and int(self.entities.min()) < -1:
            raise DataError(f"entity row {int(self.entities.min())} is below -1; -1 stands for an item without a link")


@typed
def link_by_template(
    items: Vocabulary, kg: KnowledgeGraph, template: str, *, ambiguous: Ambiguous = "first"
) -> Linking:
    """Return the links of items whose id is part of their entity's IRI.

    Parameters
    ----------
    template : str
        Such as ``"http://example.org/book/{id}"``. The id is tried percent-encoded (as a path segment, RFC 3986, with
        and without the characters that may stay) and as it is.

    Raises
    ------
    ConfigError
        If the template does not hold ``{id}`` exactly once.
    """
    _check_template(template)
    if template == "{id}":
        of_entity = items.rows(kg.entities.ids, missing="mark")  # this way round the smaller side is hashed
        return _linking(items, kg, of_entity[of_entity >= 0], np.flatnonzero(of_entity >= 0), ambiguous=ambiguous)
    ids = items.ids.to_pylist()
    rows, entities = [], []
    for spell in (_encoded, _segment, str):
        hits = kg.entities.rows([template.replace("{id}", spell(external)) for external in ids], missing="mark")
        rows.append(np.flatnonzero(hits >= 0))
        entities.append(hits[hits >= 0])
    return _linking(items, kg, np.concatenate(rows), np.concatenate(entities), ambiguous=ambiguous)


@typed
def ids_by_template(kg: KnowledgeGraph, template: str) -> list[str]:
    """Return the ids of all entities whose IRI fits ``template``, percent-decoded, in order of IRI.

    Items that only the graph knows enter a catalogue this way. What stands in the place of ``{id}`` must be one part of
    a path: ``…/book/1/cover`` is no book. The template ``{id}`` alone tells items from nothing, and gives none.

    Raises
    ------
    ConfigError
        If the template does not hold ``{id}`` exactly once.
    """
    _check_template(template)
    before, after = template.split("{id}")
    if not before and not after:
        return []
    iris = kg.entities.ids
    fits = pc.and_(pc.starts_with(iris, before), pc.ends_with(iris, after))
    places = [iri[len(before) : len(iri) - len(after)] for iri in iris.filter(fits).to_pylist()]
    return list(dict.fromkeys(unquote(place) for place in places if place and not re.search("[/?#]", place)))


def _check_template(template: str) -> None:
    if not isinstance(template, str) or template.count("{id}") != 1:
        raise ConfigError(
            f"template {template!r} must hold {{id}} exactly once, as in 'http://example.org/book/{{id}}'"
        )


def _encoded(external: str) -> str:
    return quote(external, safe="")


def _segment(external: str) -> str:
    return quote(external, safe="!$&'()*+,;=:@")


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
    table = path if isinstance(path, pl.DataFrame) else _read_table(Path(path))
    for column in (item_column, iri_column):
        if column not in table.columns:
            hint = nearest_names(column, table.columns)
            raise DataError(f"{where} has no column {column!r}; it has {', '.join(table.columns)}{hint}")
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
    return _linking(items, kg, rows[known], entities[known], ambiguous=ambiguous, unknown=strange)


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
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} cannot be read as a link table ({reason}); give a CSV, TSV or Parquet file") from error
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
        raise DataError(f"there are {len(values)} values for {len(items)} items; give one for each, None where unknown")
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
    return _linking(items, kg, np.asarray(rows, np.int64), np.asarray(entities, np.int32), ambiguous=ambiguous)


def isbn13(text: str) -> str | None:
    """Return the ISBN-13 that ``text`` stands for, None where it is no ISBN or its check digit is wrong.

    Spaces, hyphens and a leading ``urn:isbn:`` or ``ISBN`` are passed over. ISO 2108:2017.
    """
    bare = re.sub(r"^(urn:)?isbn(-1[03])?:?", "", re.sub(r"[\s\u2010-\u2015-]", "", text), flags=re.IGNORECASE).upper()
    if re.fullmatch(r"\d{9}[\dX]", bare):
        total = sum((10 - i) * (10 if digit == "X" else int(digit)) for i, digit in enumerate(bare))
        return _with_check("978" + bare[:9]) if total % 11 == 0 else None
    if re.fullmatch(r"97[89]\d{10}", bare):
        return bare if _with_check(bare[:12]) == bare else None
    return None


def _with_check(twelve: str) -> str:
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(twelve))
    return f"{twelve}{-total % 10}"


def levelled_label(text: str) -> str:
    """Return ``text`` with case, width and spacing levelled (NFKC, casefold)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


NORMALISERS: dict[str, Callable[[str], str | None]] = {"isbn": isbn13, "label": levelled_label, "exact": str}


def _linking(
    items: Vocabulary,
    kg: KnowledgeGraph,
    rows: npt.NDArray[np.integer],
    entities: npt.NDArray[np.integer],
    *,
    ambiguous: Ambiguous,
    unknown: Mapping[str, pl.Series] | None = None,
) -> Linking:
    """Return the links of (m,) candidate pairs (item row, entity row), repeated ones included."""
    if ambiguous not in ("first", "drop"):
        raise ConfigError(f"ambiguous is {ambiguous!r}; legal: 'first' (in order of IRI), 'drop'")
    pairs = np.unique(np.column_stack([rows, entities]).astype(np.int64), axis=0)
    choices = np.bincount(pairs[:, 0], minlength=len(items))
    linked = np.full(len(items), -1, dtype=np.int32)
    linked[pairs[::-1, 0]] = pairs[::-1, 1]  # the last write wins: the entity whose IRI is first
    if ambiguous == "drop":
        linked[choices > 1] = -1
    taken = np.bincount(linked[linked >= 0], minlength=len(kg.entities))
    shared = (linked >= 0) & (taken[linked] > 1)
    groups = {"matched": linked >= 0, "ambiguous": choices > 1, "missing": linked < 0, "shared": shared}
    strange = unknown or {}
    examples = {name: _examples(items, kg, np.flatnonzero(mask), pairs) for name, mask in groups.items()}
    examples |= {name: tuple(series.head(_EXAMPLES).to_list()) for name, series in strange.items()}
    counts = {name: int(mask.sum()) for name, mask in groups.items()}
    counts |= {name: len(strange.get(name, ())) for name in ("unknown_items", "unknown_iris")}
    return Linking(linked, LinkingReport(len(items), resolution=ambiguous, examples=examples, **counts))


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
