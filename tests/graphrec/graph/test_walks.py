from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chisquare

from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.walk_kernels import edges_go_both_ways
from graphrec.graph.walks import generate_walks, stream_walks, write_corpus
from tests.graphrec.graph.graphs import GRAPHS, ODD, graph_of, unit
from tests.oracles.graph import step_matrix


def exact(graph: Adjacency, before: int, here: int, p: float, q: float) -> dict[int, float]:
    """Return the probabilities of the next node, written out by the formula."""
    mass: dict[int, float] = defaultdict(float)
    row = slice(int(graph.indptr[here]), int(graph.indptr[here + 1]))
    weights = np.ones(graph.n_edges) if graph.weights is None else graph.weights
    joined = set(graph.indices[graph.indptr[before] : graph.indptr[before + 1]].tolist()) if before >= 0 else set()
    for node, weight in zip(graph.indices[row].tolist(), weights[row].tolist(), strict=True):
        bias = 1.0 if before < 0 else 1 / p if node == before else 1.0 if node in joined else 1 / q
        mass[node] += weight * bias
    total = sum(mass.values())
    return {node: value / total for node, value in mass.items()}


def check_frequencies(graph: Adjacency, nodes: npt.NDArray[np.int32], p: float, q: float) -> None:
    """Compare the steps that walks took with the exact probabilities, by a chi-square test a state."""
    counts: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for walk in nodes.tolist():
        taken = [node for node in walk if node >= 0]
        for before, (here, after) in zip([-1, *taken], pairwise(taken), strict=False):
            counts[before, here][after] += 1
    values = []
    for (before, here), found in counts.items():
        wanted = exact(graph, before, here, p, q)
        assert set(found) <= set(wanted)
        total = sum(found.values())
        if len(wanted) > 1 and total * min(wanted.values()) > 5:
            observed = [found[node] for node in wanted]
            values.append(float(chisquare(observed, [total * share for share in wanted.values()]).pvalue))
    assert min(values, default=1.0) > 1e-4 / max(len(values), 1)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("p", "q"), [(1, 1), (0.5, 2), (4, 0.25), (0.25, 0.5), (2, 2), (1000, 0.001), (0.01, 50)])
def test_steps_follow_the_formula(name: str, p: float, q: float) -> None:
    walks = generate_walks(GRAPHS[name], walks_per_node=600, length=20, p=p, q=q, seed=5)
    check_frequencies(GRAPHS[name], walks.nodes, p, q)


def test_walks_keep_to_the_edges_and_start_where_they_should() -> None:
    oracle = nx.gnm_random_graph(40, 90, seed=1)
    walks = generate_walks(graph_of(unit(oracle), 40), walks_per_node=3, length=12, p=0.5, q=2, seed=9)
    assert walks.nodes.dtype == walks.lengths.dtype == np.int32
    assert walks.nodes.shape == (120, 12)
    assert walks.nodes[:, 0].tolist() == list(range(40)) * 3
    for walk, length in zip(walks.nodes.tolist(), walks.lengths.tolist(), strict=True):
        assert walk[length:] == [-1] * (12 - length)
        assert length == (12 if oracle.degree(walk[0]) else 1)
        assert all(oracle.has_edge(a, b) for a, b in pairwise(walk[:length]))


@pytest.mark.parametrize("name", ["house", "weighted house", "bipartite", "house with parallel edges"])
@pytest.mark.parametrize(("p", "q"), [(1, 1), (0.5, 2), (3, 0.5)])
def test_the_number_of_threads_plays_no_part(name: str, p: float, q: float) -> None:
    settings: dict[str, Any] = {"walks_per_node": 2000, "length": 9, "p": p, "q": q}
    one = generate_walks(GRAPHS[name], **settings, seed=3, threads=1)
    four = generate_walks(GRAPHS[name], **settings, seed=3, threads=4)
    assert one.nodes.tobytes() == four.nodes.tobytes()
    other = generate_walks(GRAPHS[name], **settings, seed=4, threads=1)
    assert one.nodes.tobytes() != other.nodes.tobytes()


