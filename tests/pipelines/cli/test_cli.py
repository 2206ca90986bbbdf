"""The command as people type it: what is printed, what programs read, and how faults end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from graphrec.pipelines.cli.app import main
from graphrec.pipelines.evaluation.validation import measured
from graphrec.pipelines.jobs.stopping import SENTENCE
from graphrec.pipelines.jobs.train import Trained
from tests.pipelines.shelf import write_shelf


class Ran(NamedTuple):
    """What one command did."""

    code: int
    out: str
    err: str


class Command:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ran:
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = self._capsys.readouterr()
        code = stopped.value.code
        return Ran(code if isinstance(code, int) else 0, captured.out, " ".join(captured.err.split()))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "160")
    return Command(capsys)


@pytest.fixture
def out(trained: Trained) -> Path:
    return trained.bundle.parent


def test_help_lists_every_command(command: Command) -> None:
    ran = command("--help")
    assert ran.code == 0
    for name in (
        "demo",
        "train",
        "evaluate",
        "tune",
        "recall",
        "neighbours",
        "inspect",
        "verify",
        "doctor",
        "data",
        "pool",
        "take-down",
    ):
        assert name in ran.out


def test_recall_for_a_known_user_with_reasons(command: Command, out: Path) -> None:
    ran = command("recall", out, "--user", "r0", "-k", "3", "--explain", "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    assert answer["user_known"] is True
    assert len(answer["items"]) == 3
    assert all(one["explanation"] and one["channels"] for one in answer["items"])
    table = command("recall", out, "--user", "r0", "-k", "3", "--explain")
    assert "3 items for user r0" in table.out
    assert "because you read Book" in " ".join(table.out.split())


def test_recall_for_nobody_and_for_a_live_history(command: Command, out: Path) -> None:
    nobody = json.loads(command("recall", out, "--user", "nobody", "--json").out)
    assert nobody["user_known"] is False
    assert len(nobody["items"]) == 10
    live = json.loads(command("recall", out, "-i", "b0", "-i", "b3", "--channel", "item-cf", "-k", "2", "--json").out)
    assert [list(one["channels"]) for one in live["items"]] == [["item-cf"], ["item-cf"]]
    assert not {"b0", "b3"} & {one["item"] for one in live["items"]}


def test_neighbours_along_a_relation(command: Command, out: Path) -> None:
    found = json.loads(command("neighbours", out, "--item", "b0", "--relation", "author", "--json").out)
    assert {one["item"] for one in found["items"]} == {"b6", "b12", "b18", "b24", "b30"}
    assert "same author, Author 0" in command("neighbours", out, "--item", "b0", "--relation", "author").out


def test_the_reasons_for_any_item(command: Command, out: Path) -> None:
    found = json.loads(command("kg", "explain", out, "-i", "b0", "--item", "b6", "--json").out)
    (reason, *_) = [one for one in found["reasons"] if one["channel"] == "kg-neighbours"]
    assert [node["relation"] for node in reason["path"]] == [None, "author", "rev_author"]
    assert "same author, Author 0" in reason["text"]
    assert "why Book 6 fits this history" in command("kg", "explain", out, "--history", "b0", "--item", "b6").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("recall", "OUT", "--channel", "itemcf"), "nearest: 'item-cf'"),
        (("kg", "explain", "OUT", "--item", "b99", "-i", "b0"), "item 'b99' is not among the 31 known items"),
        (("kg", "explain", "OUT", "--item", "b1"), "neither a user nor a history is given"),
        (("neighbours", "OUT", "--item", "b99"), "item 'b99' is not among the 31 known items; nearest: 'b9'"),
        (("neighbours", "OUT", "--item", "b1", "--relation", "autor"), "nearest: 'author'"),
        (("recall", "NOWHERE"), "NOWHERE"),
        (("train", "NOWHERE.toml", "--out", "x"), "there is no configuration file 'NOWHERE.toml'"),
        (("data", "fetch", "gowala"), "nearest: 'gowalla'"),
    ],
)
def test_faults_end_in_one_sentence_and_code_2(
    command: Command, out: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = command(*[out if argument == "OUT" else argument for argument in arguments])
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_verify_and_inspect(command: Command, out: Path, tmp_path: Path) -> None:
    assert "are whole and fit together" in command("verify", out).out
    about = json.loads(command("inspect", out, "--json").out)
    assert about["channels"]["node2vec"]["ann_recall"] > 0.9
    assert "relations" in command("inspect", out).out
    copy = tmp_path / "copy"
    shutil.copytree(out / "current", copy)
    file = copy / "pool.npy"
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(damaged)
    ran = command("verify", copy)
    assert ran.code == 2
    assert "pool.npy" in ran.err
    assert json.loads(command("verify", copy, "--json").out)["ok"] is False
    assert "pool.npy" in command("recall", copy, "--user", "r0").err


def test_take_down_and_put_back(command: Command, out: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy, symlinks=True)
    best = json.loads(command("recall", copy, "--user", "r0", "-k", "2", "--json").out)["items"]
    first, second = (one["item"] for one in best)
    ran = command("take-down", copy, first, "b77")
    assert ran.code == 0
    assert f"changed: {first}, b77" in ran.out
    assert "'b77' is no item of the bundle, but may be in a later bundle; nearest: 'b7'" in ran.out
    assert f"2 taken down: {first}, b77" in ran.out
    assert (copy / "taken-down.txt").read_text(encoding="utf-8") == f"{first}\nb77\n"
    for channel in (None, "hot", "user-cf", "item-cf", "tag", "kg-neighbours", "node2vec"):
        asked = () if channel is None else ("--channel", channel)
        found = json.loads(command("recall", copy, "--user", "r0", *asked, "-k", "31", "--json").out)["items"]
        assert first not in {one["item"] for one in found}
    again = json.loads(command("recall", copy, "--user", "r0", "-k", "2", "--json").out)["items"]
    assert len(again) == 2
    assert again[0]["item"] == second
    assert json.loads(command("take-down", copy, "--json").out)["taken_down"] == [first, "b77"]
    assert "31 of them in the pool, 2 taken down" in command("inspect", copy).out
    assert "changed: none, all were so before" in command("take-down", copy, "b77").out
    back = json.loads(command("put-back", copy / "current", first, "b77", "--json").out)
    assert (back["taken_down"], back["changed"], back["unknown"]) == ([], [first, "b77"], ["b77"])
    assert json.loads(command("recall", copy, "--user", "r0", "-k", "2", "--json").out)["items"] == best


def test_items_can_be_taken_down_before_there_is_a_bundle(command: Command, tmp_path: Path) -> None:
    ran = command("take-down", tmp_path, "b1")
    assert ran.code == 0
    assert "'b1' is no item of the bundle, but may be in a later bundle; no bundle to look it up in" in ran.out
    assert command("take-down", tmp_path / "nowhere", "b1").code == 2


def test_train_and_evaluate(command: Command, tmp_path: Path) -> None:
    config = write_shelf(tmp_path)
    ran = command("evaluate", config, "--out", tmp_path / "report")
    assert ran.code == 0
    assert "kg-neighbours" in ran.out
    assert "linking: 31 of 31 items matched, 0 ambiguous, 0 missing" in ran.out
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [".fits", "report.html", "report.json"]
    ran = command("train", config, "--out", tmp_path / "out", "--json")
    assert ran.code == 0
    assert json.loads(ran.out)["dataset"] == "shelf"
    assert (tmp_path / "out" / "current" / "manifest.json").is_file()


def test_tune_and_use_what_it_found(command: Command, tmp_path: Path) -> None:
    config = write_shelf(tmp_path)
    asked = ("tune", config, "--out", tmp_path / "out", "--channel", "item-cf", "--channel", "user-cf")
    ran = command(*asked, "--trials", "2", "--json")
    assert ran.code == 0
    assert ran.err == ""
    assert [len(row["trials"]) for row in json.loads(ran.out)["channels"].values()] == [2, 2]
    ran = command(*asked, "--trials", "3", "--timeout", "60")
    assert "recall@50 on validation users" in ran.out
    assert "Left as they are: hot (it was not requested), " in ran.out
    assert "search item-cf: 3 trials, best 0." in ran.err
    assert "graphrec evaluate" in ran.out
    assert command("evaluate", tmp_path / "out" / "tuned.toml").code == 0
    ran = command("tune", config, "--out", tmp_path / "out", "--channel", "itemcf")
    assert ran.code == 2
    assert "nearest: 'item-cf'" in ran.err


def test_tuning_stopped_by_hand_exits_130(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, calls = write_shelf(tmp_path), iter(range(9))

    def impatient(*arguments: object) -> object:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return measured(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("graphrec.pipelines.tuning.tune.measured", impatient)
    ran = command("tune", config, "--out", tmp_path / "out", "--channel", "item-cf", "--trials", "5")
    assert ran.code == 130
    assert ran.err.endswith(SENTENCE)
    assert (tmp_path / "out" / "tuned.toml").is_file()


def test_a_fusion_that_loses_comes_with_a_hint(command: Command, tmp_path: Path) -> None:
    config = write_shelf(tmp_path)
    text = config.read_text(encoding="utf-8")
    text = text.replace(text[text.index("[channels.user-cf]") : text.index("[evaluate]")], "[channels.kg-neighbours]\n")
    worse = text.replace("[evaluate]", "[fusion]\nweights = { hot = 1.0, kg-neighbours = 0.01 }\n\n[evaluate]")
    config.write_text(worse, encoding="utf-8")
    assert 'Hint: fusion.weights = "fit"' in command("evaluate", config).out


def test_doctor_and_data(command: Command) -> None:
    assert json.loads(command("doctor", "--json").out)["parts"]["kg"]["active"] is True
    assert "gf-cf" in command("doctor").out
    listed = json.loads(command("data", "list", "--json").out)
    assert listed["goodbooks"]["bundled"] is True
    assert "gowalla" in command("data", "list").out


def test_version(command: Command) -> None:
    assert command("--version").out.startswith("graphrec ")


BLOCKED = """
import sys

for name in ("torch", "torch_geometric", "gensim", "rdflib", "oxrdflib", "pyoxigraph", "networkx", "matplotlib"):
    sys.modules[name] = None  # as if it were not installed
from graphrec.pipelines.cli.app import main
main(sys.argv[1:])
"""


def test_serving_needs_no_optional_part(out: Path) -> None:
    asked = ["recall", str(out), "--user", "r0", "--explain", "--json"]
    ran = subprocess.run([sys.executable, "-c", BLOCKED, *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert len(json.loads(ran.stdout)["items"]) == 10


def test_training_without_an_optional_part_says_which(shelf: Path, tmp_path: Path) -> None:
    asked = ["train", str(shelf), "--out", str(tmp_path / "out")]
    ran = subprocess.run([sys.executable, "-c", BLOCKED, *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "pip install 'graphrec[kg]'" in ran.stderr


def test_tuning_without_optuna_says_which(tmp_path: Path) -> None:
    blocked = BLOCKED.replace('("torch",', '("optuna", "torch",')
    asked = ["tune", str(write_shelf(tmp_path)), "--out", str(tmp_path / "out")]
    ran = subprocess.run([sys.executable, "-c", blocked, *asked], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "pip install 'graphrec[tune]'" in ran.stderr
