import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.fusion.rrf import merge_rrf

one_list = st.lists(st.integers(0, 30), unique=True, max_size=12)


@st.composite
def channel_lists(draw: st.DrawFn) -> dict[str, ItemLists]:
    n = draw(st.integers(1, 4))
    names = draw(st.lists(st.sampled_from(["hot", "tag", "als", "ease"]), unique=True, min_size=1))
    answers = {name: draw(st.lists(one_list, min_size=n, max_size=n)) for name in names}
    return {
        name: item_lists(lists, [np.linspace(9, 1, len(one)) if one else [] for one in lists])
        for name, lists in answers.items()
    }


def slow_rrf(
    lists: dict[str, ItemLists], query: int, k: int, weights: dict[str, float], c: float, depth: int
) -> list[tuple[int, float, list[int]]]:
    """The obvious version: one dictionary, one sort."""
    scores: dict[int, float] = {}
    ranks: dict[int, list[int]] = {}
    for column, (name, part) in enumerate(lists.items()):
        own = part[query][0].tolist()
        for rank, item in enumerate(own[:depth] if depth else own, start=1):
            scores[item] = scores.get(item, 0.0) + weights[name] / (c + rank)
            ranks.setdefault(item, [0] * len(lists))[column] = rank
    order = sorted((i for i in scores if scores[i] > 0), key=lambda i: (-np.float32(scores[i]), i))
    return [(item, scores[item], ranks[item]) for item in order[:k]]


def test_two_channels_by_hand() -> None:
    fused = merge_rrf({"a": item_lists([[5, 6]]), "b": item_lists([[6, 7]])}, 3)
    items, scores = fused.lists[0]
    assert items.tolist() == [6, 5, 7]
    np.testing.assert_allclose(scores, [1 / 62 + 1 / 61, 1 / 61, 1 / 62], rtol=1e-6)
    assert fused.ranks.tolist() == [[2, 1], [1, 0], [0, 2]]
    assert fused.channels == ("a", "b")


def test_own_scores_are_carried_and_nan_where_absent() -> None:
    fused = merge_rrf(
        {"a": item_lists([[1], [5, 6]], [[4.0], [0.9, 0.8]]), "b": item_lists([[], [6]], [[], [70.0]])}, 9
    )
    assert fused.lists.items.tolist() == [1, 6, 5]
    np.testing.assert_array_equal(fused.scores, np.array([[4.0, np.nan], [0.8, 70.0], [0.9, np.nan]], np.float32))
    assert fused.query(1).lists.items.tolist() == [6, 5]
    assert fused.query(1).ranks.tolist() == [[2, 1], [1, 0]]


def test_ties_go_to_the_lower_row() -> None:
    fused = merge_rrf({"a": item_lists([[9, 2]]), "b": item_lists([[4, 3]]), "c": item_lists([[1, 8]])}, 6)
    assert fused.lists.items.tolist() == [1, 4, 9, 2, 3, 8]


@settings(max_examples=150, deadline=None)
@given(
    channel_lists(),
    st.integers(1, 40),
    st.integers(0, 5),
    st.sampled_from([1.0, 60.0]),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=4, max_size=4),
)
def test_as_the_obvious_version(
    lists: dict[str, ItemLists], k: int, depth: int, c: float, numbers: list[float]
) -> None:
    weights = dict(zip(lists, [1.0, *numbers[1:]], strict=False))
    fused = merge_rrf(lists, k, weights=weights, c=c, depth=depth)
    for query in range(len(fused)):
        expected = slow_rrf(lists, query, k, weights, c, depth)
        one = fused.query(query)
        assert one.lists.items.tolist() == [item for item, _, _ in expected]
        assert one.ranks.tolist() == [ranks for _, _, ranks in expected]
        np.testing.assert_allclose(one.lists.scores, [score for _, score, _ in expected], rtol=1e-6)


