"""Hostile names, strange terminals, closed streams: the command prints text or one sentence, never a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pytest
from rich.table import Table
from rich.text import Text

from graphrec.escapes import visible
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.terminal import Terminal
from tests.pipelines.cli.test_cli import Command, command
from tests.pipelines.shelf import write_shelf

__all__ = ["command"]

COMMAND = [sys.executable, "-m", "graphrec.pipelines.cli.app"]
# Titles of three books, as Turtle writes them: a terminal's commands, rich's markup, letters of other scripts.
TITLES = {
    1: r"Цапе: 😀 é",
    4: r"a\u001B[31mred\u001B]0;title\u0007\u001B]8;;http://x.example\u001B\\link \u009B1m\u202Eb\u2066\r\u0085",
    7: r"[red]x[/red] [/] [link=file:///etc] :smile: \\[bold]",
}
ACTIVE = ("\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\r", "\x85")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a shelf with hostile titles into a directory whose name looks like markup."""
    config = write_shelf(tmp_path_factory.mktemp("hostile"))
    turtle, settings = config.parent / "books.ttl", config.read_text(encoding="utf-8")
    text = turtle.read_text(encoding="utf-8")
    for book, title in TITLES.items():
        text = text.replace(f'"Book {book}"', f'"{title}"')
    turtle.write_text(text, encoding="utf-8")
    config.write_text(settings[: settings.index("[channels.tag]")] + "[channels.kg-neighbours]\n", encoding="utf-8")
    directory = config.parent / "z[/red]"
    with pytest.raises(SystemExit) as ended:
        main(["train", str(config), "--out", str(directory)])
    assert ended.value.code == 0
    return directory


def run(
    *arguments: object,
    environment: Mapping[str, str] | None = None,
    stdout: int | IO[Any] = subprocess.PIPE,
    closed: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; ``closed`` is a descriptor that it does not have."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        preexec_fn=None if closed is None else lambda: os.close(closed),
    )


def squeezed(text: str) -> str:
    """Return what a table says without its lines, spaces and breaks."""
    return "".join(letter for letter in text if letter not in "│┃|" and not letter.isspace())


@pytest.mark.parametrize(
    "user", ["[/]", "r[red]1", "[/red][bold]", "\x1b[2Jr1\x9b", "a\u202eb", "x\ny", "[link=a]\\[x]"]
)
def test_an_id_is_shown_as_it_stands(command: Command, out: Path, user: str) -> None:
    ran = command("recall", out, "--user", user, "-k", "1")
    assert ran.code == 0
    assert squeezed(visible(f"1 items for user {user}")) in squeezed(ran.out)
    assert not any(sign in ran.out for sign in ACTIVE)


def test_titles_are_shown_as_they_stand_and_json_keeps_them(command: Command, out: Path) -> None:
    ran = command("recall", out, "--user", "somebody new", "-k", "30")
    assert not any(sign in ran.out for sign in ACTIVE)
    for piece in (r"\x1b[31mred\x1b]0;title\x07", r"\u202eb", "[red]x[/red]", "[link=file:///etc]", ":smile:"):
        assert squeezed(piece) in squeezed(ran.out)
    answer = json.loads(command("recall", out, "--user", "somebody new", "-k", "30", "--json").out)
    titles = {item["item"]: item["title"] for item in answer["items"]}
    assert titles["b4"].startswith("a\x1b[31mred\x1b]0;title\x07")
    for item in ("b1", "b4", "b7"):
        near = command("neighbours", out, "--item", item, "-k", "3")
        assert near.code == 0
        assert not any(sign in near.out for sign in ACTIVE)


def test_sentences_about_hostile_arguments_are_one_line(command: Command, out: Path) -> None:
    for arguments in (
        ("recall", out, "--channel", "a\x1b[1m\n[/]"),
        ("neighbours", out, "--item", "\x1b]0;x\x07[/]"),
        ("recall", "/no/\x1b[31mwhere[/]\n"),
        ("take\x1b[1mdown",),
        ("recall", out, "--\x1b[1m\nuser"),
        ("recall", out, "-k", "\x1b[1m[/]"),
    ):
        ran = command(*arguments)
        assert ran.code == 2
        assert ran.err.startswith("error: ")
        assert not any(sign in ran.err for sign in ACTIVE)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=lambda environment: next(iter(environment.values())),
)
def test_a_terminal_of_another_encoding_gets_replacement_signs(out: Path, environment: Mapping[str, str]) -> None:
    ran = run("neighbours", out, "--item", "b1", "-k", "2", environment=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "2 neighbours of ????: ?" in ran.stdout


def test_json_in_another_encoding_is_the_same_value(out: Path) -> None:
    arguments = ("recall", out, "--user", "\udcff", "-i", "b1", "-k", "30", "--json")
    plain, ascii_only = (
        json.loads(run(*arguments, environment={"PYTHONIOENCODING": encoding}).stdout)
        for encoding in ("utf-8", "ascii")
    )
    assert plain["items"] == ascii_only["items"]


def test_closed_and_full_streams_are_one_sentence(out: Path) -> None:
    closed = run("inspect", out, closed=1)
    assert (closed.returncode, closed.stderr.count("\n")) == (1, 1)
    assert closed.stderr.startswith("error: the system refused: stdout: cannot be written")
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        refused = run("inspect", out, "--json", stdout=full)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in refused.stderr
    silent = run("inspect", out, closed=2)
    assert silent.returncode == 0
    assert "channel hot" in silent.stdout


@pytest.mark.parametrize("arguments", [("doctor", "--json"), ("--help",)], ids=" ".join)
def test_a_reader_that_goes_ends_the_command_in_silence(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = run(*arguments, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.parametrize("width", [0, 1, 19, 200])
def test_any_width_will_do(width: int) -> None:
    console = Terminal(file=io.StringIO(), width=width, color_system=None)
    table = Table("a", "b", title="title")
    table.add_row("one [/]", Text("two\x1b[1m"))
    console.print(table)
    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_directory_of_the_user_that_cannot_be_written_is_no_obstacle(out: Path) -> None:
    nowhere = {"HOME": "/dev/null/home", "XDG_CACHE_HOME": "/dev/null/cache", "TERM": "dumb"}
    assert run("recall", out, "--user", "r0", "-k", "1", environment=nowhere).returncode == 0
    refused = run("data", "fetch", "goodbooks-10k", environment={**nowhere, "GRAPHREC_CACHE": "/dev/null/x"})
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr


@pytest.mark.parametrize("arguments", [("train", "CONFIG", "--out", "OUT"), ("evaluate", "CONFIG"), ("pool", "CONFIG")])
def test_a_path_that_is_no_text_is_refused_in_a_sentence(
    command: Command, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    folder = tmp_path / "a\udcff\x1b[1m"
    folder.mkdir()
    places = {"CONFIG": write_shelf(folder), "OUT": folder / "out"}
    ran = command(*[places.get(argument, argument) for argument in arguments])
    assert (ran.code, "\x1b" in ran.err) == (2, False)
    assert "a path must be UTF-8 text" in ran.err
