"""Queries: context and moment are checked and travel with the queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrec.channels.popular.hot import Hot
from graphrec.contracts.queries import Queries, take_queries
from graphrec.data.features import Features
from graphrec.data.lists import empty_lists, item_lists
from graphrec.errors import DataError
from graphrec.recallers.filtering import recall_allowed
from tests.worlds import described, skewed


def test_queries_are_taken_with_their_context_and_moment() -> None:
    queries = Queries([3, -1, 5], item_lists([[1], [], [2, 4]]), {"country": ["DE", None, "FR"]}, now=7.0)
    part = take_queries(queries, [2, 1])
    assert part.users.tolist() == [5, -1]
    assert [items.tolist() for items, _ in part.history] == [[2, 4], []]
    assert part.context == {"country": ("FR", None)}
    assert part.now == 7.0


def test_what_is_computed_of_queries_is_computed_once_for_each_key() -> None:
    first, second = Queries([3], item_lists([[1]])), Queries([3], item_lists([[1]]))
    calls: list[int] = []

    def computed(value: int) -> int:
        calls.append(value)
        return value

    assert [first.once("a", lambda: computed(1)), first.once("a", lambda: computed(2))] == [1, 1]
    assert [first.once("b", lambda: computed(3)), second.once("a", lambda: computed(4))] == [3, 4]
    assert take_queries(first, [0]).once("a", lambda: computed(5)) == 5
    assert calls == [1, 3, 4, 5]


def test_queries_are_taken_with_the_features_of_the_requests() -> None:
    features = Features(3, numbers={"price": np.array([1.0, np.nan, 3.0])})
    queries = Queries([3, -1, 5], empty_lists(3), features=features)
    part = take_queries(queries, [2, 1]).features
    assert part is not None
    np.testing.assert_array_equal(part.number("price"), [3.0, np.nan])
    assert take_queries(Queries([3], empty_lists(1)), [0]).features is None


@pytest.mark.parametrize("n", [0, 1, 3])
def test_features_of_another_length_are_refused(n: int) -> None:
    with pytest.raises(DataError, match=f"the features of the queries have {n} rows; they must have 2"):
        Queries([0, 1], empty_lists(2), features=Features(n))


def test_a_context_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="the context 'country' has 1 entries; it must have 2"):
        Queries([0, 1], empty_lists(2), {"country": ["DE"]})


def test_without_a_context_there_is_none() -> None:
    assert Queries([0], empty_lists(1)).context == {}
    assert Queries([0], empty_lists(1)).now is None


def test_asking_again_for_more_keeps_the_context() -> None:
    data = described(skewed())
    recaller = Hot(by_user="country", prior=1.0).fit(data)
    queries = Queries([-1, -1], empty_lists(2), {"country": ["DE", "FR"]})
    whole = recaller.recall(queries, len(data.items))
    # Far more is excluded for the first than for nine queries in ten, so it is asked for again.
    many = whole[0][0][:30]
    history = item_lists([[], []])
    asked = replace_history(queries, history)
    exclude = item_lists([many, []])
    found = recall_allowed(recaller, asked, 5, exclude=exclude, allowed=np.ones(len(data.items), dtype=np.bool_))
    np.testing.assert_array_equal(found[0][0], whole[0][0][30:35])
    np.testing.assert_array_equal(found[1][0], whole[1][0][:5])


def replace_history(queries: Queries, history: object) -> Queries:
    return Queries(queries.users, history, queries.context)  # type: ignore[arg-type]


def test_data_may_have_no_more_than_events() -> None:
    data = skewed()
    assert replace(data).exposures is None
    assert replace(data).rules is None
