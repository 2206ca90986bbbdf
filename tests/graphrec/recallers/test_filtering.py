"""Leaving items out, and asking a channel again when that leaves a query short."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, empty_lists, item_lists, truncate
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import DataError
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile

N_ITEMS = 40


class Countdown:
    """A channel that knows the items below ``known``, highest row first, and remembers how often it was asked."""

    kind: ClassVar[str] = "countdown"
    reason = ""

    def __init__(self, known: int) -> None:
        self.known, self.asked = known, list[int]()

    def recall(self, queries: Queries, k: int) -> ItemLists:
        self.asked.append(k)
        one = list(range(self.known))[::-1][:k]
        return item_lists([one] * len(queries), [np.array(one, dtype=np.float32)] * len(queries))

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        raise NotImplementedError

    def save(self, directory: Path) -> None:
        raise NotImplementedError

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        raise NotImplementedError


def ask(channel: Countdown, k: int, exclude: Sequence[Sequence[int]], banned: Sequence[int] = ()) -> list[list[int]]:
    allowed = np.ones(N_ITEMS, dtype=np.bool_)
    allowed[list(banned)] = False
    queries = Queries(np.full(len(exclude), -1), empty_lists(len(exclude)))
    lists = recall_allowed(channel, queries, k, exclude=item_lists(exclude), allowed=allowed)
    return [items.tolist() for items, _ in lists]


exclusions = st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True), min_size=1, max_size=5)


@given(exclusions, st.lists(st.integers(0, N_ITEMS - 1)), st.integers(1, N_ITEMS), st.integers(0, N_ITEMS))
def test_never_short_while_the_channel_has_more(
    exclude: list[list[int]], banned: list[int], k: int, known: int
) -> None:
    expected = [[i for i in range(known - 1, -1, -1) if i not in one and i not in banned][:k] for one in exclude]
    assert ask(Countdown(known), k, exclude, banned) == expected


def test_one_call_is_enough_for_a_typical_history() -> None:
    channel = Countdown(N_ITEMS)
    assert ask(channel, 3, [[39, 38, 5]]) == [[37, 36, 35]]
    assert channel.asked == [6]


def test_only_the_short_queries_are_asked_again() -> None:
    channel = Countdown(N_ITEMS)
    answer = ask(channel, 2, [[]] * 30 + [list(range(10, 40))])
    assert answer[0] == [39, 38]
    assert answer[-1] == [9, 8]
    assert channel.asked == [2, 32]


def test_leave_out_keeps_order_and_scores() -> None:
    lists = item_lists([[4, 2, 9], [1]], [[3.0, 2.0, 1.0], [0.5]])
    allowed = np.ones(N_ITEMS, dtype=np.bool_)
    allowed[1] = False
    left = leave_out(lists, 5, exclude=item_lists([[2], []]), allowed=allowed)
    assert [items.tolist() for items, _ in left] == [[4, 9], []]
    assert left[0][1].tolist() == [3.0, 1.0]
    assert truncate(left, 1)[0][0].tolist() == [4]


@pytest.mark.parametrize("weight", [3e38, 1e38])
def test_scores_that_overflow_are_refused_once_an_answer(weight: float) -> None:
    table = NeighbourTable([0, 2, 4, 4], [1, 2, 0, 2], [3.0, 9.0, 3.0, 9.0], n_columns=3)
    recaller = NeighbourRecaller([table], profile=Profile(exponent=1.0))
    queries = Queries([-1], item_lists([[0, 1]], [[weight, weight]]))
    with pytest.raises(DataError, match=r"gives item row [02] the score inf; scores must be finite"):
        recall_allowed(recaller, queries, 2, exclude=empty_lists(1), allowed=np.ones(3, dtype=np.bool_))
