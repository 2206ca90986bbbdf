"""The log keeps whole trials, whatever ends a run, and belongs to one search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.tuning.trial_log import Trial, TrialLog, difference

IDENTITY = {"metric": "recall@5", "space": {"k": {"int": [1, 9]}}}


def filled(directory: Path, values: list[float | None]) -> TrialLog:
    log = TrialLog(directory, IDENTITY)
    for number, value in enumerate(values):
        message = "" if value is not None else "it failed"
        log.append(
            Trial(number, {"k": number + 1}, value, 0.1, 0.2, message), None if value is None else np.full(3, value)
        )
    return log


def test_trials_come_back_as_they_were(tmp_path: Path) -> None:
    log = filled(tmp_path / "a", [0.1, None, 0.1 + 0.2])
    again = TrialLog(tmp_path / "a", IDENTITY)
    assert again.trials == log.trials
    assert again.best is not None
    assert again.best.number == 2
    assert again.values(again.best).tolist() == [0.1 + 0.2] * 3


def test_values_are_kept_of_the_present_and_the_best_alone(tmp_path: Path) -> None:
    log = filled(tmp_path, [0.3, 0.1, 0.4, 0.4, 0.5])
    assert sorted(file.name for file in tmp_path.glob("*.npy")) == ["0.npy", "4.npy"]
    assert log.best == log.trials[4]


def test_the_present_settings_win_a_tie(tmp_path: Path) -> None:
    log = filled(tmp_path, [0.5, 0.5])
    assert log.best == log.present


def test_a_failed_first_trial_is_not_the_best(tmp_path: Path) -> None:
    log = filled(tmp_path, [None, 0.0])
    assert log.best == log.trials[1]
    assert filled(tmp_path / "none", [None]).best is None


def test_a_line_that_was_never_finished_is_forgotten(tmp_path: Path) -> None:
    filled(tmp_path, [0.1, 0.2])
    file = tmp_path / "trials.jsonl"
    file.write_bytes(file.read_bytes()[:-7])
    again = TrialLog(tmp_path, IDENTITY)
    assert [trial.number for trial in again.trials] == [0]
    again.append(Trial(1, {"k": 2}, 0.2), np.full(3, 0.2))
    assert [trial.number for trial in TrialLog(tmp_path, IDENTITY).trials] == [0, 1]


def test_a_log_without_a_whole_line_is_empty(tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").write_text('{"format"', encoding="utf-8")
    assert TrialLog(tmp_path, IDENTITY).trials == []


def test_another_search_is_refused_with_the_difference(tmp_path: Path) -> None:
    filled(tmp_path, [0.1])
    other = {"metric": "recall@5", "space": {"k": {"int": [1, 12]}}}
    with pytest.raises(ConfigError, match=r"space\.k\.int was \[1, 9\] and is \[1, 12\]; begin again with --restart"):
        TrialLog(tmp_path, other)
    restarted = TrialLog(tmp_path, other, restart=True)
    assert restarted.trials == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nonsense", r"trials\.jsonl:2 is no JSON"),
        ("[1]", r"trials\.jsonl:2 holds \[1\]"),
        ('{"a": 1}', "a line is no trial"),
        ('{"number": 3, "drawn": null, "value": 0.5}', r"trials\.jsonl:2 holds trial 3 where trial 0 belongs"),
    ],
)
def test_a_damaged_log_says_where(tmp_path: Path, line: str, sentence: str) -> None:
    filled(tmp_path, [0.1])
    file = tmp_path / "trials.jsonl"
    head = file.read_text(encoding="utf-8").splitlines()[0]
    file.write_text(f"{head}\n{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        TrialLog(tmp_path, IDENTITY)


def test_files_hold_plain_json_and_arrays(tmp_path: Path) -> None:
    filled(tmp_path, [0.1, 0.2])
    for line in (tmp_path / "trials.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)
    assert {file.suffix for file in tmp_path.iterdir()} == {".jsonl", ".npy"}
    np.load(tmp_path / "1.npy", allow_pickle=False)


def test_difference_names_the_first_place() -> None:
    assert difference({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2.0}}) == "b.c was 2 and is 2.0"
    assert difference({"a": 1}, {"a": 1, "b": 2}) == "b was null and is 2"
    assert difference([1, 2], [1, 2]) is None
