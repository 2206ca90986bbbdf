"""Nodes near a node, against walking every edge in Python."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.reach import ANY, best_of, best_sources, reach, sharers


def graph_of(seed: int, n: int = 40, m: int = 200) -> Adjacency:
    """Nodes of two types and three relations; parallel edges happen."""
    rng = np.random.default_rng(seed)
    return adjacency_from_edges(
        rng.integers(0, n, m), rng.integers(0, n, m), rng.integers(0, 3, m),
        type_offsets=[0, 25, n], node_types=["item", "entity"], relation_names=["a", "b", "c"],
    )  # fmt: skip


def walked(graph: Adjacency, starts: list[int], steps: tuple[int, ...]) -> dict[int, float]:
    """The probability of each end, a walk after the other."""
    chances = dict.fromkeys(starts, 1 / len(starts))
    for step in steps:
        after: dict[int, float] = defaultdict(float)
        for node, chance in chances.items():
            edges = range(graph.indptr[node], graph.indptr[node + 1])
            fitting = [edge for edge in edges if step in (ANY, graph.relations[edge])]
            for edge in fitting:
                after[int(graph.indices[edge])] += chance / len(fitting)
        chances = after
    return chances


@pytest.mark.parametrize("steps", [(0,), (1, 2), (ANY, 0), (2, 2, ANY)], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_the_chances_of_walks(seed: int, steps: tuple[int, ...]) -> None:
    graph = graph_of(seed)
    for starts in ([3], [0, 9, 31]):
        reached = reach(graph, np.array(starts, dtype=np.int32), steps, 1000)
        assert dict(zip(reached.nodes.tolist(), reached.scores.tolist(), strict=True)) == pytest.approx(
            walked(graph, starts, steps)
        )
        for way, relations in zip(reached.ways.tolist(), reached.relations.tolist(), strict=True):
            assert way[0] in starts
            for here, there, relation in zip(way, way[1:], relations, strict=False):
                edges = slice(*graph.indptr[here : here + 2])
                assert (there, relation) in zip(
                    graph.indices[edges].tolist(), graph.relations[edges].tolist(), strict=True
                )


def test_the_way_is_that_which_gave_most() -> None:
    # 0 leads to 1 and 2; 1 leads to 3 alone, 2 to 3 and 4.
    graph = adjacency_from_edges(
        [0, 0, 1, 2, 2], [1, 2, 3, 3, 4], [0] * 5, type_offsets=[0, 5], node_types=["item"], relation_names=["r"]
    )
    reached = reach(graph, np.array([0], dtype=np.int32), (0, 0), 5)
    assert reached.nodes.tolist() == [3, 4]
    assert reached.scores.tolist() == [0.75, 0.25]
    assert reached.ways.tolist() == [[0, 1, 3], [0, 2, 4]]


def test_some_nodes_are_left_out() -> None:
    graph, start = graph_of(1), np.array([3], dtype=np.int32)
    whole = reach(graph, start, (ANY, ANY), 1000)
    allowed = np.arange(25) % 2 == 0
    part = reach(graph, start, (ANY, ANY), 1000, allowed=allowed, drop=np.array([4]))
    kept = [node for node in whole.nodes.tolist() if node != 4 and (node >= 25 or node % 2 == 0)]
    assert part.nodes.tolist() == kept
    assert reach(graph, start, (ANY, ANY), 2, allowed=allowed, drop=np.array([4])).nodes.tolist() == kept[:2]
    assert not len(reach(graph, np.empty(0, dtype=np.int32), (ANY,), 5).nodes)


def test_the_best_come_first_and_ties_by_row() -> None:
    rng = np.random.default_rng(0)
    rows, scores = rng.permutation(300).astype(np.int32), rng.integers(0, 6, 300).astype(np.float64)
    legal = rng.random(300) < 0.8
    positions = np.flatnonzero(legal)
    order = positions[np.lexsort((rows[positions], -scores[positions]))]
    allowed = np.ones(200, dtype=np.bool_)
    out = rows[~legal]
    allowed[out[out < 200]] = False
    for k in (1, 7, 299, 1000):
        assert best_of(rows, scores, k, allowed=allowed, drop=out[out >= 200]).tolist() == order[:k].tolist()
    assert best_of(rows, scores, 5, allowed=np.zeros(300, dtype=np.bool_)).tolist() == []


def hub(n: int) -> Adjacency:
    """n items of one entity, and of an entity of their own each."""
    items = np.arange(n)
    heads, tails = np.concatenate([items, items]), np.concatenate([np.full(n, n), n + 1 + items])
    relations = np.zeros(2 * n, dtype=np.int64)
    return adjacency_from_edges(
        np.concatenate([heads, tails]), np.concatenate([tails, heads]), np.concatenate([relations, relations + 1]),
        type_offsets=[0, n, 2 * n + 1], node_types=["item", "entity"], relation_names=["by", "rev_by"],
    )  # fmt: skip


def test_threads_do_not_add_to_each_other() -> None:
    graph, starts = hub(3000), [np.array([row], dtype=np.int32) for row in range(60)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda start: sharers(graph, start, 3000), starts))
    for start, (rows, scores) in zip(starts, answers, strict=True):
        assert sorted(rows.tolist()) == [row for row in range(3000) if row != start[0]]
        np.testing.assert_allclose(scores, 1 / 3000)
    small = sharers(hub(4), np.array([1, 2], dtype=np.int32), 4)
    assert sorted(zip(*(part.tolist() for part in small), strict=True)) == [(0, 0.5), (3, 0.5)]


@pytest.mark.parametrize("relation", [ANY, 0, 2])
@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "rev_a", "c")], ids=str)
def test_sharers_and_their_sources_are_those_of_walks_edge_by_edge(relation: int, names: tuple[str, ...]) -> None:
    graph = replace(graph_of(4, m=400), relation_names=names)
    starts, n_items = np.array([3, 0, 9, 17], dtype=np.int32), 25
    rows, scores = sharers(graph, starts, n_items, relation=relation)
    sources = best_sources(graph, starts, rows, n_items, relation=relation)
    given = np.array([shared_by_hand(graph, start, n_items, relation) for start in starts.tolist()])
    totals = given.sum(axis=0)
    totals[starts] = 0
    assert sorted(rows.tolist()) == np.flatnonzero(totals).tolist()
    np.testing.assert_allclose(scores, totals[rows])
    np.testing.assert_allclose(given[sources, rows], given[:, rows].max(axis=0))


def shared_by_hand(graph: Adjacency, start: int, n_items: int, relation: int) -> np.ndarray:
    """Return what an item gives each item, (n_items,), an edge after the other."""
    given, names = np.zeros(n_items), graph.relation_names
    for edge in range(graph.indptr[start], graph.indptr[start + 1]):
        end, number = int(graph.indices[edge]), int(graph.relations[edge])
        if relation not in (ANY, number):
            continue
        if end < n_items:
            given[end] += 1
            continue
        reverses = {"a": "rev_a", "rev_a": "a"} if "rev_a" in names else {}
        back = names.index(reverses[names[number]]) if names[number] in reverses else None
        edges = range(graph.indptr[end], graph.indptr[end + 1])
        others = [int(graph.indices[e]) for e in edges if back in (None, graph.relations[e])]
        others = [other for other in others if other < n_items]
        for other in others:
            given[other] += 1 / len(others)
    return given
