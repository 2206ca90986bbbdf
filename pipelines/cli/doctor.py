"""``graphrec doctor``."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from .root import AsJson, app, out_console, print_json


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Show what is installed and which optional parts are active."""
    from ..environment import environment, parts

    installed = parts()
    if as_json:
        described = {
            p.name: {"active": p.active, "packages": {d.name: d.version for d in p.packages}} for p in installed
        }
        print_json({**environment(), "parts": described})
        return
    about = environment()
    out_console.print(
        f"graphrec {about['graphrec']} · Python {about['python']} · {about['platform']} · {about['threads']} threads",
        highlight=False,
    )
    table = Table("part", "active", "gives", "packages")
    for part in installed:
        packages = ", ".join(f"{p.name} {p.version or '[red]missing[/red]'}" for p in part.packages)
        remedy = "" if part.active else f"\n[yellow]{escape(part.remedy)}[/yellow]"
        table.add_row(
            part.name, "[green]yes[/green]" if part.active else "[red]no[/red]", part.gives, packages + remedy
        )
    out_console.print(table)
