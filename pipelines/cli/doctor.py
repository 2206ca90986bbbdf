"""``graphrec doctor``."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ..terminal import out_console, print_json, print_lines
from .root import AsJson, app


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
    print_lines(
        f"graphrec {about['graphrec']} · Python {about['python']} · {about['platform']} · {about['threads']} threads"
    )
    table = Table("part", "active", "gives", "packages")
    for part in installed:
        packages = ", ".join(f"{p.name} {p.version or 'missing'}" for p in part.packages)
        remedy = () if part.active else ("\n", (part.remedy, "yellow"))
        active = Text("yes", style="green") if part.active else Text("no", style="red")
        table.add_row(part.name, active, part.gives, Text.assemble(packages, *remedy))
    out_console.print(table)
