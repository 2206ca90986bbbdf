"""What the engine makes of context, schedules and pins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.popular.hot import Hot
from graphrec.data.rules import Boost, Entry, Pin, Rule, Rules
from graphrec.errors import BundleError, ConfigError
from graphrec.operations.recipe import Operations
from graphrec.serve.engine import Engine
from tests.graphrec.bundle.make import fit, write
from tests.worlds import described, library

NOW = 1_700_000_000.0
RULES: tuple[Rule, ...] = (
    Pin("b11", 2),
    Pin("b2", 1, segment={"country": ("DE",)}),
    Pin("b9", 10),
    Boost("b8", factor=1000.0, start=int(NOW) + 100),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dataclasses import replace

    rules = Rules(tuple(Entry(f"line {n}", rule) for n, rule in enumerate(RULES)))
    data = replace(described(library()), rules=rules)
    recipes: dict[str, Any] = {
        "hot": Hot(by_user="country", prior=1.0),
        "item-cf": ItemCF(),
        "operations": Operations(),
    }
    return write(tmp_path_factory.mktemp("operations") / "bundle", data, fit(data, recipes))


@pytest.fixture(scope="module")
def engine(bundle: Path) -> Engine:
    return Engine.open(bundle)


def test_pins_stand_at_their_positions_and_say_who_put_them_there(engine: Engine) -> None:
    answer = engine.recall("r4", k=5, now=NOW, explain=True)  # r4 has no country of the first rule
    assert answer.ids[1] == "b11"
    assert answer.items[1].channels["operations"].rank == 1
    assert answer.items[1].explanation == "chosen by the editors"
    assert [one.score for one in answer.items] == sorted((one.score for one in answer.items), reverse=True)


def test_a_request_says_where_somebody_is(engine: Engine) -> None:
    assert engine.recall("r4", k=5, now=NOW, context={"country": "DE"}).ids[:2] == ["b2", "b11"]
    assert engine.recall(k=5, now=NOW, context={"country": "DE"}).ids[:2] == ["b2", "b11"]
    assert engine.recall("r0", k=5, now=NOW).ids[0] == "b2"  # at home in DE
    assert engine.recall("r0", k=5, now=NOW, context={"country": "NL"}).ids[0] != "b2"


def test_unknown_values_are_no_error(engine: Engine) -> None:
    nowhere = engine.recall(k=5, now=NOW, context={"country": "Atlantis", "colour": "red"})
    assert nowhere.left_out == {}
    assert nowhere.ids == engine.recall(k=5, now=NOW).ids


def test_hot_differs_by_country(engine: Engine) -> None:
    def hot(country: str) -> list[str]:
        return engine.recall(k=12, channels=["hot"], context={"country": country}).ids

    assert hot("DE") != hot("FR")
    assert sorted(hot("DE")) == sorted(hot("FR"))


def test_seen_and_excluded_items_are_not_pinned_back_in(engine: Engine) -> None:
    assert "b11" not in engine.recall(history=["b11"], k=5, now=NOW).ids
    assert "b11" not in engine.recall(k=5, now=NOW, exclude=["b11"]).ids
    assert engine.recall(k=5, now=NOW, only=["b0", "b1"]).ids[:2] != ["b11"]
    assert set(engine.recall(k=5, now=NOW, only=["b0", "b1"]).ids) == {"b0", "b1"}


def test_a_boost_lifts_from_beyond_k(engine: Engine) -> None:
    before, after = (engine.recall("r0", k=4, now=NOW + later).ids for later in (0, 100))
    assert "b8" not in before
    assert after[0] == "b2"
    assert "b8" in after


def test_pins_keep_their_places_when_the_fallback_fills(engine: Engine) -> None:
    # Item-CF knows nothing of nobody: only pins and popular items are left.
    bundle_channels = dict(engine.bundle.channels)
    assert "operations" in bundle_channels
    answer = engine.recall(k=12, now=NOW, channels=["item-cf", "operations"])
    assert set(answer.ids) <= {"b11", "b9"}
    whole = engine.recall(k=12, now=NOW)
    assert whole.ids[1] == "b11"
    assert whole.ids[9] == "b9"


def test_a_short_list_is_filled_around_the_pins(bundle: Path) -> None:
    from dataclasses import replace

    opened = Engine.open(bundle)
    state = opened._state
    channels = {name: one for name, one in state.bundle.channels.items() if name != "hot"}
    short = Engine(bundle, replace(state, bundle=replace(state.bundle, channels=channels)))
    answer = short.recall(k=12, now=NOW)
    assert answer.fallback is not None
    assert answer.ids[1] == "b11"
    assert answer.ids[9] == "b9"
    assert len(answer.ids) == 12
    assert [one.score for one in answer.items] == sorted((one.score for one in answer.items), reverse=True)


def test_other_channels_alone_are_not_pinned(engine: Engine) -> None:
    assert engine.recall("r4", k=5, now=NOW, channels=["item-cf"]).ids[1] != "b11"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"context": "DE"}, "must be a mapping such as"),
        ({"context": {"country": 4}}, "context 'country' holds 4"),
        ({"context": {4: "DE"}}, "context holds 4"),
        ({"now": float("nan")}, "now is nan"),
        ({"now": "today"}, "now is 'today'"),
    ],
)
def test_illegal_values_are_refused(engine: Engine, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        engine.recall(k=3, **settings)


def test_segments_of_other_users_are_refused(bundle: Path, tmp_path: Path) -> None:
    import shutil

    from tests.graphrec.bundle.make import reseal

    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy)
    np.save(copy / "channels" / "hot" / "users.npy", np.zeros(3, dtype=np.int32))
    reseal(copy)
    with pytest.raises(BundleError, match="channel hot speaks of 3 users"):
        Engine.open(copy)
