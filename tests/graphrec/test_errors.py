"""Sentences stay sentences, however long the value is that they name."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.errors import LONGEST, ConfigError, DataError, UnknownIdError


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000,
        "x y " * 5_000,
        "[" * 10**6,
        b"x" * 10_000,
        [None] * 9_999,
        {str(n): n for n in range(999)},
        np.zeros((90, 90)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_long_value_gives_way(value: object) -> None:
    sentence = str(ConfigError(f"k is {value!r} ({type(value).__name__}); it must be a whole number of 1 or more"))
    assert len(sentence) < LONGEST
    assert sentence.startswith("k is ")
    assert sentence.endswith("; it must be a whole number of 1 or more")
    assert "\n" not in sentence


def test_short_sentences_paths_and_lists_of_names_stay() -> None:
    paths = "/".join(["folder"] * 20)
    for sentence in (
        "k is 0",
        f"{paths}.nt cannot be read, line 3; see {paths}.csv",
        "legal: " + ", ".join(map(str, range(150))),
    ):
        assert str(DataError(sentence)) == sentence
    assert str(UnknownIdError("item 'x' is unknown")) == "item 'x' is unknown"
