"""KG paths beside all paths, one by one; the paths shown, the weights learned, the sentences of what cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.content.kg_paths import KgPaths
from graphrec.contracts.choosing import choices_of
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import item_lists
from graphrec.data.splits import split_by_ratio
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.evaluation.objective import MeanMetric
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers import load_recaller
from graphrec.recallers.evidence import check_evidence
from graphrec.recallers.path_neighbours import PathNeighbourRecaller
from tests.graphrec.channels.compare import assert_table, settings_of
from tests.oracles.paths import Instances, path_instances, summed
from tests.worlds import LIBRARY, checkerboard, library, parts_of, skewed, without_knowledge

PURE: dict[str, Any] = {"degree_exponent": 1.0, "link_exponent": 0.0, "popularity_exponent": 0.0, "hub_cap": 0}
SKEWED = ["made_by/^made_by", "in_genre/^in_genre", "^interacts/interacts", "followed_by", "^followed_by"]
LONG = ["made_by/^made_by/in_genre/^in_genre", "^interacts/interacts/made_by/^made_by", "^followed_by/made_by/^made_by"]


def instances(data: RecallData, recipe: KgPaths) -> dict[str, Instances]:
    return {path: path_instances(data, path, settings_of(recipe)) for path in recipe.paths}


def mixed(found: dict[str, Instances], recipe: KgPaths, n_items: int) -> Any:
    """Return the weighted sum of the paths' tables, rows summing to 1."""
    table = np.sum([recipe.paths[path] * summed(part, n_items) for path, part in found.items()], axis=0)
    sums = table.sum(axis=1, keepdims=True)
    return table / np.where(sums > 0, sums, 1.0)


@pytest.mark.parametrize("score", ["pcrw", "pathsim", "hetesim"])
@pytest.mark.parametrize("path", [*SKEWED[:3], "in_genre/^in_genre/made_by/^made_by"])
def test_a_path_is_the_sum_over_its_walks(path: str, score: Any) -> None:
    data = skewed()
    recipe = KgPaths(paths={path: 1.0}, score=score, k=100, **PURE)
    assert_table(recipe.fit(data).neighbours, summed(path_instances(data, path, settings_of(recipe)), len(data.items)))


@pytest.mark.parametrize("score", ["pcrw", "hetesim"])
@pytest.mark.parametrize("path", ["followed_by", *LONG, "followed_by/made_by/^made_by"])
def test_a_path_that_reads_otherwise_backwards_is_the_sum_over_its_walks(path: str, score: Any) -> None:
    data = skewed()
    recipe = KgPaths(paths={path: 1.0}, score=score, k=100, **PURE)
    assert_table(recipe.fit(data).neighbours, summed(path_instances(data, path, settings_of(recipe)), len(data.items)))


def test_hetesim_of_three_steps_ends_on_the_edges_in_the_middle() -> None:
    """Author, works at the same place, author: entities joined to entities."""
    data = of_entities()
    for path in ("by/near/^by", "by/near/^near/^by"):
        recipe = KgPaths(paths={path: 1.0}, score="hetesim", k=100, **PURE)
        expected = summed(path_instances(data, path, settings_of(recipe)), len(data.items))
        assert np.count_nonzero(expected) > 5
        assert_table(recipe.fit(data).neighbours, expected)


@pytest.mark.parametrize("world", [skewed, library])
def test_paths_are_summed_by_their_weights(world: Any) -> None:
    data = world()
    names = [*SKEWED, *LONG[:2]] if world is skewed else ["author/^author", "genre/^genre", "followed_by/^followed_by"]
    recipe = KgPaths(paths={path: 0.5 + place for place, path in enumerate(names)}, k=100, hub_cap=20)
    assert_table(recipe.fit(data).neighbours, mixed(instances(data, recipe), recipe, len(data.items)))


