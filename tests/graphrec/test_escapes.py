"""What leaves the program acts on nothing, and what a program reads back is what was written."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.escapes import json_text, one_line, spreadsheet_cell, visible

# Any character, those that act among them; surrogates that cannot join to a pair.
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("\x1b\x07\x08\r\n\t\x7f\x9b\x9d\u202e\u2066\u2028\u200f\ufeff\ud800"),
    )
)


@given(TEXTS)
def test_nothing_visible_acts_on_a_terminal(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(letter) not in {"Cc", "Cs", "Zl", "Zp"} for letter in shown if letter not in "\n\t")
    assert all(unicodedata.bidirectional(letter) not in {"LRE", "RLE", "LRO", "RLO", "PDF"} for letter in shown)
    assert all(unicodedata.bidirectional(letter) not in {"LRI", "RLI", "FSI", "PDI"} for letter in shown)
    shown.encode("utf-8")
    assert visible(shown) == shown
    assert len(one_line(text).splitlines()) <= 1


def test_writing_that_needs_joiners_stays() -> None:
    for text in ("\u0645\u06cc\u200c\u062e", "👩\u200d👧", "Crème brûlée — №1"):
        assert visible(text) == one_line(text) == text


@given(st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=3)))
@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_is_read_back_as_it_was_and_can_be_written(ascii_only: bool, value: object) -> None:
    text = json_text(value, indent=1, ascii_only=ascii_only)
    text.encode("ascii" if ascii_only else "utf-8")
    assert visible(text) == text
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "formula",
    [
        "=cmd|'/c calc'!A0",
        "=1+1",
        "+1+cmd",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "-",
        "+",
        "-5+cmd|' /c calc'!A0",
        "+49 171",
    ],
)
def test_a_formula_is_text_in_a_spreadsheet(formula: str) -> None:
    assert spreadsheet_cell(formula) == f"'{formula}"


@pytest.mark.parametrize("cell", ["-5", "+3.5", "-1e-9", "b1", "a=b", "x@y.example", "", 5, -5.0, None])
def test_numbers_and_plain_text_stay(cell: object) -> None:
    assert spreadsheet_cell(cell) == cell
