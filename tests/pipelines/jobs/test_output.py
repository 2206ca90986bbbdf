"""An output directory that cannot be used is found out before anything is read or fitted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphrec.errors import ConfigError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.output import check_output
from graphrec.pipelines.jobs.train import Trained, train
from tests.pipelines.shelf import write_shelf


def in_the_way(directory: Path) -> Path:
    (directory / "out").write_text("a file", encoding="utf-8")
    return directory / "out"


def below_a_file(directory: Path) -> Path:
    (directory / "file").write_text("a file", encoding="utf-8")
    return directory / "file" / "out"


def foreign_report(directory: Path, text: str) -> Path:
    (directory / "out").mkdir()
    (directory / "out" / "report.json").write_text(text, encoding="utf-8")
    return directory / "out"


def foreign_page(directory: Path) -> Path:
    (directory / "out").mkdir()
    (directory / "out" / "report.html").write_text("<p>accounts", encoding="utf-8")
    return directory / "out"


def foreign_folder(directory: Path) -> Path:
    (directory / "out" / "current").mkdir(parents=True)
    return directory / "out"


def foreign_link(directory: Path, target: str) -> Path:
    (directory / "out").mkdir()
    (directory / "out" / "current").symlink_to(target)
    return directory / "out"


CASES = {
    "a file": (in_the_way, "cannot be written: File exists"),
    "below a file": (below_a_file, "cannot be written: Not a directory"),
    "somebody's report": (lambda path: foreign_report(path, '{"sales": 1}'), "no report of graphrec"),
    "a report that is no JSON": (lambda path: foreign_report(path, "sales: 1"), "no report of graphrec"),
    "a report that is a list": (lambda path: foreign_report(path, "[]"), "no report of graphrec"),
    "a page alone": (foreign_page, "not beside a report.json"),
    "a folder named current": (foreign_folder, "no link to a version"),
    "a link elsewhere": (lambda path: foreign_link(path, "/etc"), "no link to a version"),
    "a link to nothing": (lambda path: foreign_link(path, "gone"), "no link to a version"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_an_output_that_cannot_be_used_is_refused_before_the_input_is_read(case: str, tmp_path: Path) -> None:
    make, words = CASES[case]
    out = make(tmp_path)
    config = load_config(write_shelf(tmp_path))
    (tmp_path / "ratings.csv").unlink()
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=words) as caught:
        train(config, out)
    assert str(out) in str(caught.value)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before
    if "current" not in words and "version" not in words:
        with pytest.raises(ConfigError, match=words):
            evaluate(config, out)


def test_what_is_ours_may_be_replaced(trained: Trained) -> None:
    root = trained.bundle.parent
    assert check_output(root, publishes=True) == root


def test_an_empty_or_missing_directory_is_made_and_left_empty(tmp_path: Path) -> None:
    root = check_output(tmp_path / "a" / "b", publishes=True)
    assert list(root.iterdir()) == []
    (root / "notes.txt").write_text("kept", encoding="utf-8")
    assert check_output(root, publishes=False) == root


def test_an_evaluation_leaves_a_bundle_beside_it_alone(tmp_path: Path) -> None:
    out = foreign_folder(tmp_path)
    assert check_output(out, publishes=False) == out
    (out / "report.json").write_text(json.dumps({"channels": {}, "fused": {}}), encoding="utf-8")
    assert check_output(out, publishes=False) == out


def test_one_of_several_processes_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert check_output(tmp_path / "alone", publishes=True).is_dir()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match=r"one of 2 processes of torchrun.*without torchrun"):
        check_output(tmp_path / "out", publishes=True)
    assert not (tmp_path / "out").exists()