def test_every_path_shown_is_the_best_of_those_that_scored_the_item() -> None:
    data = skewed()
    recipe = KgPaths(paths={path: 1.0 + place for place, path in enumerate([*SKEWED, *LONG])}, k=100)
    channel = recipe.fit(data)
    found = instances(data, recipe)
    sums = {i: sum(recipe.paths[p] * sum(v.values()) for p, f in found.items() for (a, _), v in f.items() if a == i)
            for i in range(len(data.items))}  # fmt: skip
    n_shown = 0
    for item in range(0, len(data.items), 3):
        query = Queries([-1], item_lists([[item]]))
        rows, scores = channel.recall(query, 50)[0]
        evidence = channel.evidence(query, rows)
        check_evidence(evidence, rows, data.catalogue, n_via=None)
        for place, row in enumerate(rows.tolist()):
            paths = {
                walk: recipe.paths[path] * value / sums[item]
                for path, part in found.items()
                if "interacts" not in path
                for walk, value in part.get((item, row), {}).items()
            }
            nodes = tuple(evidence.paths[place][0].tolist())
            if not paths:
                assert nodes == ()
                assert evidence.contributions[place] == pytest.approx(scores[place], rel=1e-4)
                continue
            n_shown += 1
            assert evidence.contributions[place] == pytest.approx(max(paths.values()), rel=1e-4)
            assert paths[nodes] == pytest.approx(max(paths.values()), rel=1e-4)
    assert n_shown > 50


def test_paths_lead_to_books_that_nobody_read() -> None:
    data = library()
    channel = KgPaths(paths={"author/^author": 1.0}).fit(data)
    rows, _ = channel.recall(Queries([-1], item_lists([[0]])), 12)[0]
    assert {LIBRARY[row][0] for row in rows} == {"Dune Messiah", "Children of Dune", "The Dosadi Experiment"}


def test_a_hub_is_not_walked_through() -> None:
    # Science fiction holds seven of the library's books.
    for cap, reached in ((6, 0), (7, 6)):
        channel = KgPaths(paths={"genre/^genre": 1.0}, hub_cap=cap).fit(library())
        assert len(channel.neighbours.tables[0][0][0]) == reached


def test_mined_paths_join_what_is_liked_together() -> None:
    data = checkerboard()
    channel = KgPaths(through_users=False).fit(data)
    assert channel.metapaths[0] == ("has_colour", "rev_has_colour")
    assert len(channel.metapaths) <= 2  # and the same path twice over
    with pytest.raises(DataError, match="no item has an edge to walk"):
        KgPaths(through_users=False).fit(without_knowledge(data))


def held_out(data: RecallData) -> FitContext:
    test = split_by_ratio(data.interactions, test_share=0.3, seed=2).test
    return FitContext(validation=panel_of(data, test), objective=MeanMetric("recall", 5))


def panel_of(data: RecallData, test: Any) -> Panel:
    """Return users with the items held out of what the channel learns from taken out of their histories."""
    truth = histories(test)
    users = np.flatnonzero(truth.lengths > 0).tolist()
    everything = histories(data.interactions)
    past = [[i for i in everything[u][0].tolist() if i not in truth[u][0].tolist()] for u in users]
    kept = [place for place, rows in enumerate(past) if rows]
    return Panel(
        [users[p] for p in kept], item_lists([past[p] for p in kept]),
        item_lists([truth[users[p]][0].tolist() for p in kept]), np.ones(len(data.items), bool),
    )  # fmt: skip


def test_weights_are_learned_and_fit_the_same_channel_again() -> None:
    data = checkerboard()
    recipe = KgPaths(paths={"has_colour/^has_colour": 1.0, "^interacts/interacts": 1.0})
    context = held_out(data)
    chosen = recipe.choose(data, context)
    learned = choices_of(recipe, chosen.recipe)
    assert set(learned) == {"paths", "learn_weights"}
    assert not chosen.recipe.chooses
    assert sum(learned["paths"].values()) == pytest.approx(1.0, abs=1e-3)
    assert list(learned["paths"].values()) == sorted(learned["paths"].values(), reverse=True)
    again = chosen.recipe.fit(data, FitContext(seed=context.seed))
    assert isinstance(chosen.channel, PathNeighbourRecaller)
    ours, theirs = chosen.channel.neighbours.tables[0], again.neighbours.tables[0]
    np.testing.assert_array_equal(ours.neighbours, theirs.neighbours)
    np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-6)


