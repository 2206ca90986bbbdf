"""The public face: one table of names, imported when they are used, with a stub beside it that says the same.

``python -m tests.test_face`` writes ``graphrec/__init__.pyi`` again after a change of the table.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import importlib.util
import json
import pkgutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import graphrec as gr
from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.errors import MissingExtraError
from tests.pipelines.shelf import write_shelf

ROOT = Path(__file__).parent.parent
STUB = ROOT / "graphrec" / "__init__.pyi"
ROOMS = ("graphrec", "kg", "pipelines", "serve")
# What serving never loads; most of it is not even installed where a bundle is served.
HEAVY = ("torch", "torch_geometric", "gensim", "rdflib", "polars", "matplotlib", "sklearn", "lightgbm", "optuna")


def table() -> dict[str, str]:
    """Return the face's table: name -> module."""
    homes: dict[str, str] = vars(gr)["_HOMES"]
    return homes


def kind(name: str) -> int:
    """Return where ruff sorts a name: constants, then classes, then functions."""
    return 0 if name.isupper() else 1 if name[:1].isupper() else 2


def stub_text() -> str:
    """Return the stub that says what the table says."""
    lines = sorted((module, kind(name), name) for name, module in table().items())
    imports = [f"from {module} import {name} as {name}" for module, _, name in lines]
    head = '"""The names of ``graphrec`` for type checkers: written by ``python -m tests.test_face``."""'
    version = "from graphrec.version import __version__ as __version__"
    return "\n".join([head, "", *imports, version, "", "__all__: list[str]", ""])


def python(code: str) -> str:
    """Return what a new interpreter prints."""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_the_stub_says_what_the_table_says() -> None:
    assert STUB.read_text(encoding="utf-8") == stub_text(), "run: python -m tests.test_face"


def test_all_and_dir_list_the_names_of_the_table() -> None:
    assert sorted(gr.__all__) == sorted([*table(), "__version__"])
    assert dir(gr) == sorted(gr.__all__)


@pytest.mark.parametrize("name", sorted(table()))
def test_a_name_is_the_object_of_its_module(name: str) -> None:
    assert getattr(gr, name) is getattr(importlib.import_module(table()[name]), name)


@pytest.mark.parametrize("channel", sorted(RECIPES))
def test_the_recipe_of_each_channel_is_in_the_face(channel: str) -> None:
    recipe = recipe_class(channel)
    assert getattr(gr, recipe.__name__) is recipe


def test_no_name_hides_a_room() -> None:
    assert set(table()).isdisjoint(module.name for module in pkgutil.iter_modules(gr.__path__))


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"graphrec has no attribute 'ItemCf'; nearest: 'ItemCF'"):
        gr.ItemCf  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="ItemCf"):
        from graphrec import ItemCf  # type: ignore[attr-defined]  # noqa: F401


def test_a_name_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(gr), "read_rdf", raising=False)
    for module in [name for name in sys.modules if name.startswith("graphrec.kg")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtraError, match=r"graphrec\.read_rdf \(package pyoxigraph\).*'graphrec\[kg\]'"):
        gr.read_rdf  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    ["import graphrec", "import graphrec; dir(graphrec)", "from graphrec import Engine", "from graphrec import ItemCF"],
)
def test_an_import_loads_nothing_that_serving_does_without(statement: str) -> None:
    loaded = json.loads(python(f"{statement}\nimport sys, json\nprint(json.dumps([*sys.modules]))"))
    assert set(loaded).isdisjoint(HEAVY)


def test_an_engine_loads_neither_sparse_matrices_nor_a_compiler_before_it_is_opened() -> None:
    loaded = json.loads(python("from graphrec import Engine\nimport sys, json\nprint(json.dumps([*sys.modules]))"))
    assert set(loaded).isdisjoint(("scipy.sparse", "numba", "llvmlite"))


def test_the_face_alone_loads_no_array_library() -> None:
    loaded = json.loads(python("import graphrec, sys, json\nprint(json.dumps([*sys.modules]))"))
    assert set(loaded).isdisjoint((*HEAVY, "numpy", "scipy", "numba", "pyarrow"))


def sources() -> list[Path]:
    """Return every file of the four packages."""
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if path != ROOT / room]


def test_nothing_inside_imports_through_the_face() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(gr.__path__)}
    through = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "graphrec" and not node.level:
                through += [(path.name, name.name) for name in node.names if name.name not in rooms]
            elif isinstance(node, ast.Import):
                through += [(path.name, name.name) for name in node.names if name.name == "graphrec"]
    assert through == []


def shelf(directory: Path) -> dict[str, Any]:
    """Return a configuration of two quick channels over the shelf, as a dictionary."""
    write_shelf(directory)
    raw = tomllib.loads((directory / "config.toml").read_text(encoding="utf-8"))
    return raw | {"channels": {"hot": {}, "item-cf": {"k": 20}}}


def test_reading_fitting_and_recalling_takes_a_few_lines(tmp_path: Path) -> None:
    write_shelf(tmp_path)
    events = gr.read_interactions(tmp_path / "ratings.csv", columns={"user_id": "reader", "item_id": "book"})
    data = gr.recall_data(events)
    channel = gr.ItemCF(k=20).fit(data)
    table = gr.recall(channel, data, users=["r0", "r1"], k=3)
    assert table["user"].to_pylist() == ["r0"] * 3 + ["r1"] * 3
    # A reader of the shelf keeps to one genre, which is every third book.
    assert {int(book[1:]) % 3 for book in table["item"].to_pylist()[:3]} == {0}