@settings(deadline=None)
@given(st.lists(one_list, min_size=1, max_size=5), st.integers(1, 15))
def test_fusion_of_one_channel_is_the_identity(lists: list[list[int]], k: int) -> None:
    fused = merge_rrf({"only": item_lists(lists)}, k)
    assert [items.tolist() for items, _ in fused.lists] == [one[:k] for one in lists]
    assert fused.ranks[:, 0].tolist() == [rank + 1 for one in lists for rank in range(len(one[:k]))]


@settings(deadline=None)
@given(channel_lists(), st.integers(1, 10))
def test_a_batch_is_its_queries_one_by_one(lists: dict[str, ItemLists], k: int) -> None:
    batch = merge_rrf(lists, k)
    for query in range(len(batch)):
        alone = merge_rrf({name: item_lists([part[query][0]], [part[query][1]]) for name, part in lists.items()}, k)
        np.testing.assert_array_equal(batch.query(query).lists.items, alone.lists.items)
        np.testing.assert_array_equal(batch.query(query).scores, alone.scores)


def test_long_lists_keep_their_order() -> None:
    order = np.random.default_rng(3).permutation(50_000).astype(np.int32)
    fused = merge_rrf({"only": ItemLists([0, len(order)], order)}, 50_000)
    np.testing.assert_array_equal(fused.lists.items, order)


def test_an_empty_channel_changes_nothing() -> None:
    full = item_lists([[3, 1], [2]])
    fused = merge_rrf({"empty": empty_lists(2), "full": full}, 5)
    np.testing.assert_array_equal(fused.lists.items, full.items)
    assert fused.ranks[:, 0].tolist() == [0, 0, 0]
    assert np.isnan(fused.scores[:, 0]).all()


def test_all_channels_empty_or_no_queries() -> None:
    assert merge_rrf({"a": empty_lists(3)}, 5).lists.indptr.tolist() == [0, 0, 0, 0]
    assert len(merge_rrf({"a": empty_lists(0)}, 5)) == 0


def test_a_silent_channel_adds_nothing_but_is_told() -> None:
    fused = merge_rrf({"a": item_lists([[1, 2]]), "b": item_lists([[3, 2]])}, 5, weights={"b": 0})
    assert fused.lists.items.tolist() == [1, 2]
    assert fused.ranks.tolist() == [[1, 0], [2, 2]]


def test_an_item_returned_twice_keeps_its_better_rank() -> None:
    fused = merge_rrf({"a": item_lists([[4, 7, 4]])}, 5)
    assert fused.lists.items.tolist() == [4, 7]
    assert fused.ranks[:, 0].tolist() == [1, 2]


def test_a_heavier_channel_wins() -> None:
    lists = {"a": item_lists([[1]]), "b": item_lists([[2]])}
    assert merge_rrf(lists, 1, weights={"b": 1.5}).lists.items.tolist() == [2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"c": 0.0}, "c is 0"),
        ({"c": float("nan")}, "c is nan"),
        ({"depth": -1}, "depth is -1"),
        ({"weights": {"item-fc": 1.0}}, "nearest: 'item-cf'"),
        ({"weights": {"hot": -1.0}}, "'hot' is -1"),
        ({"weights": {"hot": float("inf")}}, "'hot' is inf"),
        ({"weights": {"hot": 0.0, "item-cf": 0.0}}, "at least one"),
    ],
)
def test_illegal_settings(options: dict[str, object], words: str) -> None:
    lists = {"hot": item_lists([[1]]), "item-cf": item_lists([[2]])}
    settings = {"k": 5, **options}
    with pytest.raises(ConfigError, match=words):
        merge_rrf(lists, settings.pop("k"), **settings)  # type: ignore[arg-type]


def test_channels_must_answer_the_same_queries() -> None:
    with pytest.raises(DataError, match="'b' answers 2 queries, channel 'a' answers 1"):
        merge_rrf({"a": empty_lists(1), "b": empty_lists(2)}, 3)
    with pytest.raises(DataError, match="no channels"):
        merge_rrf({}, 3)
