"""Every command of ``graphrec``, and running one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from graphrec.version import __version__

from ..terminal import print_lines, remarks_of_libraries

# Each module brings its commands to the application, in the order in which help lists them.
# isort: off
from . import training, look_ups, embeddings, taken_down, bundles, doctor, kg, operations, data  # noqa: F401

# isort: on
from .failures import PIPE_CLOSED, UsageError
from .root import app

# The framework brings its own copy of click, or click itself, as its version has it.
_ClickError: Any = typer.BadParameter.__mro__[2]
_INTERRUPTED = 130


def run(arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments name, and return its exit code.

    Raises
    ------
    UsageError
        If there is no such command or option, or an option has no legal value.
    """
    try:
        given = list(arguments) if arguments is not None else None
        with remarks_of_libraries():
            result = app(args=given, prog_name="graphrec", standalone_mode=False)
    except _ClickError as error:
        return _refuse(error)
    except SystemExit as end:
        # Help is printed by the framework's own console, which ends the process when its reader has gone.
        return PIPE_CLOSED if isinstance(end.__context__, BrokenPipeError) else int(end.code or 0)
    if result == _INTERRUPTED:  # what the framework makes of KeyboardInterrupt
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


def _refuse(error: Exception) -> int:
    """Raise UsageError with the framework's sentence; help for a command without arguments is shown as it is."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return 2
    sentence = error.format_message().strip().rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "graphrec"
    raise UsageError(f"{sentence[:1].lower()}{sentence[1:]}; '{path} --help' lists what is legal") from error


def _version(requested: bool) -> None:
    if requested:
        print_lines(f"graphrec {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