@pytest.mark.parametrize("change", ["none", "one way", "twice"])
@pytest.mark.parametrize("edge", [0, 1, 57, 178, 179])
def test_parts_of_a_graph_tell_together_whether_it_goes_both_ways(change: str, edge: int) -> None:
    pairs = np.array(sorted(nx.gnm_random_graph(30, 90, seed=3).to_directed().edges), dtype=np.int32)  # (180, 2)
    edges = {"none": pairs, "one way": np.delete(pairs, edge, 0), "twice": np.insert(pairs, edge, pairs[edge], 0)}[
        change
    ]
    indptr = np.searchsorted(edges[:, 0], np.arange(31)).astype(np.int64)
    indices = np.ascontiguousarray(edges[:, 1])
    for bounds in ([0, 30], [0, 1, 15, 30], [0, 9, 9, 29, 30], list(range(31))):
        parts = [edges_go_both_ways(indptr, indices, first, stop) for first, stop in pairwise(bounds)]
        assert all(parts) == (change == "none")


def test_a_walk_does_not_depend_on_how_many_there_are() -> None:
    few = generate_walks(GRAPHS["house"], walks_per_node=2, length=7, p=0.5, seed=3)
    many = generate_walks(GRAPHS["house"], walks_per_node=50, length=7, p=0.5, seed=3)
    assert (many.nodes[:10] == few.nodes).all()


def test_dead_ends_and_lonely_nodes_end_a_walk() -> None:
    line = adjacency_from_edges([0, 1], [1, 2], [0, 0], type_offsets=[0, 4], node_types=["n"], relation_names=["to"])
    walks = generate_walks(line, walks_per_node=2, length=6, q=0.5, seed=0)
    assert walks.lengths.tolist() == [3, 2, 1, 1] * 2
    assert walks.nodes[0].tolist() == [0, 1, 2, -1, -1, -1]


def test_a_length_of_one_stays_at_the_start() -> None:
    walks = generate_walks(GRAPHS["K5"], walks_per_node=3, length=1, seed=0)
    assert walks.nodes.ravel().tolist() == [0, 1, 2, 3, 4] * 3
    assert walks.lengths.tolist() == [1] * 15


def test_starts_may_be_chosen() -> None:
    walks = generate_walks(GRAPHS["K5"], walks_per_node=2, length=3, seed=0, starts=[4, 1, 1])
    assert walks.nodes[:, 0].tolist() == [4, 1, 1, 4, 1, 1]
    assert generate_walks(GRAPHS["K5"], length=3, seed=0, starts=np.empty(0, np.int32)).nodes.shape == (0, 3)
    with pytest.raises(DataError, match=r"starts\[1\] is 5"):
        generate_walks(GRAPHS["K5"], seed=0, starts=[0, 5])


@pytest.mark.parametrize("weighted", [False, True])
def test_relation_weights_share_the_steps_out(weighted: bool) -> None:
    """Node 0 knows 1, 2, 3 and likes 4: by edges one step in four goes to 4, by relations as the weights say."""
    edges = [(0, 1, 1.0), (0, 2, 2.0), (0, 3, 1.0), (0, 4, 7.0)]
    graph = graph_of(edges, 5, relations=[0, 0, 0, 1], weighted=weighted)

    def steps(relation_weights: dict[str, float] | None) -> npt.NDArray[np.int64]:
        walks = generate_walks(
            graph, walks_per_node=20_000, length=2, seed=1, starts=[0], relation_weights=relation_weights
        )
        return np.bincount(walks.nodes[:, 1], minlength=5)

    middle = 0.5 if weighted else 1 / 3
    side = (1 - middle) / 2
    for relation_weights, likes in (({"likes": 1.0, "knows": 1.0}, 0.5), ({"likes": 3.0}, 0.75)):
        rest = 1 - likes
        wanted = np.array([side * rest, middle * rest, side * rest, likes]) * 20_000
        assert chisquare(steps(relation_weights)[1:], wanted).pvalue > 1e-3
    assert steps({"likes": 0.0})[4] == 0
    by_edges = np.array([1, 2, 1, 7]) / 11 if weighted else np.full(4, 0.25)
    assert chisquare(steps(None)[1:], by_edges * 20_000).pvalue > 1e-3


