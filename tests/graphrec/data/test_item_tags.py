from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.item_tags import ItemTags, merge_item_tags
from graphrec.errors import DataError
from tests.worlds import item_tags

Carried = dict[int, dict[str, float]]


def carried(tags: ItemTags) -> Carried:
    """Return item -> tag -> weight."""
    rows = range(len(tags.table))
    return {
        row: {tags.tags[int(tag)]: float(weight) for tag, weight in zip(*tags.table[row], strict=True)} for row in rows
    }


TAGS = ["Zen", "art", "Art", "sea", "é"]
worlds = st.tuples(
    st.permutations(TAGS).flatmap(lambda names: st.integers(0, len(names)).map(lambda n: names[:n])),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=12),
).map(lambda pair: item_tags(4, pair[0], [(item, tag) for item, tag in pair[1] if tag < len(pair[0])]))


@given(worlds, worlds)
def test_an_item_has_the_tags_of_both(first: ItemTags, second: ItemTags) -> None:
    merged, one, other = merge_item_tags(first, second), carried(first), carried(second)
    assert carried(merged) == {item: one[item] | other[item] for item in range(4)}
    assert list(merged.tags) == sorted({*first.tags, *second.tags})
    assert carried(merge_item_tags(second, first)) == carried(merged)
    assert carried(merge_item_tags(first, first)) == one


def test_sizes_must_agree() -> None:
    with pytest.raises(DataError, match="tags of 2 items cannot be merged with those of 3"):
        merge_item_tags(item_tags(2, ["a"], []), item_tags(3, ["a"], []))
