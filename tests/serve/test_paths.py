"""What items share, against the slow obvious versions."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.graph.catalogue import CatalogueGraph
from graphrec.serve.paths import edges_of, links, near
from tests.worlds import Relation, catalogue, vocabulary


def random_graph(seed: int, *, n_items: int = 40, n_entities: int = 9) -> CatalogueGraph:
    """Two relations to the same entities, one to others, one between items; parallel edges happen."""
    rng = np.random.default_rng(seed)

    def pairs(n: int, m: int) -> list[tuple[int, int]]:
        drawn = zip(rng.integers(0, n_items, m).tolist(), rng.integers(0, n, m).tolist(), strict=True)
        return sorted({(item, other) for item, other in drawn})

    between = [(a, b) for a, b in pairs(n_items, 15) if a != b]
    relations = [
        Relation("author", "person", pairs(n_entities, 50)),
        Relation("editor", "person", pairs(n_entities, 20)),
        Relation("place", "place", pairs(3, 30)),
        Relation("followed_by", "item", between),
    ]
    return catalogue(vocabulary("i", n_items), {"person": n_entities, "place": 3}, relations)


def slow_near(graph: CatalogueGraph, item: int, relation: int | None) -> dict[int, float]:
    """Count over all edges of all items, one by one."""
    edges = {
        node: [(other, number) for other, numbers in edges_of(graph.adjacency, node).items() for number in numbers]
        for node in range(graph.n_items)
    }
    scores: dict[int, float] = {}
    for node, number in edges[item]:
        if relation not in (None, number):
            continue
        if node < graph.n_items:
            scores[node] = scores.get(node, 0.0) + 1.0
            continue
        joined = [other for other in edges if (node, number) in edges[other]]
        for other in joined:
            scores[other] = scores.get(other, 0.0) + 1.0 / len(joined)
    scores.pop(item, None)
    return scores


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("relation", [None, 0, 2, 4, 6, 7])
def test_near_is_the_sum_over_shared_entities(seed: int, relation: int | None) -> None:
    graph = random_graph(seed)
    pool = np.ones(graph.n_items, dtype=np.bool_)
    pool[seed] = False
    for item in range(0, 40, 7):
        expected = {row: score for row, score in slow_near(graph, item, relation).items() if pool[row]}
        rows, scores = near(graph, item, pool, 1000, relation=relation)
        assert dict(zip(rows.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected)
        ranked = sorted(zip((-scores).tolist(), rows.tolist(), strict=True))
        assert [row for _, row in ranked] == rows.tolist()
        assert near(graph, item, pool, 3, relation=relation)[0].tolist() == rows[:3].tolist()


def test_few_rows_and_many_rows_are_summed_alike() -> None:
    sparse = catalogue(vocabulary("i", 400), {"person": 1}, [Relation("author", "person", [(3, 0), (9, 0), (350, 0)])])
    rows, scores = near(sparse, 9, np.ones(400, dtype=np.bool_), 5)
    assert rows.tolist() == [3, 350]
    assert scores.tolist() == pytest.approx([1 / 3, 1 / 3])


def test_links_along_one_relation() -> None:
    graph = random_graph(2)
    for source in range(10):
        here = edges_of(graph.adjacency, source)
        for item in range(10, 40):
            along = {link.node for link in links(graph, here, item, relation=0)}
            there = edges_of(graph.adjacency, item)
            assert along == {node for node in here if 0 in here[node] and 0 in there.get(node, [])}
