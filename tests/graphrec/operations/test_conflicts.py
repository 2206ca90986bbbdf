"""Rules that contradict each other or the catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.data.features import Features, Labels
from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Entry, Pin, Rule, Rules
from graphrec.data.vocabulary import Vocabulary
from graphrec.operations.conflicts import find_problems, unknown_segments

ITEMS = Vocabulary(["apple", "pear", "plum"])
DE: dict[str, tuple[str, ...]] = {"country": ("DE",)}
FR: dict[str, tuple[str, ...]] = {"country": ("FR",)}
COLOURS = Features(3, {"released": np.zeros(3)}, {"colour": Labels(Vocabulary(["red", "green"]), [0, 1, -1])})


def problems(*rules: Rule, **known: Any) -> list[str]:
    return find_problems(Rules(tuple(Entry(f"f.toml, line {n}", rule) for n, rule in enumerate(rules, 1))), **known)


def test_two_pins_on_one_position_clash_where_time_and_segment_meet() -> None:
    found = problems(Pin("a", 1, "one", 0, 20, DE), Pin("b", 1, "two", 10, None, {"country": ("FR", "DE")}))
    assert len(found) == 1
    assert found[0].startswith(
        "f.toml, line 2: pin 'two' and pin 'one' (f.toml, line 1) both stand on position 1 for the same segment "
        "from 1970-01-01T00:00:10Z on"
    )


@pytest.mark.parametrize(
    "other",
    [
        Pin("b", 2, segment=DE),
        Pin("b", 1, start=20, segment=DE),
        Pin("b", 1, end=10, segment=DE),
        Pin("b", 1, segment=FR),
        Pin("b", 1),
        Pin("b", 1, segment={"country": ("DE",), "tier": ("gold",)}),
    ],
)
def test_other_places_times_and_segments_do_not_clash(other: Pin) -> None:
    assert problems(Pin("a", 1, start=10, end=20, segment=DE), other) == []


def test_new_arrivals_need_their_places_for_themselves() -> None:
    found = problems(Arrivals("released", exposures=5, positions=(3, 4)), Pin("a", 4))
    assert "both stand on position 4" in found[0]


def test_one_item_on_two_positions_clashes() -> None:
    assert "both pin the item 'a'" in problems(Pin("a", 1), Pin("a", 2))[0]
    assert problems(Pin("a", 1, segment=DE), Pin("a", 2, segment=FR)) == []


def test_a_window_of_a_campaign_counts() -> None:
    summer = Campaign("summer", (), 100, 200)
    assert problems(Pin("a", 1, end=100), Pin("b", 1, campaign="summer"), summer) == []
    assert "position 1" in problems(Pin("a", 1, end=101), Pin("b", 1, campaign="summer"), summer)[0]


def test_pinned_and_denied_is_a_contradiction() -> None:
    found = problems(Pin("a", 1), Campaign("c", ("b", "x")), Deny(("b", "a")))
    assert found == [
        "f.toml, line 1: pin 'a' shows the item 'a', which f.toml, line 3 denies; take it out of one of them",
        "f.toml, line 2: campaign 'c' shows the item 'b', which f.toml, line 3 denies; take it out of one of them",
    ]


def test_campaigns_that_are_not_there_or_stand_twice() -> None:
    found = problems(Campaign("summer"), Campaign("summer"), Pin("a", 1, campaign="sumer"))
    assert found == [
        "f.toml, line 2: campaign 'summer' stands already at f.toml, line 1; names must differ",
        "f.toml, line 3: pin 'a' belongs to the campaign 'sumer', which is not among summer; nearest: 'summer'",
    ]


def test_unknown_ids_come_with_the_nearest() -> None:
    rules = (Pin("aple", 1), Boost("prune", factor=2.0), Campaign("c", ("pear", "peer")), Deny(("plumm",)))
    found = problems(*rules, items=ITEMS)
    assert found[0] == "f.toml, line 1: pin 'aple': item 'aple' is not among the 3 known items; nearest: 'apple'"
    assert [text.split(":")[0][-1] for text in found] == ["1", "2", "3", "4"]


def test_items_outside_the_pool_cannot_be_shown() -> None:
    pool = np.array([True, False, True])
    found = problems(Pin("pear", 1), Deny(("pear",)), items=ITEMS, pool=pool)
    assert "which is not in the pool" in found[1]
    assert problems(Pin("apple", 1), Boost("pear", factor=2.0), items=ITEMS, pool=pool) == []


def test_unknown_labels_values_and_numbers_are_found() -> None:
    found = problems(
        Boost(label={"color": "red"}, factor=2.0),
        Boost(label={"colour": "rot"}, factor=2.0),
        Boost(label={"colour": "red"}, factor=2.0),
        Arrivals("release", exposures=1),
        item_features=COLOURS,
    )
    assert len(found) == 3
    assert "nearest: 'colour'" in found[0]
    assert "no item has colour = 'rot'" in found[1]
    assert "nearest: 'released'" in found[2]


def test_segments_that_nobody_is_in_are_remarks() -> None:
    users = Features(2, {}, {"country": Labels(Vocabulary(["DE", "FR"]), [0, 1])})
    rules = (
        Pin("a", 1, segment={"country": ("DEU",)}),
        Pin("b", 1, segment={"contry": ("DE",)}),
        Pin("c", 3, segment=DE),
    )
    notes = unknown_segments(Rules(tuple(Entry("here", rule) for rule in (*rules, Deny(("z",))))), users)
    assert len(notes) == 2
    assert "no known user has country = 'DEU'; nearest: 'DE'" in notes[0]
    assert "users have no label 'contry'; nearest: 'country'" in notes[1]
