"""The tuned file says what was found, keeps what people wrote, and reads its inputs from where it lies."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.tuning.tuned_config import tuned_text

TEXT = """# Our books
name = "books"  # short

[data.interactions]
path = "ratings.csv"

[data.knowledge]
paths = ["books.ttl", "/data/all.ttl"]
link = { table = "links.csv" }

[channels.hot]

[channels.item-cf]
k = 20
normalise = true  # every item has one vote

# Equal weights for now.
[fusion]
kind = "rrf"
"""


def tuned(tmp_path: Path, text: str, changes: dict[str, dict[str, tuple[Any, Any]]]) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    out = tmp_path / "runs" / "one"
    out.mkdir(parents=True, exist_ok=True)
    written = tuned_text(text, load_config(path), changes, directory=out, remark="best trials.")
    (out / "tuned.toml").write_text(written, encoding="utf-8")
    return written


CHANGES = {
    "hot": {"half_life_days": (30.0, float("inf"))},
    "item-cf": {"k": (20, 312), "normalise": (True, False), "user_exponent": (0.5, 0.4837)},
}


def test_settings_are_written_and_comments_kept(tmp_path: Path) -> None:
    written = tuned(tmp_path, TEXT, CHANGES)
    assert written.startswith("# Written by graphrec tune: best trials.\n# Our books\n")
    assert "[channels.hot]\nhalf_life_days = inf  # was 30.0\n" in written
    block = written[written.index("[channels.item-cf]") : written.index("[fusion]")]
    assert block == (
        "[channels.item-cf]\nk = 312  # was 20\nnormalise = false  # every item has one vote\n"
        "user_exponent = 0.4837  # was 0.5\n\n# Equal weights for now.\n"
    )


def test_the_file_can_be_read_where_it_lies(tmp_path: Path) -> None:
    tuned(tmp_path, TEXT, CHANGES)
    config = load_config(tmp_path / "runs" / "one" / "tuned.toml")
    data = config.settings.data
    assert config.recipes["item-cf"] == ItemCF(k=312, normalise=False, user_exponent=0.4837)
    assert config.resolve(data.interactions.path).resolve() == tmp_path / "ratings.csv"
    assert data.knowledge is not None
    assert [config.resolve(path).resolve() for path in data.knowledge.paths] == [
        tmp_path / "books.ttl",
        Path("/data/all.ttl"),
    ]
    assert data.knowledge.link.table is not None
    assert config.resolve(data.knowledge.link.table).resolve() == tmp_path / "links.csv"


def test_a_tuned_file_tuned_again_has_one_first_line(tmp_path: Path) -> None:
    once = tuned(tmp_path, TEXT, CHANGES)
    twice = tuned(tmp_path, once.replace("../../", ""), {})
    assert twice.count("Written by graphrec tune") == 1


@pytest.mark.parametrize(
    "channels",
    [
        "channels = { hot = {}, item-cf = { k = 20 } }",
        "channels.hot = {}\nchannels.item-cf.k = 20",
        "[channels]\nhot = {}\nitem-cf = { k = 20 } # one line",
        "[channels.hot]\n[channels.item-cf]\nk = 20",
    ],
)
def test_every_form_of_a_table(tmp_path: Path, channels: str) -> None:
    head = 'name = "books"\ndata.interactions.path = "ratings.csv"\n'
    changes = {"item-cf": CHANGES["item-cf"], "hot": {"half_life_days": (30.0, 2.5)}}
    raw = tomllib.loads(tuned(tmp_path, head + channels + "\n", changes))
    assert raw["channels"] == {
        "hot": {"half_life_days": 2.5},
        "item-cf": {"k": 312, "normalise": False, "user_exponent": 0.4837},
    }


def test_a_table_as_a_setting(tmp_path: Path) -> None:
    text = TEXT + "\n[channels.kg-neighbours]\n"
    changes: dict[str, dict[str, tuple[Any, Any]]] = {"kg-neighbours": {"relations": ({}, {"author": 2.0})}}
    raw = tomllib.loads(tuned(tmp_path, text, changes))
    assert raw["channels"]["kg-neighbours"] == {"relations": {"author": 2.0}}
