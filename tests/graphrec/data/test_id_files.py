"""One id a line: every id can be written, and every line can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.id_files import id_of_line, ids_of_text, line_of_id, text_of_ids


@given(st.lists(st.text(alphabet='ab7 #"\\\n\r\t\x0b\u2028é{['), unique=True))
def test_any_ids_come_back(ids: list[str]) -> None:
    assert ids_of_text(text_of_ids(ids)) == ids


@pytest.mark.parametrize("plain", ["b1", "two words", "3.5", "tt#7", "Büch", "{}", "-x"])
def test_plain_ids_stand_as_they_are(plain: str) -> None:
    assert line_of_id(plain) == plain


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", None),
        ("   ", None),
        ("# a note", None),
        ("  #1", None),
        (" b1 ", "b1"),
        ('"#1"', "#1"),
        ('" b1"', " b1"),
        ('"b1', '"b1'),
        ('"a" or "b"', '"a" or "b"'),
        ("[1]", "[1]"),
    ],
)
def test_no_line_is_wrong(line: str, found: str | None) -> None:
    assert id_of_line(line) == found
