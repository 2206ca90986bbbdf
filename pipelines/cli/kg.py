"""``graphrec kg``: what is done with a graph before there is any configuration, and the paths of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphrec.errors import ConfigError, MissingExtraError

from ..terminal import out_console, print_json, print_lines
from .root import AsJson, BundleArgument, kg_app, steps

if TYPE_CHECKING:
    from graphrec.kg.schema.values import GraphSchema

    from ..readers.unknown_tables import UnknownTable

_PICTURES = ("svg", "png", "pdf")
_TEXTS = ("mmd", "dot")

FilesArgument = Annotated[list[Path], typer.Argument(help="RDF files, which become one graph.", show_default=False)]
FormatOption = Annotated[str | None, typer.Option("--format", help="Their syntax, where the extension does not tell.")]
BaseOption = Annotated[str | None, typer.Option(help="Absolute IRI that relative ones are resolved against.")]


@kg_app.command()
def describe(
    files: FilesArgument,
    items: Annotated[Path | None, typer.Option(help="A table of items: ways to link them are tried.")] = None,
    events: Annotated[Path | None, typer.Option(help="A table of events: who took what.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="What a column of these tables is, such as item_id=ISBN.")
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="Draw the schema: .svg, .png, .pdf, .mmd (Mermaid), .dot.")] = None,
    toml: Annotated[Path | None, typer.Option(help="Write the configuration here; '-' prints it alone.")] = None,
    syntax: FormatOption = None,
    base: BaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what a graph holds, what is odd about it, and how to recall with it: the first command on a foreign file.

    It ends with a configuration to start from; with --events that trains as it stands.
    """
    from ..config.first_config import first_config

    if draw is not None:
        _check_picture(draw)
    with steps(as_json).step("read the tables"):
        known_events, known_items = _tables(events, items, column or ())
    schema = _schema(files, syntax, base, known_items, known_events, quiet=as_json)
    to_file = toml is not None and str(toml) != "-"
    text = first_config(
        schema,
        files,
        directory=toml.parent if toml is not None and to_file else Path.cwd(),
        items=known_items,
        events=known_events,
    )
    if draw is not None:
        _draw(schema, draw)
    if toml is not None and to_file:
        _write(toml, text.encode())
    if as_json:
        print_json(schema.to_dict() | {"toml": text})
    elif toml is not None and not to_file:
        print_lines(*text.splitlines())
    else:
        _show(schema, text, toml, draw)


@kg_app.command()
def convert(
    files: FilesArgument,
    out: Annotated[Path, typer.Option(help="The file to write; .parquet gives a table of triples.")],
    to: Annotated[str | None, typer.Option(help="Its syntax, where the extension does not tell.")] = None,
    syntax: FormatOption = None,
    base: BaseOption = None,
    as_json: AsJson = False,
) -> None:
    """Write RDF in another syntax (Turtle, N-Triples, N-Quads, TriG, RDF/XML, JSON-LD; .gz), streamed."""
    try:
        from graphrec.kg.reading.rdf import read_rdf
        from graphrec.kg.writing.convert import convert as convert_files
        from graphrec.kg.writing.graph import write_triples
    except ImportError as error:
        raise MissingExtraError("converting RDF", extra="kg") from error
    with steps(as_json).step(f"write {out.name}"):
        if out.suffix.lower() == ".parquet" and to is None:
            graph = read_rdf(files, format=syntax, base=base)
            write_triples(graph, out)
            n = len(graph.triples) + len(graph.literals)
        else:
            n = convert_files(files, out, read_format=syntax, format=to, base=base)
    if as_json:
        print_json({"path": str(out), "statements": n})
    else:
        print_lines(f"{n:,} statements in {out}")


