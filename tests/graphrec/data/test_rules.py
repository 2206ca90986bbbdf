"""Rules by themselves: what each refuses, and which frame it has."""

from __future__ import annotations

from typing import Any

import pytest

from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Entry, Pin, Rules, iso
from graphrec.errors import ConfigError

DAY = 86_400


@pytest.mark.parametrize(
    ("made", "settings", "words"),
    [
        (Pin, {"position": 1}, "gives no item"),
        (Pin, {"item": "a", "position": 0}, "position is 0; positions start at 1"),
        (
            Pin,
            {"item": "a", "position": 1, "start": DAY, "end": DAY},
            "ends at 1970-01-02T00:00:00Z, which is not after",
        ),
        (Pin, {"item": "a", "position": 1, "segment": {"country": ()}}, "names no value of 'country'"),
        (Pin, {"item": "a", "position": 1, "campaign": "x", "end": 5}, "belongs to the campaign 'x' and has"),
        (Boost, {"factor": 2.0}, "neither item nor label"),
        (Boost, {"item": "a", "label": {"c": "d"}, "factor": 2.0}, "both item and label"),
        (Boost, {"label": {"c": "d", "e": "f"}, "factor": 2.0}, "one label"),
        (Boost, {"item": "a"}, "factor is 0.0; it must be above 0"),
        (Boost, {"item": "a", "factor": -1.0}, "factor is -1.0"),
        (Boost, {"item": "a", "factor": float("inf")}, "factor is inf"),
        (Campaign, {"items": ("a",)}, "has no name"),
        (Campaign, {"name": "x", "items": ("a", "a")}, "names an item twice"),
        (Campaign, {"name": "x", "start": 2 * DAY, "end": DAY}, "ends at 1970-01-02"),
        (Arrivals, {"exposures": 5}, "give released"),
        (Arrivals, {"released": "r"}, "exposures is 0"),
        (Arrivals, {"released": "r", "exposures": 5, "days": 0.0}, "days is 0.0"),
        (Arrivals, {"released": "r", "exposures": 5, "rotate_s": 0}, "rotate_s is 0"),
        (Arrivals, {"released": "r", "exposures": 5, "positions": (3, 0)}, "positions hold 0"),
        (Arrivals, {"released": "r", "exposures": 5, "positions": (3, 3)}, "a place twice"),
        (Deny, {}, "names no items"),
    ],
)
def test_faults_are_named(made: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(**settings)


def test_a_rule_takes_the_frame_of_its_campaign() -> None:
    summer = Campaign("summer", (), 5, 9, {"country": ("DE",)})
    own, framed = Pin("a", 1, start=3), Pin("b", 2, campaign="summer")
    rules = Rules(tuple(Entry("here", rule) for rule in (own, framed, summer, Deny(("z", "y")))))
    assert rules.frame(framed) == rules.frame(summer) == (5.0, 9.0, {"country": ("DE",)})
    assert rules.frame(own) == (3.0, float("inf"), {})
    assert rules.denied == ("z", "y")
    assert rules.campaign("winter") is None


def test_titles_and_moments_are_for_people() -> None:
    titles = [Entry("", rule).title for rule in (Pin("a", 1), Pin("a", 1, "launch"), Campaign("x"), Deny(("a",)))]
    assert titles == ["pin 'a'", "pin 'launch'", "campaign 'x'", "deny"]
    assert iso(1_700_000_000) == "2023-11-14T22:13:20Z"
