"""Progress for people: one line a step, a bar where the length is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from graphrec.escapes import one_line


class Advance(Protocol):
    """How far a step has come, with a note of what is known so far."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Say that ``done`` of ``total`` parts are over."""
        ...


class Steps(Protocol):
    """What a job tells of its progress: named steps, each with an ``advance(done, total)``."""

    def step(self, title: str) -> AbstractContextManager[Advance]:
        """Return a context that lasts as long as the step."""
        ...


class Silent:
    """Says nothing: for use from Python."""

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:  # noqa: ARG002
        """Run a step without a word."""
        yield lambda _done, _total, _note="": None


class _Remaining(TimeRemainingColumn):
    """What remains of the time, in words; nothing where that is not known."""

    def render(self, task: Task) -> Text:
        """Return the text of a step."""
        shown = super().render(task)
        return shown if task.time_remaining is None else Text.assemble((f"{shown.plain} left", shown.style))


class Shown:
    """A spinner or bar while a step runs, then one line with the seconds it took.

    On a terminal the bar moves; elsewhere only the closing lines are printed.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        """Show ``title`` with a spinner, or with a bar once ``advance`` is called."""
        started, last = time.perf_counter(), ""
        # Where nobody watches, a moving bar is only noise.
        with self._bar(title) if self._console.is_terminal else Silent().step(title) as advance:

            def advance_and_note(done: int, total: int, note: str = "", /) -> None:
                nonlocal last
                last = note
                advance(done, total, note)

            yield advance_and_note
        took, line = time.perf_counter() - started, _line(title, last)
        self._console.print(Text.assemble(("✓", "green"), f" {line} ", (f"{took:.1f} s", "dim")))

    @contextmanager
    def _bar(self, title: str) -> Iterator[Advance]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            _Remaining(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(title, total=None)
            yield lambda done, total, note="": progress.update(
                task, completed=done, total=total, description=_line(title, note)
            )


def _line(title: str, note: str) -> str:
    return one_line(f"{title}: {note}" if note else title)
