"""What every fusion keeps to, as a class of tests: subclass it and set ``fusion``."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists, take_lists
from graphrec.errors import ConfigError, DataError
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.settings import FUSIONS, Fusion, fusion_from_dict
from tests.close import assert_same_lists

CHANNELS = ("hot", "tag", "als")
one_list = st.lists(st.integers(0, 25), unique=True, max_size=10)
# One method is run by several classes here: each draws its own examples.
CASES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


@st.composite
def answers(draw: st.DrawFn) -> dict[str, ItemLists]:
    """Some of three channels' answers, in any order, some of them empty."""
    n = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from(CHANNELS), unique=True, min_size=1))
    drawn = {name: draw(st.lists(one_list, min_size=n, max_size=n)) for name in names}
    return {
        name: item_lists(lists, [np.linspace(9, 1, len(one)) if one else [] for one in lists])
        for name, lists in drawn.items()
    }


def merged(fusion: Fusion, lists: Mapping[str, ItemLists], k: int) -> list[list[int]]:
    return [items.tolist() for items, _ in fusion.merge(lists, k).lists]


def some_lists(n: int = 4) -> dict[str, ItemLists]:
    rng = np.random.default_rng(8)
    return {name: item_lists([rng.permutation(30)[: rng.integers(5, 15)] for _ in range(n)]) for name in CHANNELS}


class FusionContract:
    """Subclasses set ``fusion``, with settings for all of ``CHANNELS`` where it has settings by channel."""

    fusion: Fusion

    def test_it_is_registered_under_its_kind(self) -> None:
        assert FUSIONS[self.fusion.kind].rpartition(":")[2] == type(self.fusion).__name__

    def test_settings_survive_json(self) -> None:
        assert fusion_from_dict(json.loads(json.dumps(self.fusion.to_dict()))) == self.fusion

    def test_unknown_settings_are_refused(self) -> None:
        with pytest.raises(ConfigError, match=f"'colour' is not a setting of {self.fusion.kind} fusion; legal"):
            fusion_from_dict({**self.fusion.to_dict(), "colour": 1})

    @CASES
    @given(st.lists(one_list, min_size=1, max_size=3), st.sampled_from([*CHANNELS, "new"]), st.integers(1, 12))
    def test_one_channel_is_the_identity_in_items_and_order(self, lists: list[list[int]], name: str, k: int) -> None:
        assert merged(self.fusion, {name: item_lists(lists)}, k) == [one[:k] for one in lists]

    @CASES
    @given(answers(), st.integers(1, 40))
    def test_what_a_merged_list_is(self, lists: dict[str, ItemLists], k: int) -> None:
        fused = self.fusion.merge(lists, k)
        assert fused.channels == tuple(lists)
        for query in range(len(fused)):
            one = fused.query(query)
            items = one.lists.items.tolist()
            everything = {int(item) for part in lists.values() for item in part[query][0]}
            assert len(items) == len(set(items)) <= k
            assert set(items) <= everything
            assert (np.diff(one.lists.scores) <= 0).all()
            self.check_provenance(one, {name: part[query] for name, part in lists.items()})

    def check_provenance(self, one: FusedLists, own: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        for row, item in enumerate(one.lists.items.tolist()):
            for column, (items, scores) in enumerate(own.values()):
                rank = one.ranks[row, column]
                assert rank == (items.tolist().index(item) + 1 if item in items else 0)
                assert np.isnan(one.scores[row, column]) if rank == 0 else one.scores[row, column] == scores[rank - 1]

    @CASES
    @given(answers(), st.sampled_from([1000, 2**40, 2**62]))
    def test_k_beyond_the_candidates_gives_them_all(self, lists: dict[str, ItemLists], k: int) -> None:
        for query, items in enumerate(merged(self.fusion, lists, k)):
            assert set(items) == {int(item) for part in lists.values() for item in part[query][0]}

    @CASES
    @given(answers(), st.integers(1, 20), st.randoms(use_true_random=False))
    def test_the_order_in_which_channels_answer_moves_columns_only(
        self, lists: dict[str, ItemLists], k: int, rng: object
    ) -> None:
        names = list(lists)
        rng.shuffle(names)  # type: ignore[attr-defined]
        first, second = self.fusion.merge(lists, k), self.fusion.merge({name: lists[name] for name in names}, k)
        np.testing.assert_array_equal(first.lists.items, second.lists.items)
        columns = [second.channels.index(name) for name in lists]
        np.testing.assert_array_equal(first.ranks, second.ranks[:, columns])

    @CASES
    @given(answers(), st.integers(1, 20))
    def test_a_batch_is_its_queries_one_by_one(self, lists: dict[str, ItemLists], k: int) -> None:
        batch = self.fusion.merge(lists, k)
        for query in range(len(batch)):
            alone = self.fusion.merge({name: take_lists(part, [query]) for name, part in lists.items()}, k)
            assert_same_lists(batch.query(query).lists, alone.lists)

    def test_histories_alone_change_nothing(self) -> None:
        # A fusion that looks at them looks at a graph, too.
        lists, histories = some_lists(), item_lists([[1, 2], [], [3], [0]])
        known = self.fusion.merge(lists, 9, histories=histories)
        assert_same_lists(known.lists, self.fusion.merge(lists, 9).lists)

    def test_twice_the_same(self) -> None:
        lists = some_lists()
        first, second = self.fusion.merge(lists, 9), self.fusion.merge(lists, 9)
        assert_same_lists(first.lists, second.lists)

    def test_absent_channels_are_passed_over(self) -> None:
        lists = some_lists()
        for name in CHANNELS:
            fewer = {other: part for other, part in lists.items() if other != name}
            assert all(len(items) == 5 for items in merged(self.fusion, fewer, 5))

    def test_a_channel_that_says_nothing_changes_nothing(self) -> None:
        lists = some_lists()
        without = {name: part for name, part in lists.items() if name != "tag"}
        silent = {**lists, "tag": empty_lists(4)}
        fused = self.fusion.merge(silent, 40)
        assert merged(self.fusion, silent, 40) == merged(self.fusion, without, 40)
        assert not fused.ranks[:, 1].any()
        assert np.isnan(fused.scores[:, 1]).all()

    def test_nobody_asks_or_nobody_answers(self) -> None:
        assert merged(self.fusion, {name: empty_lists(2) for name in CHANNELS}, 5) == [[], []]
        assert len(self.fusion.merge({name: empty_lists(0) for name in CHANNELS}, 5)) == 0

    def test_an_item_twice_in_a_list_stands_once_at_its_better_rank(self) -> None:
        fused = self.fusion.merge({"hot": item_lists([[4, 7, 4]])}, 5)
        assert fused.lists.items.tolist() == [4, 7]
        assert fused.ranks[:, 0].tolist() == [1, 2]

    def test_channels_are_asked_for_enough(self) -> None:
        assert all(self.fusion.channel_depth(k) >= k for k in (1, 20, 500))

    def test_bad_arguments(self) -> None:
        with pytest.raises(ConfigError, match="k is 0"):
            self.fusion.merge(some_lists(), 0)
        with pytest.raises(DataError, match="no channels"):
            self.fusion.merge({}, 3)
        with pytest.raises(DataError, match="answers 2 queries"):
            self.fusion.merge({"hot": empty_lists(1), "tag": empty_lists(2)}, 3)