@kg_app.command()
def explain(
    bundle: BundleArgument,
    item: Annotated[str, typer.Option(help="The item that the reasons are for, recalled or not.")],
    user: Annotated[str | None, typer.Option(help="User id.")] = None,
    history: Annotated[
        list[str] | None, typer.Option("--history", "-i", help="An item of a live history, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Reasons wanted.", min=1)] = 20,
    channel: Annotated[list[str] | None, typer.Option(help="Ask these channels alone.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say why an item fits a user or a history: every path that leads to it, and what it gave of the score."""
    from graphrec.serve.engine import Engine

    from .answers import explanation_table

    explanation = Engine.open(bundle, warm=False).explain(
        item, user=user, history=history or None, k=k, channels=channel or None
    )
    if as_json:
        print_json(explanation.to_dict())
        return
    who = f"user {user}" if user is not None else "this history"
    out_console.print(explanation_table(explanation, title=f"why {explanation.title} fits {who}"))


def _tables(
    events: Path | None, items: Path | None, columns: Sequence[str]
) -> tuple[UnknownTable | None, UnknownTable | None]:
    """Read the tables that were given, as far as their columns can be recognised."""
    from ..readers.table_source import InteractionsSource, ItemsSource
    from ..readers.unknown_tables import check_columns, unknown_events, unknown_items

    for text in columns:
        if not all(text.partition("=")):
            raise ConfigError(f"--column {text!r} is no NAME=COLUMN, such as item_id=ISBN")
    named = dict(text.split("=", 1) for text in columns)
    sources = [source(path=path) for path, source in ((events, InteractionsSource), (items, ItemsSource)) if path]
    check_columns(named, sources)
    known_events = None if events is None else unknown_events(events, named)
    rows = None if known_events is None else known_events.rows
    return known_events, None if items is None else unknown_items(items, named, rows)


def _schema(
    files: Sequence[Path],
    syntax: str | None,
    base: str | None,
    items: UnknownTable | None,
    events: UnknownTable | None,
    *,
    quiet: bool,
) -> GraphSchema:
    try:
        from graphrec.kg.reading.rdf import read_rdf
        from graphrec.kg.schema.describe import describe as describe_graph
    except ImportError as error:
        raise MissingExtraError("reading a knowledge graph", extra="kg") from error
    shown = steps(quiet)
    with shown.step("read the graph"):
        graph = read_rdf(files, format=syntax, base=base, languages=("en", ""))
    with shown.step("describe the graph"):
        return describe_graph(
            graph,
            items=None if items is None else items.rows,
            events=None if events is None else events.rows,
        )


def _show(schema: GraphSchema, text: str, toml: Path | None, draw: Path | None) -> None:
    from .kg_tables import class_table, link_table, predicate_table, schema_lines

    print_lines(*schema_lines(schema))
    if schema.classes:
        out_console.print(class_table(schema))
    out_console.print(predicate_table(schema))
    if schema.use.links:
        out_console.print(link_table(schema))
    if toml is None:
        print_lines("", *text.splitlines(), "", "Write it with --toml FILE, then: graphrec train FILE --out DIRECTORY")
    else:
        print_lines(f"Configuration: {toml}   Next: graphrec train {toml} --out DIRECTORY")
    if draw is not None:
        print_lines(f"Drawing: {draw}")


def _check_picture(path: Path) -> None:
    kind = path.suffix.lower().removeprefix(".")
    if kind not in (*_PICTURES, *_TEXTS):
        legal = ", ".join(f".{known}" for known in (*_PICTURES, *_TEXTS))
        raise ConfigError(f"--draw {path} has the extension {path.suffix!r}; legal: {legal}")


def _draw(schema: GraphSchema, path: Path) -> None:
    from graphrec.kg.schema.drawing import dot, drawing_of, mermaid

    drawing, kind = drawing_of(schema), path.suffix.lower().removeprefix(".")
    if kind in _TEXTS:
        _write(path, (mermaid if kind == "mmd" else dot)(drawing).encode())
        return
    from ..report.schema_plot import schema_picture

    _write(path, schema_picture(drawing, kind))


def _write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    from graphrec.data.scratch import written_whole

    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        part.write_bytes(content)
