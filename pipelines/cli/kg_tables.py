"""The schema of a graph as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from graphrec.graph.iris import local_name
from graphrec.kg.schema.values import GraphSchema, PredicateSummary, Share

# Rows of a table; the rest is counted, and whole in JSON.
_ROWS = 40


def schema_lines(schema: GraphSchema) -> list[str]:
    """Return the size of the graph, and what is loose in it."""
    lines = [
        f"{schema.n_triples:,} edges, {schema.n_literals:,} literal statements, {schema.n_entities:,} entities "
        f"({schema.labelled:.0%} with a label, {schema.typed:.0%} with a class), {len(schema.predicates):,} predicates",
        f"{_count(schema.n_components, 'component')}; the largest has {schema.largest_component:.1%} of what has edges",
    ]
    if schema.n_dangling:
        lines.append(f"{schema.n_dangling:,} values of which nothing is said, such as {', '.join(schema.dangling[:3])}")
    return lines


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def class_table(schema: GraphSchema) -> Table:
    """Return the classes, the largest first."""
    table = Table("class", "members", "labelled", "for example", title="Classes", title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"
    for entry in schema.classes[:_ROWS]:
        table.add_row(entry.name, f"{entry.n_members:,}", f"{entry.labelled:.0%}", entry.example)
    table.caption = _more(len(schema.classes))
    return table


def predicate_table(schema: GraphSchema) -> Table:
    """Return the predicates: what they join, how many statements a subject and a value have, what is odd."""
    table = Table(title="Predicates", title_justify="left", caption=_more(len(schema.predicates)))
    table.add_column("predicate", overflow="fold")
    table.add_column("from -> to", overflow="fold", ratio=3)
    table.add_column("statements", justify="right")
    table.add_column("a subject, a value", justify="right")
    table.add_column("remarks", overflow="fold", ratio=2)
    for entry in schema.predicates[:_ROWS]:
        degrees = f"{entry.out_degrees.mean:.1f}, {entry.in_degrees.mean:.1f} (max {entry.in_degrees.most:,})"
        ends = f"{_classes(entry.domain) or '?'} -> {_range(entry) or '?'}"
        table.add_row(entry.name, ends, f"{entry.n_statements:,}", degrees, ", ".join(entry.flags))
    return table


def _more(n: int) -> str | None:
    return f"and {n - _ROWS:,} more (--json has all)" if n > _ROWS else None


def _classes(shares: Sequence[Share]) -> str:
    return ", ".join(
        local_name(name) if share > 0.995 else f"{local_name(name)} {share:.0%}" for name, share in shares[:3]
    )


def _range(entry: PredicateSummary) -> str:
    languages = f" @{', @'.join(share.name for share in entry.languages[:3])}" if entry.languages else ""
    texts = f"{_classes(entry.datatypes)}{languages}" if entry.datatypes else ""
    return "; ".join(part for part in (_classes(entry.range), texts) if part)


def link_table(schema: GraphSchema) -> Table:
    """Return the rules that link items, the best first."""
    table = Table(title="Ways to link the items", title_justify="left")
    for heading in ("by", "column"):
        table.add_column(heading, overflow="fold")
    for heading in ("linked", "ambiguous", "shared", "same title"):
        table.add_column(heading, justify="right")
    for rule in schema.use.links:
        by = ", ".join(f"{key} {value}" for key, value in rule.settings.items())
        agree = "" if rule.titles_agree is None else f"{rule.titles_agree:.1%}"
        table.add_row(by, rule.column, f"{rule.linked:.1%}", f"{rule.ambiguous:.1%}", f"{rule.shared:.1%}", agree)
    return table