def test_a_path_that_says_nothing_gets_no_weight() -> None:
    """Makers are drawn apart from taste on the skewed world; what users took together is not."""
    data = checkerboard()
    noise = {"has_colour/^has_colour/^interacts/interacts": 1.0, "has_colour/^has_colour": 1.0}
    chosen = KgPaths(paths=noise, sparsity=0.5).choose(data, held_out(data)).recipe
    assert len(chosen.paths) <= 2
    with pytest.raises(ConfigError, match="the context has none"):
        KgPaths().choose(data, FitContext())


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("autor/^author", r"step 1 of the meta-path 'autor/\^author' is 'autor', which is no relation.*nearest: 'a"),
        ("author/^genre", r"breaks between its steps 1 and 2: no node where 'author' ends has an edge of '\^genre'"),
        ("author", r"'author' does not end at items: step 1 leads to none"),
        ("^author/author", r"does not begin at items: no item has an edge of step 1"),
    ],
)  # fmt: skip
def test_paths_that_the_graph_does_not_hold_are_named(path: str, sentence: str) -> None:
    recipe = KgPaths(paths={path: 1.0})
    with pytest.raises(DataError, match=sentence):
        recipe.check_data(library())
    with pytest.raises(DataError, match=sentence):
        recipe.fit(library())


@pytest.mark.parametrize("path", ["", "/", "author//^author", "author/", "^/author", "author ^author"])
def test_paths_that_cannot_be_read_are_refused_with_the_step(path: str) -> None:
    with pytest.raises(ConfigError, match=r"step \d of the meta-path .* is no relation"):
        KgPaths(paths={path: 1.0})


def test_pathsim_compares_ends_of_paths_that_read_the_same_backwards() -> None:
    with pytest.raises(DataError, match="pathsim compares the ends of a path that reads the same backwards"):
        KgPaths(paths={"followed_by": 1.0}, score="pathsim").fit(library())
    with pytest.raises(ConfigError, match="every meta-path of paths has the weight 0"):
        KgPaths(paths={"author/^author": 0.0})


def of_entities() -> RecallData:
    """Return items whose makers are joined to one another and to places."""
    data = checkerboard()
    n, makers = len(data.items), 5
    by = [(item, n + item % makers) for item in range(n)] + [(item, n + item // 7) for item in range(n)]
    near = [(n, n + 1), (n + 1, n + 2), (n, n + 3), (n + 3, n), (n + 4, n + 4), (n + 2, n + 1)]
    edges = [(*edge, 0) for edge in set(by)] + [(b, a, 1) for a, b in set(by)]
    edges += [(*edge, 2) for edge in near] + [(b, a, 3) for a, b in near]
    sources, ends, relations = np.array(edges).T
    graph = adjacency_from_edges(
        sources, ends, relations, type_offsets=[0, n, n + makers], node_types=["item", "maker"],
        relation_names=["by", "rev_by", "near", "rev_near"],
    )  # fmt: skip
    return replace(data, catalogue=CatalogueGraph(graph, data.items, Vocabulary([f"m{m}" for m in range(makers)])))


def test_a_channel_of_another_graph_is_refused() -> None:
    channel = KgPaths(paths={"author/^author": 1.0}).fit(library())
    with pytest.raises(DataError, match="nodes"):
        PathNeighbourRecaller(
            channel.neighbours,
            channel.catalogue,
            channel.metapaths,
            channel.numbers,
            channel.nodes[:-1],
            channel.shares,
        )


def test_without_events_items_are_joined_by_what_they_share() -> None:
    data = library()
    quiet = replace(data, interactions=Interactions([], [], n_users=len(data.users), n_items=len(data.items)))
    channel = KgPaths().fit(quiet)
    assert {path[0] for path in channel.metapaths} == {"author", "series", "genre", "followed_by", "rev_followed_by"}


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    data = library()
    KgPaths(paths={"author/^author": 1.0}).fit(data).save(tmp_path)
    damaged: list[Any] = [[["author", "rev_autor"]], [[]], ["author"], [[1]]]
    for metapaths in damaged:
        settings = {**json.loads((tmp_path / "recaller.json").read_text(encoding="utf-8")), "metapaths": metapaths}
        (tmp_path / "recaller.json").write_text(json.dumps(settings), encoding="utf-8")
        with pytest.raises(BundleError, match="does not fit the bundle"):
            load_recaller(tmp_path, parts_of(data.items, graph=data.catalogue))
