"""The pool of a configuration: rules in TOML, lists of ids, a report that is seen, and no look at what is held out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graphrec.bundle import open_bundle
from graphrec.errors import ConfigError, DataError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.train import pool_only, prepare, train
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.report.sentences import pool_lines
from tests.pipelines.cli.test_cli import Command, command
from tests.pipelines.shelf import write_shelf

__all__ = ["command"]

ITEMS = """
[data.items]
path = "items.csv"
columns = { item_id = "book" }
numbers = ["price"]
labels = ["shelf"]
times = ["released"]

"""
LEAN = "[channels.hot]\n[channels.item-cf]\n\n[evaluate]\nk = [5]\nbootstrap_rounds = 100\n"
RULES = """
[pool]
deny = ["b3"]

[[pool.rules]]
kind = "number"
of = "price"
min = 5

[[pool.rules]]
kind = "label"
of = "shelf"
none_of = ["back"]
keep_unknown = true
"""


def configured(folder: Path, pool: str, *, split: str = "") -> Path:
    """Write the shelf with a table of its books, two channels, and the given rules; return the configuration.

    Book n costs n; b0 to b9 stand at the back; b30, which only the graph knows, costs 30; b5 has no row, b6 no price.
    """
    path = write_shelf(folder)
    rows = [f"b{n},{'' if n == 6 else n},{'back' if n < 10 else 'front'},2023-10-01" for n in range(31) if n != 5]
    (folder / "items.csv").write_text(
        "\n".join(["book,price,shelf,released", *rows, "b99,1,front,2023-01-01"]) + "\n", encoding="utf-8"
    )
    text = path.read_text(encoding="utf-8")
    text = text[: text.index("[channels.hot]")] + LEAN
    text = text.replace("[split]", ITEMS + pool + "\n[split]")
    if split:
        text = text.replace('kind = "ratio"\ntest_share = 0.25', split)
    path.write_text(text, encoding="utf-8")
    return path


def ids_of(pooled: Any) -> set[str]:
    return set(pooled.data.items.take(np.flatnonzero(pooled.data.pool)))


def test_attributes_are_aligned_with_items_that_only_the_graph_knows(tmp_path: Path) -> None:
    data = pool_only(load_config(configured(tmp_path, ""))).data
    assert data.item_features is not None
    prices = dict(zip(data.items, data.item_features.number("price").tolist(), strict=True))
    assert prices["b30"] == 30
    assert np.isnan([prices["b5"], prices["b6"]]).all()
    assert all(prices[f"b{n}"] == n for n in (0, 4, 7, 29))
    assert data.pool.all()


def test_rules_allow_and_deny(tmp_path: Path) -> None:
    (tmp_path / "allow.txt").write_text("# kept for the shop window\nb1\n\nb3\nb77\n", encoding="utf-8")
    pool = RULES.replace('deny = ["b3"]', 'deny = ["b3", "b20"]\nallow = ["b2"]\nallow_file = "allow.txt"')
    pooled = pool_only(load_config(configured(tmp_path, pool)))
    assert ids_of(pooled) == {"b1", "b2", *(f"b{n}" for n in range(10, 31))} - {"b20"}
    report = pooled.report
    assert report["allow"] == {"given": 4, "unknown": 1, "unknown_examples": ["'b77' (nearest: 'b7', 'b27', 'b17')"]}
    assert (report["brought_back"], report["denied"], report["left"]) == (3, 2, 22)
    assert [one["rule"] for one in report["removals"]] == ["price: at least 5", "shelf: none of back"]
    assert [one["in_turn"] for one in report["removals"]] == [7, 3]
    assert report["removals"][0]["unknown"] == 2
    assert report["notes"] == ["'b3' is in the allow list and in the deny list: deny wins; name each in one of them"]
    assert report["events"] == "all"
    assert report["now_from"] == "the newest event"


def test_a_label_that_no_item_has_is_noted(tmp_path: Path) -> None:
    pooled = pool_only(load_config(configured(tmp_path, RULES.replace('"back"', '"bakc"'))))
    assert pooled.report["notes"] == ["no item has the shelf 'bakc'; nearest: 'back'"]


def test_frames_of_parquet_serve_as_well(tmp_path: Path) -> None:
    path = configured(tmp_path, RULES)
    pl.read_csv(tmp_path / "items.csv", try_parse_dates=True).write_parquet(tmp_path / "items.parquet")
    first = ids_of(pool_only(load_config(path)))
    path.write_text(path.read_text(encoding="utf-8").replace("items.csv", "items.parquet"), encoding="utf-8")
    assert ids_of(pool_only(load_config(path))) == first == {f"b{n}" for n in range(10, 31)}


ACTIVE = '[[pool.rules]]\nkind = "activity"\nevents = 1\ndays = 3\n'


def test_the_measured_pool_knows_nothing_of_what_is_held_out(tmp_path: Path) -> None:
    # Each reader takes six books a day apart; the last two days are held out.
    path = configured(tmp_path, ACTIVE, split='kind = "time"\ncut = "2023-11-18T22:13:20Z"')
    config = load_config(path)
    _, split, measured = prepare(config, rejects=None, steps=Silent())
    times, latest = split.train.times, 1_700_000_000 + 3 * 86_400
    assert times is not None
    assert times.max() == latest
    lately = set(measured.items.take(split.train.items[times > latest - 3 * 86_400]))
    assert set(measured.items.take(np.flatnonzero(measured.pool))) == lately
    seen_by_all = pool_only(config)
    assert seen_by_all.report["now"] == "2023-11-19T22:13:20Z"
    assert ids_of(seen_by_all) != lately
    assert pool_only(config, events="train").report["now"] == "2023-11-17T22:13:20Z"


def test_a_given_now_waits_for_nothing_while_measuring(tmp_path: Path) -> None:
    now = "[pool]\nnow = 2023-11-20T00:00:00Z\n"
    path = configured(tmp_path, now + ACTIVE, split='kind = "time"\ncut = "2023-11-18T22:13:20Z"')
    report = pool_only(load_config(path)).report
    assert (report["now"], report["now_from"]) == ("2023-11-20T00:00:00Z", "pool.now")
    report = pool_only(load_config(path), events="train").report
    assert (report["now"], report["now_from"]) == ("2023-11-17T22:13:20Z", "the newest event")
    early = path.read_text(encoding="utf-8").replace("2023-11-20T00:00:00Z", '"2023-11-16"')
    path.write_text(early, encoding="utf-8")
    for events in ("train", "all"):
        report = pool_only(load_config(path), events=events).report
        assert (report["now"], report["now_from"]) == ("2023-11-16T00:00:00Z", "pool.now")


def test_a_bundle_has_the_pool_of_all_events_and_the_report_tells_both(tmp_path: Path) -> None:
    path = configured(tmp_path, RULES + ACTIVE, split='kind = "time"\ncut = "2023-11-18T22:13:20Z"')
    config = load_config(path)
    report = train(config, tmp_path / "out").report
    bundle = open_bundle(tmp_path / "out")
    assert set(bundle.items.take(np.flatnonzero(bundle.pool))) == ids_of(pool_only(config))
    assert report.pool["left"] == report.users.pool == len(ids_of(pool_only(config, events="train")))
    assert report.pool_published is not None
    assert report.pool_published["left"] == bundle.pool.sum()
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert written["pool"]["removals"][0]["rule"] == "price: at least 5"
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count('<th scope="row">price: at least 5</th>') == 2
    assert "What each pool rule removed" in page


def test_fusion_weights_are_fitted_inside_the_pool(tmp_path: Path) -> None:
    fit = '[fusion]\nweights = "fit"\n'
    report = evaluate(load_config(configured(tmp_path, RULES + fit)))
    assert report.pool["left"] == 21
    assert set(report.fusion["weights"]) == {"hot", "item-cf"}


def test_the_command(tmp_path: Path, command: Command) -> None:
    path = configured(tmp_path, RULES)
    ran = command("pool", path, "--out", tmp_path / "ids.txt")
    assert ran.code == 0
    assert "What each pool rule removed, of 31 items" in ran.out
    assert "deny: 1 ids, 0 items removed" in ran.out
    assert (tmp_path / "ids.txt").read_text(encoding="utf-8").split() == sorted(
        (f"b{n}" for n in range(10, 31)), key=list(pool_only(load_config(path)).data.items).index
    )
    assert json.loads(command("pool", path, "--json", "--train").out)["events"] == "train"
    # What was written can be read as a list.
    path.write_text(
        path.read_text(encoding="utf-8").replace('deny = ["b3"]', 'deny_file = "ids.txt"'), encoding="utf-8"
    )
    ran = command("pool", path)
    assert ran.code == 2
    assert (
        "the pool is empty: of 31 items 'price: at least 5' removes 7, then 'shelf: none of back' removes 3" in ran.err
    )
    assert "judged on all events" in command("pool", configured(tmp_path, "")).out
    assert "What each pool rule removed" in command("evaluate", configured(tmp_path, RULES)).out


@pytest.mark.parametrize(
    ("pool", "error", "sentence"),
    [
        ("kind = 'actvity'", ConfigError, r"pool\.rules\.0\.kind is 'actvity', .*nearest: 'activity'"),
        ("events = 1", ConfigError, r"pool\.rules\.0\.kind is None, which is no rule; legal: activity, age"),
        ("kind = 'activity'\nevent = 3", ConfigError, r"rules\.0\.event is not a known key; nearest: 'events'"),
        ("kind = 'number'\nof = 'price'\nmin = 3\nmax = 1", ConfigError, "lets nothing pass: min 3 lies above max 1"),
        ("kind = 'number'\nof = 'prise'\nmin = 3", ConfigError, r"no number 'prise' .*nearest: 'price'"),
        ("kind = 'label'\nof = 'price'\none_of = ['a']", ConfigError, "not a label; the labels are: shelf"),
        ("kind = 'conversion'\nmin = 0.1", ConfigError, "the rule conversion needs exposures"),
        ("[pool]\nnow = 'yesterday'", ConfigError, r"pool\.now: 'yesterday' is no date; write it like 2024-05-01"),
        ("[pool]\nnow = 1700000000000", ConfigError, r"pool\.now is 1700000000000: input should be less than or equal"),
        ("[pool]\ndeny_file = 'gone.txt'", DataError, r"gone\.txt does not exist"),
        ("[pool]\nallow = [7]", ConfigError, r"pool\.allow\.0 is 7: input should be a valid string"),
        ("[pool]\nallowed = ['b1']", ConfigError, r"pool\.allowed is not a known key; nearest: 'allow'"),
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, pool: str, error: type[Exception], sentence: str) -> None:
    rules = pool if pool.startswith("[") else f"[[pool.rules]]\n{pool}"
    with pytest.raises(error, match=sentence):
        pool_only(load_config(configured(tmp_path, rules)))


def test_a_list_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deny.txt").write_bytes("Bücher".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"deny\.txt is not UTF-8 text"):
        pool_only(load_config(configured(tmp_path, '[pool]\ndeny_file = "deny.txt"')))


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    root = Path(os.environ.get("GRAPHREC_DATA", "")) / "ml-latest-small"
    if not (root / "movies.csv").is_file():
        pytest.skip("GRAPHREC_DATA names no folder with ml-latest-small")
    page = (Path(__file__).parents[3] / "docs" / "pool.md").read_text(encoding="utf-8")
    (tmp_path / "ml-latest-small").symlink_to(root.resolve())
    config = tmp_path / "movies.toml"
    config.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    report = pool_only(load_config(config)).report
    shown = [line.split() for line in page.split("```text\n")[1].split("```")[0].splitlines()]
    for one in report["removals"]:
        numbers = [f"{one[name]:,}" for name in ("alone", "only", "in_turn", "left")]
        assert [*one["rule"].split(), *numbers] in shown
    for line in pool_lines(report)[1:]:
        assert line in page
    assert f"{report['left']:,} of {report['items']:,} items in the pool" in page
