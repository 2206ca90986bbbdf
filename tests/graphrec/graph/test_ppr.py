from __future__ import annotations

from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import pytest

from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.ppr import Pagerank, personalised_pagerank, push_pagerank, ranks_between
from tests.graphrec.graph.graphs import GRAPHS, ODD, graph_of, unit
from tests.graphrec.graph.test_importance import dense
from tests.oracles.graph import exact_pagerank

LARGER = graph_of(unit(nx.barabasi_albert_graph(60, 2, seed=5)), 60)
ALL = GRAPHS | {"odd": ODD, "larger": LARGER}


def exact(graph: Adjacency, restart: float) -> np.ndarray[Any, Any]:
    return np.array([exact_pagerank(graph, seed, restart) for seed in range(graph.n_nodes)])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("restart", [0.15, 0.6])
def test_power_iteration_lacks_what_it_says(name: str, restart: float) -> None:
    graph, wanted = ALL[name], exact(ALL[name], restart)
    for tolerance in (1e-8, 0.05):
        result = personalised_pagerank(
            graph, range(graph.n_nodes), top=graph.n_nodes, restart=restart, tolerance=tolerance
        )
        lacking = wanted - dense(result.table)
        assert lacking.min() > -1e-6
        assert np.allclose(lacking.sum(axis=1), result.missing, atol=1e-6)
        assert 0 < result.missing.max() <= tolerance * (1 + 1e-6)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("restart", [0.15, 0.6])
def test_forward_push_lacks_no_more_than_its_bound(name: str, restart: float) -> None:
    graph, wanted = ALL[name], exact(ALL[name], restart)
    for epsilon in (1e-7, 1e-2):
        result = push_pagerank(graph, range(graph.n_nodes), top=graph.n_nodes, restart=restart, epsilon=epsilon)
        lacking = wanted - dense(result.table)
        assert lacking.min() > -1e-6
        assert np.allclose(lacking.sum(axis=1), result.missing, atol=1e-6)
        if graph.weights is None and name != "directed":
            assert (lacking <= epsilon * graph.degrees + 1e-6).all()
        # What is left lies below the bound of each node.
        assert (result.missing <= epsilon * np.maximum(graph.degrees, 1).sum()).all()


def test_a_coarse_push_stays_near_its_seed() -> None:
    line = graph_of(unit(nx.path_graph(400)), 400)
    table, missing = push_pagerank(line, [200], top=400, epsilon=1e-3)
    assert 5 < len(table[0][0]) < 100
    assert 0 < missing[0] < 1


def test_what_a_push_hands_over_counts_for_the_neighbours_that_do_not_push() -> None:
    table, missing = push_pagerank(GRAPHS["K5"], [0], top=5, restart=0.2, epsilon=0.3)
    assert table[0][0].tolist() == [0, 1, 2, 3, 4]
    assert table[0][1] == pytest.approx([0.2, *[0.2 * 0.8 / 4] * 4])
    assert missing[0] == pytest.approx(0.8 * 0.8)


@pytest.mark.parametrize("rank", [personalised_pagerank, push_pagerank])
def test_lists_hold_the_best_targets_but_not_the_seed(rank: Any) -> None:
    whole: Pagerank = rank(LARGER, [3, 7], top=60)
    cut: Pagerank = rank(LARGER, [3, 7], top=4, targets=(2, 50), drop_self=True)
    assert (len(cut.table), cut.table.n_columns) == (2, 48)
    for row, seed in enumerate((3, 7)):
        nodes, scores = whole.table[row]
        counted = (nodes >= 2) & (nodes < 50) & (nodes != seed)
        assert cut.table[row][0].tolist() == (nodes[counted][:4] - 2).tolist()
        assert cut.table[row][1].tolist() == scores[counted][:4].tolist()
    assert whole.missing.tolist() == cut.missing.tolist()


@pytest.mark.parametrize("rank", [personalised_pagerank, push_pagerank])
def test_neither_threads_nor_other_seeds_play_a_part(rank: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    single: Pagerank = rank(LARGER, range(60), threads=1)
    monkeypatch.setattr("graphrec.graph.ppr._CHUNK", 7)
    monkeypatch.setattr("graphrec.graph.ppr._BLOCK_BYTES", 1 << 14)
    several: Pagerank = rank(LARGER, range(60), threads=3)
    assert several.table.neighbours.tobytes() == single.table.neighbours.tobytes()
    assert several.table.scores.tobytes() == single.table.scores.tobytes()
    assert rank(LARGER, [9]).table[0][0].tolist() == single.table[9][0].tolist()


@pytest.mark.parametrize("rank", [personalised_pagerank, push_pagerank])
def test_a_seed_alone_keeps_everything(rank: Any) -> None:
    none = np.empty(0, np.int32)
    bare = adjacency_from_edges(none, none, none, type_offsets=[0, 3], node_types=["n"], relation_names=[])
    result: Pagerank = rank(bare, [1], restart=0.5)
    assert result.table[0][0].tolist() == [1]
    assert result.table[0][1][0] == pytest.approx(1 - result.missing[0])
    assert len(rank(bare, none).table) == 0
    assert len(rank(bare, [1], targets=(1, 1)).table[0][0]) == 0


def test_a_band_of_ranks_is_cut_out_of_each_row() -> None:
    table = NeighbourTable([0, 5, 5, 7], [4, 2, 0, 1, 3, 0, 2], [5, 4, 3, 2, 1, 9, 8], n_columns=5)
    band = ranks_between(table, 1, 4)
    assert band.indptr.tolist() == [0, 3, 3, 4]
    assert band.neighbours.tolist() == [2, 0, 1, 2]
    assert band.scores.tolist() == [4, 3, 2, 8]
    for first, last in ((-1, 2), (2, 2), (3, 1)):
        with pytest.raises(ConfigError, match="it must be a whole number of"):
            ranks_between(table, first, last)


@pytest.mark.parametrize(
    ("rank", "settings", "problem"),
    [
        (rank, settings, problem)
        for rank, own in (
            (personalised_pagerank, [({"tolerance": v}, f"tolerance is {v}") for v in (0.0, 1.0, -1.0, float("nan"))]),
            (push_pagerank, [({"epsilon": v}, f"epsilon is {v}") for v in (0.0, 1.0, 1e-13, float("nan"))]),
        )
        for settings, problem in [
            *own,
            *(({"restart": v}, f"restart is {v}; it must be at least 0.001") for v in (0.0, 1.0, float("inf"))),
            ({"top": 0}, "top is 0"),
            ({"targets": (0, 99)}, "targets is"),
        ]
    ],
)
def test_illegal_settings_are_refused(rank: Any, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        rank(GRAPHS["K5"], [0], **settings)


def test_seeds_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match=r"seeds\[0\] is -1"):
        push_pagerank(GRAPHS["K5"], [-1])
