"""Every illegal configuration ends in one sentence that names file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.channels.item_cf import ItemCF
from graphrec.errors import ConfigError
from pipelines.config import load_config

LEGAL = """
name = "books"
[data.interactions]
path = "ratings.csv"
[channels.item-cf]
k = 20
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_channels_become_recipes_and_paths_start_at_the_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEGAL + '\n[channels.near]\nrecipe = "item-cf"\nk = 5\n'))
    assert config.recipes == {"item-cf": ItemCF(k=20), "near": ItemCF(k=5)}
    assert config.settings.split.kind == "time"
    assert config.resolve(Path("a.csv")) == tmp_path / "a.csv"
    assert config.resolve(Path("/a.csv")) == Path("/a.csv")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name = ", r"config\.toml: is no TOML: Invalid value \(at "),
        (
            LEGAL + "[split]\nkindd = 'time'",
            r"split\.kindd is not a known key; nearest: 'kind'; legal: kind, test_share",
        ),
        (LEGAL + "[fusoin]\nkind = 'rrf'", r"fusoin is not a known key; nearest: 'fusion'"),
        (
            LEGAL + "[split]\nkind = 'tim'",
            r"split\.kind is 'tim': input should be 'time', 'leave-last', 'ratio' or 'given'",
        ),
        (LEGAL + "[split]\ntest_share = 1.5", r"split\.test_share is 1\.5: input should be less than 1"),
        (LEGAL + "[channels.item-fc]", r"channels\.item-fc: .*nearest: 'item-cf'"),
        (
            LEGAL.replace("k = 20", "kk = 20"),
            r"channels\.item-cf\.kk is not a known key; nearest: 'k'; legal: k, ",
        ),
        (LEGAL.replace("k = 20", "k = 'many'"), r"channels\.item-cf\.k is 'many': input should be a valid integer"),
        (LEGAL.replace("k = 20", "k = 0"), r"channels\.item-cf: .*k is 0"),
        (LEGAL.replace('name = "books"', ""), r"config\.toml: name is missing"),
        (LEGAL.split("[channels")[0] + "[channels]", r"\[channels\] is empty"),
        (LEGAL + "[fusion]\nweights = {itm-cf = 1.0}", r"fusion\.weights names 'itm-cf'.*nearest: 'item-cf'"),
        (LEGAL + "[fusion]\nweights = {item-cf = 0.0}", r"fusion\.weights are all 0; at least one must be above"),
        (
            LEGAL + "[fusion]\nweights = {item-cf = -1.0}",
            r"fusion\.weights.*-1\.0: input should be greater than or",
        ),
        (
            LEGAL + "[data.knowledge]\npaths = ['a.ttl']\nlink = {}",
            r"data\.knowledge\.link: give exactly one of template, table, predicate; found none of them",
        ),
        (
            LEGAL + "[tune]\nmetric = 'recal@50'",
            r"tune\.metric: 'recal@50' is no metric; nearest: 'recall'; legal are recall@K",
        ),
        (LEGAL + "[tune]\nmetric = 'ndcg@0'", r"tune\.metric: 'ndcg@0' is no metric.*hit_rate@K"),
        (LEGAL + "[tune]\ntrials = 0", r"tune\.trials is 0: input should be greater than or equal to 1"),
        (LEGAL + "[tune.validation]\nkind = 'given'", r"tune\.validation: there is no given validation file; legal"),
        (LEGAL + "[tune.channels.item-fc]", r"config\.toml: tune\.channels\.item-fc .*nearest: 'item-cf'"),
        (LEGAL + "[tune.channels.item-cf]\nk = 5", r"config\.toml: tune\.channels\.item-cf\.k is 5; write \{ int = "),
        (LEGAL + "[evaluate]\nk = [0]", r"evaluate\.k\.0 is 0: input should be greater than or equal to 1"),
    ],
)
def test_illegal_settings(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_config(write(tmp_path, text))


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no configuration file '.*none\.toml'"):
        load_config(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes('name = "Bücher"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
        load_config(path)
