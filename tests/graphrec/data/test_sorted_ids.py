from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.sorted_ids import rows_of_sorted
from graphrec.data.vocabulary import Vocabulary

# Few letters, so that texts share beginnings; of one to four bytes, so that bytes and not code points are compared.
texts = st.text("aABé\uffff𝄞", max_size=4)


@given(st.sets(texts), st.lists(texts), st.integers(0, 3))
def test_rows_are_those_of_a_dict(ids: set[str], wanted: list[str], cut: int) -> None:
    ordered = sorted(ids, key=str.encode)
    row_of = {name: row for row, name in enumerate(ordered[cut:])}
    for names in (wanted, sorted(wanted, key=str.encode), ordered):
        array = pa.array(["", *names], pa.large_string())
        rows = rows_of_sorted(pa.array(ordered, pa.large_string())[cut:], array[1:])
        assert rows.tolist() == [row_of.get(name, -1) for name in names]


@given(st.lists(texts, unique=True, max_size=30), st.lists(texts, max_size=3))
def test_a_vocabulary_finds_the_same_rows_in_any_order_of_its_ids(ids: list[str], wanted: list[str]) -> None:
    for names in (ids, sorted(ids, key=str.encode)):
        expected = [names.index(name) if name in names else -1 for name in wanted]
        assert Vocabulary(names).rows(wanted, missing="mark").tolist() == expected


def test_a_null_is_unknown() -> None:
    wanted = pa.array(["b", None, "a"], pa.large_string())
    assert Vocabulary(["a", "b"]).rows(wanted, missing="mark").tolist() == [1, -1, 0]
