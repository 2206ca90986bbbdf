"""The Pixie channel answers as walks over its graph do, and its evidence counts the very same visits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphrec.channels.content.pixie import Pixie
from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists, lists_of
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.graph.pixie import pixie
from graphrec.recallers import load_recaller
from tests.worlds import library, parts_of, skewed, without_knowledge

HISTORY = [0, 3, 5]


def test_it_answers_as_pixie_does_on_its_graph() -> None:
    data = skewed()
    channel = Pixie(steps=3000, half_life=0, degree_exponent=0.3, relations={"made_by": 3.0}).fit(data)
    names = channel.graph.adjacency.relation_names
    expected = pixie(
        channel.graph.adjacency, item_lists([HISTORY]), top=400, steps=3000, degree_exponent=0.3, seed=0,
        targets=(0, channel.n_items), relation_weights={name: 3.0 if name == "made_by" else 1.0 for name in names},
    ).table  # fmt: skip
    items, scores = channel.recall(Queries([-1], item_lists([HISTORY])), 10)[0]
    inside = data.pool[expected.neighbours]
    np.testing.assert_array_equal(items, expected.neighbours[inside][:10])
    np.testing.assert_allclose(scores, expected.scores[inside][:10], rtol=1e-6)


@pytest.mark.parametrize("booster", [False, True])
def test_visits_of_the_history_add_up_to_the_scores(booster: bool) -> None:
    data = skewed()
    channel = Pixie(steps=3000, half_life=0, booster=booster, degree_exponent=0.0).fit(data)
    query = Queries([-1], item_lists([HISTORY]))
    items, scores = channel.recall(query, 40)[0]
    history = lists_of(np.array([0, 3]), np.array(HISTORY, np.int32), np.ones(3, np.float32))
    table = channel._walk(history, top=channel.n_items, booster=False, apart=True).table
    visits = np.zeros((3, channel.n_items))
    for row in range(3):
        visits[row, table[row][0]] = table[row][1]
    total = np.sqrt(visits).sum(axis=0) ** 2 if booster else visits.sum(axis=0)
    np.testing.assert_allclose(scores, total[items], rtol=1e-5)
    evidence = channel.evidence(query, items)
    np.testing.assert_allclose(evidence.contributions, visits[:, items].max(axis=0))
    for place, source in enumerate(evidence.sources.tolist()):
        assert visits[HISTORY.index(source), items[place]] == evidence.contributions[place]


@pytest.mark.parametrize("relations", [{}, {"interacts": 0.0}], ids=["users", "no users"])
def test_the_path_is_a_way_over_named_nodes_from_its_source_to_the_item(relations: dict[str, float]) -> None:
    data = skewed()
    channel = Pixie(steps=4000, half_life=0, relations=relations).fit(data)
    query = Queries([-1], item_lists([HISTORY]))
    items = channel.recall(query, 40)[0][0]
    evidence = channel.evidence(query, items)
    graph = channel.graph.adjacency
    edges = {
        (int(head), int(relation), int(tail))
        for head, relation, tail in zip(
            np.repeat(np.arange(graph.n_nodes), graph.degrees), graph.relations, graph.indices, strict=True
        )
    }
    lengths = []
    for place, (item, source) in enumerate(zip(items.tolist(), evidence.sources.tolist(), strict=True)):
        nodes, steps = evidence.paths[place]
        lengths.append(len(nodes))
        if len(nodes) == 0:
            continue
        assert (nodes[0], nodes[-1]) == (source, item)
        assert nodes.max() < channel.graph.n_named
        assert set(zip(nodes[:-1].tolist(), steps.tolist(), nodes[1:].tolist(), strict=True)) <= edges
    assert max(lengths) >= 3
    if relations:  # nothing but named nodes is walked, so every visit has a way
        assert min(lengths) > 0


def test_the_path_is_the_shortest_of_the_walks() -> None:
    """Thousands of steps from an item come to all that share an entity with it by two."""
    data = skewed()
    channel = Pixie(steps=50_000, half_life=0, enough_targets=0, relations={"interacts": 0.0}).fit(data)
    graph, source = channel.graph.adjacency, 3
    near = set(graph.indices[graph.indptr[source] : graph.indptr[source + 1]].tolist())
    items = np.setdiff1d(np.flatnonzero(data.pool), [source]).astype(np.int32)
    paths = channel.evidence(Queries([-1], item_lists([[source]])), items).paths
    n_short = 0
    for place, item in enumerate(items.tolist()):
        others = set(graph.indices[graph.indptr[item] : graph.indptr[item + 1]].tolist())
        shared = {node for node in near & others if node < channel.graph.n_named}
        if item in near or shared:
            n_short += 1
            assert len(paths[place][0]) == (2 if item in near else 3)
    assert n_short > 0


def test_walks_through_users_alone_have_no_path() -> None:
    channel = Pixie(steps=500).fit(without_knowledge(skewed()))
    query = Queries([-1], item_lists([[0, 1]]))
    items = channel.recall(query, 10)[0][0]
    assert np.diff(channel.evidence(query, items).paths.indptr).tolist() == [0] * len(items)


def test_relations_of_weight_0_are_not_walked_and_unknown_ones_are_refused() -> None:
    data = without_knowledge(skewed())
    query = Queries([-1], item_lists([[0, 1]]))
    assert Pixie(steps=500).fit(data).recall(query, 10).lengths.tolist() == [10]
    assert Pixie(steps=500, relations={"rev_interacts": 0.0}).fit(data).recall(query, 10).lengths.tolist() == [0]
    with pytest.raises(DataError, match=r"relation 'autor' is not among .*nearest: 'author'"):
        Pixie(relations={"autor": 1.0}).fit(library())
    with pytest.raises(ConfigError, match="restart"):
        Pixie(restart=1.0)


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    data = library()
    Pixie().fit(data).save(tmp_path)
    path = tmp_path / "recaller.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for damage in (
        {"relations": {"autor": 1.0}},
        {"relations": [1]},
        {"leaps": 3},
        {"steps": 0},
        {"restart": 2.0},
        {"seed": "x"},
    ):
        path.write_text(json.dumps({**whole, "pixie": {**whole["pixie"], **damage}}), encoding="utf-8")
        with pytest.raises(BundleError, match="does not fit the bundle"):
            load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
    path.write_text(json.dumps(whole), encoding="utf-8")
    np.save(tmp_path / "pool.npy", np.array([99_999], np.int32))
    with pytest.raises(BundleError, match="does not fit the bundle"):
        load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
