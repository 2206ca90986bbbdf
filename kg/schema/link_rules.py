"""Which ways of linking a table of items to a graph work, tried one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from ..knowledge_graph import KnowledgeGraph
from ..linking import link_by_literal, link_by_table, link_by_template
from ..linking_report import Linking
from ..normalisers import Normaliser, isbn13, levelled_label
from .statements import Statements
from .templates import templates_of
from .values import LinkRule

# A rule is not shown where it links fewer items, or is worth less than half of the best; more are not shown.
_LEAST, _MOST = 0.05, 5
# Items whose values are compared with literals before a rule is tried on all.
_SAMPLE = 20_000
ITEM_ID, LABEL = "item_id", "label"

Tried = tuple[LinkRule, Linking]


def link_rules(kg: KnowledgeGraph, statements: Statements, items: pl.DataFrame) -> list[Tried]:
    """Return the rules that link at least 5 % of the items, the best five first.

    Parameters
    ----------
    items : DataFrame
        Column ``item_id``; ``label`` are titles; other columns of text may hold IRIs or what literals hold.

    Returns
    -------
    list of (LinkRule, Linking)
        By the share of items with an entity of their own, less those whose title the entity does not have; ties go to
        the template, then the column of IRIs, then the literal.
    """
    table = items.select(pl.all().cast(pl.String, strict=False)).unique(ITEM_ID, keep="first", maintain_order=True)
    table = table.filter(pl.col(ITEM_ID).is_not_null() & (pl.col(ITEM_ID) != ""))
    if not table.height:
        raise DataError("the table of items has no row with an id; it needs one at least")
    vocabulary = Vocabulary(table[ITEM_ID].to_arrow())
    titles = table[LABEL].to_list() if LABEL in table.columns else None
    agreed = None if titles is None else _Titles(kg, titles)
    tried = [
        (_rule(settings, column, linking, agreed), linking)
        for settings, column, linking in _tries(kg, statements, vocabulary, table)
    ]
    ranked = sorted((pair for pair in tried if pair[0].linked >= _LEAST), key=lambda pair: -_worth(pair[0]))
    return [pair for pair in ranked[:_MOST] if 2 * _worth(pair[0]) >= _worth(ranked[0][0])]


def _worth(rule: LinkRule) -> float:
    agreement = 1.0 if rule.titles_agree is None else 0.5 + 0.5 * rule.titles_agree
    return round((rule.linked - 0.5 * rule.ambiguous - 0.5 * rule.shared) * agreement, 3)


def _tries(
    kg: KnowledgeGraph, statements: Statements, items: Vocabulary, table: pl.DataFrame
) -> Iterator[tuple[Mapping[str, str], str, Linking]]:
    """Yield settings, column and linking of every rule worth a try."""
    for template in templates_of(items.ids.to_pylist(), kg.entities.ids):
        yield {"template": template}, ITEM_ID, link_by_template(items, kg, template)
    for column in table.columns:
        if column != ITEM_ID and _share_in(table[column].str.strip_chars("<> "), kg.entities.ids) >= _LEAST:
            linking = link_by_table(table, items, kg, item_column=ITEM_ID, iri_column=column)
            yield {"iri_column": column}, column, linking
    for relation, column, normalise in _literal_pairs(kg, statements, table):
        predicate = kg.relations[relation]
        linking = link_by_literal(items, kg, [predicate], table[column].to_list(), normalise=normalise)
        yield {"predicate": predicate, "normalise": normalise}, column, linking


def _literal_pairs(
    kg: KnowledgeGraph, statements: Statements, table: pl.DataFrame
) -> Iterator[tuple[int, str, Normaliser]]:
    """Yield (predicate, column, normaliser) where enough values of a sample of the items are among the literals."""
    sample = table.sample(min(table.height, _SAMPLE), seed=0)
    columns = {column: _levelled(sample[column]) for column in table.columns}
    for relation, _, values in statements:
        rows = np.unique(values[values >= statements.n_entities]) - statements.n_entities
        if not len(rows):
            continue
        texts = pl.Series(kg.literals.texts.take(rows), dtype=pl.String)
        levelled = _levelled(texts)
        for column, cells in columns.items():
            # A year of a few values is in every graph and links nothing.
            if cells.n_unique() * 2 < sample.height:
                continue
            if cells.is_in(levelled.implode()).mean() >= _LEAST:  # type: ignore[operator]
                exact = sample[column].is_in(texts.implode()).mean()
                yield relation, column, "exact" if exact == cells.is_in(levelled.implode()).mean() else "label"
            elif _isbns(cells.head(100)) and _isbns(texts.head(100)):
                yield relation, column, "isbn"


def _isbns(texts: pl.Series) -> bool:
    """Return whether at least half of some texts are ISBNs."""
    known = [text for text in texts.to_list() if text]
    return len(known) > 0 and 2 * sum(isbn13(text) is not None for text in known) >= len(known)


def _levelled(texts: pl.Series) -> pl.Series:
    """Return texts with case and outer spaces levelled: cheap, and near enough to choose what is tried."""
    return texts.str.strip_chars().str.to_lowercase()


def _share_in(values: pl.Series, iris: pa.LargeStringArray) -> float:
    known = values.is_in(pl.Series(iris, dtype=pl.String).implode()).fill_null(value=False)
    return int(known.sum()) / max(len(values), 1)


class _Titles:
    """Compares the titles of items with the literals of their entities."""

    def __init__(self, kg: KnowledgeGraph, titles: Sequence[str | None]) -> None:
        self._kg = kg
        self._titles = titles

    def agreement(self, entities: npt.NDArray[np.int32]) -> float | None:
        """Return the share of linked items whose entity has their title as a literal, of those that can be compared."""
        rows = [row for row in np.flatnonzero(entities >= 0).tolist() if self._titles[row]]
        rows = rows[:: -(-len(rows) // _SAMPLE) or 1]
        facts = self._kg.literals.statements
        starts = np.searchsorted(facts[:, 0], entities[rows])
        stops = np.searchsorted(facts[:, 0], entities[rows], side="right")
        hits = n = 0
        for row, start, stop in zip(rows, starts, stops, strict=True):
            if start == stop:
                continue
            n += 1
            own = self._kg.literals.texts.take(facts[start:stop, 2]).to_pylist()
            hits += levelled_label(self._titles[row] or "") in {levelled_label(text) for text in own}
        return hits / n if n else None


def _rule(settings: Mapping[str, str], column: str, linking: Linking, titles: _Titles | None) -> LinkRule:
    report = linking.report
    n = max(report.n_items, 1)
    agree = None if titles is None else titles.agreement(linking.entities)
    return LinkRule(settings, column, report.linked / n, report.ambiguous / n, report.shared / n, agree)