def test_a_graph_whose_relations_all_weigh_nothing_has_no_steps() -> None:
    walks = generate_walks(GRAPHS["K5"], length=4, seed=0, relation_weights={"knows": 0.0})
    assert set(walks.lengths.tolist()) == {1}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"p": 0.0}, "p is 0"),
        ({"p": -1.0}, "p is -1"),
        ({"q": float("nan")}, "q is nan"),
        ({"q": float("inf")}, "q is inf"),
        ({"length": 0}, "length is 0"),
        ({"length": 2**31}, "length is 2147483648"),
        ({"length": 2.5}, "length is 2.5"),
        ({"p": "1"}, "p is '1', of type str; legal: number"),
        ({"restart": 1.0}, "restart is 1.0"),
        ({"restart": -0.5}, "restart is -0.5"),
        ({"walks_per_node": 0}, "walks_per_node is 0"),
        ({"relation_weights": {"knows": -1.0}}, "'knows' is -1"),
        ({"relation_weights": {"knows": float("nan")}}, "'knows' is nan"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        generate_walks(GRAPHS["K5"], seed=0, **settings)


def test_an_unknown_relation_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="nearest: 'knows'"):
        generate_walks(GRAPHS["K5"], seed=0, relation_weights={"know": 1.0})


def test_the_corpus_is_the_walks_in_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = nx.barabasi_albert_graph(130, 2, seed=2)
    oracle.add_node(130)
    graph = graph_of(unit(oracle), 131)
    settings: dict[str, Any] = {"walks_per_node": 3, "length": 8, "p": 0.5, "q": 2.0, "seed": 6}
    walks = generate_walks(graph, **settings)
    path = tmp_path / "walks.txt"
    for block in (1 << 23, 100, 1):  # in one block, in several, one walk at a time
        monkeypatch.setattr("graphrec.graph.walks._BLOCK_NODES", block)
        corpus = write_corpus(graph, path, **settings)
        lines = [list(map(int, line.split())) for line in path.read_text(encoding="utf-8").splitlines()]
        assert lines == [row[:n] for row, n in zip(walks.nodes.tolist(), walks.lengths.tolist(), strict=True)]
        assert corpus.n_walks == 393
        counted = Counter(node for line in lines for node in line)
        assert corpus.counts.tolist() == [counted[node] for node in range(131)]


def test_an_empty_graph_gives_no_walks(tmp_path: Path) -> None:
    none = np.empty(0, np.int32)
    graph = adjacency_from_edges(none, none, none, type_offsets=[0, 0], node_types=["n"], relation_names=[])
    assert generate_walks(graph, length=4, seed=0).nodes.shape == (0, 4)
    assert write_corpus(graph, tmp_path / "walks.txt", seed=0).n_walks == 0


@pytest.mark.parametrize("name", [*GRAPHS, "odd"])
@pytest.mark.parametrize("restart", [0.1, 0.7])
def test_walks_with_restart_go_back_to_their_start(name: str, restart: float) -> None:
    graph = GRAPHS.get(name, ODD)
    walks = generate_walks(graph, walks_per_node=3000, length=8, restart=restart, seed=11)
    values = []
    for start in range(graph.n_nodes):
        steps, n = walks.nodes[walks.nodes[:, 0] == start], graph.n_nodes
        if graph.degrees[start] == 0:
            assert set(steps[:, 1:].ravel().tolist()) == {-1}
            continue
        assert steps.min() >= 0
        chances = (1 - restart) * step_matrix(graph, start)
        chances[:, start] += restart
        chances[start] = step_matrix(graph, start)[start]
        chances[graph.degrees == 0] = np.eye(n)[start]
        counts = np.bincount(steps[:, :-1].ravel() * n + steps[:, 1:].ravel(), minlength=n * n).reshape(n, n)
        for taken, share in zip(counts, chances, strict=True):
            assert taken[share == 0].sum() == 0
            likely = share * taken.sum() > 5
            if likely.sum() > 1:
                expected = share[likely] / share[likely].sum() * taken[likely].sum()
                values.append(float(chisquare(taken[likely], expected).pvalue))
    assert min(values, default=1.0) > 1e-4 / max(len(values), 1)


