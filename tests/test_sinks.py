"""Text leaves the program by its own ways out alone: a file that prints or writes CSV by another way fails here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for room in ("graphrec", "kg", "pipelines", "serve")
    for path in sorted((ROOT / room).rglob("*.py"))
    if not (room == "graphrec" and path.relative_to(ROOT / room).parts[0] in {"kg", "pipelines", "serve"})
]

# What writes text somewhere -> the files that may use it, because they are the way out or hand it only safe text.
WAYS_OUT: dict[str, set[str]] = {
    "print": set(),
    "pprint": set(),
    "typer.echo": set(),
    "typer.secho": set(),
    "rich.print": set(),
    "rich.print_json": set(),
    "rich.markup": set(),
    "rich.console.Console": {"pipelines/terminal.py", "pipelines/progress.py"},
    "sys.stdout": {"pipelines/terminal.py", "pipelines/cli/streams.py"},
    "sys.stderr": {"pipelines/cli/streams.py", "pipelines/jobs/stopping.py"},
    "sys.__stdout__": {"pipelines/cli/streams.py"},
    "sys.__stderr__": {"pipelines/cli/streams.py"},
    "csv.writer": {"pipelines/readers/rejects.py"},
    "csv.DictWriter": set(),
    ".write_csv": set(),
    ".to_csv": set(),
    "jinja2.Environment": {"pipelines/report/html.py"},
    "logging.basicConfig": set(),
    "logging.StreamHandler": set(),
    "markupsafe.Markup": {"pipelines/report/html.py"},
}  # fmt: skip


def uses(source: str) -> Iterator[str]:
    """Yield the dotted name of everything that a file uses, imports resolved, and ``.name`` for each attribute."""
    tree = ast.parse(source)
    full: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            full |= {alias.asname or alias.name: alias.name for alias in node.names}
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            full |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield full.get(node.id, node.id)
        elif isinstance(node, ast.Attribute):
            yield f".{node.attr}"
            if isinstance(node.value, ast.Name):
                yield f"{full.get(node.value.id, node.value.id)}.{node.attr}"


# Files of a bundle: letters as they are, hashed as they stand, read back by graphrec alone.
OWN_JSON = {
    "graphrec/bundle/manifest.py",
    "graphrec/bundle/write.py",
    "graphrec/recallers/files.py",
    "graphrec/recallers/neighbours.py",
    "graphrec/escapes.py",
    "graphrec/data/files.py",  # encodes what it read, to refuse text that has no encoding; writes nothing
}


def writes_letters_as_they_are(source: str) -> bool:
    """Return whether a source calls anything with ``ensure_ascii=False``."""
    return any(
        isinstance(node, ast.keyword)
        and node.arg == "ensure_ascii"
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
        for node in ast.walk(ast.parse(source))
    )


def ways_out(source: str) -> set[str]:
    """Return the ways out that a source names."""
    names = set(uses(source))
    return {way for way in WAYS_OUT if any(name == way or name.startswith(f"{way}.") for name in names)}


def test_text_leaves_by_its_own_ways_out_alone() -> None:
    strange = [
        f"{name} uses {way}; see graphrec/escapes.py and pipelines/terminal.py"
        for path in SOURCES
        for name in [str(path.relative_to(ROOT))]
        for way in sorted(ways_out(path.read_text(encoding="utf-8")))
        if name not in WAYS_OUT[way]
    ]
    strange += [
        f"{name} writes JSON by itself; see graphrec.escapes.json_text"
        for path in SOURCES
        for name in [str(path.relative_to(ROOT))]
        if name not in OWN_JSON and writes_letters_as_they_are(path.read_text(encoding="utf-8"))
    ]
    assert len(SOURCES) > 200
    assert not strange


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import sys\nsys.stdout.write(title)",
        "from sys import stderr\nstderr.write(title)",
        "import sys as s\ns.stdout.buffer.write(b'x')",
        "import typer\ntyper.echo(title)",
        "from rich.console import Console\nConsole().print(title)",
        "from rich import print\nprint(title)",
        "from rich.markup import escape",
        "import csv\ncsv.writer(file)",
        "frame.write_csv(path)",
        "import jinja2\njinja2.Environment()",
    ],
)
def test_the_test_sees_every_other_way(source: str) -> None:
    assert ways_out(source)
