"""Pages of one list: what is shown first never depends on how much is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import ConfigError
from graphrec.fusion.settings import Fusion, Quota, Rrf, fusion_from_dict
from graphrec.serve import Engine
from tests.serve.test_engine import changed

FUSIONS: list[dict[str, Any]] = [
    Rrf(weights={"hot": 0.2}).to_dict(),
    Rrf(depth=3).to_dict(),
    Quota({"user-cf": 7, "hot": 2, "tag": 1}).to_dict(),
    {"kind": "snake", "order": ["tag"]},
    {"kind": "priority", "order": ["item-cf"], "caps": {"item-cf": 3}},
]


def with_depth(engine: Engine, fusion: Fusion, depth: int) -> Engine:
    other = changed(engine, fusion=fusion)
    other._list_depth = depth
    return other


@given(
    settings_=st.sampled_from(FUSIONS),
    user=st.sampled_from(["u0", "u17", "u59", "nobody", None]),
    history=st.lists(st.sampled_from([f"i{row}" for row in range(45)]), max_size=4),
    channels=st.sampled_from([None, ["item-cf"], ["tag", "hot"]]),
    depth=st.sampled_from([20, 45, 200]),
    size=st.integers(1, 12),
)
@settings(max_examples=60)
def test_pages_neither_repeat_nor_skip(
    skewed_engine: Engine,
    settings_: dict[str, Any],
    user: str | None,
    history: list[str],
    channels: list[str] | None,
    depth: int,
    size: int,
) -> None:
    engine = with_depth(skewed_engine, fusion_from_dict(settings_), depth)

    def head(k: int) -> tuple[Any, ...]:
        return engine.recall(user, history, k=k, channels=channels, now=0.0).items

    whole = head(depth)
    pages = [head(stop)[stop - size :] for stop in range(size, depth + 1, size)]
    shown = [item for page in pages for item in page]
    assert shown == list(whole[: len(shown)])
    assert len({item.item for item in shown}) == len(shown)
    many = engine.recall_many([user], [history], k=size, channels=channels, now=0.0)
    assert many["item"].to_pylist() == [item.item for item in whole[:size]]


def test_longer_lists_than_the_depth_are_merged_for_their_own_length(skewed_engine: Engine) -> None:
    """What the depth is for: with Quota, the list of 4 is not where the list of 30 begins."""
    fusion = Quota({"user-cf": 7, "hot": 2, "tag": 1})
    short, deep = with_depth(skewed_engine, fusion, 1), with_depth(skewed_engine, fusion, 30)
    assert short.recall("u0", k=4).ids != short.recall("u0", k=30).ids[:4]
    assert deep.recall("u0", k=4).ids == short.recall("u0", k=30).ids[:4]
    assert deep.recall("u0", k=45).ids == short.recall("u0", k=45).ids


def test_the_head_says_what_it_holds_alone(engine: Engine) -> None:
    few = changed(engine, channels={"kg-neighbours": engine.bundle.channels["kg-neighbours"]})
    whole = few.recall("r6", k=12)
    own = sum(bool(item.channels) for item in whole.items)
    assert whole.fallback == "hot"
    assert few.recall("r6", k=own).fallback is None
    assert few.recall("r6", k=own + 1).fallback == "hot"


@pytest.mark.parametrize("depth", [0, 2.5, "200", None, True])
def test_the_depth_is_a_count(engine: Engine, depth: Any) -> None:
    with pytest.raises(ConfigError, match=r"list_depth is .*; it must be a whole number of 1 or more"):
        Engine.open(engine.bundle.path, list_depth=depth)
