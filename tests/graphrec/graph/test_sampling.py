"""Sampled neighbourhoods beside what the lists of edges say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from graphrec.errors import ConfigError, DataError
from graphrec.graph import sampling
from graphrec.graph.sampling import InEdges, Sample, in_edges, sample_neighbours


class World(NamedTuple):
    """A graph as lists: sizes of node types; ends, edges (source, destination), times and weights of edge types."""

    sizes: list[int]
    ends: list[tuple[int, int]]
    edges: list[npt.NDArray[np.int64]]  # (2, m) each
    times: list[npt.NDArray[np.int64] | None]
    weights: list[npt.NDArray[np.float64] | None]

    def graph(self) -> list[InEdges]:
        return [
            in_edges(
                edges, source=s, destination=d, n_sources=self.sizes[s], n_destinations=self.sizes[d],
                times=times, weights=weights,
            )
            for (s, d), edges, times, weights in zip(self.ends, self.edges, self.times, self.weights, strict=True)
        ]  # fmt: skip

    def legal(self, kind: int, node: int, limit: int | None) -> list[int]:
        """Return the edges of a type that a node may be given."""
        times, weights = self.times[kind], self.weights[kind]
        return [
            edge
            for edge in np.flatnonzero(self.edges[kind][1] == node).tolist()
            if (limit is None or times is None or times[edge] <= limit) and (weights is None or weights[edge] > 0)
        ]


@st.composite
def worlds(draw: st.DrawFn, *, timed: bool = False) -> World:
    seed, n_types = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    sizes = [draw(st.integers(1, 9)) for _ in range(n_types)]
    ends = [tuple(rng.integers(0, n_types, 2).tolist()) for _ in range(draw(st.integers(1, 4)))]
    numbers = [draw(st.integers(0, 40)) for _ in ends]
    edges = [
        np.stack([rng.integers(0, sizes[s], m), rng.integers(0, sizes[d], m)])
        for (s, d), m in zip(ends, numbers, strict=True)
    ]
    times = [rng.integers(0, 8, m) if timed and rng.random() < 0.8 else None for m in numbers]
    weights = [np.round(3 * rng.random(m)) if rng.random() < 0.4 else None for m in numbers]
    return World(sizes, ends, edges, times, weights)


def hop_of(sample: Sample, kind: int) -> npt.NDArray[np.int64]:
    """Return the hop that brought each node of a type."""
    return np.repeat(np.arange(len(sample.nodes_per_hop[kind])), sample.nodes_per_hop[kind])


def by_column(sample: Sample, kind: int) -> Iterator[tuple[int, list[int]]]:
    """Yield the place of each node of the destination type and the edges it was given."""
    given: dict[int, list[int]] = {}
    for column, edge in zip(sample.columns[kind].tolist(), sample.edges[kind].tolist(), strict=True):
        given.setdefault(column, []).append(edge)
    yield from given.items()


def check_nodes(world: World, seeds: dict[int, list[int]], sample: Sample) -> None:
    """Every node but a seed is one that an edge of the hop before leads to the sample from, and stands once."""
    for kind, nodes in enumerate(sample.nodes):
        own = seeds.get(kind, [])
        assert nodes[: len(own)].tolist() == own
        assert sum(sample.nodes_per_hop[kind]) == len(nodes)
        trees = np.zeros(len(nodes), np.int64) if sample.trees is None else sample.trees[kind]
        fresh = list(zip(trees[len(own) :].tolist(), nodes[len(own) :].tolist(), strict=True))
        assert len(set(fresh)) == len(fresh)
        assert set(fresh).isdisjoint(zip(trees[: len(own)].tolist(), own, strict=True))
        reached: dict[int, int] = {}
        for edges, (source, destination) in enumerate(world.ends):
            if source == kind:
                hops = hop_of(sample, destination)[sample.columns[edges]] + 1
                for row, hop in zip(sample.rows[edges].tolist(), hops.tolist(), strict=True):
                    reached[row] = min(hop, reached.get(row, hop))
        hops = hop_of(sample, kind)
        assert all(reached[place] == hops[place] for place in range(len(own), len(nodes)))


def check_edges(
    world: World, sample: Sample, fan_outs: list[list[int]], limits: Any, replace: bool, last: bool
) -> None:
    """Every edge exists and is named; each node has as many as its fan-out and its legal edges say."""
    for kind, (source, destination) in enumerate(world.ends):
        edges = world.edges[kind][:, sample.edges[kind]]
        np.testing.assert_array_equal(edges[0], sample.nodes[source][sample.rows[kind]])
        np.testing.assert_array_equal(edges[1], sample.nodes[destination][sample.columns[kind]])
        assert sum(sample.edges_per_hop[kind]) == len(sample.edges[kind])
        if sample.trees is not None:
            trees = sample.trees[destination][sample.columns[kind]]
            np.testing.assert_array_equal(sample.trees[source][sample.rows[kind]], trees)
        given = dict(by_column(sample, kind))
        for place, (node, hop) in enumerate(zip(sample.nodes[destination], hop_of(sample, destination), strict=True)):
            limit = None if limits is None or sample.trees is None else limits[sample.trees[destination][place]]
            legal = world.legal(kind, node, limit)
            width = fan_outs[kind][hop] if hop < len(fan_outs[kind]) else 0
            drawn = given.get(place, [])
            assert set(drawn) <= set(legal)
            if not replace or width < 0:
                assert len(set(drawn)) == len(drawn) == (len(legal) if width < 0 else min(width, len(legal)))
            else:
                assert len(drawn) == (width if legal else 0)
            times = world.times[kind]
            if last and times is not None and not replace:
                latest = sorted(times[legal].tolist(), reverse=True)[: len(drawn)]
                assert sorted(times[drawn].tolist(), reverse=True) == latest


@settings(max_examples=150, deadline=None)
@given(world=worlds(timed=True), data=st.data())
def test_a_sample_is_what_the_lists_of_edges_allow(world: World, data: st.DataObject) -> None:
    hops = data.draw(st.integers(1, 3))
    fan_outs = [[data.draw(st.integers(-1, 4)) for _ in range(hops)] for _ in world.ends]
    kinds = data.draw(st.lists(st.integers(0, len(world.sizes) - 1), min_size=1, max_size=2, unique=True))
    seeds = {kind: data.draw(st.lists(st.integers(0, world.sizes[kind] - 1), max_size=4)) for kind in kinds}
    timed, replace, disjoint = (data.draw(st.booleans()) for _ in range(3))
    n = sum(map(len, seeds.values()))
    limits = np.array(data.draw(st.lists(st.integers(-1, 8), min_size=n, max_size=n)), np.int64) if timed else None
    last = data.draw(st.booleans())
    sample = sample_neighbours(
        world.graph(), world.sizes, seeds, fan_outs, key=data.draw(st.integers(0, 2**63 - 1)),
        replace=replace, disjoint=disjoint or timed, limits=limits, strategy="last" if last else "uniform",
    )  # fmt: skip
    check_nodes(world, seeds, sample)
    check_edges(world, sample, fan_outs, limits, replace, last and timed)


@settings(max_examples=40, deadline=None)
@given(world=worlds(timed=True), data=st.data())
def test_an_induced_sample_holds_every_edge_among_its_nodes(world: World, data: st.DataObject) -> None:
    seeds = {0: data.draw(st.lists(st.integers(0, world.sizes[0] - 1), max_size=3, unique=True))}
    timed, disjoint = data.draw(st.booleans()), data.draw(st.booleans())
    limits = np.array([data.draw(st.integers(0, 8)) for _ in seeds[0]], np.int64) if timed else None
    arguments: dict[str, Any] = {"key": 5, "disjoint": disjoint or timed, "limits": limits}
    fan_outs = [[2, 2] for _ in world.ends]
    plain = sample_neighbours(world.graph(), world.sizes, seeds, fan_outs, **arguments)
    sample = sample_neighbours(world.graph(), world.sizes, seeds, fan_outs, induced=True, **arguments)
    for kind, nodes in enumerate(plain.nodes):
        np.testing.assert_array_equal(sample.nodes[kind], nodes)
    for kind, (source, destination) in enumerate(world.ends):
        trees = sample.trees or [np.zeros(len(nodes), np.int64) for nodes in sample.nodes]
        present = set(zip(trees[source].tolist(), sample.nodes[source].tolist(), strict=True))
        wanted = Counter(
            (tree, edge)
            for tree, node in zip(trees[destination].tolist(), sample.nodes[destination].tolist(), strict=True)
            for edge in world.legal(kind, node, None if limits is None else int(limits[tree]))
            if (tree, int(world.edges[kind][0, edge])) in present
        )
        found = zip(trees[destination][sample.columns[kind]].tolist(), sample.edges[kind].tolist(), strict=True)
        assert Counter(found) == wanted
        np.testing.assert_array_equal(world.edges[kind][0, sample.edges[kind]], sample.nodes[source][sample.rows[kind]])


def star(n: int, weights: npt.ArrayLike | None = None) -> InEdges:
    """Return a graph in which the nodes 1 to n lead to node 0."""
    return in_edges(
        np.stack([np.arange(1, n + 1), np.zeros(n, np.int64)]), n_sources=n + 1, n_destinations=n + 1, weights=weights
    )


def drawn_sets(graph: InEdges, k: int, rounds: int, *, replace: bool = False) -> Counter[tuple[int, ...]]:
    """Return how often each set (with ``replace`` each row of draws) of edges of node 0 was drawn; one round a seed."""
    n = len(graph.indptr) - 1
    sample = sample_neighbours([graph], [n], {0: [0] * rounds}, [[k]], key=11, replace=replace)
    groups = sample.edges[0].reshape(rounds, k)  # (rounds, k)
    return Counter(map(tuple, (groups if replace else np.sort(groups, axis=1)).tolist()))


@pytest.mark.parametrize(("n", "k"), [(6, 2), (5, 4), (9, 1)])
def test_sets_of_edges_are_drawn_alike(n: int, k: int) -> None:
    counts = drawn_sets(star(n), k, 20_000)
    sets = list(combinations(range(n), k))
    assert chisquare([counts[chosen] for chosen in sets]).pvalue > 1e-3


def set_probability(weights: list[float], chosen: tuple[int, ...]) -> float:
    """Return the probability that edges are drawn in turn by weight among those left, in any order."""
    total = 0.0
    for order in permutations(chosen):
        left, probability = sum(weights), 1.0
        for edge in order:
            probability *= weights[edge] / left
            left -= weights[edge]
        total += probability
    return total


# The second has more than four edges for each drawn, so repeated draws are refused; so has the third, whose heavy edge
# exhausts the patience with that.
@pytest.mark.parametrize(
    ("weights", "k"),
    [([1, 2, 3, 4, 5, 6], 2), ([1, 1, 2, 2, 3, 3, 4, 4, 5, 5], 2), ([1e4, 1, 1, 1, 2, 2, 2, 3, 3, 3], 2)],
)
def test_sets_of_edges_are_drawn_by_weight(weights: list[float], k: int) -> None:
    rounds = 20_000
    counts = drawn_sets(star(len(weights), weights), k, rounds)
    sets = list(combinations(range(len(weights)), k))
    expected = np.array([set_probability(weights, chosen) for chosen in sets]) * rounds
    likely = expected > 5
    observed = np.array([counts[chosen] for chosen in sets])
    both = [np.append(values[likely], values[~likely].sum()) for values in (observed, expected)]
    kept = both[1] > 1
    assert chisquare(both[0][kept], both[1][kept] * both[0][kept].sum() / both[1][kept].sum()).pvalue > 1e-3


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0, 0.0]])
def test_draws_with_replacement_are_independent(weights: list[float] | None) -> None:
    counts = drawn_sets(star(4, weights), 2, 20_000, replace=True)
    share = np.array(weights or [1.0] * 4) / sum(weights or [1.0] * 4)
    expected = np.outer(share, share) * 20_000
    observed = np.array([[counts[a, b] for b in range(4)] for a in range(4)])
    assert chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-3
    assert observed[expected == 0].sum() == 0


def test_weights_that_vanish_beside_others_come_last_and_once() -> None:
    for n in range(6, 60):
        heavy = np.random.default_rng(n).choice(n, 2, replace=False).tolist()
        weights = np.full(n, 1e-9)
        weights[heavy] = 1e15
        counts = drawn_sets(star(n, weights), 5, 20)
        assert all({*heavy} < {*chosen} and len({*chosen}) == 5 for chosen in counts)


@pytest.mark.parametrize(("strategy", "legal"), [("last", {(4, 6)}), ("uniform", set(combinations([0, 2, 4, 6], 2)))])
def test_no_edge_is_later_than_the_limit(strategy: Any, legal: set[tuple[int, ...]]) -> None:
    times = np.array([0, 9, 1, 8, 2, 7, 2, 6])
    edges = np.stack([np.arange(1, 9), np.zeros(8, np.int64)])
    graph = in_edges(edges, n_sources=9, n_destinations=9, times=times)
    limits = np.tile([2, 5], 100)
    sample = sample_neighbours(
        [graph], [9], {0: [0] * 200}, [[2]], key=3, disjoint=True, limits=limits, strategy=strategy
    )
    assert {tuple(sorted(chosen)) for chosen in sample.edges[0].reshape(-1, 2).tolist()} == legal


@pytest.fixture(scope="module")
def large() -> InEdges:
    rng = np.random.default_rng(3)
    edges = np.stack([rng.integers(0, 90_000, 400_000), (90_000 * rng.random(400_000) ** 2).astype(np.int64)])
    return in_edges(edges, n_sources=90_000, n_destinations=90_000, weights=rng.random(400_000))


@pytest.mark.parametrize("arguments", [{}, {"replace": True}, {"disjoint": True}, {"induced": True}])
def test_the_number_of_threads_plays_no_part(large: InEdges, arguments: dict[str, Any]) -> None:
    seeds = np.arange(0, 90_000, 4)
    assert len(seeds) > 2 * sampling._CHUNK
    first, second = (
        sample_neighbours([large], [90_000], {0: seeds}, [[3, 2]], key=4, threads=threads, **arguments)
        for threads in (1, 2)
    )
    for one, two in zip(first[:5], second[:5], strict=True):
        for left, right in zip(one or [], two or [], strict=True):
            np.testing.assert_array_equal(left, right)


def test_another_key_gives_another_sample(large: InEdges) -> None:
    edges = [sample_neighbours([large], [90_000], {0: range(500)}, [[2]], key=key).edges[0] for key in (1, 2, 1)]
    assert edges[0].tolist() == edges[2].tolist() != edges[1].tolist()


def test_nodes_of_a_large_type_are_numbered_as_those_of_a_small(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 300, (2, 3000))
    graph = in_edges(edges, n_sources=300, n_destinations=300)

    def nodes() -> list[int]:
        sample = sample_neighbours([graph], [300], {0: [5, 5, 7]}, [[4, 4, 4]], key=1)
        return [int(node) for node in sample.nodes[0]]

    small = nodes()
    monkeypatch.setattr(sampling, "_DIRECT", 0)
    assert nodes() == small


def test_sorted_edges_are_taken_as_they_stand() -> None:
    edges, times = np.array([[1, 2, 0], [0, 0, 2]]), np.array([3, 4, 1])
    graph = in_edges(edges, n_sources=3, n_destinations=3, times=times, is_sorted=True)
    assert graph.edges.tolist() == [0, 1, 2]
    assert graph.indptr.tolist() == [0, 2, 2, 3]


EDGES = np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("edges", "arguments", "sentence"),
    [
        (np.zeros((3, 2), int), {}, r"edge_index has the shape \(3, 2\); it must be \(2, number of edges\)"),
        (np.array([[0], [5]]), {}, r"destinations of edge_index\[0\] is 5; legal rows are 0 to 1"),
        (np.array([[-1], [0]]), {}, r"sources of edge_index\[0\] is -1"),
        (np.array([[0.5], [0]]), {}, "sources of edge_index holds float64; it must hold integers"),
        (EDGES, {"times": np.zeros(3, np.int64)}, "times of edge_index has 3 entries; it must have 2"),
        (EDGES, {"weights": [1.0, -1.0]}, "weights of edge_index go down to -1; a weight must be 0 or more"),
        (EDGES, {"weights": [1.0, np.nan]}, r"weights of edge_index\[1\] is nan"),
        (EDGES, {"weights": [1.0, 1e300]}, r"weights of edge_index\[1\] is 1e\+300"),
        (EDGES, {"weights": [1.0]}, "weights of edge_index has 1 entries; it must have 2"),
        (EDGES, {"is_sorted": True}, "destinations of edge_index fall at edge 1; leave is_sorted out"),
        (
            np.array([[0, 1], [1, 1]]),
            {"is_sorted": True, "times": np.array([2, 1])},
            "times of edge_index fall at edge 1 of one destination",
        ),
    ],
)
def test_illegal_edges_get_one_sentence(edges: npt.NDArray[Any], arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        in_edges(edges, n_sources=2, n_destinations=2, **arguments)


@pytest.mark.parametrize(
    ("seeds", "fan_outs", "arguments", "error", "sentence"),
    [
        ([9], [[1]], {}, DataError, r"seeds\[0\] is 9; legal rows are 0 to 4"),
        ([0], [[-2]], {}, ConfigError, "a fan-out is -2; it must be 0 or more, or -1 for all edges"),
        ([0], [[1], [1]], {}, DataError, "fan_outs has 2 entries; it must have 1"),
        ([0], [[1]], {"strategy": "first"}, ConfigError, "strategy is 'first'"),
        ([0], [[1]], {"limits": np.array([1])}, ConfigError, "limits are given without disjoint subgraphs"),
        ([0], [[1]], {"limits": np.array([1, 2]), "disjoint": True}, DataError, "limits has 2 entries"),
    ],
)
def test_illegal_settings_get_one_sentence(
    seeds: list[int], fan_outs: list[list[int]], arguments: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        sample_neighbours([star(4)], [5], {0: seeds}, fan_outs, key=0, **arguments)


def test_no_seeds_no_edges_and_no_hops_are_legal() -> None:
    empty = in_edges(np.empty((2, 0), np.int64), n_sources=3, n_destinations=3)
    assert sample_neighbours([empty], [3], {0: [2]}, [[5, -1]], key=0).nodes[0].tolist() == [2]
    assert sample_neighbours([star(4)], [5], {0: []}, [[5]], key=0).nodes[0].tolist() == []
    assert sample_neighbours([star(4)], [5], {0: [0]}, [[]], key=0).edges[0].tolist() == []
    assert sample_neighbours([], [5], {0: [0]}, np.empty((0, 2), int), key=0).nodes[0].tolist() == [0]
