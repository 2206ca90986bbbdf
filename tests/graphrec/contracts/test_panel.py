from typing import Any

import numpy as np
import pytest

from graphrec.contracts.panel import Panel, chunks, take_panel
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.sequences import without_repeats
from graphrec.errors import ConfigError, DataError

POOL = np.array([True, True, True, False, True])
HISTORY = item_lists([[3, 0], [], [1]])
TRUTH = item_lists([[1], [0, 2], [4]])


def panel(**changes: Any) -> Panel:
    return Panel(**{"users": [7, -1, 2], "history": HISTORY, "truth": TRUTH, "pool": POOL, "moment": 99.0, **changes})


def test_queries_are_made_once_and_asked_at_the_moment() -> None:
    whole = panel()
    assert whole.queries is whole.queries
    assert (whole.queries.users.tolist(), whole.queries.now) == ([7, -1, 2], 99.0)
    assert [items.tolist() for items, _ in whole.queries.history] == [[3, 0], [], [1]]
    assert panel(moment=None).queries.now is None


@pytest.mark.parametrize("history", [HISTORY, without_repeats(HISTORY)], ids=["lists", "sequences"])
def test_a_part_keeps_what_belongs_together(history: Any) -> None:
    part = take_panel(panel(history=history), [2, 0])
    assert part.users.tolist() == [2, 7]
    assert [items.tolist() for items, _ in part.history] == [[1], [3, 0]]
    assert [items.tolist() for items, _ in part.truth] == [[4], [1]]
    assert part.pool is panel(pool=part.pool).pool
    assert part.moment == 99.0


def test_chunks_are_the_panel_in_its_order() -> None:
    parts = list(chunks(panel(), 2))
    assert [part.users.tolist() for part in parts] == [[7, -1], [2]]
    assert [item for part in parts for item in part.truth.items.tolist()] == TRUTH.items.tolist()
    with pytest.raises(ConfigError, match="size of a chunk is 0"):
        next(chunks(panel(), 0))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"users": [1, 2]}, "users has 2 entries; it must have 3"),
        ({"truth": item_lists([[1]])}, "truth has 1 entries; it must have 3"),
        ({"truth": item_lists([[1], [], [4]])}, "user 1 of the panel has no held-out item"),
        ({"truth": item_lists([[1], [3], [4]])}, "held-out item 3 is not in the pool"),
        ({"truth": item_lists([[1], [5], [4]])}, r"truth\[1\] is 5; legal rows are 0 to 4"),
        ({"truth": item_lists([[1], [0], [4]], [[1.0], [-1.0], [1.0]])}, "has the weight -1; it must be above 0"),
        ({"history": item_lists([[9], [], []])}, r"history\[0\] is 9"),
        ({"moment": float("nan")}, "the moment of a panel is nan"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        panel(**changes)


def test_a_panel_may_be_empty() -> None:
    nobody = Panel([], empty_lists(0), empty_lists(0), POOL)
    assert (len(nobody), list(chunks(nobody, 3))) == (0, [])
