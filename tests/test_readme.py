"""The README's examples run as they stand, but for the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from graphrec.channels.table import with_table
from tests.pipelines.shelf import write_shelf

README = Path(__file__).parent.parent / "README.md"


def test_the_table_of_channels_is_what_their_recipes_say() -> None:
    page = README.read_text(encoding="utf-8")
    assert with_table(page) == page, "write it again: python -m graphrec.channels.table README.md"


def examples() -> list[str]:
    """Return the Python code of the README, one text a block."""
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run(code: str, ours: dict[str, str]) -> None:
    """Run a block on the small shelf of the tests."""
    for theirs, replacement in ours.items():
        assert theirs in code
        code = code.replace(theirs, replacement)
    exec(compile(code, str(README), "exec"), {})


def test_training_and_serving_run_and_are_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = examples()[0]
    assert len(code.splitlines()) < 20
    ours = {
        'gr.datasets_directory() / "goodbooks" / "demo.toml"': repr(str(write_shelf(tmp_path))),
        '"demo-out"': repr(str(tmp_path / "out")),
        "recall[200]": "recall[10]",
        '"58"': '"r0"',
        '"439"': '"r1"',
        '["2", "18"]': '["b0", "b3"]',
        'item="2"': 'item="b0"',
    }
    run(code, ours)
    printed = capsys.readouterr().out
    assert "because you read Book" in printed
    assert "same author, Author 0" in printed


def test_a_recipe_by_itself_runs_and_is_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = examples()[1]
    assert len(code.splitlines()) < 10
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    columns = '{"user_id": "reader", "item_id": "book", "weight": "stars"}'
    ours = {"ratings.csv.gz": "ratings.csv", '{"weight": "rating"}': columns, '"58"': '"r0"', '"2"': '"b0"'}
    run(code, ours)
    printed = capsys.readouterr().out
    assert "rank: int32" in printed
    assert printed.count("Near(id='b") == 3
    assert (tmp_path / "books.parquet").is_file()