def test_training_takes_a_path_a_dictionary_or_a_config_and_an_engine_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = shelf(tmp_path)
    path = tmp_path / "config.toml"
    monkeypatch.chdir(tmp_path)  # paths in a dictionary start at the working directory
    from_dictionary = gr.train(raw, "out")
    engine = gr.Engine.open("out")
    answer = engine.recall(user="r0", k=3)
    assert len(answer.ids) == 3
    many = engine.recall_many(["r1", "r0"], k=3)
    assert many["item"].to_pylist()[3:] == answer.ids
    config = gr.load_config(raw)
    assert gr.load_config(config) is config
    measured = gr.evaluate(config)
    assert measured.fused.recall == from_dictionary.report.fused.recall
    assert list(gr.load_config(str(path)).recipes) == list(gr.load_config(path).recipes) != ["hot", "item-cf"]


EVENTS = pl.DataFrame({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "a"]})
# What a type checker would refuse, people without one try.
face: Any = gr
vectors: Any = gr.EmbeddingTable(["a", "b"], [[1.0], [2.0]])


def small() -> gr.RecallData:
    return gr.recall_data(gr.read_interactions(EVENTS))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda out: face.train(None, out), "a configuration cannot be read from a NoneType"),
        (lambda out: face.train(7, out), "a configuration cannot be read from a int"),
        (lambda out: face.train({}, out), "config: name is missing"),
        (lambda out: face.train({1: 2}, out), "config: "),
        (lambda out: face.train("nowhere.toml", out), "there is no configuration file 'nowhere.toml'"),
        (lambda out: face.evaluate([]), "a configuration cannot be read from a list"),
        (lambda out: face.load_config(3.5), "a configuration cannot be read from a float"),
        (lambda out: face.train(shelf(out), None), r"out is None \(NoneType\); it must be a path"),
        (lambda out: face.train(shelf(out), 5), r"out is 5 \(int\); it must be a path"),
        (lambda out: face.train(shelf(out), ""), r"out is '' \(str\); it must be a path"),
        (lambda out: face.recall_data("ratings.csv"), "takes what read_interactions returned"),
        (
            lambda out: face.ItemCF().fit(EVENTS),
            "ItemCF learns from RecallData, not from a DataFrame; recall_data makes it",
        ),
        (lambda out: face.Node2Vec().embed(None), "Node2Vec learns from RecallData, not from a NoneType"),
        (lambda out: face.ItemCF().fit(small(), 5), "the context of ItemCF is 5; it must be a FitContext"),
        (lambda out: face.recall(face.ItemCF(), small()), "a ItemCF answers nothing yet; recall takes what its fit"),
        (lambda out: face.recall(face.Hot().fit(small()), EVENTS), "recall takes a channel and the RecallData"),
        (lambda out: face.item_embeddings(None, small()), "a NoneType has no vectors"),
        (lambda out: face.open_bundle(None), "the bundle is None"),
        (lambda out: face.Engine.open(5), "the bundle is 5"),
        (lambda out: face.read_interactions(EVENTS, rejects=5), "rejects is 5"),
        (lambda out: face.read_interactions(EVENTS, columns={"user": "user_id"}), "the wrong way round"),
        (lambda out: face.read_rdf(EVENTS), "RDF cannot be read from a DataFrame"),
        (lambda out: face.read_rules(None), "the file of rules is None"),
        (lambda out: face.split_by_ratio(small().interactions, test_share="0.2", seed=0), "test_share is '0.2'"),
        (lambda out: face.split_leave_last(small().interactions, n="1"), "n is '1'; it must be a whole number"),
        (lambda out: vectors.nearest("a", None), "k is None; it must be a whole number"),
        (lambda out: vectors.nearest(7), "query"),
        (lambda out: vectors.index("hnsw", m="3"), "m is '3'; it must be a whole number from 2 to 512"),
        (lambda out: vectors.index("exact").search([[1.0]], "3"), "k is '3'; it must be a whole number"),
        (lambda out: face.FitContext(seed="1"), "seed of a fit is '1'"),
    ],
)
def test_a_wrong_type_gets_one_sentence(call: Callable[[Path], object], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(gr.GraphRecError, match=sentence) as caught:
        call(tmp_path)
    assert "\n" not in str(caught.value)


NAN, INF = float("nan"), float("inf")
# By the type of a field's default, what a hurried user may give in its place.
WRONG: dict[type, tuple[object, ...]] = {
    int: ("64", None, True, 1.5, NAN, INF, [1], {}, object()),
    float: ("0.5", None, True, NAN, -INF, [0.5], 1j, object()),
    bool: ("true", None, 1, 0.0, []),
    str: (None, 5, True, NAN, ["a"], b"a"),
    tuple: (None, "abc", 5, [1], [None], {"a": 1}),
    dict: (None, "abc", 5, [1], {1: 1.0}, {"a": "1"}, {"a": None}, {"a": True}, {"a": NAN}, {"a": INF}),
}


SETTINGS = [(recipe_class(name), field) for name in RECIPES for field in dataclasses.fields(recipe_class(name))]


@pytest.mark.parametrize(("recipe", "field"), SETTINGS, ids=lambda part: getattr(part, "__name__", "") or part.name)
def test_a_setting_of_a_wrong_type_gets_one_sentence(recipe: type[Any], field: dataclasses.Field[Any]) -> None:
    for value in WRONG[type(getattr(recipe(), field.name))]:
        with pytest.raises(gr.ConfigError, match=rf"^{field.name}\b.*must be") as caught:
            recipe(**{field.name: value})
        assert "\n" not in str(caught.value)


if __name__ == "__main__":
    STUB.write_text(stub_text(), encoding="utf-8")
