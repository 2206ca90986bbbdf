from __future__ import annotations

import math
from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import pytest

from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.graph.pixie import pixie
from tests.graphrec.graph.graphs import GRAPHS, ODD, graph_of, unit
from tests.graphrec.graph.test_importance import dense
from tests.oracles.graph import expected_visits

ALL = GRAPHS | {"odd": ODD}
# 3 is the hub of degree 5; 0, 1 and 2 have degrees 1, 2 and 3.
LEAN = graph_of(unit(nx.Graph([(0, 3), (1, 3), (1, 4), (2, 3), (2, 4), (2, 5), (3, 5), (3, 6)])), 8)
PLAIN: dict[str, Any] = {"booster": False, "enough_targets": 0, "seed": 5}


def scores(graph: Any, nodes: list[int], weights: list[float] | None = None, **settings: Any) -> np.ndarray[Any, Any]:
    lists = item_lists([nodes], None if weights is None else [weights])
    result: np.ndarray[Any, Any] = dense(pixie(graph, lists, **{**PLAIN, **settings}).table)[0]
    return result


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("restart", [0.0, 0.3, 0.8])
def test_visits_are_those_of_walks_with_restart(name: str, restart: float) -> None:
    graph, rounds = ALL[name], 400
    for node in range(graph.n_nodes):
        expected = expected_visits(graph, node, rounds, restart) * 64
        expected[node] = 0
        visits = scores(graph, [node], steps=64 * rounds, restart=restart)
        # A long walk mixes fast on so small a graph: the variance is a few times that of independent visits.
        assert (np.abs(visits - expected) <= 8 * np.sqrt(expected) + 64 * 4).all()
        assert visits.sum() <= 64 * rounds


def test_steps_are_allotted_by_degree_and_weight() -> None:
    def wanted(node: int, weight: float) -> float:
        degree = int(LEAN.degrees[node])
        return weight * degree * (math.log(5) - math.log(degree))

    nodes, weights = [0, 1, 2], [1.0, 2.0, 0.5]
    parts = np.array([wanted(node, weight) for node, weight in zip(nodes, weights, strict=True)])
    allotted = np.rint(10_000 * parts / parts.sum()).astype(int)
    alone = [scores(LEAN, [node], steps=int(n)) for node, n in zip(nodes, allotted, strict=True)]
    both = np.sum(alone, axis=0)
    both[nodes] = 0
    assert scores(LEAN, nodes, weights, steps=10_000).tolist() == both.tolist()
    boosted = np.sqrt(alone).sum(axis=0) ** 2
    boosted[nodes] = 0
    assert np.allclose(scores(LEAN, nodes, weights, steps=10_000, booster=True), boosted, rtol=1e-6)


def test_the_largest_hub_gets_a_step_and_equal_hubs_share_by_weight() -> None:
    lists = item_lists([[3, 0], [3], [7], [3, 7]], [[1.0, 1.0], [2.0], [1.0], [1.0, 0.0]])
    assert pixie(LEAN, lists, steps=1000, **PLAIN).steps.tolist() == [1001, 1000, 0, 1000]
    ring = graph_of(unit(nx.cycle_graph(6)), 6)
    visits = pixie(ring, item_lists([[0, 1], [0], [1]], [[3.0, 1.0], [1.0], [1.0]]), steps=1000, **PLAIN)
    assert visits.steps.tolist() == [1000, 1000, 1000]
    left, right = scores(ring, [0], steps=750), scores(ring, [1], steps=250)
    left[1] = right[0] = 0
    assert scores(ring, [0, 1], [3.0, 1.0], steps=1000).tolist() == (left + right).tolist()


def test_weights_of_zero_and_below_take_no_part() -> None:
    assert scores(LEAN, [0, 1], [1.0, -1.0])[2:].tolist() == scores(LEAN, [0])[2:].tolist()


def test_walking_stops_when_enough_targets_have_enough_visits() -> None:
    graph = GRAPHS["K5"]
    settings = {**PLAIN, "enough_targets": 4, "enough_visits": 100}
    result = pixie(graph, item_lists([[0]]), steps=1_000_000, **settings)
    assert 400 <= result.steps[0] < 2000
    counts = np.sort(result.table[0][1])
    assert counts[0] >= 100
    # One round of 64 walks before, the least visited had fewer.
    assert counts[0] < 100 + 64
    never = pixie(graph, item_lists([[0]]), steps=50_000, **{**settings, "enough_targets": 5})
    assert never.steps[0] == 50_000


def test_scores_are_discounted_by_degree() -> None:
    plain, fair = scores(LEAN, [0]), scores(LEAN, [0], degree_exponent=0.5)
    assert np.allclose(fair, plain / np.sqrt(np.maximum(LEAN.degrees, 1)), rtol=1e-6)


def test_only_targets_come_back_the_best_of_them() -> None:
    whole = scores(LEAN, [0])
    part = pixie(LEAN, item_lists([[0]]), top=2, targets=(3, 7), **PLAIN)
    assert part.table.n_columns == 4
    best = np.lexsort((np.arange(4), -whole[3:7]))[:2]
    assert part.table[0][0].tolist() == best.tolist()
    assert part.table[0][1].tolist() == whole[3:7][best].tolist()


@pytest.mark.parametrize("name", ["house", "weighted house", "odd"])
def test_neither_threads_nor_other_lists_play_a_part(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lists = item_lists([[0, 1], [2], [], [3, 1, 2]])
    single = pixie(ALL[name], lists, steps=999, seed=3, threads=1).table
    monkeypatch.setattr("graphrec.graph.pixie._CHUNK", 1)
    several = pixie(ALL[name], lists, steps=999, seed=3, threads=3).table
    assert single.neighbours.tobytes() == several.neighbours.tobytes()
    assert single.scores.tobytes() == several.scores.tobytes()
    assert len(single[2][0]) == 0
    assert pixie(ALL[name], ItemLists([0], []), seed=0).table.indptr.tolist() == [0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"top": 0}, "top is 0"),
        ({"restart": 1.0}, "restart is 1.0"),
        ({"booster": 1}, "booster is 1"),
        ({"enough_targets": -1}, "enough_targets is -1"),
        ({"enough_visits": 0}, "enough_visits is 0"),
        ({"degree_exponent": -1.0}, "degree_exponent is -1.0"),
        ({"degree_exponent": math.nan}, "degree_exponent is nan"),
        ({"queries": [[0]]}, "queries is of type list"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        pixie(LEAN, **{"queries": item_lists([[0]]), "seed": 0, **settings})


def test_nodes_out_of_range_are_refused() -> None:
    with pytest.raises(DataError, match=r"queries\[1\] is 8"):
        pixie(LEAN, item_lists([[0, 8]]), seed=0)
