"""``graphrec data``: the registry of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..terminal import note, out_console, print_json, print_lines
from .root import AsJson, data_app, steps


@data_app.command("list")
def data_list(as_json: AsJson = False) -> None:
    """List the data sets of the registry."""
    from ..registry.datasets import load_registry

    registry = load_registry()
    if as_json:
        print_json({name: entry.model_dump(mode="json") for name, entry in registry.items()})
        return
    table = Table("name", "what", "licence", "at hand")
    for name, entry in registry.items():
        table.add_row(name, entry.title, entry.licence, "bundled" if entry.bundled else "fetch")
    out_console.print(table)


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="Name in the registry.")],
    source: Annotated[Path | None, typer.Option("--from", help="Take files already at hand from here.")] = None,
    into: Annotated[Path | None, typer.Option(help="Cache directory [default: the platform's].")] = None,
) -> None:
    """Download a data set with resume, check its hashes, and print where it is."""
    from ..registry.datasets import fetch

    with steps(False).step(f"fetch {name}") as advance:
        fetched = fetch(
            name, into=into, source_dir=source, progress=lambda _file, done, total: advance(done, total or done)
        )
    for file, digest in fetched.unverified.items():
        note(f"{file}: its publisher states no hash; sha256 {digest} is now pinned")
    print_lines(str(fetched.directory))
