"""What every channel must keep, as a class: ``class TestSwing(RecallerContract): recipe = Swing()``."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from graphrec.bundle import open_bundle
from graphrec.bundle.files import write_strings
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.data.lists import ItemLists, empty_lists, item_lists, take_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError
from graphrec.recallers import load_recaller
from graphrec.recallers.evidence import check_evidence
from tests.close import assert_same_lists
from tests.graphrec.bundle.make import reseal, write
from tests.worlds import checkerboard, library, parts_of, skewed, vocabulary

WORLDS = {"checkerboard": checkerboard, "skewed": skewed, "library": library}

# Fitting is the slow part: each (recipe, world) is fitted once for all the tests that only ask.
_fitted: dict[tuple[str, str], tuple[RecallData, Recaller]] = {}


def assert_well_formed(lists: ItemLists, k: int, n_items: int) -> None:
    """Check one answer: at most k rows a list, in range, none twice, best first, ties by row."""
    for items, scores in lists:
        assert len(items) <= k
        assert len(np.unique(items)) == len(items)
        assert len(items) == 0 or (items.min() >= 0 and items.max() < n_items)
        order = np.lexsort((items, -scores))
        np.testing.assert_array_equal(order, np.arange(len(items)))


class RecallerContract:
    """Tests of one channel; subclasses set ``recipe``, and ``personalised`` where the history plays no part.

    ``answers_strangers`` is set where strangers without a history are answered too.
    A channel that learns from more than events gives ``prepared``, which adds it to a world.
    """

    recipe: ClassVar[Any]
    personalised: ClassVar[bool] = True
    answers_strangers: ClassVar[bool] = False

    @staticmethod
    def prepared(data: RecallData) -> RecallData:
        return data

    @pytest.fixture(params=list(WORLDS))
    def world(self, request: pytest.FixtureRequest) -> tuple[RecallData, Recaller]:
        name = str(request.param)
        key = (repr(self.recipe), name)
        if key not in _fitted:
            data = self.prepared(WORLDS[name]())
            _fitted[key] = data, self.recipe.fit(data, FitContext(seed=3))
        return _fitted[key]

    @pytest.fixture
    def data(self, world: tuple[RecallData, Recaller]) -> RecallData:
        return world[0]

    @pytest.fixture
    def recaller(self, world: tuple[RecallData, Recaller]) -> Recaller:
        return world[1]

    @pytest.fixture
    def queries(self, data: RecallData) -> Queries:
        return known_queries(histories(data.interactions), np.arange(len(data.users)))

    def test_it_is_a_recaller(self, recaller: Recaller) -> None:
        assert isinstance(recaller, Recaller)

    @pytest.mark.parametrize("k", [1, 3, 10, 1000])
    def test_lists_are_well_formed(self, data: RecallData, recaller: Recaller, queries: Queries, k: int) -> None:
        answer = recaller.recall(queries, k)
        assert len(answer) == len(queries)
        assert_well_formed(answer, k, len(data.items))

    def test_histories_get_answers(self, recaller: Recaller, queries: Queries) -> None:
        with_history = queries.history.lengths > 0
        assert (recaller.recall(queries, 5).lengths[with_history] > 0).all()

    def test_nobody_at_all_is_no_error(self, data: RecallData, recaller: Recaller) -> None:
        answer = recaller.recall(Queries([-1, -1], empty_lists(2)), 4)
        assert len(answer) == 2
        assert_well_formed(answer, 4, len(data.items))

    def test_an_unknown_user_with_a_history_is_answered(self, data: RecallData, recaller: Recaller) -> None:
        answer = recaller.recall(Queries([-1], item_lists([[0, 4]])), 6)
        assert answer.lengths[0] > 0
        assert_well_formed(answer, 6, len(data.items))

    def test_an_empty_batch_gets_an_empty_answer(self, recaller: Recaller) -> None:
        assert len(recaller.recall(Queries(np.empty(0, np.int32), empty_lists(0)), 5)) == 0

    def test_weights_of_zero_and_below_say_nothing_of_taste(self, recaller: Recaller) -> None:
        liked = recaller.recall(Queries([-1], item_lists([[0]], [[2.0]])), 6)
        also_seen = recaller.recall(Queries([-1], item_lists([[3, 1, 0]], [[0.0, -1.0, 2.0]])), 6)
        assert_same_lists(also_seen, liked)
        if self.personalised:
            nothing = recaller.recall(Queries([-1], item_lists([[1, 3]], [[0.0, -1.0]])), 6)
            assert_same_lists(nothing, recaller.recall(Queries([-1], empty_lists(1)), 6))
            assert bool(nothing.lengths[0]) == self.answers_strangers

    def test_a_live_history_counts(self, data: RecallData, recaller: Recaller, queries: Queries) -> None:
        other = take_lists(queries.history, (np.arange(len(queries)) + 1) % len(queries))
        stored, live = recaller.recall(queries, 8), recaller.recall(Queries(queries.users, other), 8)
        assert_well_formed(live, 8, len(data.items))
        changed = any(len(a[0]) != len(b[0]) or (a[0] != b[0]).any() for a, b in zip(stored, live, strict=True))
        assert changed == self.personalised

    def test_a_batch_is_answered_like_one_by_one(self, recaller: Recaller, queries: Queries) -> None:
        together = recaller.recall(queries, 7)
        for position in range(len(queries)):
            one = Queries(queries.users[[position]], take_lists(queries.history, [position]))
            assert_same_lists(recaller.recall(one, 7), take_lists(together, [position]))

    def test_threads_get_the_same_answer(self, recaller: Recaller, queries: Queries) -> None:
        expected = recaller.recall(queries, 9)
        with ThreadPoolExecutor(4) as pool:
            for answer in pool.map(lambda _: recaller.recall(queries, 9), range(12)):
                assert_same_lists(answer, expected)

    def test_the_questions_are_left_as_they_are(self, recaller: Recaller, queries: Queries) -> None:
        before = queries.users.copy(), queries.history.items.copy(), queries.history.scores.copy()
        recaller.recall(queries, 5)
        for left, right in zip(before, (queries.users, queries.history.items, queries.history.scores), strict=True):
            np.testing.assert_array_equal(left, right)

    @pytest.mark.parametrize("workers", [1, 3])
    def test_the_same_seed_gives_the_same_answer_on_any_number_of_threads(
        self, data: RecallData, recaller: Recaller, queries: Queries, workers: int
    ) -> None:
        again = self.recipe.fit(data, FitContext(seed=3, workers=workers))
        assert_same_lists(again.recall(queries, 10), recaller.recall(queries, 10))

    def test_saved_and_loaded_it_answers_the_same(
        self, data: RecallData, recaller: Recaller, queries: Queries, tmp_path: Path
    ) -> None:
        recaller.save(tmp_path)
        loaded = load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
        assert type(loaded) is type(recaller)
        assert loaded.reason == recaller.reason
        assert_same_lists(loaded.recall(queries, 10), recaller.recall(queries, 10))
        items = np.arange(len(data.items), dtype=np.int32)
        one = known_queries(queries.history, [0])
        for name in ("sources", "via"):
            np.testing.assert_array_equal(
                getattr(loaded.evidence(one, items), name), getattr(recaller.evidence(one, items), name)
            )

    def test_no_pickle_is_written(self, recaller: Recaller, tmp_path: Path) -> None:
        recaller.save(tmp_path)
        written = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert tmp_path / "recaller.json" in written
        for path in written:
            assert path.suffix not in {".pkl", ".pickle", ".joblib", ".pt"}
            assert not path.read_bytes().startswith(b"\x80"), f"{path.name} looks like a pickle"
            if path.suffix == ".npy":
                assert np.load(path, allow_pickle=False).dtype != object

    def test_fewer_items_are_refused(self, data: RecallData, recaller: Recaller, tmp_path: Path) -> None:
        recaller.save(tmp_path)
        with pytest.raises(BundleError):
            load_recaller(tmp_path, parts_of(vocabulary("x", len(data.items) // 2)))

    def test_as_many_other_items_are_refused_by_its_bundle(
        self, data: RecallData, recaller: Recaller, tmp_path: Path
    ) -> None:
        """A saved channel knows rows; which ids they stand for is the bundle's to hold, and to check."""
        directory = write(tmp_path / "bundle", data, {"channel": recaller})
        assert "channel" in open_bundle(directory).channels
        foreign = pa.array([f"x{row}" for row in range(len(data.items))], pa.large_string())
        write_strings(directory / "vocabularies" / "items.arrow", foreign)
        reseal(directory)
        with pytest.raises(BundleError, match=r"items\.arrow holds other ids than the bundle was made for"):
            open_bundle(directory)

    def test_a_missing_file_is_named(self, data: RecallData, recaller: Recaller, tmp_path: Path) -> None:
        recaller.save(tmp_path)
        for victim in [path for path in tmp_path.rglob("*") if path.is_file()]:
            content = victim.read_bytes()
            victim.unlink()
            with pytest.raises(BundleError) as caught:
                load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
            assert str(victim) in str(caught.value)
            assert "\n" not in str(caught.value)
            victim.write_bytes(content)

    def test_evidence_lies_in_the_history(self, data: RecallData, recaller: Recaller, queries: Queries) -> None:
        for user in range(0, len(data.users), 7):
            query = known_queries(queries.history, [user])
            items, _ = recaller.recall(query, 10)[0]
            evidence = recaller.evidence(query, items)
            names = getattr(recaller, "via", None)
            check_evidence(evidence, items, data.catalogue, n_via=None if names is None else len(names))
            assert len(evidence.sources) == len(evidence.via) == len(items)
            assert set(evidence.sources.tolist()) <= {-1, *query.history.items.tolist()}
            assert evidence.via.max(initial=-1) < (len(names) if isinstance(names, Vocabulary) else 0)
            # Without a history, features of the user may bring an answer; there is then nothing to point at.
            if self.personalised and len(query.history.items):
                assert (evidence.sources >= 0).all()

    def test_evidence_of_nothing_is_nothing(self, recaller: Recaller) -> None:
        nothing = recaller.evidence(Queries([-1], empty_lists(1)), np.array([0, 3], dtype=np.int32))
        assert nothing.sources.tolist() == nothing.via.tolist() == [-1, -1]
        none_asked = recaller.evidence(Queries([-1], item_lists([[1, 2]])), np.empty(0, dtype=np.int32))
        assert len(none_asked.sources) == len(none_asked.via) == 0

    def test_the_reason_has_known_places_only(self, recaller: Recaller) -> None:
        places = {name for _, name, _, _ in string.Formatter().parse(recaller.reason) if name is not None}
        assert places <= {"source", "via", "path", "verb"}

    def test_it_prefers_the_own_colour_on_the_checkerboard(self) -> None:
        if not self.personalised:
            pytest.skip("the same list for everybody")
        data = self.prepared(checkerboard())
        history = histories(data.interactions)
        recaller = self.recipe.fit(data, FitContext(seed=3))
        right = 0
        for user in range(len(data.users)):
            items, _ = recaller.recall(known_queries(history, [user]), len(data.items))[0]
            fresh = items[~np.isin(items, history[user][0])]
            right += int((fresh[:2] % 2 == user % 2).sum())
        assert right >= 0.9 * 2 * len(data.users)
