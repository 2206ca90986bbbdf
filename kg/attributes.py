"""KnowledgeGraph + linking -> what literals say of items, as columns of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.checks import typed
from graphrec.data.features import Features
from graphrec.errors import DataError

from .knowledge_graph import KnowledgeGraph, relation_rows
from .linking_report import Linking
from .literal_values import literal_table, moments, numbers
from .literals import language_ranks
from .naming import unique_names

ColumnKind = Literal["number", "moment", "text"]

_LARGEST = float(np.finfo(np.float32).max)
_NO_REJECTS = pl.DataFrame(schema={"predicate": pl.String, "entity": pl.String, "text": pl.String})


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """What became of one predicate.

    ``values`` are the statements about linked entities, ``unusable`` how many of them are not of the column's kind, of
    which ``first`` is the first text; ``items`` are the items of which the column says something.
    """

    predicate: str
    kind: ColumnKind
    values: int
    unusable: int
    first: str | None
    items: int


@dataclass(frozen=True, slots=True)
class ItemAttributes:
    """Columns of features by name, and by the same names what was read.

    ``rejects`` (predicate, entity, text) are the statements that could not be used.
    """

    features: Features
    columns: Mapping[str, AttributeColumn]
    rejects: pl.DataFrame


@typed
def item_attributes(
    kg: KnowledgeGraph, linking: Linking, predicates: Sequence[str], *, languages: Sequence[str] = ("en", "")
) -> ItemAttributes:
    """Return a column of features for each of ``predicates``, from the literals of the items' entities.

    What most values of a predicate are decides what its column is, and the values that are something else are not
    known to it:

    ========== ======================================================================== =============================
    column     values                                                                   of several
    ========== ======================================================================== =============================
    number     integers, decimals, doubles, years; plain text that reads as a number;   the mean
               of a date its year
    moment     dates, months, years, dates with times: seconds UTC                      the earliest
    text       all others                                                               those of the best language,
                                                                                        in order, a line each
    ========== ======================================================================== =============================

    Time and memory are linear in the statements of the predicates.

    Parameters
    ----------
    predicates : sequence of str
        IRIs, or last parts of them. A column has the short name of its predicate (``numberOfPages``: number_of_pages).
    languages : sequence of str
        Of texts, the preferred first.

    Raises
    ------
    DataError
        On a predicate that the graph does not hold, or that leads from no linked entity to a literal.
    """
    chosen = relation_rows(kg, predicates)
    names = unique_names(kg.relations[row] for row in chosen.tolist())
    ranks = language_ranks(kg.literals, languages)
    read = [_column(kg, linking, predicate, ranks) for predicate in chosen.tolist()]
    of_kind = {
        kind: {name: values for name, (column, values, _) in zip(names, read, strict=True) if column.kind == kind}
        for kind in ("number", "moment", "text")
    }
    numbers_of = {
        name: values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name, values in (of_kind["number"] | of_kind["moment"]).items()
    }
    texts = {name: values.to_arrow().cast(pa.large_string()) for name, values in of_kind["text"].items()}
    features = Features(len(linking.entities), numbers=numbers_of, texts=texts, moments=tuple(of_kind["moment"]))
    columns = {name: column for name, (column, _, _) in zip(names, read, strict=True)}
    return ItemAttributes(features, columns, pl.concat([_NO_REJECTS, *(rejects for _, _, rejects in read)]))


def _column(
    kg: KnowledgeGraph, linking: Linking, predicate: int, ranks: npt.NDArray[np.int16]
) -> tuple[AttributeColumn, pl.Series, pl.DataFrame]:
    """Return what was read of a predicate, its (n_items,) values, and the statements that could not be used."""
    table, iri = _statements(kg, linking, predicate, ranks), kg.relations[predicate]
    if table.is_empty():
        raise DataError(
            f"data.knowledge.attributes: <{iri}> leads from no linked entity to a literal; values that are entities "
            "belong in tags or relations"
        )
    kind = _kind(table)
    if kind == "number":
        years = pl.from_epoch("moment", time_unit="s").dt.year().cast(pl.Float64)
        table = table.with_columns(number=pl.coalesce("number", years))
    bad = table.filter(pl.col(kind).is_null())
    of_items = pl.DataFrame({"entity": linking.entities}).join(
        _by_entity(table.drop_nulls(kind), kind), on="entity", how="left", maintain_order="left"
    )["value"]
    first = None if bad.is_empty() else bad["text"][0] or ""
    column = AttributeColumn(iri, kind, table.height, bad.height, first, len(of_items) - of_items.null_count())
    entities = pl.Series("entity", [kg.entities[row] for row in bad["entity"].to_list()], dtype=pl.String)
    rejects = bad.select(predicate=pl.lit(iri), entity=entities, text=pl.col("text").fill_null(""))
    return column, of_items, rejects


def _statements(kg: KnowledgeGraph, linking: Linking, predicate: int, ranks: npt.NDArray[np.int16]) -> pl.DataFrame:
    """Return (entity, rank, number, moment, text) of a predicate's literals; null is what a value does not read as."""
    linked = np.zeros(len(kg.entities), dtype=np.bool_)
    linked[linking.entities[linking.entities >= 0]] = True
    facts = kg.literals.statements
    facts = facts[(facts[:, 1] == predicate) & linked[facts[:, 0]]]
    distinct, places = np.unique(facts[:, 2], return_inverse=True)
    literals = literal_table(kg, distinct)
    years_as_numbers = literals.with_columns(pl.col("kind").replace("year", "integer"))
    is_moment = pl.col("kind").is_in(["moment", "day", "month", "year"])
    values = literals.with_columns(number=numbers(years_as_numbers), moment=moments(literals)).select(
        number=pl.when(pl.col("number").abs() <= _LARGEST).then("number"),
        moment=pl.when(is_moment).then("moment"),
        text=pl.when(pl.col("text") != "").then("text"),
    )
    by_statement = pl.DataFrame({"entity": facts[:, 0], "rank": ranks[facts[:, 2]]})
    return by_statement.hstack(values[places])


def _kind(table: pl.DataFrame) -> ColumnKind:
    """Return what most values are."""
    n_numbers, n_moments = table["number"].count(), table["moment"].count()
    if 2 * table.filter(pl.col("number").is_null() & pl.col("moment").is_null()).height > table.height:
        return "text"
    return "number" if n_numbers >= n_moments else "moment"


def _by_entity(table: pl.DataFrame, kind: ColumnKind) -> pl.DataFrame:
    """Return (entity, value): one value of each entity."""
    by_entity = table.group_by("entity")
    if kind == "number":
        return by_entity.agg(value=pl.col("number").mean())
    if kind == "moment":
        return by_entity.agg(value=pl.col("moment").min())
    of_best = pl.col("text").filter(pl.col("rank") == pl.col("rank").min())
    return by_entity.agg(value=of_best.unique().sort().str.join("\n"))
