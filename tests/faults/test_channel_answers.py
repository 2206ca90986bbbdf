"""Channels that return what they must not: left out and named with the reason, and the process lives on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists, item_lists, lists_of
from graphrec.errors import DataError
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.ranked import RankedRecaller
from graphrec.serve import Engine
from tests.serve.conftest import engine, library_bundle
from tests.serve.test_engine import with_channels

__all__ = ["engine", "library_bundle"]

N_ITEMS = 12
Make = Callable[[int], Any]


def lists(items: Any, scores: Any = None, indptr: Any = None) -> Make:
    """Return what makes n lists that hold the same entries, unchecked."""

    def make(n: int) -> ItemLists:
        own = np.asarray(items)
        values = np.ones(len(own), np.float32) if scores is None else np.asarray(scores)
        bounds = np.arange(n + 1, dtype=np.int64) * len(own) if indptr is None else np.asarray(indptr)
        return lists_of(bounds, np.tile(own, n), np.tile(values, n))

    return make


def rows(*values: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array(values, dtype=np.int32)


def floats(*values: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


HOSTILE: dict[str, tuple[Make, str]] = {
    "row too high": (lists(rows(0, N_ITEMS)), "holds item row 12; legal rows are 0 to 11"),
    "row far away": (lists(rows(2**31 - 1)), "holds item row 2147483647; legal rows are 0 to 11"),
    "negative row": (lists(rows(3, -1)), "holds item row -1; legal rows are 0 to 11"),
    "lowest row": (lists(rows(-(2**31))), "holds item row -2147483648; legal"),
    "NaN": (lists(rows(5, 11), floats(1, np.nan)), "gives item row 11 the score nan; scores must be finite"),
    "inf": (lists(rows(5, 11), floats(np.inf, 1)), "gives item row 5 the score inf; scores must be finite"),
    "twice": (lists(rows(5, 11, 5)), "holds item row 5 twice; each item stands in a list once"),
    "no list": (lambda n: item_lists([]), "the answer has 0 lists for 1 queries; each query gets one list"),
    "two lists": (lambda n: item_lists([[5], [11]] * n), "the answer has 2 lists for 1 queries"),
    "int64 rows": (lists(np.array([5, 11])), "items of the answer holds int64 in shape (2,); it must be a contiguous"),
    "float64 scores": (lists(rows(5), np.array([1.0])), "scores of the answer holds float64"),
    "swapped bytes": (lists(rows(5).astype(">i4")), "items of the answer holds >i4"),
    "a matrix": (lambda n: lists_of(np.array([0, 2]), rows(5, 11)[None], floats(1, 1)[None]), "in shape (1, 2)"),
    "every other": (lambda n: lists_of(np.array([0, 2]), rows(5, 0, 11, 0)[::2], np.ones(2, np.float32)), "contiguous"),
    "scores missing": (
        lambda n: lists_of(np.array([0, 2]), rows(5, 11), np.ones(1, np.float32)),
        "2 items and 1 scores",
    ),
    "bounds beyond": (lists(rows(5), indptr=[0, 10**12]), "indptr of the answer is 1000000000000 at 1"),
    "bounds negative": (lists(rows(5), indptr=[-5, 1]), "indptr of the answer is -5 at 0; it starts at 0"),
    "no array": (lambda n: lists_of(np.array([0, 1]), cast("Any", [5]), np.ones(1, np.float32)), "is of type list"),
    "None": (lambda n: None, "the answer is of type NoneType; a channel returns ItemLists"),
    "a dictionary": (lambda n: {"items": [1]}, "the answer is of type dict"),
    "an array": (lambda n: rows(1, 2), "the answer is of type ndarray"),
}


def hostile(make: Make) -> Recaller:
    """Return a channel whose answers ``make`` makes."""

    class Hostile(RankedRecaller):
        def recall(self, queries: Queries, k: int) -> ItemLists:
            answer: ItemLists = make(len(queries))
            return answer

    return Hostile([11], [1.0])


def filtering(make: Make) -> Recaller:
    """Return a channel that filters by itself, and whose answers ``make`` makes."""

    class Filtering(RankedRecaller):
        def recall_allowed(self, queries: Queries, k: int, **_: Any) -> ItemLists:
            answer: ItemLists = make(len(queries))
            return answer

    return Filtering([11], [1.0])


@pytest.mark.parametrize("kind", [hostile, filtering])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("fault", HOSTILE)
def test_an_answer_that_cannot_be_used_is_left_out(
    engine: Engine, fault: str, threads: int, kind: Callable[[Make], Recaller]
) -> None:
    make, sentence = HOSTILE[fault]
    with with_channels(engine, {"bad": kind(make)}, threads=threads) as broken:
        answer = broken.recall("r0", k=9, explain=True)
        assert list(answer.left_out) == ["bad"]
        assert answer.left_out["bad"].startswith("broken: ")
        assert sentence in answer.left_out["bad"]
        assert answer.items == engine.recall("r0", k=9, explain=True).items


@pytest.mark.parametrize("kind", [hostile, filtering])
@pytest.mark.parametrize("fault", HOSTILE)
def test_of_a_batch_it_is_left_out_as_well(engine: Engine, fault: str, kind: Callable[[Make], Recaller]) -> None:
    broken = with_channels(engine, {"bad": kind(HOSTILE[fault][0])})
    table = broken.recall_many(["r0", "r1", None], k=9)
    assert "bad" in json.loads(table.schema.metadata[b"left_out"])
    assert table["item"].equals(engine.recall_many(["r0", "r1", None], k=9)["item"])


def answering(items: list[list[int]], n: int) -> ItemLists:
    return item_lists(items)


def test_what_a_channel_should_have_left_out_is_refused(engine: Engine) -> None:
    for items, k, sentence in (
        ([[0]], 9, "holds item row 0, which was seen, is excluded, or is not in the pool"),
        ([[5, 11, 3]], 2, "list 0 of the answer has 3 entries; at most 2 are wanted"),
    ):
        channel = filtering(partial(answering, items))
        query = known_queries(engine.bundle.history, [0])
        with pytest.raises(DataError, match=sentence):
            recall_allowed(channel, query, k, exclude=query.history, allowed=engine.bundle.pool)


def test_lists_that_cross_are_refused() -> None:
    crossing = hostile(lambda n: lists_of(np.array([0, 2, 1, 3]), rows(0, 1, 2), np.ones(3, np.float32)))
    queries = Queries([-1] * 3, item_lists([[]] * 3))
    with pytest.raises(DataError, match="indptr of the answer is 1 at 2; it starts at 0, never falls and ends at 3"):
        recall_allowed(crossing, queries, 2, exclude=queries.history, allowed=np.ones(3, np.bool_))


def test_random_garbage_never_reaches_a_kernel(engine: Engine) -> None:
    """Whatever the bytes, an answer is used only where it is n lists of distinct rows with finite scores."""
    rng = np.random.default_rng(0)
    wild = np.array([-1, 0, 1, 2, 11, 12, 2**31 - 1, -(2**31)])
    used = 0
    for _ in range(300):
        n_entries = int(rng.integers(0, 4))
        items = rng.choice(wild, n_entries).astype(np.int32)
        scores = rng.choice([0.0, 1.0, -1.0, np.nan, np.inf], n_entries, p=[0.2, 0.6, 0.1, 0.05, 0.05]).astype(
            np.float32
        )
        indptr = [0, n_entries] if rng.random() < 0.7 else rng.choice([-1, 0, 1, 2, 2**40], 2)
        channel = hostile(lists(items, scores, np.asarray(indptr, dtype=np.int64)))
        legal = (
            list(indptr) == [0, n_entries]
            and ((items >= 0) & (items < N_ITEMS)).all()
            and len(set(items.tolist())) == n_entries
            and np.isfinite(scores).all()
        )
        answer = with_channels(engine, {"wild": channel}).recall("r0", k=5)
        assert ("wild" not in answer.left_out) == legal
        used += bool(legal)
    assert 0 < used < 300
