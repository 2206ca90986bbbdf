"""``graphrec inspect`` and ``verify``: what a bundle holds, and whether it is whole."""

from __future__ import annotations

import typer

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
    bad = [check for check in checks if not check.ok]
    if as_json:
        print_json({"ok": not bad, "files": [{"file": c.file, "ok": c.ok, "problem": c.problem} for c in checks]})
    else:
        for check in bad:
            note(check.problem, mark="✗", style="red")
    if bad:
        raise typer.Exit(2)
    opened = open_bundle(bundle)
    if not as_json:
        print_lines(f"✓ {opened.path}: {len(checks)} files are whole and fit together")
