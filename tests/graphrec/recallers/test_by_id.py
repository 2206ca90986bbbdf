"""Recall by external ids: the lists of a channel as a table."""

from __future__ import annotations

from typing import Any

import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.queries import known_queries
from graphrec.data.interactions import histories
from graphrec.errors import ConfigError, DataError, UnknownIdError
from graphrec.recallers.by_id import recall
from graphrec.recallers.filtering import recall_allowed
from tests.worlds import skewed


def test_the_table_holds_the_lists_of_the_users_in_their_order() -> None:
    data = skewed()
    channel = ItemCF().fit(data)
    users = [data.users[row] for row in (7, 0, 7, len(data.users) - 1)]
    queries = known_queries(histories(data.interactions), data.users.rows(users))
    lists = recall_allowed(channel, queries, 5, exclude=queries.history, allowed=data.pool)
    expected = [
        (user, rank, data.items[item], score)
        for user, (items, scores) in zip(users, lists, strict=True)
        for rank, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True), start=1)
    ]
    assert expected
    table = recall(channel, data, users, k=5)
    assert list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True)) == expected
    assert table.column_names == ["user", "rank", "item", "score"]


def test_all_users_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    data = skewed()
    channel = Hot().fit(data)
    whole = recall(channel, data, k=3)
    assert set(whole["user"].to_pylist()) == set(data.users)
    monkeypatch.setattr("graphrec.recallers.by_id._CHUNK", 7)
    assert recall(channel, data, k=3).equals(whole)


def test_no_user_gives_an_empty_table() -> None:
    data = skewed()
    assert recall(Hot().fit(data), data, []).num_rows == 0


@pytest.mark.parametrize(
    ("users", "k", "error", "sentence"),
    [
        (["nobody"], 3, UnknownIdError, "user 'nobody' is not among the"),
        ("u1", 3, DataError, r"users are 'u1' \(str\); give a sequence of strings"),
        ([1], 3, DataError, "user 1 is no string"),
        (5, 3, DataError, "users are 5"),
        (["u1"], 0, ConfigError, "k is 0"),
        (["u1"], "3", ConfigError, "k is '3'"),
    ],
)
def test_what_cannot_be_asked_is_refused(users: Any, k: Any, error: type[Exception], sentence: str) -> None:
    data = skewed()
    with pytest.raises(error, match=sentence):
        recall(Hot().fit(data), data, users, k)
