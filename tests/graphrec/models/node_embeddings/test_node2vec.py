from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext, TrainingPoint
from graphrec.contracts.queries import Queries, known_queries
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.index import ExactIndex, HnswIndex, build_hnsw
from graphrec.models.node_embeddings.node2vec import Node2Vec, QueryKind
from graphrec.models.node_embeddings.skip_gram import Loss
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import checkerboard, library, skewed, without_knowledge

SMALL = Node2Vec(dim=12, walks_per_node=8, length=12, window=3)

FIT = """
import sys
from graphrec.contracts.progress import FitContext
from graphrec.models.node_embeddings.node2vec import Node2Vec
from tests.worlds import skewed
sys.stdout.write(Node2Vec(dim=8, walks_per_node=4, length=10).fit(skewed(), FitContext(seed=5)).sources.tobytes().hex())
"""


def test_it_learns_the_colours_of_the_checkerboard() -> None:
    data = without_knowledge(checkerboard())
    recaller = replace(SMALL, walks_per_node=20).fit(data, FitContext(seed=1))
    similar = recaller.recall(Queries([-1] * len(data.items), item_lists(np.arange(len(data.items))[:, None])), 5)
    owners = np.repeat(np.arange(len(data.items)), similar.lengths)
    assert (similar.items % 2 == owners % 2).mean() > 0.95


@pytest.mark.parametrize("query", ["items", "history", "user", "blend", "sum"])
def test_every_way_of_asking_prefers_the_own_colour(query: Any) -> None:
    data = checkerboard()
    recaller = replace(SMALL, walks_per_node=20, query=query).fit(data, FitContext(seed=1))
    answer = recaller.recall(known_queries(histories(data.interactions), np.arange(30)), 6)
    owners = np.repeat(np.arange(30), answer.lengths)
    assert (answer.items % 2 == owners % 2).mean() > 0.9


@pytest.mark.parametrize("query", ["history", "sum"])
def test_items_are_served_with_a_power_of_their_length(query: Any) -> None:
    data, recipe = skewed(), replace(SMALL, query=query, length_exponent=1.0)
    learnt = recipe.learn(data, FitContext(seed=1))
    whole = recipe.channel(learnt, data)
    assert isinstance(whole, VectorRecaller)
    lengths = np.linalg.norm(whole.targets, axis=1, keepdims=True)
    for exponent in (0.0, 0.3):
        served = replace(recipe, length_exponent=exponent).channel(learnt, data)
        assert isinstance(served, VectorRecaller)
        np.testing.assert_allclose(served.targets, whole.targets * lengths ** (exponent - 1), rtol=1e-4)
        queries = known_queries(histories(data.interactions), np.arange(4))
        scores = whole.encoder.vectors(queries) @ served.targets.T
        for answer, expected in zip(served.recall(queries, 3).scores.reshape(4, 3), scores, strict=True):
            np.testing.assert_allclose(answer, np.sort(expected)[::-1][:3], rtol=1e-4)


def test_vectors_are_the_same_in_every_process() -> None:
    root = Path(__file__).parents[4]
    found = []
    for hash_seed in ("0", "1234"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", FIT], env=environment, cwd=root, capture_output=True, text=True, check=True
        )
        assert run.stderr == ""
        found.append(run.stdout)
    assert found[0] == found[1]
    here = Node2Vec(dim=8, walks_per_node=4, length=10).fit(skewed(), FitContext(seed=5))
    assert found[0] == here.sources.tobytes().hex()


