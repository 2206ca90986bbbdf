"""``graphrec operations``: the rules that people edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..terminal import note, out_console, print_json
from .root import AsJson, operations_app


@operations_app.command("check")
def operations_check(
    file: Annotated[Path, typer.Argument(help="The rules, TOML or CSV.")],
    bundle: Annotated[Path | None, typer.Option(help="Check ids and pool against this bundle.")] = None,
    config: Annotated[Path | None, typer.Option(help="Check ids, pool, labels and users against this data.")] = None,
    at: Annotated[str | None, typer.Option(help="Say what is live at this moment (ISO date) instead of now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file of rules without training, and show what is live when."""
    import time

    from ..jobs.operations_check import calendar_table, check_rules
    from ..readers.moments import moment

    now = time.time() if at is None else moment(at)
    checked = check_rules(file, bundle=bundle, config=config, now=now)
    if as_json:
        print_json({"ok": not checked.problems, **checked.to_dict()})
    else:
        for problem in checked.problems:
            note(problem, mark="✗", style="red")
        for remark in checked.notes:
            note(remark, mark="note:", style="yellow")
        out_console.print(calendar_table(checked.calendar, now=now))
    if checked.problems:
        raise typer.Exit(2)
