"""The ``graphrec`` command: its entry point. Heavy parts are imported inside the commands that use them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.markup import escape

from graphrec.errors import GraphRecError
from graphrec.version import __version__

from ..jobs.stopping import SENTENCE, Terminated, exit_code, stoppable

# Each module brings its commands to the application, in the order in which help lists them.
# isort: off
from . import training, look_ups, taken_down, bundles, doctor, operations, data  # noqa: F401

# isort: on
from .root import app, err_console, out_console


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Errors of ours become one sentence and exit code 2, never a traceback."""
    try:
        with stoppable():
            app(args=list(arguments) if arguments is not None else None, prog_name="graphrec")
    except GraphRecError as error:
        err_console.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except SystemExit as end:
        # The framework turns KeyboardInterrupt into an exit code and says nothing.
        stop = getattr(end.__context__, "__cause__", None)
        if not isinstance(stop, KeyboardInterrupt):
            raise
        err_console.print(SENTENCE)
        sys.exit(exit_code(signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT))
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again while closing stdout.
        sys.stderr.close()
        sys.exit(141)


def _version(requested: bool) -> None:
    if requested:
        out_console.print(f"graphrec {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


if __name__ == "__main__":
    main()