@pytest.mark.parametrize(("p", "q"), [(0.5, 2), (4, 0.25), (1, 1)])
def test_self_loops_duplicate_edges_and_extreme_weights_follow_the_formula(p: float, q: float) -> None:
    check_frequencies(ODD, generate_walks(ODD, walks_per_node=600, length=12, p=p, q=q, seed=5).nodes, p, q)
    loops = graph_of([(0, 0, 1.0), (0, 1, 1.0), (0, 1, 1.0), (1, 2, 1.0), (2, 2, 1.0)], 4)
    check_frequencies(loops, generate_walks(loops, walks_per_node=600, length=12, p=p, q=q, seed=5).nodes, p, q)


SETTINGS: list[dict[str, Any]] = [
    {"p": 0.5, "q": 2.0},
    {"restart": 0.2},
    {"metapath": ["user", "item", "user"]},
    {"metapath": ["knows"], "restart": 0.2},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_stream_goes_on_at_any_block(settings: dict[str, Any], tmp_path: Path) -> None:
    graph = GRAPHS["bipartite"]
    settings = {"walks_per_node": 5, "length": 6, "seed": 8, **settings}
    whole = generate_walks(graph, **settings)
    for block_walks in (1, 4, 1000):
        stream = stream_walks(graph, **settings, block_walks=block_walks)
        assert len(stream) == -(-len(whole.nodes) // block_walks)
        for _ in range(2):
            assert np.concatenate([block.nodes for block in stream]).tobytes() == whole.nodes.tobytes()
        again = stream[len(stream) - 1]
        assert again.nodes.tolist() == whole.nodes[-len(again.nodes) :].tolist()
        assert again.lengths.tolist() == whole.lengths[-len(again.nodes) :].tolist()
        for block in (-1, len(stream)):
            with pytest.raises(IndexError, match="is out of range"):
                stream[block]
    write_corpus(graph, tmp_path / "walks.txt", **settings)
    lines = [list(map(int, line.split())) for line in (tmp_path / "walks.txt").read_text(encoding="utf-8").splitlines()]
    assert lines == [row[:n] for row, n in zip(whole.nodes.tolist(), whole.lengths.tolist(), strict=True)]
    with pytest.raises(ConfigError, match="block_walks is 0"):
        stream_walks(graph, **settings, block_walks=0)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(
    ("walks_per_node", "length", "estimate"),
    [(10**9, 80, r"2,268\.0 GB"), (10**4, 10**8, r"28,000\.0 GB"), (10**30, 1, "GB")],
)
def test_more_walks_than_memory_allows_are_refused_before_they_are_allocated(
    settings: dict[str, Any], walks_per_node: int, length: int, estimate: str
) -> None:
    starts = range(7)
    with pytest.raises(
        ConfigError, match=rf"{estimate} of memory, and [\d.,]+ GB are available; take fewer or shorter"
    ):
        generate_walks(
            GRAPHS["bipartite"], walks_per_node=walks_per_node, length=length, seed=0, starts=starts, **settings
        )


def test_a_block_or_a_text_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"5 walks of 2,147,483,647 nodes take 42\.9 GB"):
        stream_walks(GRAPHS["K5"], walks_per_node=5, length=2**31 - 1, seed=0, block_walks=5)
    with pytest.raises(ConfigError, match=r"the text of the walks takes up to [\d,]+\.\d GB, and .* has .* GB"):
        write_corpus(GRAPHS["K5"], tmp_path / "walks.txt", walks_per_node=10**12, seed=0)
    assert not (tmp_path / "walks.txt").exists()
