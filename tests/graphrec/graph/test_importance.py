from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.importance import importance_neighbours
from graphrec.graph.pixie import pixie
from graphrec.graph.ppr import personalised_pagerank, push_pagerank
from tests.graphrec.graph.graphs import GRAPHS, ODD, graph_of
from tests.oracles.graph import expected_visits

ALL = GRAPHS | {"odd": ODD}


def dense(table: Any) -> np.ndarray[Any, Any]:
    scores = np.zeros((len(table), table.n_columns))
    for row, (neighbours, weights) in enumerate(zip(*unpacked(table), strict=True)):
        scores[row, neighbours] = weights
    return scores


def unpacked(table: Any) -> tuple[list[Any], list[Any]]:
    rows = [table[row] for row in range(len(table))]
    return [row[0] for row in rows], [row[1] for row in rows]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("restart", "length"), [(0.5, 6), (0.0, 3), (0.9, 4), (0.15, 9)])
def test_shares_are_those_of_the_expected_visits(name: str, restart: float, length: int) -> None:
    graph, walks = ALL[name], 20_000
    table = importance_neighbours(graph, walks=walks, length=length, restart=restart, seed=4)
    for node in range(graph.n_nodes):
        expected = expected_visits(graph, node, length, restart)
        expected[node] = 0
        neighbours, shares = table[node]
        reached = np.flatnonzero(expected > 0.01)  # weights of 1e-60 are never stepped along
        assert set(reached) <= set(neighbours.tolist()) <= set(np.flatnonzero(expected))
        if len(neighbours) == 0:
            continue
        assert shares.sum() == pytest.approx(1, abs=1e-5)
        assert (np.diff(shares) <= 0).all()
        wanted = expected[neighbours] / expected.sum()
        # Visits of a walk are at most its length; five standard deviations of their mean, as shares.
        bound = 5 * length / np.sqrt(walks) * np.sqrt(wanted / 4) / expected.sum() + 1e-3
        assert (np.abs(shares - wanted) <= bound).all()


def test_only_targets_count_and_columns_start_with_them() -> None:
    graph = GRAPHS["bipartite"]
    whole = dense(importance_neighbours(graph, walks=50, length=6, seed=1))
    items = importance_neighbours(graph, [3, 4], walks=50, length=6, seed=1, targets=(3, 7))
    assert (len(items), items.n_columns) == (2, 4)
    wanted = whole[3:5, 3:7] / whole[3:5, 3:7].sum(axis=1, keepdims=True)
    assert np.allclose(dense(items), wanted, atol=1e-6)
    every = importance_neighbours(graph, walks=50, length=6, seed=1, targets=(3, 7))
    assert len(every) == 4
    assert np.allclose(dense(every)[:2], wanted, atol=1e-6)


def test_the_most_visited_are_kept_and_share_the_whole() -> None:
    graph = GRAPHS["weighted house"]
    whole, kept = (importance_neighbours(graph, top=top, seed=7) for top in (50, 2))
    for node in range(5):
        assert kept[node][0].tolist() == whole[node][0][:2].tolist()
        assert np.allclose(kept[node][1], whole[node][1][:2] / whole[node][1][:2].sum())


@pytest.mark.parametrize("name", ["house", "weighted house", "bipartite", "odd"])
def test_a_neighbourhood_depends_on_neither_threads_nor_other_nodes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ALL[name]
    single = importance_neighbours(graph, seed=3, threads=1)
    monkeypatch.setattr("graphrec.graph.importance._CHUNK", 2)
    several = importance_neighbours(graph, seed=3, threads=3)
    assert single.neighbours.tobytes() == several.neighbours.tobytes()
    assert single.scores.tobytes() == several.scores.tobytes()
    alone = importance_neighbours(graph, [2], seed=3)
    assert alone[0][0].tolist() == single[2][0].tolist()
    assert importance_neighbours(graph, seed=4).scores.tobytes() != single.scores.tobytes()


def test_relation_weights_share_the_steps_out() -> None:
    graph = graph_of([(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)], 4, relations=[0, 0, 1])
    table = importance_neighbours(
        graph, [0], walks=20_000, length=1, seed=1, relation_weights={"knows": 1.0, "likes": 3.0}
    )
    assert table[0][0][0] == 3
    assert table[0][1][0] == pytest.approx(0.75, abs=0.02)


def test_a_graph_without_nodes_or_edges_has_no_neighbourhoods() -> None:
    def bare(n: int) -> Adjacency:
        return adjacency_from_edges([], [], [], type_offsets=[0, n], node_types=["n"], relation_names=[])

    assert len(importance_neighbours(bare(0), seed=0)) == 0
    assert importance_neighbours(bare(3), seed=0).indptr.tolist() == [0, 0, 0, 0]
    assert importance_neighbours(GRAPHS["K5"], [0, 1], seed=0, targets=(2, 2)).indptr.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"top": 0}, "top is 0"),
        ({"walks": -1}, "walks is -1"),
        ({"length": 2.5}, "length is 2.5"),
        ({"restart": 1.0}, r"restart is 1.0; it must be 0 or more and below 1"),
        ({"restart": -0.1}, "restart is -0.1"),
        ({"restart": float("nan")}, "restart is nan"),
        ({"targets": (3, 2)}, r"targets is \(3, 2\); it must be \(start, stop\) with 0 <= start <= stop <= 5"),
        ({"targets": (0, 6)}, r"targets is \(0, 6\)"),
        ({"targets": (0.0, 2.0)}, r"targets is \(0.0, 2.0\)"),
        ({"targets": (1,)}, r"targets is \(1,\)"),
        ({"relation_weights": {"knows": -1.0}}, "'knows' is -1"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        importance_neighbours(GRAPHS["K5"], seed=0, **settings)


def test_nodes_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match=r"nodes\[1\] is 5; legal rows are 0 to 4"):
        importance_neighbours(GRAPHS["K5"], [0, 5], seed=0)


def test_a_result_that_memory_may_not_hold_is_refused_before_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.memory.available_bytes", lambda: 1000)
    nodes = np.zeros(200, np.int32)
    lists = item_lists([[0]] * 200)
    for rank in (
        lambda: importance_neighbours(GRAPHS["K5"], nodes, seed=0),
        lambda: personalised_pagerank(GRAPHS["K5"], nodes),
        lambda: push_pagerank(GRAPHS["K5"], nodes),
        lambda: pixie(GRAPHS["K5"], lists, seed=0),
    ):
        with pytest.raises(
            ConfigError, match=r"up to 5 \w+ of 200 \w+ take 0.0 GB of memory.*; lower top, or pass fewer"
        ):
            rank()
    assert len(importance_neighbours(GRAPHS["K5"], nodes, top=1, walks=1, length=1, seed=0, targets=(0, 0))) == 200
