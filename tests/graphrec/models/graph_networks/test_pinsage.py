"""PinSage as a channel: what it answers, how it trains, stops and goes on, and what it refuses."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.channels.shared import joined_graph
from graphrec.contracts.progress import FitContext, State, TrainingPoint
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.graph.catalogue import items_only
from graphrec.graph.ppr import personalised_pagerank
from graphrec.graph.relation_features import relation_tags
from graphrec.models.graph_networks.pinsage import PinSage
from graphrec.models.graph_networks.pinsage_batches import histories_of
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.query_encoder import HistoryEncoder
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import checkerboard, described, library, skewed, vocabulary, without_knowledge

SMALL = PinSage(dim=6, layers=1, epochs=4, batch=16, walks=20, walk_length=6)


def fit(recipe: PinSage, data: RecallData, **context: Any) -> VectorRecaller:
    channel = recipe.fit(data, FitContext(**context))
    assert isinstance(channel, VectorRecaller)
    return channel


def learnt(recipe: PinSage, data: RecallData, seed: int = 0) -> State:
    vectors, _ = recipe._task(data, FitContext(seed=seed)).run(FitContext(seed=seed))
    return vectors


def assert_equal_channels(left: VectorRecaller, right: VectorRecaller) -> None:
    np.testing.assert_allclose(left.sources, right.sources, atol=1e-5)
    np.testing.assert_allclose(left.targets, right.targets, atol=1e-5)
    assert left.users is not None
    assert right.users is not None
    np.testing.assert_allclose(left.users, right.users, atol=1e-5)


def test_a_trained_user_is_answered_by_his_own_vector_and_his_history() -> None:
    data = skewed()
    recipe = replace(SMALL, weight_exponent=0.5, half_life=4.0, history_exponent=0.7)
    vectors, channel, history = learnt(recipe, data), fit(recipe, data), histories(data.interactions)
    answer = channel.recall(known_queries(history, [5]), len(data.items))[0]
    items, ratings = history[5]
    weights = np.where(ratings > 0, ratings, 0) ** 0.5 * 2.0 ** (-np.arange(len(items))[::-1] / 4)
    user = vectors["users"][5] + weights @ vectors["says"][items] / weights.sum() ** 0.7
    lengths = np.linalg.norm(vectors["items"], axis=1, keepdims=True)
    expected = vectors["items"] * lengths ** (recipe.length_exponent - 1) @ user
    np.testing.assert_allclose(answer[1], expected[answer[0]], rtol=1e-3, atol=1e-4)
    assert (np.diff(answer[1]) <= 0).all()


def test_without_own_vectors_a_user_is_his_history() -> None:
    channel = fit(replace(SMALL, query="history"), skewed())
    assert isinstance(channel.encoder, HistoryEncoder)
    assert channel.users is None


def test_interests_search_items_by_cosine() -> None:
    data = checkerboard()
    recipe = replace(SMALL, query="interests", interests=2, epochs=8)
    channel = recipe.fit(data)
    assert isinstance(channel, InterestRecaller)
    np.testing.assert_allclose(np.linalg.norm(channel.sources, axis=1), 1, rtol=1e-5)
    # A history of both colours has an interest in each.
    items = channel.recall(Queries([-1], item_lists([[0, 4, 8, 1, 5, 9]])), 6)[0][0]
    assert set(items[:2].tolist()) <= set(range(20))
    assert len({int(item) % 2 for item in items[:2]}) == 2


def test_items_without_events_are_recalled_where_something_is_known_of_them() -> None:
    plain, data = without_knowledge(skewed()), described(without_knowledge(skewed()))
    cold = np.arange(41, 45)
    assert not set(cold.tolist()) & set(fit(SMALL, plain).rows.tolist())
    assert set(cold.tolist()) <= set(fit(SMALL, data).rows.tolist())
    assert not set(cold.tolist()) & set(fit(replace(SMALL, features=False), data).rows.tolist())
    reached = fit(replace(SMALL, features=False, catalogue=True), skewed())  # by maker and genre
    assert set(cold.tolist()) <= set(reached.rows.tolist())


def test_entities_of_the_catalogue_tell_items_apart_where_they_are_read() -> None:
    data, nothing = replace(skewed(), item_tags=None), replace(SMALL, ids=False, layers=0)
    with pytest.raises(ConfigError, match="nothing to tell items apart"):
        nothing.fit(data)
    vectors = learnt(replace(nothing, entities=True), data)
    joined = np.zeros(len(data.items), dtype=np.bool_)
    for column in relation_tags(data.catalogue).values():
        joined |= np.diff(column.table.indptr) > 0
    np.testing.assert_array_equal((vectors["items"] != 0).any(axis=1), joined)


def test_an_inductive_model_knows_an_item_by_its_features_and_neighbours_alone() -> None:
    data = described(without_knowledge(skewed()))
    assert data.item_features is not None
    twins = Features(45, labels={"colour": Labels(Vocabulary(["a", "b"]), np.arange(45) % 2)})
    vectors = learnt(replace(SMALL, ids=False, layers=0), replace(data, item_features=twins))["items"]
    np.testing.assert_array_equal(vectors[0::2], np.broadcast_to(vectors[0], (23, 6)))
    assert not np.allclose(vectors[0], vectors[1])


def test_the_catalogue_is_walked_where_it_is_asked_for() -> None:
    data = library()
    near = replace(SMALL, neighbours=11)._neighbourhoods(data, FitContext())[0]
    through = replace(SMALL, neighbours=11, catalogue=True)._neighbourhoods(data, FitContext())[0]
    only = replace(SMALL, relation_weights={"interacts": 0.0}, neighbours=11)._neighbourhoods(data, FitContext())[0]
    assert len(near[2][0]) == 0  # nobody has read "Children of Dune"
    assert {0, 1} <= set(through[2][0].tolist())
    assert not len(only.neighbours)


def test_hard_negatives_stand_between_two_ranks() -> None:
    recipe = replace(SMALL, item_weight=1.0, hard_negatives=2, hard_from=2, hard_to=5)
    band = recipe._neighbourhoods(skewed(), FitContext())[1]
    assert band is not None
    assert np.diff(band.indptr).max() == 3
    whole = replace(recipe, hard_from=0, hard_to=5)._neighbourhoods(skewed(), FitContext())[1]
    assert whole is not None
    for row in range(41):
        np.testing.assert_array_equal(band[row][0], whole[row][0][2:])
        assert row not in band[row][0]


def test_hard_negatives_have_about_the_ranks_of_exact_pagerank() -> None:
    data, (first, last) = skewed(), (4, 12)
    recipe = replace(SMALL, item_weight=1.0, hard_negatives=2, hard_from=first, hard_to=last)
    band = recipe._neighbourhoods(data, FitContext())[1]
    assert band is not None
    n_users, n_items = len(data.users), len(data.items)
    exact = personalised_pagerank(
        joined_graph(data, FitContext(), weighted=False), np.arange(n_users, n_users + n_items), top=n_items,
        tolerance=1e-9, drop_self=True, targets=(n_users, n_users + n_items), relation_weights=recipe._ways(data),
    ).table  # fmt: skip
    near = [
        first // 2 <= rank < 2 * last
        for item in range(n_items)
        for rank in np.flatnonzero(np.isin(exact[item][0], band[item][0]))
    ]
    assert len(near) == len(band.neighbours)
    assert np.mean(near) > 0.95


def test_hard_negatives_grow_by_one_an_epoch() -> None:
    recipe = replace(SMALL, item_weight=1.0, hard_negatives=2, hard_from=2, hard_to=9, batch=100)
    task = recipe._task(skewed(), FitContext())
    rng = np.random.default_rng(0)
    assert [int(batch.shared["n_hard"]) for epoch in range(4) for batch in task.batches(epoch, rng)] == [0, 1, 2, 2]


@pytest.mark.parametrize("loss", ["softmax", "margin"])
def test_progress_hears_of_every_step_and_the_loss_falls(loss: Any) -> None:
    told: list[tuple[int, int]] = []
    points: list[TrainingPoint] = []
    context = FitContext(progress=lambda done, total, /, **_values: told.append((done, total)), record=points.append)
    replace(SMALL, epochs=8, loss=loss, item_weight=0.5).fit(checkerboard(), context)
    assert told == [(step, 16) for step in range(1, 17)]  # two batches an epoch
    assert [point.step for point in points] == list(range(1, 9))
    assert points[-1].loss < points[0].loss


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_a_fit_that_was_stopped_goes_on_with_the_same_result(stop: int, tmp_path: Path) -> None:
    data, checkpoints = skewed(), FileCheckpoints(tmp_path / "state.npz")
    seen: list[int] = []

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SMALL.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until))
    again = fit(
        SMALL, data, seed=3, checkpoints=checkpoints, progress=lambda done, _total, /, **_values: seen.append(done)
    )
    assert seen == list(range(stop + 1, 17))  # four batches an epoch
    assert_equal_channels(again, fit(SMALL, data, seed=3))


@pytest.mark.parametrize(
    "changed", [{}, {"item_weight": 0.5, "hard_negatives": 2, "hard_from": 1, "hard_to": 6}], ids=repr
)
def test_parts_of_a_batch_have_the_loss_of_the_whole(changed: dict[str, Any]) -> None:
    """What processes that divide a batch add up to; edges of pairs are left out by each for its own pairs."""
    recipe = replace(SMALL, layers=0, batch=100, **changed)
    task = recipe._task(skewed(), FitContext(seed=2))
    rng = np.random.default_rng(0)
    (batch,) = task.batches(3, np.random.default_rng(1))
    with torch.no_grad():
        whole = float(task.loss(batch, rng))
        parts = [batch.part(rank, 3) for rank in range(3)]
        shares = [float(task.loss(part, rng)) * len(part) / len(batch) for part in parts]
    assert sum(shares) == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("item_weight", [0.0, 0.5])
def test_what_a_user_has_is_no_negative_of_his_softmax_nor_a_query_its_own(item_weight: float) -> None:
    recipe = replace(SMALL, regularisation=0.0, batch=100, negatives=12, temperature=0.3, item_weight=item_weight)
    data = skewed()
    task = recipe._task(data, FitContext(seed=2))
    (batch,) = task.batches(0, np.random.default_rng(1))
    made = task._batches.batch(batch.examples["users"], batch.examples["numbers"], batch.shared["negatives"])
    with torch.no_grad():
        vectors = task.model.vectors(made.blocks, made.seeds)
        says = task.model.says(made.seeds, vectors)
        users = task.model.users(made.users, made.history_indptr, made.history, made.history_weights, says)
        loss = float(task.loss(batch, np.random.default_rng(0)))
    history = {user: set(items.tolist()) for user, (items, _) in enumerate(histories(data.interactions))}
    everything, drawn = made.seeds.tolist(), made.seeds[made.candidates].tolist()

    def lost(anchor: torch.Tensor, chosen: int, left_out: set[int]) -> float:
        cosines = torch.cosine_similarity(anchor[None], vectors).double().numpy() / recipe.temperature
        # 12 of the 45 items stand for all.
        others = sum(np.exp(cosines[everything.index(item)]) for item in drawn if item not in left_out) * 45 / 12
        return float(np.log(np.exp(cosines[chosen]) + others) - cosines[chosen])

    total = sum(
        lost(users[owner], item, history[made.users[owner]])
        for owner, item in zip(made.owners, made.taken, strict=True)
    )
    total += item_weight * sum(
        lost(vectors[query], partner, {everything[query]})
        for query, partner in zip(made.queries, made.partners, strict=True)
    )
    assert loss == pytest.approx(total / (len(made.users) * task._batches.pairs_per_user), rel=1e-4)


def test_long_vectors_cost_by_their_mean_whatever_their_number() -> None:
    plain = replace(SMALL, regularisation=0.0)
    (batch,) = replace(plain, batch=100)._task(skewed(), FitContext(seed=2)).batches(0, np.random.default_rng(1))
    losses = []
    for recipe in (plain, replace(plain, regularisation=0.1)):
        task = recipe._task(skewed(), FitContext(seed=2))
        with torch.no_grad():
            losses.append(float(task.loss(batch, np.random.default_rng(0))))
    tables = [module.weight for module in task.model.modules() if isinstance(module, torch.nn.Embedding)]
    squares = sum(float(table.detach().square().sum(dim=1).mean()) for table in tables)
    assert losses[1] - losses[0] == pytest.approx(0.05 * squares, rel=1e-3)


def test_maps_learn_at_a_rate_of_their_own() -> None:
    task = replace(SMALL, map_lr=0.0, regularisation=0.0, layers=2, query="history")._task(skewed(), FitContext(seed=2))
    before = {name: weight.detach().clone() for name, weight in task.model.named_parameters()}
    task.run(FitContext(seed=2))
    for name, weight in task.model.named_parameters():
        moved = not torch.equal(weight, before[name])
        assert moved == any(table in name for table in ("ids", "labels", "bags")), name


def test_where_to_stop_is_chosen_by_held_out_users() -> None:
    data = skewed()
    recipe = replace(SMALL, patience=1, check_every=1, epochs=6)
    assert recipe.chooses
    scores = iter([0.1, 0.5, 0.4, 0.9])
    asked: list[Recaller] = []

    def objective(channel: Recaller, _panel: Any) -> float:
        asked.append(channel)
        return next(scores)

    context = FitContext(seed=2, validation=object(), objective=objective)  # type: ignore[arg-type]
    chosen = recipe.choose(data, context)
    assert chosen.recipe == replace(recipe, stop_at=2)
    assert len(asked) == 3
    assert not chosen.recipe.chooses
    assert isinstance(chosen.channel, VectorRecaller)
    assert_equal_channels(chosen.channel, fit(chosen.recipe, data, seed=2))


def test_the_seed_decides_and_nothing_global_is_changed() -> None:
    data = skewed()
    torch.manual_seed(11)
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    first = fit(SMALL, data, seed=4, workers=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    torch.manual_seed(12)
    assert_equal_channels(first, fit(SMALL, data, seed=4, workers=3))
    assert not np.allclose(first.targets, fit(SMALL, data, seed=5).targets, atol=1e-3)


def test_embeddings_are_what_is_served() -> None:
    data = skewed()
    table, channel = SMALL.embed(data), fit(SMALL, data)
    assert len(table) == len(channel.rows)
    row = int(channel.rows[3])
    np.testing.assert_allclose(table[data.items[row]], channel.targets[3], atol=1e-5)


def world_of(n_users: int, n_items: int, pairs: list[tuple[int, int]]) -> RecallData:
    users, items = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    ids = vocabulary("i", n_items)
    events = Interactions(users, items, n_users=n_users, n_items=n_items)
    return RecallData(vocabulary("u", n_users), ids, events, items_only(ids))


EVERYTHING = replace(SMALL, item_weight=1.0, hard_negatives=1, hard_from=0, hard_to=3, in_batch=True)


@pytest.mark.parametrize("recipe", [SMALL, EVERYTHING, replace(EVERYTHING, loss="margin", negatives=1)], ids=repr)
@pytest.mark.parametrize("pairs", [[], [(0, 0)], [(0, 0), (1, 0)], [(0, 0), (0, 1)]], ids=str)
def test_worlds_of_next_to_nothing_are_no_error(recipe: PinSage, pairs: list[tuple[int, int]]) -> None:
    data = world_of(2, 1 + max((item for _, item in pairs), default=0), pairs)
    channel = fit(recipe, data)
    assert len(channel.rows) == len({item for _, item in pairs})
    assert np.isfinite(channel.targets).all()
    answer = channel.recall(Queries([0, -1], item_lists([[0], []])), 3)
    assert answer.lengths.tolist() == [len(channel.rows), 0]


def test_features_that_do_not_fit_are_refused() -> None:
    data = skewed()
    wrong = Features(7, numbers={"pages": np.zeros(7)})
    with pytest.raises(DataError, match="the table of item attributes has 7 items, the vocabulary 45"):
        replace(data, item_features=wrong)
    with pytest.raises(DataError, match="finite in part"):
        Features(45, vectors={"text": np.where(np.arange(90).reshape(45, 2) == 3, np.nan, 1).astype(np.float32)})
    with pytest.raises(ConfigError, match="nothing to tell items apart by"):
        replace(SMALL, ids=False).fit(without_knowledge(data))


def test_features_that_are_not_known_leave_the_vectors_finite() -> None:
    nothing = Features(
        45, numbers={"pages": np.full(45, np.nan)}, vectors={"text": np.full((45, 3), np.nan, dtype=np.float32)}
    )
    channel = fit(SMALL, replace(without_knowledge(skewed()), item_features=nothing))
    assert np.isfinite(channel.targets).all()
    assert len(channel.rows) == 41


def test_a_query_of_nothing_gets_nothing() -> None:
    answer = fit(SMALL, library()).recall(Queries([-1, 7], empty_lists(2)), 4)
    assert answer.lengths.tolist() == [0, 0]


def test_a_loss_that_runs_away_is_named() -> None:
    with pytest.raises(ConfigError, match=r"loss is not finite at step 1, batch 1 of epoch 1"):
        replace(SMALL, temperature=1e-40).fit(skewed())


def test_a_device_that_is_not_there_is_named() -> None:
    for device in ("cuda:77", "abacus"):
        with pytest.raises(ConfigError, match=f"'{device}'"):
            SMALL.fit(library(), FitContext(device=device))


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphrec.models.graph_networks.pinsage_training", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'graphrec\[train\]'"):
        SMALL.fit(library())


def test_a_history_is_of_liked_items_once_each() -> None:
    events = Interactions([0, 0, 0, 1], [2, 2, 1, 0], [1, 2, -1, 0.5], n_users=3, n_items=3)
    own = histories_of(events)
    assert own.indptr.tolist() == [0, 1, 2, 2]
    assert own.items.tolist() == [2, 0]
    np.testing.assert_allclose(own.shares, [0.5, 0, 0.5])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"layers": -1}, "layers is -1"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"restart": 1.0}, "restart is 1.0"),
        ({"held": 1.0}, "held is 1.0"),
        ({"temperature": 0}, "temperature is 0; it must be a number above 0"),
        ({"margin": 0}, "margin is 0; it must be a number above 0"),
        ({"loss": "bpr"}, "loss is 'bpr'"),
        ({"query": "mean"}, "query is 'mean'"),
        ({"stop_at": 999}, "stop_at is 999; it must be at most epochs, which is 30, or 0"),
        ({"hard_from": 500}, "hard_from is 500; it must be below hard_to, which is 500"),
        ({"hard_negatives": 2}, "hard_negatives is 2, and they are negatives of item pairs"),
        ({"user_weight": 0}, "user_weight and item_weight are both 0"),
        ({"user_weight": 0, "item_weight": 1}, 'query is "user" and user_weight 0'),
        ({"ids": False, "features": False}, "ids and features are both off"),
        ({"entities": True, "features": False}, "entities are features of items, and features is off"),
        ({"tag_weight": 0}, "tag_weight is 0; it must be a number above 0"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        PinSage(**settings)
