"""``graphrec data``: the registry of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .root import AsJson, data_app, err_console, out_console, print_json, steps


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
        table.add_row(name, escape(entry.title), escape(entry.licence), "bundled" if entry.bundled else "fetch")
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
        err_console.print(f"{file}: nobody published a hash; sha256 {digest} is now pinned", soft_wrap=True)
    out_console.print(str(fetched.directory), soft_wrap=True, highlight=False)
