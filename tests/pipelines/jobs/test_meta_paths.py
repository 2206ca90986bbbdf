"""A run with meta-paths: their worth is reported, reasons are paths of the graph, misspelt ones stop it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.errors import DataError
from graphrec.pipelines.jobs import fitting
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.train import train
from graphrec.serve.engine import Engine
from tests.pipelines.shelf import CONFIG, write_shelf

CHANNELS = "[channels.hot]\n[channels.item-cf]\n[channels.kg-paths]\n"


def shelf(folder: Path, channels: str) -> Path:
    """Write the shelf with other channels; return the path of its configuration."""
    write_shelf(folder)
    config = folder / "paths.toml"
    start, stop = CONFIG.index("[channels.hot]"), CONFIG.index("[evaluate]")
    config.write_text(CONFIG[:start] + channels + CONFIG[stop:], encoding="utf-8")
    return config


def test_the_report_says_what_each_path_is_worth_and_reasons_are_paths(tmp_path: Path) -> None:
    trained = train(shelf(tmp_path, CHANNELS), tmp_path / "out")
    chosen = trained.report.channels["kg-paths"].chosen
    assert chosen is not None
    assert chosen["learn_weights"] is False
    assert sum(chosen["paths"].values()) == pytest.approx(1.0, abs=1e-3)
    with Engine.open(tmp_path / "out") as engine:
        answer = engine.recall(history=["b1", "b2"], k=5, channels=["kg-paths"], explain=True)
    assert len(answer.items) > 0


KNOWN = "is not among .*; nearest: "
MISSPELT = {
    "learned paths": (
        '[channels.kg-paths]\npaths = { "autor/^author" = 1.0 }',
        "'autor', which is no relation of the graph; nearest: 'author'",
    ),
    "given paths": (
        '[channels.kg-paths]\nlearn_weights = false\npaths = { "autor/^author" = 1.0 }',
        "'autor', which is no relation of the graph; nearest: 'author'",
    ),
    "kg-neighbours": ("[channels.kg-neighbours]\nrelations = { autor = 1.0 }", f"'autor' {KNOWN}'author'"),
    "preference-walk": (
        "[channels.preference-walk]\nrelations = { rev_autor = 0 }",
        f"'rev_autor' {KNOWN}'rev_author'",
    ),
    "pixie": ("[channels.pixie]\nrelations = { interact = 2.0 }", f"'interact' {KNOWN}'interacts'"),
    "node2vec": ("[channels.node2vec]\nrelation_weights = { authors = 2.0 }", f"'authors' {KNOWN}'author'"),
    "pinsage": ("[channels.pinsage]\nrelation_weights = { interact = 2.0 }", f"'interact' {KNOWN}'interacts'"),
    "a walk that cannot go on": (
        '[channels.node2vec]\nmetapath = ["interacts", "author"]',
        "leads nowhere at step 1: no edge of relation 'interacts' after 'author'",
    ),
}


@pytest.mark.parametrize("case", MISSPELT)
def test_a_misspelt_relation_is_named_before_anything_is_fitted(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[str] = []
    monkeypatch.setattr(fitting, "fit_or_choose", lambda *_: fitted.append("one"))
    channel, sentence = MISSPELT[case]
    config = shelf(tmp_path, f"[channels.hot]\n{channel}\n")
    with pytest.raises(DataError, match=sentence):
        evaluate(config)
    assert fitted == []
