"""The pages under docs/ tell the truth: examples run, and every key of the configuration is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipelines.config import TrainConfig, check_config, spaces_of
from tests.pipelines.shelf import write_shelf

DOCS = Path(__file__).parent.parent / "docs"


def test_knowledge_graph_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"```python\n(.*?)```", (DOCS / "knowledge-graphs.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1), "knowledge-graphs.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "'matched': 30" in printed
    assert "HeteroData" in printed


def test_tuning_page_shows_a_legal_search() -> None:
    found = re.search(r"```toml\n(.*?)```", (DOCS / "tuning.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    head = 'name = "books"\ndata.interactions.path = "ratings.csv"\n[channels]\nitem-cf = {}\nnode2vec = {}\n'
    spaces = spaces_of(check_config(tomllib.loads(head + found.group(1)), directory=Path()))
    assert list(spaces) == ["item-cf"]
    assert set(spaces["item-cf"]) == {"k", "user_exponent", "item_exponent", "normalise"}


def keys(model: type[BaseModel]) -> set[str]:
    """Return the names of all fields below a section."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found |= keys(kind)
    return found


def test_configuration_page_names_every_key() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", page))
    assert keys(TrainConfig) - words == set()


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (DOCS / target).exists(), target
