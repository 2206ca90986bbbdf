"""The preference walk beside dense matrices, its best walks beside all walks one by one, and what damage is called."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.recallers import load_recaller
from graphrec.recallers.evidence import check_evidence
from graphrec.recallers.walk import WalkRecaller
from tests.worlds import library, parts_of, skewed, without_knowledge


def dense_steps(graph: Adjacency, exponent: float, cap: int) -> np.ndarray[Any, Any]:
    """Return (n, n): what each node passes on to each, summed over relations."""
    steps = np.zeros((graph.n_nodes, graph.n_nodes))
    for node in range(graph.n_nodes):
        edges = range(int(graph.indptr[node]), int(graph.indptr[node + 1]))
        counts = np.bincount(graph.relations[edges.start : edges.stop], minlength=len(graph.relation_names))
        for edge in edges:
            degree = counts[graph.relations[edge]]
            if cap == 0 or degree <= cap:
                steps[node, graph.indices[edge]] += degree**-exponent
    return steps


def by_hand(channel: WalkRecaller, history: list[int]) -> np.ndarray[Any, Any]:
    """Return (n_items,) scores: the history's mass pushed through dense matrices, each hop cut to its largest nodes."""
    how, graph = channel.settings, channel.graph.adjacency
    steps = dense_steps(graph, how.degree_exponent, how.hub_cap)
    mass, total = np.zeros(graph.n_nodes), np.zeros(channel.n_items)
    mass[history] = 1.0 / len(history)
    for hop in range(how.hops):
        mass = mass @ steps
        kept = np.lexsort((np.arange(len(mass)), -mass.astype(np.float32)))[: how.width]
        mass = np.where(np.isin(np.arange(len(mass)), kept), mass, 0.0)
        mass /= mass.sum()
        total += how.decay**hop * mass[: channel.n_items]
    return total * channel.ends


@pytest.mark.parametrize("world", [skewed, library])
@pytest.mark.parametrize(
    "recipe",
    [
        PreferenceWalk(half_life=0),
        PreferenceWalk(half_life=0, hops=4, decay=1.0, degree_exponent=1.0, popularity_exponent=0.0, hub_cap=0),
        PreferenceWalk(half_life=0, hops=3, width=7, degree_exponent=0.37, hub_cap=9),
    ],
)
def test_it_is_the_mass_pushed_hop_by_hop(world: Any, recipe: PreferenceWalk) -> None:
    data = world()
    channel = recipe.fit(data)
    history = [0, 3, 5]
    items, scores = channel.recall(Queries([-1], item_lists([history])), len(data.items))[0]
    expected = by_hand(channel, history)
    assert set(items.tolist()) == set(np.flatnonzero(expected > 0).tolist())
    np.testing.assert_allclose(scores, expected[items], rtol=1e-4)


def walks(channel: WalkRecaller, source: int, hops: int) -> dict[tuple[int, ...], float]:
    """Return each walk of ``hops`` steps over named nodes, with the product of what its edges pass on."""
    graph, how = channel.graph.adjacency, channel.settings
    steps = dense_steps(graph, how.degree_exponent, how.hub_cap)
    found: dict[tuple[int, ...], float] = {(source,): 1.0}
    for _ in range(hops):
        found = {
            (*walk, int(node)): amount * steps[walk[-1], node]
            for walk, amount in found.items()
            for node in np.flatnonzero(steps[walk[-1], : channel.graph.n_named] > 0)
        }
    return found


def test_the_walk_shown_is_the_best_of_all() -> None:
    """On books, where no two relations join the same nodes: what an edge passes on is that of its relation."""
    data = library()
    channel = PreferenceWalk(half_life=0, hops=2, decay=0.5).fit(data)
    history = [0, 4]
    query = Queries([-1], item_lists([history]))
    items, scores = channel.recall(query, len(data.items))[0]
    evidence = channel.evidence(query, items)
    check_evidence(evidence, items, data.catalogue, n_via=None)
    by_end: dict[int, list[tuple[float, tuple[int, ...]]]] = {}
    mass = np.zeros(channel.graph.adjacency.n_nodes)
    mass[history] = 0.5
    steps = dense_steps(channel.graph.adjacency, channel.settings.degree_exponent, channel.settings.hub_cap)
    sums = [(mass @ steps).sum(), ((mass @ steps) / (mass @ steps).sum() @ steps).sum()]
    for source, hops in itertools.product(history, (1, 2)):
        for walk, amount in walks(channel, source, hops).items():
            value = 0.5 * amount / np.prod(sums[:hops]) * channel.settings.decay ** (hops - 1)
            by_end.setdefault(walk[-1], []).append(
                (value * float(channel.ends[min(walk[-1], len(data.items) - 1)]), walk)
            )
    n_shown = 0
    for place, item in enumerate(items.tolist()):
        assert evidence.contributions[place] <= scores[place] * (1 + 1e-5)
        nodes = tuple(evidence.paths[place][0].tolist())
        if item not in by_end:
            assert nodes == ()
            continue
        n_shown += 1
        assert evidence.contributions[place] == pytest.approx(max(by_end[item])[0], rel=1e-4)
        assert {walk: value for value, walk in by_end[item]}[nodes] == pytest.approx(max(by_end[item])[0], rel=1e-4)
    assert n_shown > 3


def test_users_count_and_are_never_named() -> None:
    data = without_knowledge(skewed())
    channel = PreferenceWalk(half_life=0).fit(data)
    query = Queries([-1], item_lists([[0, 1]]))
    items, _ = channel.recall(query, 10)[0]
    evidence = channel.evidence(query, items)
    assert len(items) == 10
    assert len(evidence.paths.nodes) == 0
    assert (evidence.sources >= 0).all()
    assert (evidence.contributions > 0).all()


def test_relations_of_weight_0_are_not_walked_and_unknown_ones_are_refused() -> None:
    data = library()
    quiet = RecallData(
        data.users, data.items, Interactions([], [], n_users=len(data.users), n_items=len(data.items)), data.catalogue
    )
    query = Queries([-1], item_lists([[0]]))
    names = [name for name in data.catalogue.adjacency.relation_names if name != "author"]
    items, _ = PreferenceWalk(relations=dict.fromkeys(names, 0.0) | {"rev_author": 1.0}).fit(quiet).recall(query, 12)[0]
    assert 0 < len(items) < 5
    with pytest.raises(DataError, match=r"relation 'autor' is not among .*nearest: 'author'"):
        PreferenceWalk(relations={"autor": 1.0}).fit(data)


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    data = library()
    PreferenceWalk().fit(data).save(tmp_path)
    path = tmp_path / "recaller.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    damages = (
        {"relations": {"autor": 1.0}}, {"relations": [1]}, {"relations": {"author": "x"}}, {"leaps": 3},
        {"hops": 10**9}, {"width": "x"}, {"decay": -1.0},
    )  # fmt: skip
    for damage in damages:
        path.write_text(json.dumps({**whole, "walk": {**whole["walk"], **damage}}), encoding="utf-8")
        with pytest.raises(BundleError, match="does not fit the bundle"):
            load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
