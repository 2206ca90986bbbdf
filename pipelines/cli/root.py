"""What the commands share: the application, options, and where progress is shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..terminal import err_console

if TYPE_CHECKING:
    from ..progress import Steps

app = typer.Typer(
    name="graphrec",
    help="Recall from a catalogue that is a graph: train, measure, publish, look up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="The registry of data sets: list, describe, fetch.", no_args_is_help=True)
app.add_typer(data_app, name="data")
kg_app = typer.Typer(
    help="A knowledge graph before any configuration: describe, convert; and the paths of a bundle: explain.",
    no_args_is_help=True,
)
app.add_typer(kg_app, name="kg")
operations_app = typer.Typer(help="The rules that people edit: check, see what is live.", no_args_is_help=True)
app.add_typer(operations_app, name="operations")

NoCache = Annotated[bool, typer.Option("--no-cache", help="Fit every channel anew, and keep no fits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
OutputArgument = Annotated[Path, typer.Argument(help="The output directory of train, or a bundle in it.")]
BundleArgument = Annotated[Path, typer.Argument(help="A bundle, or a directory with one behind 'current'.")]


def steps(quiet: bool) -> Steps:
    """Return where progress is shown: on stderr, or nowhere."""
    from ..progress import Shown, Silent

    return Silent() if quiet else Shown(err_console)
