"""``graphrec inspect``, ``verify``, ``rollback``: what a bundle holds, whether it is whole, and the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphrec.errors import BundleError

from ..terminal import note, out_console, print_json, print_lines
from .root import AsJson, BundleArgument, app


@app.command()
def inspect(bundle: BundleArgument, as_json: AsJson = False) -> None:
    """Show what a bundle holds."""
    from graphrec.bundle import open_bundle

    from .answers import bundle_json, bundle_table

    opened = open_bundle(bundle)
    if as_json:
        print_json(bundle_json(opened))
    else:
        out_console.print(bundle_table(opened))


@app.command()
def verify(bundle: BundleArgument, as_json: AsJson = False) -> None:
    """Check every file of a bundle against its hash, and every part against the others."""
    from graphrec.bundle import open_bundle, verify_bundle

    checks = verify_bundle(bundle)
    problems, place = [check.problem for check in checks if not check.ok], bundle
    if not problems:
        try:
            place = open_bundle(bundle).path
        except BundleError as error:
            problems = [str(error)]
    if as_json:
        files = [{"file": check.file, "ok": check.ok, "problem": check.problem} for check in checks]
        print_json({"ok": not problems, "problems": problems, "files": files})
    elif problems:
        for problem in problems:
            note(problem, mark="✗", style="red")
    else:
        print_lines(f"✓ {place}: {len(checks)} files are whole and fit together")
    if problems:
        raise typer.Exit(2)


@app.command()
def rollback(
    out: Annotated[Path, typer.Argument(help="The output directory of train.")],
    to: Annotated[
        str | None, typer.Option("--to", help="A version by its name; by default the newest before the current one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let 'current' point at an earlier version, one that can be served."""
    from graphrec.bundle import roll_back

    version = roll_back(out, to=to)
    if as_json:
        print_json({"current": version.name})
    else:
        print_lines(f"✓ {out}: current is {version.name}")
