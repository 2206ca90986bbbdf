"""The pages under docs/ tell the truth: examples run, and every key of the configuration is there."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from graphrec.contracts.choosing import chooses
from graphrec.data.rules import KINDS
from graphrec.fusion.fit_calibrated import FittedCalibrated
from graphrec.fusion.settings import FUSIONS, RECIPES, fusion_class
from graphrec.operations.conflicts import find_problems
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.config.build import make_fusion, spaces_of
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.config.sections import TrainConfig
from graphrec.pipelines.config.settings_page import settings_page
from graphrec.pipelines.readers.rules import read_rules
from graphrec.pool.rules import RULES
from tests.pipelines.shelf import write_shelf
from tests.worlds import skewed, without_knowledge

DOCS = Path(__file__).parent.parent / "docs"


def test_knowledge_graph_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "knowledge-graphs.md").read_text(encoding="utf-8"), re.DOTALL)
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), "knowledge-graphs.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "'matched': 30" in printed
    assert "HeteroData" in printed
    assert "Degrees(mean=" in printed


def test_the_page_from_rdf_to_recall_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "rdf-to-recall.md").read_text(encoding="utf-8")
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for line in "".join(re.findall(r"```bash\n(.*?)```", page, re.DOTALL)).splitlines():
        with pytest.raises(SystemExit) as stopped:
            main(shlex.split(line)[1:])
        assert stopped.value.code == 0, line
    printed = capsys.readouterr().out
    assert "neighbours of Book 0" in printed
    assert "because you " in " ".join(printed.split())
    drawn = re.search(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert drawn is not None
    assert Path("shelf.mmd").read_text(encoding="utf-8") == drawn.group(1)
    shown = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    written = Path("shelf.toml").read_text(encoding="utf-8")
    assert all(part.strip() in written for part in shown.group(1).split("\n\n"))
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "rdf-to-recall.md", "exec"), {})
    assert "Author" in capsys.readouterr().out


def test_the_page_of_features_encodes_and_knows_what_train_did_not(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "features.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, "features.md", "exec"), {})
    fields, left_out, codes = capsys.readouterr().out.splitlines()
    assert "('country', 'category', 4)" in fields
    assert "('country*printed:month', 'category', 5)" in fields
    assert left_out == "{}"
    assert codes == "[1]"


def test_the_page_of_content_recalls_a_book_by_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "content.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, "content.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "poirot" in printed
    assert "(5, 256)" in printed


def test_the_page_of_the_objective_judges_a_policy(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "objective.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "objective.md", "exec"), names)
    assert names["value"].ips.low < 0.1 * 0.02 + 0.3 * 0.05 + 0.6 * 0.1 < names["value"].ips.high
    assert "Interval" in capsys.readouterr().out


def test_the_task_of_the_training_page_learns(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "training.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(blocks[-1], "training.md", "exec"), {})
    assert float(capsys.readouterr().out) < 0.01


def test_graph_networks_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = re.search(r"```python\n(.*?)```", (DOCS / "graph-networks.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1), "graph-networks.md", "exec"), {})
    assert "torch.Size([64, 16]) torch.Size([64, 16]) ['r" in capsys.readouterr().out


def test_walks_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(.*?)```", (DOCS / "walks.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1), "walks.md", "exec"), {})
    assert "5 lacks at most" in capsys.readouterr().out


def test_pinsage_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.search(r"```python\n(.*?)```", (DOCS / "pinsage.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(found.group(1), "pinsage.md", "exec"), {})
    assert "array" in capsys.readouterr().out


def test_learned_recall_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "learned-recall.md").read_text(encoding="utf-8"), re.DOTALL)
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), "learned-recall.md", "exec"), {})
    assert capsys.readouterr().out.startswith("[")


def test_kge_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", (DOCS / "kge.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(block.group(1), "kge.md", "exec"), {})
    n_entities, dim = capsys.readouterr().out.split()[-2:]
    assert int(n_entities) > 0
    assert dim == "16"


def test_python_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(encoding="utf-8"), re.DOTALL)
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    # One program in parts: what one block names, the next ones use.
    exec(compile("\n".join(blocks), "python.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "'rejected': 0" in printed
    assert "Near(id='b" in printed
    assert "['user', 'rank', 'item', 'score', 'channels']" in printed


def test_embeddings_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "embeddings.md").read_text(encoding="utf-8"), re.DOTALL)
    write_shelf(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks), "embeddings.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "EmbeddingIndex(hnsw by cosine, 70 vectors of 16)" in printed
    assert "of 5 neighbours kept" in printed


def test_runs_page_chooses_where_to_stop() -> None:
    page = (DOCS / "runs.md").read_text(encoding="utf-8")
    table, code = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("toml", "python"))
    assert table is not None
    assert code is not None
    head = 'name = "books"\ndata.interactions.path = "ratings.csv"\n'
    config = check_config(tomllib.loads(head + table.group(1)), directory=Path())
    assert chooses(config.recipes["lightgcn"])
    names: dict[str, Any] = {"gr": importlib.import_module("graphrec"), "data": without_knowledge(skewed())}
    exec(compile(code.group(1), "runs.md", "exec"), names)
    assert 0 < names["chosen"].recipe.stop_at <= 400
    assert not chooses(names["chosen"].recipe)


def test_the_page_of_settings_is_what_the_code_declares() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    again = "python -m graphrec.pipelines.config.settings_page docs/settings.md"
    assert page == settings_page(), f"write it again: {again}"


def test_operations_page_shows_one_file_in_both_formats(tmp_path: Path) -> None:
    page = (DOCS / "operations.md").read_text(encoding="utf-8")
    read = []
    for name in ("operations.toml", "operations.csv"):
        found = re.search(rf"```\w+ file={re.escape(name)}\n(.*?)```", page, re.DOTALL)
        assert found is not None
        (tmp_path / name).write_text(found.group(1), encoding="utf-8")
        rules, problems = read_rules(tmp_path / name)
        assert problems == find_problems(rules) == []
        read.append([entry.rule for entry in rules.entries])
    assert read[0] == read[1]
    assert {type(rule) for rule in read[0]} == set(KINDS.values())


def test_operations_page_names_every_key_of_every_rule() -> None:
    words = set(re.findall(r"\w+", (DOCS / "operations.md").read_text(encoding="utf-8")))
    for kind, rule in KINDS.items():
        assert {kind, *(field.name for field in dataclasses.fields(rule))} <= words


def test_tuning_page_shows_a_legal_search() -> None:
    found = re.search(r"```toml\n(.*?)```", (DOCS / "tuning.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    head = 'name = "books"\ndata.interactions.path = "ratings.csv"\n[channels]\nitem-cf = {}\nnode2vec = {}\n'
    spaces = spaces_of(check_config(tomllib.loads(head + found.group(1)), directory=Path()))
    assert list(spaces) == ["item-cf"]
    assert set(spaces["item-cf"]) == {"k", "user_exponent", "item_exponent", "normalise"}


def test_every_channel_on_the_page_of_sequences_is_legal() -> None:
    blocks = re.findall(r"```toml\n(\[channels.*?)```", (DOCS / "sequences.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        config = check_config(tomllib.loads(f'name = "x"\ndata.interactions.path = "x.csv"\n{block}'), directory=Path())
        assert config.recipes
        make_fusion(config.settings.fusion, list(config.recipes))


def test_fusion_page_shows_a_legal_fusion() -> None:
    found = re.search(r"```toml\n(.*?)```", (DOCS / "fusion.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    head = 'name = "books"\ndata.interactions.path = "ratings.csv"\n[channels]\nitem-cf = {}\nhot = {}\n'
    config = check_config(tomllib.loads(head + found.group(1)), directory=Path())
    assert make_fusion(config.settings.fusion, list(config.recipes)) == FittedCalibrated("logistic", (20, 200))


def test_both_pages_name_every_kind_of_fusion_and_its_keys() -> None:
    # These are never written by hand: a bundle holds what was fitted.
    fitted = {"curves", "base", "popularity", "graph", "head_factors"}
    for page in ("configuration.md", "fusion.md"):
        words = set(re.findall(r"[\w-]+", (DOCS / page).read_text(encoding="utf-8")))
        assert {kind.removeprefix("fitted-") for kind in (*FUSIONS, *RECIPES)} <= words
    words = set(re.findall(r"\w+", (DOCS / "configuration.md").read_text(encoding="utf-8")))
    for kind in (*FUSIONS, *RECIPES):
        assert {field.name for field in fields(fusion_class(kind))} - fitted <= words  # type: ignore[arg-type]


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


def test_configuration_page_names_every_key_of_the_pool_rules() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for kind, rule in RULES.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f'| `"{kind}"` | ')]
        names = {field.name for field in fields(rule)}  # type: ignore[arg-type]
        assert names - set(re.findall(r"\w+", row)) == set(), kind


ROOT = DOCS.parent
PAGES = [*sorted(DOCS.glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
# The group of entry points, and the domain of the vocabulary.
NOT_HERE = ("graphrec.recipes", "graphrec.org")


def exists(name: str) -> bool:
    """Return whether a dotted name is a module, or a name in a module."""
    module, _, attribute = name.rpartition(".")
    try:
        if importlib.util.find_spec(name) is not None:
            return True
    except ModuleNotFoundError:
        pass
    return bool(module) and exists(module) and hasattr(importlib.import_module(module), attribute)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![\w/.])graphrec(?:\.[A-Za-z_]\w*)+", text)).difference(NOT_HERE)
    assert [name for name in sorted(names) if not exists(name)] == []
    paths = re.findall(r"(?<![\w/])(?:graphrec|kg|pipelines|serve)/[\w/]+\.py\b", text)
    assert [path for path in sorted(set(paths).difference(NOT_HERE)) if not (ROOT / path).exists()] == []
