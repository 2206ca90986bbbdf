from __future__ import annotations

from collections import Counter

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.lists import indptr_of
from graphrec.kg.triple_kernels import leading_relations, mark_ends, placed_edges, reachable, triples_of

N, R = 9, 4
Triples = list[tuple[int, int, int]]
triples = st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, R - 1), st.integers(0, N - 1)), max_size=40)
relations = st.sets(st.integers(0, R - 1))


def as_rows(statements: Triples) -> npt.NDArray[np.int32]:
    return np.asarray(sorted(set(statements)), dtype=np.int32).reshape(-1, 3)


def as_mask(chosen: set[int], n: int) -> npt.NDArray[np.bool_]:
    return np.isin(np.arange(n), list(chosen))


@given(triples, relations)
def test_chosen_triples_keep_their_order(statements: Triples, chosen: set[int]) -> None:
    columns = triples_of(as_rows(statements), as_mask(chosen, R))
    assert [*zip(*(c.tolist() for c in columns), strict=True)] == sorted(t for t in {*statements} if t[1] in chosen)


@given(triples, relations)
def test_both_ends_are_marked(statements: Triples, chosen: set[int]) -> None:
    ends = np.zeros(N + 1, dtype=np.bool_)
    mark_ends(as_rows(statements), as_mask(chosen, R), ends)
    assert set(np.flatnonzero(ends).tolist()) == {end for h, r, t in statements if r in chosen for end in (h, t)}


@given(triples, relations)
def test_the_leading_relation_is_the_most_frequent_then_the_lowest(statements: Triples, chosen: set[int]) -> None:
    counts = [Counter(r for _, r, t in {*statements} if t == node and r in chosen) for node in range(N)]
    expected = [min(c, key=lambda r: (-c[r], r)) if c else -1 for c in counts]
    assert leading_relations(as_rows(statements), as_mask(chosen, R), N).tolist() == expected


@given(triples, st.lists(st.integers(-1, N - 1)))
def test_reachable_nodes_are_in_a_component_with_a_start(statements: Triples, starts: list[int]) -> None:
    graph = nx.empty_graph(N)
    graph.add_edges_from((h, t) for h, _, t in statements)
    expected = {node for start in starts if start >= 0 for node in nx.node_connected_component(graph, start)}
    rows = as_rows(statements)
    heads, tails = rows[:, 0].copy(), rows[:, 2].copy()
    assert set(np.flatnonzero(reachable(N, heads, tails, np.asarray(starts, np.int32))).tolist()) == expected


@given(triples, st.lists(st.lists(st.integers(0, 99), max_size=3), min_size=N, max_size=N))
def test_an_edge_stands_once_for_each_pair_of_places(statements: Triples, places: list[list[int]]) -> None:
    rows = np.asarray([row for own in places for row in own], dtype=np.int32)
    edges = as_rows(statements)
    placed = placed_edges(indptr_of(np.asarray([len(own) for own in places])), rows, *edges.T.copy())
    expected = [(p, r, q) for h, r, t in edges.tolist() for p in places[h] for q in places[t]]
    assert [*zip(*(c.tolist() for c in placed), strict=True)] == expected
