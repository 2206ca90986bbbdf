"""What people see of a step: its title, the last note, and the seconds."""

from __future__ import annotations

import io

from graphrec.pipelines.progress import Shown, Silent
from graphrec.pipelines.terminal import Terminal


def shown(*, terminal: bool) -> str:
    console = Terminal(file=io.StringIO(), force_terminal=terminal, width=80, color_system=None)
    steps = Shown(console)
    with steps.step("search hot") as advance:
        advance(1, 2, "best 0.1")
        advance(2, 2, "best 0.2")
    with steps.step("read") as advance:
        advance(1, 1)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_only_closing_lines_where_nobody_watches() -> None:
    first, second = shown(terminal=False).splitlines()
    assert first.startswith("✓ search hot: best 0.2 ")
    assert second.startswith("✓ read ")


def test_the_note_moves_with_the_bar() -> None:
    text = shown(terminal=True)
    assert "search hot: best 0.2" in text
    assert "✓ read " in text


def test_silent_takes_notes_too() -> None:
    with Silent().step("x") as advance:
        advance(1, 2, "note")