def test_another_seed_gives_other_vectors() -> None:
    one, two = (SMALL.fit(library(), FitContext(seed=seed)).sources for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_items_that_nothing_is_joined_to_or_that_are_off_the_pool_are_left_out() -> None:
    data = without_knowledge(skewed())
    events = np.bincount(data.interactions.items, minlength=len(data.items))
    recaller = SMALL.fit(data)
    assert recaller.rows.tolist() == np.flatnonzero((events > 0) & data.pool).tolist()
    assert recaller.recall(Queries([-1], item_lists([[len(data.items) - 1]])), 5).lengths.tolist() == [0]


def test_a_cold_item_is_placed_by_the_knowledge_graph() -> None:
    """Nobody has read row 2, "Children of Dune"; its author, series and prequel place it beside the other Dunes."""
    recaller = replace(SMALL, walks_per_node=60, window=4).fit(library())
    assert 2 in recaller.rows
    assert set(recaller.recall(Queries([-1], item_lists([[2]])), 3).items.tolist()) & {0, 1}


def test_users_without_events_have_no_vector() -> None:
    recaller = replace(SMALL, query="user").fit(without_knowledge(library()))
    assert isinstance(recaller, VectorRecaller)
    assert recaller.users is not None
    assert (recaller.users[:7] != 0).any(axis=1).all()
    assert (recaller.users[7] == 0).all()


def test_no_events_at_all_are_no_error() -> None:
    data = without_knowledge(library())
    nothing = replace(data, interactions=type(data.interactions)([], [], n_users=8, n_items=12))
    recaller = SMALL.fit(nothing)
    assert recaller.recall(Queries([0], item_lists([[1]])), 4).lengths.tolist() == [0]


def test_the_index_is_the_one_asked_for() -> None:
    for query in ("items", "blend"):
        assert isinstance(replace(SMALL, query=query, index="hnsw").fit(library()).near, HnswIndex)
    assert isinstance(replace(SMALL, index="exact").fit(library()).near, ExactIndex)
    assert isinstance(SMALL.fit(library()).near, ExactIndex)  # by their number, which is small


def test_weights_and_relations_change_the_walks() -> None:
    data = skewed()
    plain = SMALL.fit(data).sources
    for other in (replace(SMALL, weighted=True), replace(SMALL, relation_weights={"made_by": 5.0})):
        assert other.fit(data).sources.tobytes() != plain.tobytes()
    with pytest.raises(DataError, match="relation 'made_bi' is not among"):
        replace(SMALL, relation_weights={"made_bi": 1.0}).fit(data)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"walks_per_node": 0}, "walks_per_node is 0"),
        ({"length": 20_000}, "length is 20000; it must be a whole number from 1 to 10,000"),
        ({"window": 0}, "window is 0"),
        ({"p": 0.0}, "p is 0"),
        ({"negative": 0}, "negative is 0"),
        ({"epochs": 0}, "epochs is 0"),
        ({"lr": 0.0}, "lr is 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"ns_exponent": float("nan")}, "ns_exponent is nan"),
        ({"trainer": "word2vec"}, "trainer is 'word2vec'; it must be 'numba' or 'gensim'"),
        ({"loss": "softmax"}, "loss is 'softmax'; it must be 'negative' or 'hierarchical'"),
        (
            {"loss": "hierarchical", "query": "user"},
            "query is 'user', which serves in and out",
        ),
        ({"query": "users"}, "query is 'users'; it must be 'items', 'history', 'user', 'blend' or 'sum'"),
        ({"index": "faiss"}, "index is 'faiss'"),
        ({"m": 1}, "m is 1"),
        ({"last": -1}, "last is -1; it must be a whole number of 0 or more"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Node2Vec(**settings)


@pytest.mark.parametrize("trainer", ["numba", "gensim"])
def test_progress_ends_with_the_last_walk(trainer: Any) -> None:
    steps: list[tuple[int, int]] = []
    context = FitContext(seed=1, progress=lambda done, total, /, **_values: steps.append((done, total)))
    recipe = replace(SMALL, epochs=3, trainer=trainer)
    told = recipe.fit(library(), context)
    assert steps == sorted(set(steps))
    assert steps[-1] == (100, 100)
    assert told.sources.tobytes() == recipe.fit(library(), FitContext(seed=1)).sources.tobytes()


def test_progress_shows_the_loss_of_our_own_trainer() -> None:
    losses: list[float] = []
    points: list[TrainingPoint] = []
    context = FitContext(
        seed=1, progress=lambda _done, _total, /, **values: losses.append(values["loss"]), record=points.append
    )
    replace(SMALL, epochs=300).fit(checkerboard(), context)
    assert len(losses) > 1
    assert losses[-1] < losses[0]
    assert [point.loss for point in points] == losses
    assert points[-1].step == 100


def test_the_threads_of_the_context_change_nothing() -> None:
    one, two = (SMALL.fit(library(), FitContext(seed=1, workers=workers)).sources for workers in (1, 2))
    assert one.tobytes() == two.tobytes()


@pytest.mark.parametrize(("workers", "of_context", "expected"), [(1, 0, 1), (1, 4, 1), (3, 0, 3), (3, 2, 2), (2, 4, 2)])
@pytest.mark.parametrize("query", ["items", "user"])
def test_the_index_is_built_by_as_many_threads_as_train(
    workers: int, of_context: int, expected: int, query: QueryKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(*given: Any, threads: int, **settings: Any) -> HnswIndex:
        taken.append(threads)
        return build_hnsw(*given, threads=threads, **settings)

    monkeypatch.setattr("graphrec.index.build.build_hnsw", counted)
    recipe = replace(SMALL, workers=workers, query=query, index="hnsw")
    recipe.fit(library(), FitContext(seed=1, workers=of_context))
    assert taken == [expected]


def test_without_gensim_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'graphrec\[train\]'"):
        replace(SMALL, trainer="gensim").fit(library())
    SMALL.fit(library())


@pytest.mark.parametrize("loss", get_args(Loss))
@pytest.mark.parametrize("trainer", ["numba", "gensim"])
def test_both_trainers_learn_the_colours_by_both_losses(trainer: Any, loss: Any) -> None:
    data = checkerboard()
    vectors = replace(SMALL, walks_per_node=20, lr=0.1, trainer=trainer, loss=loss).embed(data, of="items").matrix
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    colour = np.arange(len(unit)) % 2
    cosines = unit @ unit.T
    assert cosines[colour[:, None] == colour].mean() > cosines[colour[:, None] != colour].mean() + 0.2


@pytest.mark.parametrize("query", ["history", "user"])
def test_a_pair_is_scored_by_both_products(query: Any) -> None:
    data = without_knowledge(skewed())
    recipe = replace(SMALL, query=query, index="exact", length_exponent=1.0)
    learnt = recipe.learn(data, FitContext(seed=1))
    item = learnt.start("items")
    asked = 0 if query == "user" else item + 3
    queries = (
        known_queries(histories(data.interactions), np.array([0]))
        if query == "user"
        else Queries([-1], item_lists([[3]]))
    )
    answer = recipe.channel(learnt, data).recall(queries, 6)
    inputs, outputs = learnt.vectors
    expected = [inputs[asked] @ outputs[item + j] + outputs[asked] @ inputs[item + j] for j in answer.items]
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-4)


def test_embeddings_are_the_vectors_that_the_channel_is_made_of() -> None:
    data = skewed()
    channel = replace(SMALL, query="user").fit(data)
    assert isinstance(channel, VectorRecaller)
    table = SMALL.embed(data, of="items")
    for position in (0, len(channel.rows) - 1):
        np.testing.assert_array_equal(
            table[data.items[int(channel.rows[position])]], channel.sources[position, : SMALL.dim]
        )
    users = SMALL.embed(data, of="users")
    active = np.unique(data.interactions.users)
    assert list(users.vocabulary) == data.users.take(active)
    assert channel.users is not None
    np.testing.assert_array_equal(users.matrix, channel.users[active, : SMALL.dim])


def test_all_nodes_stand_in_one_table_with_their_kinds_and_labels() -> None:
    data = library()
    table, parts = SMALL.embed(data), {of: SMALL.embed(data, of=of) for of in ("users", "items", "entities")}
    assert len(table) == sum(map(len, parts.values()))
    assert table.nodes.kind_names[:2] == ["user", "item"]
    assert set(table.nodes.kind_names) <= {"user", *data.catalogue.adjacency.node_types}
    for kind, of in (("user", "users"), ("item", "items")):
        assert table.of_kind(kind).ids == parts[of].ids
        np.testing.assert_array_equal(table.of_kind(kind).matrix, parts[of].matrix)
    for (kind, external), label in zip(zip(table.kinds or [], table.ids, strict=True), table.labels or [], strict=True):
        if kind != "user":
            node = (
                data.items.get(external) if kind == "item" else len(data.items) + data.catalogue.entities.row(external)
            )
            assert label == data.catalogue.labels[node].as_py()
            assert (
                data.catalogue.adjacency.node_types[
                    int(np.searchsorted(data.catalogue.adjacency.type_offsets, node, "right")) - 1
                ]
                == kind
            )


def test_entities_have_vectors_of_their_own() -> None:
    data = library()
    table = SMALL.embed(data, of="entities")
    assert set(table.vocabulary) <= set(data.catalogue.entities)
    assert len(table) > 0
    assert table.dim == SMALL.dim
    assert len(SMALL.embed(without_knowledge(data), of="entities")) == 0


def test_embeddings_of_something_else_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="of is 'item'; it must be one of 'all', 'items', 'users', 'entities'; nearest: 'items'"
    ):
        SMALL.embed(library(), of="item")  # type: ignore[arg-type]
