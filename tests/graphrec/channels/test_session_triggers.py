"""Session triggers: channels that read the newest items alone follow what was taken just now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.pixie import Pixie
from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import item_lists
from graphrec.serve import Engine
from tests.close import assert_same_lists
from tests.graphrec.bundle.make import write
from tests.worlds import library

METHODS: dict[str, Any] = {
    "item-cf": ItemCF,
    "swing": Swing,
    "rp3beta": RP3beta,
    "kg-neighbours": KgNeighbours,
    "pixie": Pixie,
    "preference-walk": PreferenceWalk,
}


def fitted(method: str, **settings: Any) -> Recaller:
    channel: Recaller = METHODS[method](**settings).fit(library(), FitContext(seed=1))
    return channel


def asked(*histories_of: list[int]) -> Queries:
    return Queries(np.full(len(histories_of), -1), item_lists(list(histories_of)))


@pytest.mark.parametrize("method", METHODS)
def test_with_the_newest_item_alone_nothing_older_counts(method: str) -> None:
    channel = fitted(method, last=1)
    assert_same_lists(channel.recall(asked([5, 9, 2, 7]), 10), channel.recall(asked([7]), 10))
    items, _ = channel.recall(asked([5, 9, 2, 7]), 10)[0]
    assert len(items)
    assert set(channel.evidence(asked([5, 9, 2, 7]), items).sources.tolist()) == {7}


@pytest.mark.parametrize("method", METHODS)
def test_of_the_newest_three_items_the_order_counts_and_the_fourth_does_not(method: str) -> None:
    channel = fitted(method, last=3, half_life=0.5)
    first, same, turned = channel.recall(asked([5, 9, 2, 7], [11, 9, 2, 7], [5, 7, 2, 9]), 20)
    np.testing.assert_array_equal(same[0], first[0])
    np.testing.assert_allclose(same[1], first[1], rtol=1e-6)
    changed = len(turned[0]) != len(first[0]) or (turned[0] != first[0]).any()
    assert changed or not np.allclose(turned[1], first[1])


def test_the_newest_event_of_a_request_decides_what_an_engine_answers(tmp_path: Path) -> None:
    data, channel = library(), fitted("item-cf", last=1)
    engine = Engine.open(write(tmp_path / "bundle", data, {"item-cf-session": channel}))
    history = [5, 9, 2, 7]
    for newest in (7, 9):
        live = [*(row for row in history if row != newest), newest]
        answer = engine.recall(history=data.items.take(live), k=5)
        alone = channel.recall_allowed(  # type: ignore[attr-defined]
            asked([newest]), 5, exclude=item_lists([sorted(history)]), allowed=data.pool
        )
        assert len(alone.items)
        assert [each.item for each in answer.items][: len(alone.items)] == data.items.take(alone.items)
