"""What is live when and for whom, and that every new item has its turn."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.exposures import Exposures
from graphrec.data.features import Labels
from graphrec.data.lists import empty_lists
from graphrec.data.rules import Arrivals, Boost, Campaign, Entry, Pin, Rule, Rules
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.operations.recaller import OperationsRecaller, label_segments
from graphrec.operations.recipe import Operations
from graphrec.operations.rulings import DAY_S, Ruling, turn
from tests.worlds import DAY, START, described, parts_of, ruled, skewed, vocabulary


def rows(*items: int) -> Any:
    return np.array(items, dtype=np.int32)


def nobody(n: int = 1, *, now: float = 0.0, **context: list[str | None]) -> Queries:
    return Queries([-1] * n, empty_lists(n), context, now=now)


def items_of(recaller: OperationsRecaller, queries: Queries, k: int = 20) -> list[list[int]]:
    return [items.tolist() for items, _ in recaller.recall(queries, k)]


COUNTRY = label_segments("country", Labels(Vocabulary(["DE", "FR"]), [0, 1, -1]), ["DE", "PL"], n_users=3)


def test_campaigns_are_silent_before_and_after() -> None:
    recaller = OperationsRecaller([Ruling("campaign", "c", rows(4, 2), start=10.0, end=20.0)], n_items=5)
    found = {now: items_of(recaller, nobody(now=now))[0] for now in (9.9, 10.0, 19.9, 20.0)}
    assert found == {9.9: [], 10.0: [4, 2], 19.9: [4, 2], 20.0: []}


def test_without_a_moment_the_clock_decides() -> None:
    recaller = OperationsRecaller(
        [Ruling("campaign", "past", rows(1), end=1e9), Ruling("campaign", "on", rows(2), start=1e9)], n_items=3
    )
    assert items_of(recaller, Queries([-1], empty_lists(1))) == [[2]]


def test_segments_come_from_the_user_or_the_request() -> None:
    recaller = OperationsRecaller(
        [
            Ruling("pin", "de", rows(1), positions=(1,), segment={"country": ["DE"]}),
            Ruling("pin", "pl", rows(2), positions=(1,), segment={"country": ["PL"]}),
        ],
        [COUNTRY],
        n_items=5,
    )
    assert items_of(recaller, Queries([0, 1, 2, -1], empty_lists(4), now=0.0)) == [[1], [], [], []]
    said: list[str | None] = ["PL", "DE", None, "Atlantis"]
    assert items_of(recaller, Queries([0, 1, 0, 0], empty_lists(4), {"country": said}, now=0.0)) == [[2], [1], [1], []]


def test_the_narrower_rule_has_the_position_and_the_other_moves_on() -> None:
    recaller = OperationsRecaller(
        [
            Ruling("pin", "all", rows(1), positions=(1,)),
            Ruling("pin", "next", rows(2), positions=(2,)),
            Ruling("pin", "de", rows(3), positions=(1,), segment={"country": ["DE"]}),
            Ruling("pin", "again", rows(3), positions=(4,)),
        ],
        [COUNTRY],
        n_items=5,
    )
    german, other = recaller.pins(Queries([0, 1], empty_lists(2), now=0.0))
    assert german == [(1, 3), (2, 1), (3, 2)]
    assert other == [(1, 1), (2, 2), (4, 3)]


def test_boosts_of_one_item_multiply() -> None:
    recaller = OperationsRecaller(
        [Ruling("boost", "a", rows(1, 4), factor=2.0), Ruling("boost", "b", rows(4), factor=3.0, end=5.0)], n_items=5
    )
    (boosted, factors), (later, later_factors) = (*recaller.boosts(nobody(now=0)), *recaller.boosts(nobody(now=5)))
    assert boosted.tolist() == later.tolist() == [1, 4]
    assert factors.tolist() == [2.0, 6.0]
    assert later_factors.tolist() == [2.0, 2.0]


def arrivals(needs: list[int], *, positions: tuple[int, ...] = (), rotate_s: int = 60, days: float = 10.0) -> Ruling:
    n = len(needs)
    releases = START + DAY * np.arange(n, dtype=np.float64)
    return Ruling(
        "arrivals", "new", np.arange(n, dtype=np.int32), releases=releases, needs=np.array(needs, dtype=np.int64),
        days=days, positions=positions, rotate_s=rotate_s,
    )  # fmt: skip


@pytest.mark.parametrize("needs", [[5, 1, 14, 3], [1, 1, 1], [40], [7, 0 + 1, 100]])
def test_every_new_item_gets_what_it_needs_of_as_many_requests(needs: list[int]) -> None:
    ruling, now = arrivals(needs), START + 5.0 * DAY
    drawn = Counter(turn(ruling, user, now)[0] for user in range(sum(needs)))
    assert drawn == Counter(dict(enumerate(needs)))


def test_one_person_who_stays_sees_them_in_turn() -> None:
    needs = [5, 1, 14, 3]
    ruling = arrivals(needs)
    drawn = Counter(turn(ruling, 7, START + 5.0 * DAY + 60 * slot)[0] for slot in range(sum(needs)))
    assert drawn == Counter(dict(enumerate(needs)))
    assert turn(ruling, 7, START + 5 * DAY + 0.0) == turn(ruling, 7, START + 5 * DAY + 39.0)


def test_short_runs_are_near_their_share() -> None:
    ruling = arrivals([100, 300, 600])
    for first in (0, 137, 611):
        drawn = Counter(turn(ruling, user, START + 5.0 * DAY)[0] for user in range(first, first + 50))
        for item, share in ((0, 5), (1, 15), (2, 30)):
            assert abs(drawn[item] - share) <= 3


def test_several_places_hold_different_items() -> None:
    ruling = arrivals([1, 50, 1], positions=(2, 5, 9, 11))
    for user in range(60):
        assert sorted(turn(ruling, user, START + 5.0 * DAY)) == [0, 1, 2]


def test_items_are_new_from_their_release_for_so_many_days() -> None:
    ruling = arrivals([1, 1, 1], days=1.5)

    def seen(now: float) -> set[int]:
        return {turn(ruling, user, now)[0] for user in range(20) if turn(ruling, user, now)}

    assert seen(START - 1) == set()
    assert seen(START) == {0}
    assert seen(START + DAY) == {0, 1}
    assert seen(START + 1.5 * DAY - 1) == {0, 1}
    assert seen(START + 1.5 * DAY) == {1}
    assert seen(START + 2.0 * DAY + 1.5 * DAY_S) == set()


def with_rules(data: RecallData, *rules: Rule, **changes: Any) -> RecallData:
    from dataclasses import replace

    entries = tuple(Entry(f"ops.toml, line {n}", rule) for n, rule in enumerate(rules, 1))
    return replace(data, rules=Rules(entries), **changes)


def test_what_was_shown_since_the_release_is_not_needed_again() -> None:
    data = described(skewed())
    times = START + DAY * np.array([0, 2, 3, 3, 4, 4, 4])
    shown = Exposures([-1] * 7, [1, 1, 1, 2, 3, 3, 3], [False] * 7, None, times, n_users=60, n_items=45)
    data = with_rules(data, Arrivals("released", days=9.0, exposures=3), exposures=shown)
    ruling = Operations().fit(data).rulings[0]
    left = dict(zip(ruling.items.tolist(), ruling.needs.tolist(), strict=True))
    # Item 1 came out on day 1: its exposure of day 0 does not count; item 3 has had enough; item 2 is not in the pool.
    assert (left[0], left[1], left[4]) == (3, 1, 3)
    assert 3 not in left
    assert 2 not in left


def test_labels_become_the_rows_of_a_boost() -> None:
    data = with_rules(described(skewed()), Boost(label={"colour": "white"}, factor=2.0), Boost("i4", factor=3.0))
    boosts = Operations().fit(data).boosts(nobody())
    assert boosts[0][0].tolist() == sorted([4, *range(1, 45, 2)])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ((Pin("i99", 1),), "line 1: pin 'i99': item 'i99' is not among the 45 known items"),
        ((Pin("i2", 1),), "which is not in the pool"),
        ((Pin("i1", 1), Pin("i3", 1)), r"both stand on position 1 .*"),
        ((Pin("i1", 1), Pin("i3", 1), Campaign("c", ("i98",))), r"\(and 1 more: graphrec operations check\)"),
        ((Boost(label={"flavour": "sweet"}, factor=2.0),), "no label 'flavour'"),
    ],
)
def test_rules_that_do_not_fit_the_data_are_refused(rules: tuple[Rule, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Operations().fit(with_rules(described(skewed()), *rules))


def test_data_without_rules_or_attributes_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="were not read"):
        Operations().fit(skewed())
    with pytest.raises(ConfigError, match="no number 'released'"):
        Operations().fit(with_rules(skewed(), Arrivals("released", exposures=1)))
    with pytest.raises(ConfigError, match=r"rules is ''; it must be the name of the file"):
        Operations(rules="")


def test_rules_that_are_saved_and_loaded_say_the_same_later(tmp_path: Path) -> None:
    data = ruled(skewed())
    recaller = Operations().fit(data)
    recaller.save(tmp_path)
    loaded = OperationsRecaller.load(tmp_path, parts_of(data.items))
    for now in (START + 1.0, START + 20.0 * DAY, START + 40.0 * DAY):
        queries = Queries(np.arange(60), empty_lists(60), {"country": ["DE"] * 60}, now=now)
        assert items_of(loaded, queries) == items_of(recaller, queries)
        assert loaded.pins(queries) == recaller.pins(queries)
        for left, right in zip(loaded.boosts(queries), recaller.boosts(queries), strict=True):
            np.testing.assert_array_equal(left[0], right[0])
            np.testing.assert_array_equal(left[1], right[1])
    assert "toml" not in (tmp_path / "recaller.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rulings": [{"kind": "pin"}]}, "do not fit 1 rules"),
        ({"n_items": 44}, "44 items"),
        ({"segments": []}, "label 'country' that is not kept"),
        ({"reason": 3}, "expected str"),
    ],
)
def test_damaged_settings_are_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    data = ruled(skewed())
    Operations().fit(data).save(tmp_path)
    path = tmp_path / "recaller.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change))
    with pytest.raises(BundleError, match=words):
        OperationsRecaller.load(tmp_path, parts_of(data.items))


@pytest.mark.parametrize("missing", ["kind", "start", "positions"])
def test_a_rule_without_a_part_is_damage(tmp_path: Path, missing: str) -> None:
    data = ruled(skewed())
    Operations().fit(data).save(tmp_path)
    path = tmp_path / "recaller.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["rulings"][0][missing]
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(BundleError):
        OperationsRecaller.load(tmp_path, parts_of(data.items))


def test_rulings_check_themselves() -> None:
    with pytest.raises(DataError, match="needs one item and one position"):
        Ruling("pin", "p", rows(1, 2), positions=(1,))
    with pytest.raises(DataError, match="is of kind 'pn'"):
        Ruling("pn", "p", rows(1))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="releases that rise"):
        Ruling("arrivals", "p", rows(1), releases=np.zeros(1), needs=np.zeros(1, np.int64))
    with pytest.raises(DataError, match="legal rows are 0 to 4"):
        OperationsRecaller([Ruling("campaign", "c", rows(5))], n_items=5)
    with pytest.raises(DataError, match="values of 'country' that are not kept"):
        OperationsRecaller([Ruling("campaign", "c", rows(1), segment={"country": ["XX"]})], [COUNTRY], n_items=5)
    with pytest.raises(ConfigError, match="k is 0"):
        OperationsRecaller([], n_items=5).recall(nobody(), 0)
    assert OperationsRecaller([], n_items=5).users is None
    assert label_segments("x", None, ["b", "a"], n_users=2).labels.codes.tolist() == [-1, -1]
    assert vocabulary("i", 1)[0] == "i0"
