from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import items_only, with_users
from graphrec.graph.importance import importance_neighbours
from graphrec.graph.stored import open_adjacency, save_adjacency, write_user_item_graph
from graphrec.graph.walks import generate_walks
from tests.graphrec.graph.graphs import GRAPHS, ODD

FIELDS = ("indptr", "indices", "relations", "type_offsets")


def same(left: Adjacency, right: Adjacency) -> bool:
    arrays = all(getattr(left, name).tolist() == getattr(right, name).tolist() for name in FIELDS)
    weights = [None if graph.weights is None else graph.weights.tolist() for graph in (left, right)]
    names = (left.node_types, left.relation_names) == (right.node_types, right.relation_names)
    return arrays and weights[0] == weights[1] and names


@pytest.mark.parametrize("name", [*GRAPHS, "odd"])
@pytest.mark.parametrize("in_memory", [False, True])
def test_what_was_saved_is_opened_and_walked_alike(name: str, in_memory: bool, tmp_path: Path) -> None:
    graph = GRAPHS.get(name, ODD)
    save_adjacency(graph, tmp_path / "deep" / "graph")
    stored = open_adjacency(tmp_path / "deep" / "graph", in_memory=in_memory)
    assert same(graph, stored)
    walks, again = (generate_walks(g, walks_per_node=3, length=9, p=0.5, seed=2) for g in (graph, stored))
    assert walks.nodes.tobytes() == again.nodes.tobytes()
    near, again_near = (importance_neighbours(g, seed=2) for g in (graph, stored))
    assert near.scores.tobytes() == again_near.scores.tobytes()
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["graph"]


def test_a_mapped_graph_is_not_read_into_memory(tmp_path: Path) -> None:
    save_adjacency(ODD, tmp_path / "graph")
    stored = open_adjacency(tmp_path / "graph")
    assert isinstance(stored.indices.base, np.memmap)
    assert not stored.indices.flags.writeable
    assert not isinstance(open_adjacency(tmp_path / "graph", in_memory=True).indices.base, np.memmap)


@pytest.mark.parametrize(("n_users", "n_items", "m"), [(7, 5, 60), (30, 4, 11), (1, 1, 3), (3, 9, 0)])
def test_a_graph_written_from_events_is_that_of_the_catalogue(
    n_users: int, n_items: int, m: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphrec.graph.stored._PART", 4)
    rng = np.random.default_rng(m)
    users, items = rng.integers(0, n_users, m), rng.integers(0, n_items, m)
    events = Interactions(users, items, n_users=n_users, n_items=n_items)
    wanted = with_users(items_only(Vocabulary([str(row) for row in range(n_items)])), events)
    written = write_user_item_graph(tmp_path / "graph", users, items, n_users=n_users, n_items=n_items)
    assert same(wanted, written)
    assert {path.suffix for path in (tmp_path / "graph").iterdir()} == {".npy", ".json"}
    assert len(list((tmp_path / "graph").iterdir())) == 5


@pytest.mark.parametrize(
    ("columns", "settings", "problem"),
    [
        (([0, 3], [0, 0]), {}, r"users\[1\] is 3"),
        (([0, 1], [0, -1]), {}, r"items\[1\] is -1"),
        (([0, 1], [0]), {}, "items has 1 entries; it must have 2"),
        (([0.5], [0]), {}, "users holds float64"),
    ],
)
def test_events_that_make_no_graph_are_refused(
    columns: Any, settings: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=problem):
        write_user_item_graph(tmp_path / "graph", *columns, n_users=3, n_items=2)
    with pytest.raises(ConfigError, match="n_users is -1"):
        write_user_item_graph(tmp_path / "graph", [], [], n_users=-1, n_items=2)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    for name in ("full", "file"):
        with pytest.raises(ConfigError, match=r"there is something at .*; name a new folder"):
            save_adjacency(ODD, tmp_path / name)
    save_adjacency(ODD, tmp_path / "empty")
    assert same(open_adjacency(tmp_path / "empty"), ODD)


def change(folder: Path, name: str, entry: int, value: float) -> None:
    array = np.load(folder / f"{name}.npy")
    array[entry] = value
    np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda folder: (folder / "graph.json").unlink(), "graph.json cannot be read: No such file"),
        (lambda folder: (folder / "graph.json").write_text("{"), "graph.json cannot be read"),
        (lambda folder: (folder / "graph.json").write_text("[]"), "a graph of format 'list'; this version reads"),
        (lambda folder: (folder / "graph.json").write_text('{"format": 2}'), "a graph of format 2; this version"),
        (lambda folder: (folder / "graph.json").write_text('{"format": 1}'), "node_types must be a list of texts"),
        (lambda folder: (folder / "indices.npy").write_bytes(b"x"), "indices.npy cannot be read as an array"),
        (lambda folder: (folder / "weights.npy").unlink(), "weights.npy cannot be read as an array"),
        (lambda folder: np.save(folder / "indices.npy", np.zeros(7)), "indices.npy holds float64"),
        (lambda folder: change(folder, "indices", 1, 99), r"is damaged: indices\[1\] is 99"),
        (lambda folder: change(folder, "indices", 0, 4), "is damaged: indices fall at edge 1"),
        (lambda folder: change(folder, "indptr", 1, 99), "is damaged: indptr falls"),
        (lambda folder: change(folder, "relations", 1, 3), r"is damaged: relations\[1\] is 3"),
        (lambda folder: change(folder, "weights", 1, -2), r"is damaged: weights\[1\] is -2.0; weights must be > 0"),
        (lambda folder: change(folder, "weights", 1, np.nan), r"is damaged: weights\[1\] is nan"),
    ],
)  # fmt: skip
def test_a_damaged_folder_is_refused(damage: Any, problem: str, tmp_path: Path) -> None:
    save_adjacency(ODD, tmp_path / "graph")
    assert json.loads((tmp_path / "graph" / "graph.json").read_text(encoding="utf-8"))["weighted"] is True
    damage(tmp_path / "graph")
    with pytest.raises(BundleError, match=problem):
        open_adjacency(tmp_path / "graph")


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphrec.graph.stored.write_array", full)
    for write in (
        lambda: save_adjacency(ODD, tmp_path / "graph"),
        lambda: write_user_item_graph(tmp_path / "graph", [0], [0], n_users=1, n_items=1),
    ):
        with pytest.raises(OSError, match="No space left"):
            write()
        assert list(tmp_path.iterdir()) == []
