"""Sequence recipes: what comes next is learnt, served as torch makes it, from the history as it is at the request."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.contracts.choosing import chooses
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.sequences import Sequences, sequences
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.deep.bert4rec import BERT4Rec
from graphrec.models.deep.cloze_task import ClozeTask, hidden_events
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.din import DIN
from graphrec.models.deep.gru4rec import GRU4Rec
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.sequence_model import Events
from graphrec.models.deep.youtube_dnn import YouTubeDNN
from graphrec.models.training import loop
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.recallers import load_recaller
from graphrec.recallers.encoder import EncoderRecaller
from tests.graphrec.models.deep.sequence_worlds import rounds
from tests.worlds import DAY, START, parts_of

SMALL: Any = SASRec(dim=16, epochs=15, lr=0.02, batch=8, dropout=0.1, last=6)
TRAINED = {"dim": 16, "epochs": 15, "lr": 0.02, "batch": 8, "dropout": 0.1, "last": 6}
RECIPES: dict[str, Any] = {
    "plain": SMALL,
    "gated": replace(SMALL, block="gated", blocks=2, heads=2),
    "times and gbce": replace(SMALL, times=True, loss="gbce", mix={"popular": 1.0}, negatives=8),
    "cloze": BERT4Rec(**{**TRAINED, "epochs": 40}),  # type: ignore[arg-type]
    "cloze, gated": BERT4Rec(**{**TRAINED, "epochs": 40}, block="gated", blocks=2, heads=2),  # type: ignore[arg-type]
    "recurrent": GRU4Rec(**TRAINED, layers=2),  # type: ignore[arg-type]
    "mean": YouTubeDNN(**{**TRAINED, "epochs": 40}, layers=2),  # type: ignore[arg-type]
    "interests": ComiRec(**TRAINED, interests=3),  # type: ignore[arg-type]
    "target-aware": DIN(**TRAINED, interests=2, hidden=8, contrasts=6),  # type: ignore[arg-type]
    "capsules": ComiRec(**{**TRAINED, "epochs": 30}, interests=2, routing="capsules"),  # type: ignore[arg-type]
}


@pytest.fixture(scope="module", params=RECIPES)
def fitted(request: pytest.FixtureRequest) -> tuple[RecallData, Any, EncoderRecaller]:
    data, recipe = rounds(), RECIPES[request.param]
    task = recipe._task(data, FitContext(seed=1))
    learnt, _ = task.run(FitContext(seed=1))
    return data, task, recipe._channel(data, learnt, FitContext(seed=1))


def test_what_comes_next_comes_first(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    _, _, channel = fitted
    walks = [[start % 12, (start + 1) % 12, (start + 2) % 12] for start in range(12)]
    taken = item_lists(walks)
    answer = channel.recall_allowed(
        Queries(np.full(12, -1), taken), 1, exclude=taken, allowed=np.ones(12, dtype=np.bool_)
    )
    assert (answer.items == (np.arange(12) + 3) % 12).mean() > 0.8


def test_the_vectors_are_those_of_torch(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    data, task, channel = fitted
    events = sequences(data.interactions)
    vectors = channel.encoder.vectors(Queries(np.arange(40), events))
    with task.model.served():  # by the means of weights, where they are kept
        for user in range(40):
            _, expected = _by_torch(task, events, user)
            np.testing.assert_allclose(vectors[user], expected, atol=1e-4)


@torch.no_grad()
def _by_torch(task: Any, events: Sequences, user: int) -> tuple[int, Any]:
    stop = int(events.indptr[user + 1])
    start = max(int(events.indptr[user]), stop - 6)
    rows = torch.from_numpy(events.items[start:stop].astype(np.int64))
    assert events.times is not None
    ages = torch.from_numpy((events.times[stop - 1] - events.times[start:stop]).astype(np.float32))
    vectors = task.model.items_in(rows)[None]
    lengths = torch.tensor([stop - start])
    read = Events(vectors, lengths, ages[None], torch.zeros_like(ages)[None])
    if isinstance(task, ClozeTask):  # a place more, which is hidden
        nothing, hidden = torch.zeros(1, stop - start + 1), torch.arange(stop - start + 1)[None] == lengths
        read = Events(torch.cat([vectors, vectors[:, :1]], dim=1), lengths + 1, nothing, nothing, hidden)
    return stop - start, task.model.states(read)[0, -1].numpy()


def test_a_new_event_counts_at_the_next_request(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    data, _, channel = fitted
    events = sequences(data.interactions)
    mine = events.items[: events.indptr[1]]
    now, then = (channel.encoder.vectors(Queries([0], item_lists([part]))) for part in (mine[-6:], mine[-7:-1]))
    assert not np.allclose(now, then, atol=1e-3)


def test_what_is_older_than_the_window_is_not_read(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    """The window is of events that say something: what is disliked or unknown takes no place in it."""
    _, _, channel = fitted
    newest = [3, 4, 4, 5, 6, 7]
    long = [*range(12)] * 50 + newest
    with_dislikes = [3, 4, 9, 4, 5, 9, 6, 7]
    weights = [1.0, 1.0, -1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    vectors = channel.encoder.vectors(
        Queries(
            [-1, -1, -1],
            Sequences(
                np.cumsum([0, len(newest), len(long), len(with_dislikes)]),
                np.array([*newest, *long, *with_dislikes]),
                np.array([1.0] * (len(newest) + len(long)) + weights),
            ),
        )
    )
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    np.testing.assert_allclose(vectors[2], vectors[0], atol=1e-5)


def test_a_history_of_one_event_is_answered_and_of_unknown_items_alone_is_not() -> None:
    data = rounds()
    quiet = replace(data, interactions=take(data.interactions, data.interactions.items != 5))
    channel = replace(SMALL, epochs=1).fit(quiet)
    answer = channel.recall(Queries([-1, 3, -1, -1], item_lists([[4], [5], [], [5, 4]])), 20)
    assert answer.lengths.tolist() == [11, 0, 0, 11]
    assert 5 not in answer.items
    np.testing.assert_array_equal(answer[3][0], answer[0][0])


def test_equal_times_are_read_in_their_order_and_falling_times_are_refused() -> None:
    channel = replace(SMALL, epochs=2, times=True).fit(rounds())
    same = Sequences([0, 3], [1, 2, 3], times=[START] * 3)
    later = Sequences([0, 3], [1, 2, 3], times=[START, START + DAY, START + 900 * DAY])
    vectors = [channel.encoder.vectors(Queries([-1], events)) for events in (same, later)]
    assert np.isfinite(vectors).all()
    with pytest.raises(DataError, match="events must come oldest first"):
        Sequences([0, 2], [1, 2], times=[START + DAY, START])
    # In files events may stand in any order: they are read by their times.
    data = rounds()
    assert np.array_equal(sequences(data.interactions).items, sequences(_turned(data.interactions)).items)


def _turned(events: Interactions) -> Interactions:
    return take(events, np.arange(len(events))[::-1])


def test_many_histories_of_any_length_are_read_in_parts(
    fitted: tuple[RecallData, Any, EncoderRecaller], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, _, channel = fitted
    queries = Queries(np.arange(40), sequences(data.interactions))
    whole = channel.encoder.vectors(queries)
    monkeypatch.setattr("graphrec.recallers.encoder._WINDOWS", 7)
    np.testing.assert_allclose(channel.encoder.vectors(queries), whole, atol=1e-5)
    assert channel.encoder.vectors(Queries(np.empty(0, np.int32), empty_lists(0))).shape[0] == 0


def test_answering_loads_no_torch(tmp_path: Path) -> None:
    channel = replace(SMALL, epochs=1).fit(rounds())
    channel.save(tmp_path)
    code = f"""
