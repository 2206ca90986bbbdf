"""Every illegal configuration ends in one sentence that names file, key and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.errors import ConfigError
from graphrec.fusion.coverage import Coverage
from graphrec.fusion.fit_boosted import FittedBoosted
from graphrec.fusion.fit_rrf import FittedRrf
from graphrec.fusion.priority import Priority
from graphrec.fusion.rrf import Rrf
from graphrec.pipelines.config.build import make_fusion
from graphrec.pipelines.config.load import load_config

LEGAL = """
name = "books"
[data.interactions]
path = "ratings.csv"
[channels.item-cf]
k = 20
"""


CHANNELS = {"channels": {"item-cf": {"k": 20}}}


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
        (
            LEGAL + "[wording]\nauthor = 'by {entiti}'",
            r"'author' has the place {entiti}; legal are {entity}, {source} and",
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
            r"channels\.item-cf\.kk is not a known key; nearest: 'k'; legal: last, .*k, ",
        ),
        (
            LEGAL.replace("k = 20", "k = 'many'"),
            r"channels\.item-cf: k is 'many'; it must be a whole number of 1 or more",
        ),
        (LEGAL.replace("k = 20", "k = 0"), r"channels\.item-cf: .*k is 0"),
        (LEGAL.replace('name = "books"', ""), r"config\.toml: name is missing"),
        (LEGAL.split("[channels")[0] + "[channels]", r"\[channels\] is empty"),
        (LEGAL + "[fusion]\nweights = {itm-cf = 1.0}", r"fusion\.weights names 'itm-cf'.*nearest: 'item-cf'"),
        (LEGAL + "[fusion]\nweights = {item-cf = 0.0}", r"fusion\.weights are all 0; at least one must be above"),
        (
            LEGAL + "[fusion]\nweights = {item-cf = -1.0}",
            r"fusion: the weight of channel 'item-cf' is -1\.0; a weight is a number of 0 or more",
        ),
        (LEGAL + "[fusion]\nkind = 'snaek'", r"fusion\.kind: .*'snaek' is unknown; legal: rrf, .*; nearest: 'snake'"),
        (LEGAL + "[fusion]\nkind = 'quota'\nweights = 'fit'", r"fusion\.weights is not a known key; legal: quotas"),
        (LEGAL + "[fusion]\nkind = 'quota'\nquotas = {}", r"fusion: no channel has a quota above 0"),
        (LEGAL + "[fusion]\nkind = 'priority'\norder = ['itm-cf']", r"fusion\.order names 'itm-cf', .*: 'item-cf'"),
        (LEGAL + "[fusion]\nkind = 'priority'\ncaps = {item-cf = 1.5}", r"fusion\.caps\.item-cf is 1\.5: input"),
        (LEGAL + "[fusion]\nkind = 'coverage'\nbudget = 0.5", r"fusion: the budget of 0\.5 pays for no place"),
        (LEGAL + "[fusion]\nkind = 'coverage'\nprices = {item-cf = 0}", r"fusion: the price .* is 0\.0; it must"),
        (LEGAL + "[fusion]\nkind = 'coverage'\nobjective = 'ndcg'", r"fusion\.objective is 'ndcg'"),
        (LEGAL + "[evaluate]\nbudget_us = 0", r"evaluate\.budget_us is 0: input should be greater than 0"),
        (
            LEGAL + "[data.knowledge]\npaths = ['a.ttl']\nlink = {}",
            r"data\.knowledge\.link: give exactly one of template, table, predicate, by_title; "
            r"found none of them",
        ),
        (
            LEGAL + "[tune]\nmetric = 'recal@50'",
            r"tune\.metric: 'recal@50' is no metric; nearest: 'recall'; legal are recall@K",
        ),
        (LEGAL + "[tune]\nmetric = 'ndcg@0'", r"tune\.metric: 'ndcg@0' is no metric.*hit_rate@K"),
        (LEGAL + "[train]\ndevice = 'gpu'", r"train\.device: 'gpu' is no device; legal are 'cpu', 'cuda' and 'cuda:N'"),
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


def test_kinds_of_fusion_become_settings_and_recipes(tmp_path: Path) -> None:
    def fusion(text: str) -> object:
        settings = load_config(write(tmp_path, LEGAL + "[fusion]\n" + text)).settings
        return make_fusion(settings.fusion, ["item-cf"])

    assert fusion("") == Rrf()
    assert fusion("weights = {item-cf = 2.0}\nc = 10.0") == Rrf({"item-cf": 2.0}, 10.0)
    assert fusion('weights = "fit"\ndepth = 30') == FittedRrf(depth=30)
    assert fusion('kind = "priority"\norder = ["item-cf"]\ncaps = {item-cf = 3}') == Priority(
        ["item-cf"], {"item-cf": 3}
    )
    assert fusion('kind = "coverage"\nobjective = "recall"') == Coverage(objective="recall")
    assert fusion('kind = "boosted"\ntrees = 20') == FittedBoosted(trees=20)


def test_the_fusion_of_a_configuration_is_kept_as_written(tmp_path: Path) -> None:
    settings = load_config(write(tmp_path, LEGAL + "[fusion]\nweights = {item-cf = 2.0}\n")).settings
    assert settings.model_dump(mode="json")["fusion"] == {"kind": "rrf", "weights": {"item-cf": 2.0}}


def test_a_path_a_mapping_and_a_configuration_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, LEGAL)
    read = load_config(path)
    assert load_config(str(path)).settings == read.settings
    given = load_config({"name": "books", "data": {"interactions": {"path": "ratings.csv"}}, **CHANNELS})
    assert (given.settings, given.recipes, given.directory) == (read.settings, read.recipes, Path.cwd())
    assert load_config(read) is read
    with pytest.raises(ConfigError, match=r"^config: split\.kindd is not a known key; nearest: 'kind'"):
        load_config({"name": "x", "data": {"interactions": {"path": "a"}}, **CHANNELS, "split": {"kindd": "time"}})


@pytest.mark.parametrize("source", [None, 5, ["config.toml"], b"config.toml", ItemCF()])
def test_what_is_no_configuration(source: object) -> None:
    with pytest.raises(
        ConfigError, match=f"cannot be read from a {type(source).__name__}; legal are the path of a TOML"
    ):
        load_config(source)  # type: ignore[arg-type]
