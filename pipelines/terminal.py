"""The one way out for what people read: whatever is printed here is text, never a command to the terminal."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from graphrec.errors import ConfigError
from graphrec.escapes import json_text, one_line, visible

# Below this a table is unreadable; a width of 0 is that of a terminal which does not say.
_LEAST_WIDTH, _UNKNOWN_WIDTH = 20, 80


class Terminal(Console):
    """A console to which every string is plain text: no markup, and what acts on a terminal is written out.

    Styles come from :class:`rich.text.Text` and from styles of columns, never from what stands in a string.
    """

    def __init__(self, *, stderr: bool = False, **settings: Any) -> None:
        super().__init__(stderr=stderr, **settings | {"markup": False, "emoji": False, "highlight": False})

    def render_str(self, text: str, **layout: Any) -> Text:
        """Return the text of a string as it stands."""
        return super().render_str(visible(text), **layout | {"markup": False, "emoji": False, "highlight": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Return the segments of anything; texts that were made elsewhere are looked through too."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and rows; at least 20 columns, also where there is no terminal or it has none."""
        width, height = super().size
        return ConsoleDimensions(max(width, _LEAST_WIDTH) if width > 0 else _UNKNOWN_WIDTH, height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def print(self, *objects: Any, **layout: Any) -> None:
        """Print as rich does.

        Raises
        ------
        OSError
            If the stream is closed, full, or a pipe without a reader; stdout is named in it.
        """
        with _named(self.stderr):
            super().print(*objects, **layout)

    def on_broken_pipe(self) -> NoReturn:
        """Leave it to the command what to do when nobody reads any more."""
        raise BrokenPipeError


out_console = Terminal()
err_console = Terminal(stderr=True)


def print_lines(*lines: str) -> None:
    """Print each text as one line on stdout, however long."""
    for line in lines:
        out_console.print(one_line(line), soft_wrap=True)


def note(line: str, *, mark: str = "", style: str = "") -> None:
    """Print one line for people on stderr, with a mark such as ``note:`` in a style before it."""
    text = Text(one_line(line))
    err_console.print(Text.assemble((mark, style), " ", text) if mark else text, soft_wrap=True)


class TerminalLog(logging.Handler):
    """Log records as one line each on stderr; without the traceback that a record may carry."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message of a record."""
        note(record.getMessage(), mark=f"{record.levelname.lower()}:", style="yellow")


@contextmanager
def remarks_of_libraries() -> Iterator[None]:
    """Print what libraries warn of and log, by the same way out as everything else."""
    last_resort, logging.lastResort = logging.lastResort, TerminalLog(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
    finally:
        logging.lastResort = last_resort


def _show_warning(message: Warning | str, category: type[Warning], *_place: object, **_more: object) -> None:
    note(f"{category.__name__}: {message}", mark="warning:", style="yellow")


def print_json(value: object) -> None:
    """Print JSON for programs on stdout: readable where the encoding of stdout has the letters, else escaped."""
    try:
        text = json_text(value, indent=2)
    except ValueError as error:
        raise ConfigError(f"the answer cannot be written as JSON: {error}") from error
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json_text(value, indent=2, ascii_only=True)
    with _named(False):
        sys.stdout.write(text + "\n")


@contextmanager
def _named(stderr: bool) -> Iterator[None]:
    """Give an error of writing the name of its stream."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", "stderr" if stderr else "stdout") from error
