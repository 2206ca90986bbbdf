from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "adding-a-channel.md"
BLOCKS = re.findall(r"```python file=(\S+)\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_guide_shows_code() -> None:
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize(("file", "code"), BLOCKS)
def test_code_in_the_guide_is_the_code_of_the_project(file: str, code: str) -> None:
    assert code in (ROOT / file).read_text(encoding="utf-8")
