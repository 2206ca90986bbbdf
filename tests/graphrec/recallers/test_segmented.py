"""One list a segment beside one for everybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.contracts.queries import Queries
from graphrec.data.features import Labels
from graphrec.data.lists import empty_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.recallers.ranked import RankedRecaller
from graphrec.recallers.segmented import SegmentedRecaller
from graphrec.recallers.segments import Segments
from tests.worlds import parts_of, vocabulary

SEGMENTS = Segments("country", Labels(Vocabulary(["DE", "FR"]), [0, 1, -1]))


def recaller(factors: tuple[float, float] = (0.5, 1.0)) -> SegmentedRecaller:
    everyone = RankedRecaller([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1])
    own = NeighbourTable([0, 2, 2], [3, 0], np.array([0.9, 0.16], np.float32), n_columns=5)
    return SegmentedRecaller(everyone, SEGMENTS, own, factors)


def asked(users: list[int], k: int = 9) -> list[list[int]]:
    lists = recaller().recall(Queries(users, empty_lists(len(users))), k)
    return [items.tolist() for items, _ in lists]


def test_own_scores_stand_among_those_of_everybody() -> None:
    assert asked([0, 1, 2, -1, 7]) == [[3, 0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3]]
    assert asked([0], k=2) == [[3, 0]]
    scores = recaller().recall(Queries([0], empty_lists(1)), 9).scores
    np.testing.assert_allclose(scores, [0.9, 0.16, 0.15, 0.1], rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_it_is_the_sorted_list_of_all_scores(data: st.DataObject) -> None:
    n, k = 12, data.draw(st.integers(1, 14))
    scores = data.draw(st.lists(st.floats(0, 1, width=32), min_size=n, max_size=n))
    own = data.draw(st.dictionaries(st.integers(0, n - 1), st.floats(0, 1, width=32)))
    factor = data.draw(st.sampled_from([1.0, 0.3, 1e-7]))
    table = NeighbourTable([0, len(own), len(own)], list(own), list(own.values()), n_columns=n)
    made = SegmentedRecaller(RankedRecaller(np.arange(n), scores), SEGMENTS, table, [factor, 1.0])
    coarse = dict(zip(made.everyone.items.tolist(), made.everyone.scores.astype(np.float64).tolist(), strict=True))
    expected = {i: np.float32(own.get(i, factor * coarse[i])) for i in range(n)}
    items, found = made.recall(Queries([0], empty_lists(1)), k)[0]
    assert items.tolist() == sorted(expected, key=lambda i: (-expected[i], i))[:k]
    np.testing.assert_array_equal(found, [expected[i] for i in items.tolist()])


def test_rounding_keeps_scores_to_sixteen_binary_digits() -> None:
    scores = np.array([1 / 3, 0.1, 1e-30, 0], np.float32)
    made = SegmentedRecaller(
        RankedRecaller(np.arange(4), scores), SEGMENTS, NeighbourTable([0, 0, 0], [], [], n_columns=4), [1.0, 1.0]
    )
    np.testing.assert_allclose(made.everyone.scores, [1 / 3, 0.1, 0, 0], rtol=2**-16)


@pytest.mark.parametrize(
    ("factors", "own", "words"),
    [
        ([1.0], NeighbourTable([0, 0, 0], [], [], n_columns=5), "factors has 1 entries"),
        ([1.0, 0.0], NeighbourTable([0, 0, 0], [], [], n_columns=5), "factors are above 0"),
        ([1.0, np.inf], NeighbourTable([0, 0, 0], [], [], n_columns=5), "finite"),
        ([1.0, 1.0], NeighbourTable([0, 0], [], [], n_columns=5), "lists of 1 segments"),
        ([1.0, 1.0], NeighbourTable([0, 2, 2], [1, 1], [1.0, 2.0], n_columns=5), "stands twice"),
        ([1.0, 1.0], NeighbourTable([0, 0, 0], [], [], n_columns=3), "out of range"),
    ],
)
def test_parts_that_do_not_fit_are_refused(factors: list[float], own: NeighbourTable, words: str) -> None:
    with pytest.raises(DataError, match=words):
        SegmentedRecaller(RankedRecaller([0, 1, 2, 3], [4, 3, 2, 1]), SEGMENTS, own, factors)


def test_k_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="k is 0"):
        recaller().recall(Queries([0], empty_lists(1)), 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [('"DE"', "7", "must be a text"), ('"DE"', '"FR"', "unique"), ('"n_items": 5', '"n_items": "5"', "expected int")],
)
def test_damaged_settings_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    recaller().save(tmp_path)
    path = tmp_path / "recaller.json"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new))
    with pytest.raises(BundleError, match=words):
        SegmentedRecaller.load(tmp_path, parts_of(vocabulary("i", 5)))
