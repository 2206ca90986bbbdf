from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, GraphRecError, UnknownIdError

ids = st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True)


@given(ids)
def test_rows_and_ids_are_inverse(names: list[str]) -> None:
    vocabulary = Vocabulary(names)
    assert vocabulary.rows(names).tolist() == list(range(len(names)))
    assert vocabulary.take(range(len(names))) == names
    assert list(vocabulary) == names


@given(ids, ids)
def test_extend_keeps_old_rows_and_appends_the_unknown_in_order(old: list[str], new: list[str]) -> None:
    extended = Vocabulary(old).extend(new)
    assert list(extended) == old + [name for name in new if name not in old]


def test_unknown_ids_raise_drop_or_mark() -> None:
    vocabulary = Vocabulary(["tt9", "tt90", "x"])
    asked = ["x", "tt99", "tt9", "zz"]
    assert vocabulary.rows(asked, missing="drop").tolist() == [2, 0]
    assert vocabulary.rows(asked, missing="mark").tolist() == [2, -1, 0, -1]
    with pytest.raises(
        UnknownIdError, match=r"item 'tt99' is not among the 3 known items \(and 1 more\); nearest: 'tt9"
    ):
        vocabulary.rows(asked, kind="item")


def test_one_row() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.row("b") == 1
    assert vocabulary.get("c") == -1
    assert "a" in vocabulary
    assert "c" not in vocabulary
    with pytest.raises(UnknownIdError, match="user 'bb' is not among the 2 known users; nearest: 'b'"):
        vocabulary.row("bb", kind="user")
    with pytest.raises(DataError, match="row 2 is out of range; legal rows are 0 to 1"):
        vocabulary[2]


def test_unknown_id_is_also_a_key_error_with_a_readable_sentence() -> None:
    with pytest.raises(KeyError) as caught:
        Vocabulary([]).row("a")
    assert isinstance(caught.value, GraphRecError)
    assert not str(caught.value).startswith('"')


def test_twice_and_null_are_refused() -> None:
    with pytest.raises(DataError, match="id 'b' stands 2 times"):
        Vocabulary(["a", "b", "b"])
    with pytest.raises(DataError, match="id at row 1 is null"):
        Vocabulary(pa.array(["a", None]))


def test_fingerprint_tells_order_and_boundaries() -> None:
    prints = {Vocabulary(v).fingerprint for v in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], [])}
    assert len(prints) == 5
    assert Vocabulary(["a", "b"]).fingerprint == Vocabulary(pa.chunked_array([["a"], ["b"]])).fingerprint


@pytest.mark.parametrize("call", [Vocabulary, Vocabulary(["a"]).rows, Vocabulary(["a"]).extend])
@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (["a", 7], "id 7 is no string (int); ids are strings: '7'"),
        ([["a"]], "id ['a'] is no string (list)"),
        ("abc", "ids are 'abc' (str); give a sequence of strings"),
        (5, "ids are 5 (int); give a sequence of strings"),
        (None, "ids are None (NoneType); give a sequence of strings"),
    ],
)
def test_ids_that_are_no_strings_are_refused(call: Callable[[Any], object], ids: object, sentence: str) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        call(ids)


@pytest.mark.parametrize("external", [7, None, ["a"], b"a"])
def test_the_row_of_what_is_no_string_is_refused(external: Any) -> None:
    with pytest.raises(UnknownIdError, match=re.escape(f"item {external!r} is no string")):
        Vocabulary(["a", "7"]).row(external, kind="item")


@given(ids, st.data())
def test_picked_rows_are_a_vocabulary_of_their_own(names: list[str], data: st.DataObject) -> None:
    vocabulary = Vocabulary(names)
    rows = data.draw(st.lists(st.sampled_from(range(len(names))), unique=True)) if names else []
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(names))] * 2)))
    for picked, expected in (
        (vocabulary.pick(rows), [names[row] for row in rows]),
        (vocabulary.pick(slice(start, stop)), names[start:stop]),
    ):
        assert picked == Vocabulary(expected)
        assert picked.fingerprint == Vocabulary(expected).fingerprint
        assert picked.rows(names, missing="mark").tolist() == Vocabulary(expected).rows(names, missing="mark").tolist()


def test_rows_picked_twice_or_out_of_range_are_refused() -> None:
    vocabulary = Vocabulary(["a", "b"])
    with pytest.raises(DataError, match="row 1 is picked 2 times; ids must be unique"):
        vocabulary.pick([1, 0, 1])
    with pytest.raises(DataError, match=r"rows\[0\] is 2; legal rows are 0 to 1"):
        vocabulary.pick([2])
    with pytest.raises(DataError, match="the step of"):
        vocabulary.pick(slice(0, 2, 2))
