"""``graphrec export``, ``similar``, ``embed`` and ``drift``: the vectors that channels serve, and their ids."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphrec.errors import ConfigError

from ..terminal import out_console, print_json, print_lines
from .root import AsJson, BundleArgument, app, steps

if TYPE_CHECKING:
    from graphrec.index.embeddings import EmbeddingTable

ChannelOption = Annotated[
    str | None, typer.Option(help="A channel that serves vectors; needed where several channels do.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="parquet, arrow, npy, word2vec, keyedvectors (word2vec's binary format, which gensim reads; its own is a "
        "pickle), safetensors or projector; turtle, ntriples or jsonld for what users are recommended; by default that "
        "of the extension.",
    ),
]


@app.command()
def export(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Option(help="The file; its extension is a format's.")],
    channel: ChannelOption = None,
    file_format: FormatOption = None,
    kind: Annotated[str | None, typer.Option(help="Only nodes of this kind: item, user, a type of entities.")] = None,
    user: Annotated[list[str] | None, typer.Option(help="RDF: a user to answer for; without any, all users.")] = None,
    k: Annotated[int, typer.Option("-k", help="RDF: items a user.", min=1)] = 10,
    item_template: Annotated[str | None, typer.Option(help="RDF: IRI of an item, with {id} in it.")] = None,
    user_template: Annotated[str | None, typer.Option(help="RDF: IRI of a user, with {id} in it.")] = None,
    reasons: Annotated[
        int, typer.Option(help="RDF: paths through the graph written as data for each item.", min=0)
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Write the vectors of a channel for other programs; or, as RDF, what users are recommended and why."""
    from ..jobs.rdf_export import export_recall, is_rdf_export

    if is_rdf_export(out, file_format):
        n = export_recall(
            bundle, out, format=file_format, users=user, k=k, channel=channel, item_template=item_template,
            user_template=user_template, n_reasons=reasons,
        )  # fmt: skip
        if as_json:
            print_json({"path": str(out), "users": n})
        else:
            print_lines(f"{out}: what {n:,} users are recommended, and why")
        return
    from ..jobs.embeddings import bundle_table

    name, table = bundle_table(bundle, channel)
    _write(table.of_kind(kind) if kind is not None else table, out, file_format, name, as_json=as_json)


@app.command()
def similar(
    bundle: BundleArgument,
    node: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="An item, an entity or a user; none where --vector or --text is given."),
    ] = None,
    channel: ChannelOption = None,
    vector: Annotated[
        Path | None, typer.Option(help="A vector in place of an id: .npy, or numbers in a text or JSON file.")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="A sentence in place of an id, for a channel that reads sentences: text, or image with captions."
        ),
    ] = None,
    of: Annotated[str | None, typer.Option(help="Kind of ID, where several kinds have it: item, user, a type.")] = None,
    kind: Annotated[str, typer.Option(help="Kind of the nodes wanted: item, user, a type of entities.")] = "item",
    k: Annotated[int, typer.Option("-k", "--k", help="Nodes wanted.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the items whose vectors are nearest to an item's, an entity's, a user's, a sentence's, or to a vector."""
    from ..jobs.embeddings import similar_nodes
    from .answers import similar_table

    if sum(given is not None for given in (node, vector, text)) != 1:
        raise ConfigError("give an id, --vector FILE or --text SENTENCE, and only one of them")
    query = (of, node) if of is not None and node is not None else node
    name, title, near = similar_nodes(bundle, node=query, vector=vector, text=text, channel=channel, kind=kind, k=k)
    if as_json:
        print_json({"channel": name, "item": node, "kind": kind, "items": [found._asdict() for found in near]})
    else:
        shown = f"{len(near)} items" if kind == "item" else f"{len(near)} of kind {kind}"
        out_console.print(similar_table(near, kind=kind, title=f"{shown} near {title} by {name}"))


@app.command()
def embed(
    config: Annotated[Path, typer.Argument(help="The TOML configuration.")],
    out: Annotated[Path, typer.Option(help="The file; its extension is a format's.")],
    channel: ChannelOption = None,
    file_format: FormatOption = None,
    as_json: AsJson = False,
) -> None:
    """Train the embeddings of one channel on all events, and write them; nothing is measured or published."""
    from ..jobs.embeddings import train_embeddings

    name, table = train_embeddings(config, out, channel=channel, named=file_format, steps=steps(as_json))
    _write(table, out, file_format, name, as_json=as_json)


@app.command()
def drift(
    old: Annotated[Path, typer.Argument(help="A file of vectors, or a bundle.")],
    new: Annotated[Path, typer.Argument(help="The later training: a file of vectors, or a bundle.")],
    channel: ChannelOption = None,
    k: Annotated[int, typer.Option("-k", "--k", help="Neighbours compared.", min=1)] = 10,
    most: Annotated[int, typer.Option(help="Nodes listed that moved most.", min=0)] = 10,
    as_json: AsJson = False,
) -> None:
    """Compare two trainings: neighbours kept, and which nodes moved once the spaces are turned onto each other."""
    from graphrec.index.embedding_drift import drift as compare

    from ..jobs.embeddings import table_of
    from .answers import drift_lines, moved_table

    found = compare(table_of(old, channel), table_of(new, channel), k=k, most_moved=most)
    if as_json:
        print_json(found.to_dict())
        return
    print_lines(*drift_lines(found))
    if found.moved:
        out_console.print(moved_table(found))


def _write(table: EmbeddingTable, out: Path, named: str | None, channel: str, *, as_json: bool) -> None:
    """Write a table and say which files there are."""
    files = table.write(out, named)  # type: ignore[arg-type]  # checked there
    if as_json:
        about = {"channel": channel, "vectors": len(table), "dim": table.dim, "kinds": table.nodes.kind_names}
        print_json({**about, "files": [str(file) for file in files]})
    else:
        print_lines(f"{channel}: {table!r}", *(f"✓ {file}" for file in files))
