"""Many users at once get what each would get alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import graphrec.serve.engine as engines
from graphrec.errors import ConfigError
from graphrec.operations.recaller import OperationsRecaller
from graphrec.operations.rulings import Ruling
from graphrec.serve import Answer, Engine
from tests.serve.test_engine import Broken, with_channels


def assert_same_as_single(table: pa.Table, answers: Sequence[tuple[str | None, Answer]]) -> None:
    """Check the table beside one answer a user, rank by rank and channel by channel."""
    rows = table.to_pylist()
    expected = [(user, rank, entry) for user, answer in answers for rank, entry in enumerate(answer.items, 1)]
    assert [(row["user"], row["rank"], row["item"]) for row in rows] == [
        (user, rank, entry.item) for user, rank, entry in expected
    ]
    np.testing.assert_allclose([row["score"] for row in rows], [entry.score for _, _, entry in expected], rtol=1e-5)
    for row, (_, _, entry) in zip(rows, expected, strict=True):
        ranks = {name: rank for name, rank in row["channels"].items() if rank is not None}
        assert ranks == {name: place.rank for name, place in entry.channels.items()}


@pytest.fixture(params=[3, 1024])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(engines, "_CHUNK", request.param)
    return int(request.param)


@pytest.mark.parametrize("settings", [{"k": 4}, {"k": 1000}, {"k": 3, "channels": ["hot", "item-cf"]}])
def test_known_and_unknown_users(skewed_engine: Engine, settings: dict[str, Any], chunk: int) -> None:
    users = [*skewed_engine.bundle.users, "stranger", None]
    table = skewed_engine.recall_many(users, **settings)
    assert_same_as_single(table, [(user, skewed_engine.recall(user, **settings)) for user in users])


def test_live_histories_follow_the_stored_ones(engine: Engine, chunk: int) -> None:
    users = ["r0", "nobody", None, "r1"]
    history: list[Any] = [["b7", ("b8", 2.0), "b7"], ["b0"], None, []]
    table = engine.recall_many(users, history, k=9)
    singles = [(user, engine.recall(user, past, k=9)) for user, past in zip(users, history, strict=True)]
    assert_same_as_single(table, singles)


def test_histories_alone(engine: Engine) -> None:
    table = engine.recall_many(history=[["b0"], ["b5"]], k=3)
    assert_same_as_single(table, [(None, engine.recall(history=[item], k=3)) for item in ("b0", "b5")])


def test_filters_hold_for_all(skewed_engine: Engine, chunk: int) -> None:
    items = list(skewed_engine.bundle.items)
    settings: dict[str, Any] = {"k": 6, "exclude": items[:9], "only": items[4:30]}
    users = list(skewed_engine.bundle.users)
    table = skewed_engine.recall_many(users, **settings)
    assert_same_as_single(table, [(user, skewed_engine.recall(user, **settings)) for user in users])


def test_pins_and_boosts(engine: Engine, chunk: int) -> None:
    rulings = [
        Ruling("pin", "second", np.array([9], dtype=np.int32), positions=(2,)),
        Ruling("pin", "late", np.array([3], dtype=np.int32), positions=(7,)),
        Ruling("boost", "push", np.array([5], dtype=np.int32), factor=9.0),
    ]
    decreed = with_channels(engine, {"operations": OperationsRecaller(rulings, n_items=12)})
    users = [*engine.bundle.users, None]
    for k in (3, 12):
        answers = [(user, decreed.recall(user, k=k, now=0.0)) for user in users]
        assert_same_as_single(decreed.recall_many(users, k=k, now=0.0), answers)


def test_every_user_of_the_bundle_by_default(engine: Engine) -> None:
    assert list(dict.fromkeys(engine.recall_many(k=1)["user"].to_pylist())) == list(engine.bundle.users)


def test_nobody_at_all_is_an_empty_table_of_the_same_columns(engine: Engine) -> None:
    table = engine.recall_many([], k=5, channels=["tag", "hot"])
    assert table.num_rows == 0
    assert table.schema.equals(engine.recall_many(["r0"], k=5, channels=["tag", "hot"]).schema)


def test_batches_are_the_table_in_parts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_CHUNK", 2)
    batches = list(engine.recall_batches(k=4))
    assert len(batches) == -(-len(engine.bundle.users) // 2)
    assert pa.Table.from_batches(batches).equals(engine.recall_many(k=4))


def test_a_broken_channel_is_named_in_the_metadata(engine: Engine) -> None:
    broken = with_channels(engine, {"bad": Broken([0], [1.0])})
    table = broken.recall_many(["r0"], k=4)
    assert json.loads(table.schema.metadata[b"left_out"]) == {"bad": "broken: RuntimeError: no luck"}
    assert table.schema.metadata[b"version"].decode() == engine.version
    assert table["item"].to_pylist() == engine.recall("r0", k=4).ids


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"users": "r0"}, "users is 'r0'; it must be a sequence of ids"),
        ({"users": [58]}, r"users holds 58 \(int\); ids are strings: '58'"),
        ({"users": ["r0"], "history": []}, "there are 0 histories for 1 users; each user needs one, or None"),
        ({"history": ["b0"]}, "history is 'b0'; it must be a sequence of ids"),
        ({"k": "10"}, "k is '10'; it must be a whole number of 1 or more"),
        ({"channels": ["swing"]}, "channel 'swing' is not among"),
    ],
)
def test_illegal_values_get_a_sentence(engine: Engine, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        engine.recall_batches(**settings)
