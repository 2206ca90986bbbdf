"""Exposures from tables: what is kept, what is rejected with its line, and what a run makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graphrec.data.exposures import Exposures
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.cli.answers import inputs_lines
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.exposures import read_exposures
from tests.pipelines.shelf import CONFIG, write_shelf

USERS, ITEMS = Vocabulary(["u1", "u2"]), Vocabulary(["a", "b"])


def read(source: object, **settings: Any) -> tuple[Exposures, dict[str, Any]]:
    return read_exposures(source, users=USERS, items=ITEMS, max_reject_share=1.0, **settings)


def test_a_table_is_read_with_all_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "shown.csv"
    path.write_text(
        "user_id,item_id,converted,value,timestamp\n"
        "u2,a,1,2.50,2024-05-01T10:00:00Z\n"
        "u9,b,false,,2024-05-01\n"
        ",a,TRUE,0,1714557600\n",
        encoding="utf-8",
    )
    shown, report = read(path)
    assert shown.users.tolist() == [1, -1, -1]
    assert shown.items.tolist() == [0, 1, 0]
    assert shown.converted.tolist() == [True, False, True]
    assert shown.values is not None
    assert shown.values.tolist() == [2.5, 0, 0]
    assert shown.times is not None
    assert shown.times.tolist() == [1714557600, 1714521600, 1714557600]
    assert (shown.n_users, shown.n_items) == (2, 2)
    counted = {name: report[name] for name in ("rows", "kept", "rejected", "unknown", "anonymous", "converted")}
    assert counted == {"rows": 3, "kept": 3, "rejected": 0, "unknown": 0, "anonymous": 2, "converted": 2}


def test_only_item_and_outcome_must_be_there() -> None:
    shown, _ = read(pl.DataFrame({"item_id": ["a", "b"], "converted": [True, False]}))
    assert shown.users.tolist() == [-1, -1]
    assert shown.values is None
    assert shown.times is None
    assert shown.converted.tolist() == [True, False]


def test_columns_may_have_other_names() -> None:
    frame = pl.DataFrame({"item_id": [1, 2], "click": [1.0, 0.0], "eur": [3, 0]})
    items = Vocabulary(["1", "2"])
    columns = {"converted": "click", "value": "eur"}
    shown, _ = read_exposures(frame, users=USERS, items=items, columns=columns)
    assert shown.converted.tolist() == [True, False]
    assert shown.values is not None
    assert shown.values.tolist() == [3, 0]


def test_rows_that_cannot_be_used_are_counted_and_kept(tmp_path: Path) -> None:
    path, rejects = tmp_path / "shown.csv", tmp_path / "rejects" / "shown.csv"
    path.write_text(
        "item_id,converted,value\na,1,1\n,1,1\na,2,1\na,,1\na,1,-3\na,1,much\na,1,inf\nz,1,1\n\nb,0,0\na,1,1,9\n",
        encoding="utf-8",
    )
    shown, report = read(path, rejects=rejects)
    assert shown.items.tolist() == [0, 1]
    assert report["rejects"] == {
        "item_id is empty": 1,
        "converted is neither 1 or true nor 0 or false": 1,
        "converted is empty": 1,
        "value is below 0": 1,
        "value is no number": 1,
        "value is not a finite number": 1,
        "item is not among the given ones": 1,
        "too many fields": 1,
    }
    assert (report["rows"], report["kept"], report["rejected"], report["unknown"]) == (10, 2, 7, 1)
    lines = rejects.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 9
    assert '4,converted is neither 1 or true nor 0 or false,"a,2,1"' in lines


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"item_id": ["a"]}, "has no column 'converted'"),
        ({"item": ["a"], "converted": [1]}, "no column 'item_id'; nearest: 'item'"),
        ({"item_id": ["z"], "converted": [1]}, "none of its 1 rows can be used"),
        ({"item_id": ["a"], "converted": [[1]]}, "yes and no are 1 and 0"),
    ],
)
def test_faults_of_the_table_are_named(frame: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read(pl.DataFrame(frame))


def test_unknown_columns_and_too_many_rejects_are_refused() -> None:
    frame = pl.DataFrame({"item_id": ["a", None], "converted": [1, 1]})
    with pytest.raises(ConfigError, match="'convert' is not a column of exposures; nearest: 'converted'"):
        read(frame, columns={"convert": "c"})
    with pytest.raises(DataError, match="more than max_reject_share"):
        read_exposures(frame, users=USERS, items=ITEMS, max_reject_share=0.4)


def test_a_run_reads_them_and_leaves_out_what_is_held_out(tmp_path: Path) -> None:
    write_shelf(tmp_path)
    ratings = (tmp_path / "ratings.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [f"{line.split(',')[0]},{line.split(',')[1]},{n % 2}" for n, line in enumerate(ratings)]
    (tmp_path / "shown.csv").write_text(
        "\n".join(["user_id,item_id,converted", *rows, ",b1,1", "r1,nothing,1"]) + "\n", encoding="utf-8"
    )
    import tomllib

    raw = tomllib.loads(CONFIG)
    raw["data"]["exposures"] = {"path": "shown.csv"}
    raw["channels"] = {"hot": {}, "high-efficiency": {}}
    config = check_config(raw, directory=tmp_path)
    inputs, split, measured = prepare(config, rejects=None, steps=Silent())
    assert inputs.data.exposures is not None
    assert measured.exposures is not None
    assert len(inputs.data.exposures) == len(ratings) + 1
    assert len(measured.exposures) == len(split.train) + 1
    report = evaluate(config)
    assert "high-efficiency" in report.channels
    line = next(text for text in inputs_lines(report.inputs) if text.startswith("shown.csv"))
    assert "241 of 242 exposures" in line
    assert "1 item is not among the given ones" in line


def test_propensities_are_read_and_those_that_are_none_rejected() -> None:
    chances = ["0.5", "", "0", "1.5", "x", "1"]
    frame = pl.DataFrame({"item_id": ["a"] * 6, "converted": [1, 0, 1, 0, 1, 0], "propensity": chances})
    shown, report = read(frame)
    assert shown.propensities is not None
    assert shown.propensities.tolist() == [0.5, 1.0]
    assert report["rejects"] == {
        "propensity is empty": 1,
        "propensity is no number": 1,
        "propensity is not above 0 and at most 1": 2,
    }
    assert read(frame.drop("propensity"))[0].propensities is None
