from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import BundleError
from graphrec.recallers import load_recaller
from graphrec.recallers.neighbours import NeighbourRecaller
from tests.worlds import parts_of, vocabulary

ITEMS = vocabulary("i", 3)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    to_tags = NeighbourTable([0, 1, 2, 2], [0, 1], [1.0, 1.0], n_columns=2)
    to_items = NeighbourTable([0, 2, 3], [2, 0, 1], [2.0, 1.0, 1.0], n_columns=3)
    NeighbourRecaller([to_tags, to_items], [0], via=vocabulary("t", 2), background=np.zeros(2, dtype=np.float32)).save(
        tmp_path
    )
    return tmp_path


def _change(directory: Path, **changes: object) -> None:
    path = directory / "recaller.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


def test_what_was_saved_answers(saved: Path) -> None:
    answer = load_recaller(saved, parts_of(ITEMS)).recall(Queries([-1], item_lists([[0]])), 5)
    assert answer.items.tolist() == [2, 0]


def test_an_unknown_kind_is_refused(saved: Path) -> None:
    _change(saved, kind="oracle")
    with pytest.raises(
        BundleError, match=r"'oracle', which no installed package brings; install the package .*, or upgrade graphrec"
    ):
        load_recaller(saved, parts_of(ITEMS))


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"kind": 3}', "\udcff"])
def test_broken_settings_are_refused(saved: Path, text: str) -> None:
    (saved / "recaller.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BundleError, match=r"recaller\.json"):
        load_recaller(saved, parts_of(ITEMS))


def test_missing_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        load_recaller(tmp_path, parts_of(ITEMS))


@pytest.mark.parametrize(
    "changes",
    [
        {"keep": None},
        {"keep": []},
        {"keep": [-1]},
        {"keep": ["x"]},
        {"profile": {"last": -1}},
        {"profile": {"lust": 1}},
        {"profile": {"last": "x"}},
        {"n_columns": [3, 3]},
        {"n_columns": ["2", 3]},
        {"n_columns": [2]},
        {"has_via": 1},
        {"reason": 5},
        {"middle_is_users": None},
    ],
)
def test_wrong_settings_are_refused(saved: Path, changes: dict[str, object]) -> None:
    _change(saved, **changes)
    with pytest.raises(BundleError) as caught:
        load_recaller(saved, parts_of(ITEMS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "array",
    [
        np.array([0, 2, 9], dtype=np.int32),
        np.array([0, 2], dtype=np.int32),
        np.array([0, 2, 1], dtype=np.int64),
        np.array([[0, 2, 1]], dtype=np.int32),
    ],
)
def test_wrong_arrays_are_refused(saved: Path, array: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> None:
    np.save(saved / "neighbours-1.npy", array)
    with pytest.raises(BundleError):
        load_recaller(saved, parts_of(ITEMS))


@pytest.mark.parametrize("keep_bytes", [0, 40, 130])
def test_a_truncated_array_is_refused(saved: Path, keep_bytes: int) -> None:
    path = saved / "scores-0.npy"
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(BundleError, match=r"scores-0\.npy cannot be read"):
        load_recaller(saved, parts_of(ITEMS))


def test_a_pickled_array_is_refused(saved: Path) -> None:
    np.save(saved / "scores-0.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(BundleError, match=r"scores-0\.npy cannot be read"):
        load_recaller(saved, parts_of(ITEMS))


@pytest.mark.parametrize("text", ["", "[1]", '["a", "a"]', '["a"]', "3"])
def test_wrong_names_of_middle_rows_are_refused(saved: Path, text: str) -> None:
    (saved / "via.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError):
        load_recaller(saved, parts_of(ITEMS))
