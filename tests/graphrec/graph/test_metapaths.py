from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.walks import generate_walks
from tests.graphrec.graph.graphs import GRAPHS

# Users 0-2, items 3-6, authors 7-8; item 6 has no author, user 2 likes item 6 alone; (0, 3) stands twice.
LIKES = [(0, 3, 1.0), (0, 3, 2.0), (0, 4, 1.0), (1, 4, 4.0), (1, 5, 1.0), (2, 6, 1.0)]
BY = [(3, 7, 1.0), (4, 7, 2.0), (4, 8, 1.0), (5, 8, 1.0)]
RELATIONS = ["likes", "rev_likes", "by", "rev_by", "cites"]


def library(*, weighted: bool) -> Adjacency:
    forward = [(a, b, w, 0) for a, b, w in LIKES] + [(a, b, w, 2) for a, b, w in BY]
    a, b, w, r = (
        np.array(column) for column in zip(*forward, *((b, a, w, r + 1) for a, b, w, r in forward), strict=True)
    )
    return adjacency_from_edges(
        a, b, r, w if weighted else None,
        type_offsets=[0, 3, 7, 9, 9], node_types=["user", "item", "author", "shop"], relation_names=RELATIONS,
    )  # fmt: skip


def share(graph: Adjacency, node: int, fits: list[bool]) -> dict[int, float]:
    """Return the exact probabilities of a step from a node along the edges that fit."""
    mass: dict[int, float] = defaultdict(float)
    weights = np.ones(graph.n_edges) if graph.weights is None else graph.weights
    for edge in range(graph.indptr[node], graph.indptr[node + 1]):
        if fits[edge]:
            mass[int(graph.indices[edge])] += float(weights[edge])
    return {other: value / sum(mass.values()) for other, value in mass.items()}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("metapath", "as_relations"),
    [
        (["user", "item", "author", "item", "user"], ["likes", "by", "rev_by", "rev_likes"]),
        (["likes", "by", "rev_by", "rev_likes"], ["likes", "by", "rev_by", "rev_likes"]),
        (["item", "author", "item"], ["by", "rev_by"]),
        (["rev_likes", "likes"], ["rev_likes", "likes"]),
    ],
)
def test_each_step_takes_a_fitting_edge_by_its_weight(
    weighted: bool, metapath: list[str], as_relations: list[str]
) -> None:
    graph = library(weighted=weighted)
    walks = generate_walks(graph, metapath=metapath, walks_per_node=4000, length=9, seed=2)
    fits = {name: (graph.relations == RELATIONS.index(name)).tolist() for name in as_relations}
    begins = {node for node in range(9) if share(graph, node, fits[as_relations[0]])}
    assert set(walks.nodes[:, 0].tolist()) == begins
    counts: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    for nodes, length in zip(walks.nodes.tolist(), walks.lengths.tolist(), strict=True):
        assert nodes[length:] == [-1] * (9 - length)
        for place, (here, after) in enumerate(pairwise(nodes[:length])):
            counts[as_relations[place % len(as_relations)], here][after] += 1
        if length < 9:  # a walk ends where no edge fits, and nowhere else
            assert not share(graph, nodes[length - 1], fits[as_relations[(length - 1) % len(as_relations)]])
    for (name, here), taken in counts.items():
        wanted = share(graph, here, fits[name])
        assert set(taken) <= set(wanted)
        if len(wanted) > 1:
            total = sum(taken.values())
            assert chisquare([taken[node] for node in wanted], [total * w for w in wanted.values()]).pvalue > 1e-5


def test_a_restart_begins_the_pattern_again_at_the_start() -> None:
    graph = library(weighted=False)
    walks = generate_walks(
        graph, metapath=["likes", "rev_likes"], restart=0.3, walks_per_node=6000, length=5, seed=3, starts=[0, 2]
    )
    assert set(walks.lengths.tolist()) == {5}
    after_item = walks.nodes[::2, 2][walks.nodes[::2, 1] == 4]
    # From item 4: back by the pattern to users 0 and 1, or by the restart to user 0.
    counts, wanted = np.bincount(after_item, minlength=2), len(after_item) * np.array([0.65, 0.35])
    assert chisquare(counts, wanted).pvalue > 1e-4
    assert set(walks.nodes[1::2, 1].tolist()) == {6}


def test_a_dead_end_leads_back_to_the_start_where_walks_restart() -> None:
    graph = library(weighted=False)
    metapath = ["user", "item", "author", "item", "user"]
    settings: dict[str, Any] = {"metapath": metapath, "walks_per_node": 20, "length": 6, "seed": 1}
    ended = generate_walks(graph, **settings, starts=[2])
    assert set(ended.lengths.tolist()) == {2}
    again = generate_walks(graph, **settings, starts=[2], restart=0.01)
    assert again.nodes[0].tolist() == [2, 6, 2, 6, 2, 6]
    # At its start, but amid the pattern.
    amid = generate_walks(
        graph, metapath=["rev_likes", "likes", "by", "rev_by"], length=6, seed=1, starts=[6], restart=1e-6
    )
    assert amid.nodes[0].tolist() == [6, 2, 6, 6, 2, 6]


def test_the_number_of_threads_plays_no_part() -> None:
    graph = library(weighted=True)
    one, four = (
        generate_walks(
            graph, metapath=["item", "author", "item"], walks_per_node=3000, length=8, seed=3, threads=threads
        )
        for threads in (1, 4)
    )
    assert one.nodes.tobytes() == four.nodes.tobytes()
    few = generate_walks(graph, metapath=["item", "author", "item"], walks_per_node=2, length=8, seed=3)
    assert (few.nodes == one.nodes[:6]).all()


@pytest.mark.parametrize(
    ("metapath", "problem"),
    [
        (["user", "itme", "user"], "'itme', which is neither a relation nor a type of node; nearest: 'item'"),
        (["user", "item", "author"], "metapath is user - item - author; types of nodes must end where they begin"),
        (["user"], "metapath is user; types"),
        ([], "metapath is empty; types"),
        (["user", "likes", "user"], "mixes types of nodes with the relation 'likes'"),
        (["user", "author", "user"], "no edge of 'user' to 'author'; the relations there: likes"),
        (["item", "shop", "item"], "no edge of 'item' to 'shop'"),
        (["shop", "item", "shop"], "no edge of 'shop' to 'item'; there is no edge at all"),
        (["likes", "rev_by"], "no edge of relation 'rev_by' after 'likes'; the relations there: rev_likes, by"),
        (["likes", "by"], "no edge of relation 'likes' after 'by'; the relations there: rev_by"),
        (["cites"], "no edge of relation 'cites'"),
        ([3], "metapath names 3"),
    ],
)  # fmt: skip
def test_a_pattern_that_no_walk_can_follow_is_refused(metapath: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        generate_walks(library(weighted=False), metapath=metapath, seed=0)


def test_a_pattern_leaves_no_room_for_p_q_and_relation_weights() -> None:
    every: list[dict[str, Any]] = [{"p": 0.5}, {"q": 2.0}, {"relation_weights": {"likes": 2.0}}]
    for settings in every:
        with pytest.raises(ConfigError, match="metapath says where each step goes"):
            generate_walks(library(weighted=False), metapath=["item", "author", "item"], seed=0, **settings)


def test_a_type_may_lead_to_itself() -> None:
    walks = generate_walks(GRAPHS["K5"], metapath=["person", "person"], length=4, seed=0)
    assert (np.diff(walks.nodes, axis=1) != 0).all()