import json, sys
from pathlib import Path
from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.recallers import load_recaller
from tests.worlds import items_only, BundleParts, vocabulary
items = vocabulary("i", 12)
channel = load_recaller(Path({str(tmp_path)!r}), BundleParts(vocabulary("u", 40), items, items_only(items)))
assert channel.recall(Queries([-1], item_lists([[0, 3]])), 5).lengths[0] == 5
print(json.dumps([*sys.modules]))
"""
    root = Path(__file__).parents[4]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not {"torch", "lightning_fabric"} & set(json.loads(run.stdout))


def test_a_tower_that_reads_events_needs_a_window(tmp_path: Path) -> None:
    data = rounds()
    channel = replace(SMALL, epochs=1).fit(data)
    channel.save(tmp_path)
    path = tmp_path / "recaller.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    assert settings.pop("window") == 6
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(BundleError, match="asks for the input 'events'"):
        load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))


def test_items_without_events_are_recalled_by_their_features() -> None:
    data = rounds()
    zones = Labels(Vocabulary(["low", "high"]), (np.arange(12) >= 6).astype(np.int64))
    part = replace(
        data,
        interactions=take(data.interactions, data.interactions.items != 11),
        item_features=Features(12, {}, {"zone": zones}),
    )
    assert 11 in replace(SMALL, epochs=2).fit(part).rows.tolist()
    assert 11 not in replace(SMALL, epochs=2, features=False).fit(part).rows.tolist()


@pytest.mark.parametrize("stop", [1, 9])
def test_a_training_that_was_stopped_goes_on_as_it_would_have(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, checkpoints = rounds(), FileCheckpoints(tmp_path / "state.npz")
    recipe, settings = replace(SMALL, epochs=3), loop.TrainingSettings
    monkeypatch.setattr(
        "graphrec.models.training.recipe_training.TrainingSettings", lambda **given: settings(**given, checkpoint_s=0.0)
    )

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until, workers=1))
    again = recipe.fit(data, FitContext(seed=3, checkpoints=checkpoints, workers=1))
    whole = recipe.fit(data, FitContext(seed=3, workers=1))
    np.testing.assert_array_equal(again.targets, whole.targets)


def test_where_to_stop_is_chosen_on_held_out_users() -> None:
    data = rounds()
    events = data.interactions
    assert events.times is not None
    newest = np.zeros(40, dtype=np.int64)
    np.maximum.at(newest, events.users, events.times)
    held = events.times == newest[events.users]
    part = replace(data, interactions=take(events, ~held))
    recipe = replace(SMALL, patience=2, check_every=2, epochs=8)
    assert chooses(recipe)
    panel = held_out_panel(part, take(events, held)).panel
    chosen = recipe.choose(part, FitContext(validation=panel, objective=MeanMetric("recall", 3)))
    assert 0 < chosen.recipe.stop_at <= 8
    assert isinstance(chosen.channel, EncoderRecaller)


def test_the_age_of_an_example_is_that_of_what_is_told_and_requests_have_none() -> None:
    task = RECIPES["mean"]._task(rounds(), FitContext(seed=1))
    seen: list[Events] = []
    states = task.model.states

    def watched(events: Events) -> torch.Tensor:
        seen.append(events)
        made: torch.Tensor = states(events)
        return made

    task.model.states = watched
    step = next(iter(task.batches(0, np.random.default_rng(0))))
    task.loss(step, np.random.default_rng(0))
    times, (start, length, newest) = task._events.times, (part[0] for part in list(step.examples.values())[:3])
    expected = (times.max() - times[start + length - newest : start + length]) / DAY
    np.testing.assert_allclose(seen[0].example_ages[0, length - 1 - newest : length - 1].numpy(), expected, rtol=1e-5)
    assert not seen[0].example_ages[0, : length - 1 - newest].any()
    assert "example_ages" not in RECIPES["mean"].fit(rounds()).encoder.tower.inputs


def readers() -> RecallData:
    """Return users of two countries, of which one takes items of even rows and the other those of odd ones."""
    rng = np.random.default_rng(6)
    items = np.concatenate([2 * rng.permutation(6)[:4] + user % 2 for user in range(40)])
    data = rounds(times=False)
    countries = Labels(Vocabulary(["DE", "FR"]), np.arange(40) % 2)
    ages = np.where(np.arange(40) % 9 == 0, np.nan, rng.uniform(10, 80, 40))
    known = Features(40, {"age": ages}, {"country": countries}, vectors={"face": rng.normal(size=(40, 3)).astype("f4")})
    events = Interactions(np.repeat(np.arange(40), 4), items, n_users=40, n_items=12)
    return replace(data, interactions=events, user_features=known)


def test_a_mean_is_joined_by_what_is_known_of_the_user(tmp_path: Path) -> None:
    data, recipe = readers(), YouTubeDNN(**TRAINED)  # type: ignore[arg-type]
    task = recipe._task(data, FitContext(seed=1))
    learnt, _ = task.run(FitContext(seed=1))
    channel = recipe._channel(data, learnt, FitContext(seed=1))
    assert isinstance(channel, EncoderRecaller)
    assert task.model.users_in is not None
    events = sequences(data.interactions)
    made = channel.encoder.vectors(Queries(np.arange(40), events))
    nothing = torch.zeros(40, 4)
    rows = torch.from_numpy(events.items.astype(np.int64))
    with torch.no_grad(), task.model.served():
        vectors, users = task.model.items_in(rows).reshape(40, 4, 16), task.model.users_in(torch.arange(40))
        expected = task.model.last(Events(vectors, torch.full((40,), 4), nothing, nothing, users=users)).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-4)
    # Nothing but a country is known of these, and nothing at all of the last.
    strangers = Queries([-1, -1, -1], empty_lists(3), {"country": ["DE", "FR", None]})
    answer = channel.recall(strangers, 6)
    assert [set(answer[row][0] % 2) for row in range(3)] == [{0}, {1}, set()]
    channel.save(tmp_path)
    loaded = load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
    assert loaded.recall(strangers, 6).items.tolist() == answer.items.tolist()
    without = replace(recipe, epochs=1, features=False).fit(data)
    assert without.recall(strangers, 6).lengths.tolist() == [0, 0, 0]


@torch.no_grad()
def test_hidden_events_are_told_from_both_sides_and_say_nothing() -> None:
    task = RECIPES["cloze, gated"]._task(rounds(), FitContext(seed=1))
    task.model.train(mode=False)
    vectors, nothing = torch.randn(1, 5, 16), torch.zeros(1, 5)

    def states(changed: int, hidden: list[int]) -> torch.Tensor:
        taken = vectors.clone()
        taken[0, changed] *= torch.linspace(-2, 2, 16)
        places = torch.isin(torch.arange(5), torch.tensor(hidden))[None]
        made: torch.Tensor = task.model.states(Events(taken, torch.tensor([5]), nothing, nothing, places))
        return made[0]

    for other in (0, 4):  # an earlier and a later event
        assert not torch.allclose(states(other, [2])[2], states(2, [2])[2], atol=1e-4)
    # A hidden event plays no part at its own place, and its place none for others.
    before = states(3, [2, 3])
    torch.testing.assert_close(states(2, [2, 3]), before)
    task.model.places.weight[3] += torch.randn(16)
    torch.testing.assert_close(states(3, [2, 3])[[0, 1, 2, 4]], before[[0, 1, 2, 4]])


def test_what_is_hidden_is_some_and_never_all_or_the_newest_alone() -> None:
    lengths = np.repeat([2, 3, 10, 51], 500)
    hidden = hidden_events(lengths, 0.4, 0.0, np.random.default_rng(0))
    there = np.arange(51) < lengths[:, None]
    assert not (hidden & ~there).any()
    assert (hidden.sum(axis=1) >= 1).all()
    assert (hidden.sum(axis=1) < lengths).all()
    assert abs(hidden[lengths == 51].sum(axis=1).mean() / 51 - 0.4) < 0.02
    assert np.ptp(hidden[lengths == 10, :10].mean(axis=0)) < 0.15  # wherever it stands
    newest = hidden_events(lengths, 0.4, 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(newest, np.arange(51) == lengths[:, None] - 1)
    assert hidden_events(np.empty(0, np.int64), 0.4, 0.5, np.random.default_rng(0)).shape[0] == 0


def test_users_of_one_event_teach_nothing_and_break_nothing() -> None:
    data = rounds()
    lonely = replace(data, interactions=Interactions([0, 1], [3, 4], n_users=40, n_items=12))
    channel = SMALL.fit(lonely)
    assert channel.recall(Queries([0, -1], item_lists([[3], [7]])), 5).lengths.tolist() == [2, 0]
    nothing = replace(data, interactions=Interactions([], [], n_users=40, n_items=12))
    assert SMALL.fit(nothing).recall(Queries([0], item_lists([[3]])), 5).lengths.tolist() == [0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"last": 0}, "last is 0; it must be a whole number from 1 to 4,096"),
        ({"dim": 10, "heads": 4}, "dim is 10 and heads 4; dim must be a multiple of heads"),
        ({"stop_at": 99}, "stop_at is 99; it must be at most epochs"),
        ({"mix": {"hard": 1.0}}, "mix names 'hard', whose negatives are each user's own"),
        ({"block": "gate"}, "block is 'gate'; it must be 'plain' or 'gated'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        SASRec(**settings)
