"""``graphrec take-down`` and ``put-back``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..terminal import print_json, print_lines
from .root import AsJson, OutputArgument, app

if TYPE_CHECKING:
    from graphrec.serve.taken_down import Edited


@app.command("take-down")
def take_down(
    directory: OutputArgument,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Items to take down; without any, show those that are.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take items down: no channel returns them, from this bundle or a later one."""
    from graphrec.serve.taken_down import edit_taken_down

    _show_taken_down(edit_taken_down(directory, add=ids or ()), directory, ids or [], as_json=as_json)


@app.command("put-back")
def put_back(
    directory: OutputArgument,
    ids: Annotated[list[str], typer.Argument(help="Items to put back.")],
    as_json: AsJson = False,
) -> None:
    """Put back items that were taken down."""
    from graphrec.serve.taken_down import edit_taken_down

    _show_taken_down(edit_taken_down(directory, remove=ids), directory, ids, as_json=as_json)


def _show_taken_down(edited: Edited, directory: Path, ids: list[str], *, as_json: bool) -> None:
    """Print what is taken down now, what changed, and which ids no item of the bundle has."""
    from .answers import strange_ids, taken_down_lines

    strange = strange_ids(directory, ids)
    if as_json:
        print_json(
            {"file": str(edited.file), "taken_down": edited.ids, "changed": edited.changed, "unknown": list(strange)}
        )
        return
    print_lines(*taken_down_lines(edited, ids, strange))
