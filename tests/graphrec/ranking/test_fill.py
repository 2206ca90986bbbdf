"""Lists that are too short are filled with what is popular, in its order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, item_lists
from graphrec.fusion.rrf import merge_rrf
from graphrec.ranking.fill import fill, hold_pins

N = 9
LISTS = st.lists(st.lists(st.integers(0, N - 1), unique=True, max_size=N), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(LISTS, st.data())
def test_it_is_the_first_popular_items_that_are_free(rows: list[list[int]], data: st.DataObject) -> None:
    popular = data.draw(st.permutations(range(N)))[: data.draw(st.integers(0, N))]
    excluded = [data.draw(st.lists(st.integers(0, N - 1), max_size=4)) for _ in rows]
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    missing = [data.draw(st.integers(-2, N + 2)) for _ in rows]
    merged = merge_rrf({"a": item_lists(rows), "b": item_lists([row[::-1] for row in rows])}, N)
    filled, places = fill(
        merged,
        np.array(popular, dtype=np.int32),
        np.array(missing),
        exclude=item_lists(excluded),
        allowed=allowed,
    )
    for query, (items, _) in enumerate(merged.lists):
        free = [
            (place, row)
            for place, row in enumerate(popular)
            if allowed[row] and row not in items and row not in excluded[query]
        ][: max(missing[query], 0)]
        here = slice(*filled.lists.indptr[query : query + 2].tolist())
        assert filled.lists.items[here].tolist() == [*items.tolist(), *(row for _, row in free)]
        assert places[here].tolist() == [-1] * len(items) + [place for place, _ in free]
    np.testing.assert_array_equal(filled.ranks[places < 0], merged.ranks)
    np.testing.assert_array_equal(filled.lists.scores[places < 0], merged.lists.scores)
    assert not filled.ranks[places >= 0].any()
    assert np.isnan(filled.scores[places >= 0]).all()


def test_pins_stand_at_their_positions_in_filled_lists_alone() -> None:
    merged = merge_rrf({"a": ItemLists([0, 1, 2], [4, 5])}, N)
    popular = np.array([0, 1, 2, 3], dtype=np.int32)
    filled, places = fill(merged, popular, np.array([2, 2]), exclude=item_lists([[], [0]]), allowed=np.ones(N, bool))
    pinned, order = hold_pins(filled, places, [[(2, 4)], []])
    assert [items.tolist() for items, _ in pinned.lists] == [[0, 4, 1], [5, 1, 2]]
    assert order.tolist() == [0, -1, 1, -1, 1, 2]
    assert pinned.ranks[:, 0].tolist() == [0, 1, 0, 1, 0, 0]
    assert pinned.lists.scores[:3].tolist() == [0.0, 0.0, 0.0]
