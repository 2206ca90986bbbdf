"""Searching for several vectors of one query: the best of all, diversity, filters and evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, ConfigError
from graphrec.index import ExactIndex
from graphrec.recallers import load_recaller
from graphrec.recallers.encoder import TowerEncoder
from graphrec.recallers.interest_encoder import InterestEncoderRecaller, ranks_within
from graphrec.recallers.query_encoder import HistoryEncoder
from tests.worlds import parts_of, vocabulary

# Items 2, 4, … 20 have a vector, of 30.
ROWS = np.arange(2, 22, 2, dtype=np.int32)
VECTORS = np.random.default_rng(2).normal(size=(10, 4)).astype(np.float32)


class NewestTwo:
    """A tower in place of an ONNX file: its interests are the newest event and the one before it."""

    content = b""
    inputs = ("events", "lengths")

    def check(self, given: Any, shape: tuple[int, ...]) -> None:
        assert self(given).shape[1:] == shape

    def __call__(self, given: Any) -> npt.NDArray[np.float32]:
        events, rows = given["events"], np.arange(len(given["events"]))
        places = np.maximum(given["lengths"][:, None] - [1, 2], 0)
        made: npt.NDArray[np.float32] = events[rows[:, None], places]
        return made


def channel(diversity: float = 0.0) -> InterestEncoderRecaller:
    history = HistoryEncoder(ROWS, VECTORS, 30)
    encoder = TowerEncoder(NewestTwo(), history, np.zeros(1, dtype=np.bool_), window=5, interests=2)  # type: ignore[arg-type]
    return InterestEncoderRecaller(encoder, VECTORS, ExactIndex(VECTORS, "ip"), diversity=diversity)


def expected(history: list[int], k: int, diversity: float, exclude: set[int]) -> list[int]:
    """Return ComiRec's greedy choice, a step at a time, over all items: O(k n)."""
    known = [int(np.flatnonzero(item == ROWS)[0]) for item in history if item in ROWS]
    interests = VECTORS[known[-2:]]
    products = VECTORS @ interests.T
    left = [place for place in range(10) if int(ROWS[place]) not in exclude]
    taken: list[int] = []
    while left and len(taken) < k:

        def worth(place: int) -> tuple[float, int]:
            own = products[place].argmax()
            others = sum(products[other].argmax() != own for other in taken)
            return float(products[place].max() + diversity * others), -place

        best = max(left, key=worth)
        taken.append(best)
        left.remove(best)
    return [int(ROWS[place]) for place in taken]


@pytest.mark.parametrize("diversity", [0.0, 0.2, 5.0])
@pytest.mark.parametrize("history", [[4, 8, 20], [1, 6, 3], [10, 10], [2, 14, 5]])
def test_the_list_is_what_the_greedy_choice_makes(history: list[int], diversity: float) -> None:
    recaller, exclude = channel(diversity), {4, 10}
    answer = recaller.recall_allowed(
        Queries([-1], item_lists([history])), 10, exclude=item_lists([sorted(exclude)]), allowed=np.ones(30, dtype=bool)
    )
    assert answer.items.tolist() == expected(history, 10, diversity, exclude)
    assert (np.diff(answer.scores) <= 0).all()


def test_queries_of_which_nothing_is_known_get_nothing_and_the_others_their_own() -> None:
    recaller = channel()
    histories = [[4, 8], [], [1, 3], [20]]
    answer = recaller.recall(Queries([-1] * 4, item_lists(histories)), 3)
    assert answer.lengths.tolist() == [3, 0, 0, 3]
    for place in (0, 3):
        assert answer[place][0].tolist() == expected(histories[place], 3, 0.0, set())


def test_evidence_is_the_event_that_the_interest_of_an_item_is_nearest_to() -> None:
    recaller = channel()
    history = [12, 4, 8]
    items = np.array([*ROWS, 3], dtype=np.int32)
    sources = recaller.evidence(Queries([-1], item_lists([history])), items).sources
    nearer = (VECTORS @ VECTORS[[3, 1]].T).argmax(axis=1)  # items 8 and 4
    assert sources.tolist() == [*np.array([8, 4])[nearer].tolist(), -1]


def test_events_beyond_the_window_are_no_evidence() -> None:
    old = [12] * 1 + [2, 14, 16, 4, 8]
    sources = channel().evidence(Queries([-1], item_lists([old])), ROWS).sources
    assert set(sources.tolist()) == {4, 8}


def test_ranks_are_within_groups_and_ties_go_to_the_lower_row() -> None:
    groups, rows = np.array([1, 0, 1, 1, 0]), np.array([5, 2, 3, 9, 1])
    scores = np.array([1.0, 3.0, 1.0, 4.0, 3.0], dtype=np.float32)
    assert ranks_within(groups, rows, scores).tolist() == [2, 1, 1, 0, 0]


def test_diversity_below_nought_and_files_that_do_not_say_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"diversity is -0\.1; it must be 0 or more"):
        channel(-0.1)
    channel().save(tmp_path)
    path = tmp_path / "recaller.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    for name in ("interests", "diversity"):
        path.write_text(json.dumps({key: value for key, value in settings.items() if key != name}), encoding="utf-8")
        with pytest.raises(BundleError, match=f"has no '{name}'"):
            load_recaller(tmp_path, parts_of(vocabulary("i", 30)))
