from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.kg.reading.term_order import repeats, sorted_order
from graphrec.kg.reading.words import SLACK_BYTES


def ordered(texts: list[bytes]) -> tuple[list[bytes], list[bool]]:
    """Return the texts in the order computed, and which repeat the one before."""
    arena = np.frombuffer(b"".join(texts) + b"\xff" * SLACK_BYTES, dtype=np.uint8).copy()
    stops = np.cumsum([len(text) for text in texts], dtype=np.int64)
    starts = stops - np.asarray([len(text) for text in texts], dtype=np.int64)
    order = sorted_order(arena, starts, stops)
    return [texts[i] for i in order], repeats(arena, starts, stops, order).tolist()


@given(st.lists(st.one_of(st.binary(max_size=20), st.lists(st.sampled_from([b"\0", b"aaaaaaa", b"b"])).map(b"".join))))
def test_order_is_that_of_the_bytes(texts: list[bytes]) -> None:
    texts = texts + texts[:2]
    found, repeated = ordered(texts)
    assert found == sorted(texts)
    assert repeated == [i > 0 and text == found[i - 1] for i, text in enumerate(found)]


@pytest.mark.parametrize("prefix", [b"", b"http://example.org/thing/"])
def test_many_texts(prefix: bytes) -> None:
    rng = np.random.default_rng(3)
    texts = [prefix + str(number).encode() for number in rng.integers(0, 4_000, size=20_000)]
    assert ordered(texts)[0] == sorted(texts)


def test_no_text_and_equal_texts() -> None:
    assert ordered([]) == ([], [])
    assert ordered([b"x" * 100] * 1_000)[0] == [b"x" * 100] * 1_000
