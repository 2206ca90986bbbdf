"""The README's example runs as it stands, but for the data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pipelines.shelf import write_shelf

README = Path(__file__).parent.parent / "README.md"


def test_example_runs_and_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    code = found.group(1)
    assert len(code.splitlines()) < 20
    ours = {
        'datasets_directory() / "goodbooks" / "demo.toml"': repr(str(write_shelf(tmp_path))),
        '"demo-out"': repr(str(tmp_path / "out")),
        "recall@200": "recall@10",
        '"58"': '"r0"',
        '["2", "18"]': '["b0", "b3"]',
        'item="2"': 'item="b0"',
    }
    for theirs, replacement in ours.items():
        assert theirs in code
        code = code.replace(theirs, replacement)
    exec(compile(code, str(README), "exec"), {})
    printed = capsys.readouterr().out
    assert "because you read Book" in printed
    assert "same author, Author 0" in printed
