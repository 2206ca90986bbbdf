"""The file of rules: both formats, every fault with its line, and the command that checks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Pin
from graphrec.errors import ConfigError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.train import train
from graphrec.pipelines.readers.rules import read_rules
from graphrec.pipelines.terminal import out_console
from graphrec.serve.engine import Engine
from tests.pipelines.cli.test_cli import Command, command
from tests.pipelines.shelf import write_shelf

__all__ = ["command"]  # the fixture

TOML = """
# what the shop wants
[[campaign]]
name = "summer"
items = ["b1", "b2"]
start = 2024-06-01
end = 2024-09-01T00:00:00+02:00
segment = { country = ["DE", "AT"] }

[[pin]]
name = "launch"
item = "b30"
position = 1
start = 2024-05-01T18:00:00
end = "2024-05-08"

[[pin]]
item = "b4"
position = 3
campaign = "summer"

[[boost]]
label = { genre = "crime" }
factor = 1.5
segment = { country = "DE" }

[[arrivals]]
released = "released"
exposures = 500
positions = [4, 9]

[[deny]]
items = ["b7"]
"""

CSV = """kind,name,item,items,label,factor,position,positions,released,exposures,start,end,segment,campaign
# what the shop wants
campaign,summer,,b1|b2,,,,,,,2024-06-01,2024-09-01T00:00:00+02:00,country=DE|AT,
pin,launch,b30,,,,1,,,,2024-05-01T18:00:00,2024-05-08,,

pin,,b4,,,,3,,,,,,,summer
boost,,,,genre=crime,1.5,,,,,,,country=DE,
arrivals,,,,,,,4|9,released,500,,,,
deny,,,b7,,,,,,,,,,
"""


@pytest.mark.parametrize(("name", "text"), [("rules.toml", TOML), ("rules.csv", CSV)])
def test_both_formats_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    rules, problems = read_rules(path)
    assert problems == []
    assert [entry.rule for entry in rules.entries] == [
        Campaign("summer", ("b1", "b2"), 1717200000, 1725141600, {"country": ("DE", "AT")}),
        Pin("b30", 1, "launch", 1714586400, 1715126400),
        Pin("b4", 3, campaign="summer"),
        Boost("", {"genre": "crime"}, 1.5, segment={"country": ("DE",)}),
        Arrivals("released", exposures=500, positions=(4, 9)),
        Deny(("b7",)),
    ]
    lines = [3, 10, 17, 22, 27, 32] if name.endswith("toml") else [3, 4, 6, 7, 8, 9]
    assert [entry.where for entry in rules.entries] == [f"{path}, line {line}" for line in lines]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[pin]]\nitem = 'b1'\nposition = 0\n", "line 1: pin 'b1': position is 0; positions start at 1"),
        ("\n\n[[pin]]\nitm = 'b1'\nposition = 1\n", "line 3: pin.itm is not a known key; nearest: 'item'"),
        ("[[pin]]\nitem = 'b1'\nposition = 'first'\n", "position is 'first': input should be a valid integer"),
        ("[[boost]]\nitem = 'b1'\nfactor = -2\n", "factor is -2.0; it must be above 0"),
        ("[[pin]]\nname='x'\nitem = 'b1'\nposition = 1\nend = 'soon'\n", "pin 'x': end 'soon' is no date"),
        ("[[pin]]\nitem='b1'\nposition=1\nend = 07:30:00\n", "is no date; write it like 2024-05-01"),
        (
            "[[campaign]]\nname = 'c'\nstart = 2024-02-01\nend = 2024-01-01\n",
            "campaign 'c': it ends at 2024-01-01T00:00:00Z, which is not after its start at 2024-02-01T00:00:00Z",
        ),
        ("[[pins]]\nitem = 'b1'\nposition = 1\n", "'pins' is no kind of rule; nearest: 'pin'"),
        ("[[pin]]\nitem = 'b1'\nposition = 1\nsegment = 'DE'\n", "segment is 'DE'"),
    ],
)
def test_faults_of_one_rule_come_with_line_and_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text + "\n[[pin]]\nitem = 'good'\nposition = 2\n", encoding="utf-8")
    rules, problems = read_rules(path)
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}, line ")
    assert words in problems[0]
    assert [entry.title for entry in rules.entries] == ["pin 'good'"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("r.toml", "[[pin]\n", "is no TOML"),
        ("r.toml", "[pin]\nitem = 'b1'\n", r"pin is no list of tables; write \[\[pin\]\]"),
        ("r.csv", "item,position\nb1,1\n", "names no column 'kind'"),
        ("r.csv", "", "names no column 'kind'; found: nothing"),
        ("r.csv", "kind,item\npin,b1,2\n", "line 2: has 3 cells"),
        ("r.toml", None, "there is no file of rules"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_rules(path)


def test_an_array_without_headers_is_counted_instead(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("pin = [{ item = 'a', position = 1 }, { item = 'b', position = 0 }]\n", encoding="utf-8")
    rules, problems = read_rules(path)
    assert rules.entries[0].where == f"{path}, pin 1"
    assert problems == [f"{path}, pin 2: pin 'b': position is 0; positions start at 1"]


SHELF_RULES = """
[[pin]]
name = "launch"
item = "b30"
position = 2
end = 2030-01-01

[[campaign]]
name = "spring"
items = ["b3"]
start = 2031-03-01
end = 2031-06-01

[[deny]]
items = ["b0", "b29"]
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("operations")
    config = write_shelf(root)
    text = config.read_text(encoding="utf-8")
    start, end = text.index("[channels.hot]"), text.index("[evaluate]")
    config.write_text(
        text[:start] + "[channels.hot]\n[channels.item-cf]\n[channels.operations]\n" + text[end:], encoding="utf-8"
    )
    (root / "operations.toml").write_text(SHELF_RULES, encoding="utf-8")
    train(load_config(config), root / "out")
    return root / "out"


def test_a_trained_bundle_keeps_the_schedule(out: Path) -> None:
    engine = Engine.open(out)
    before, after = 1_850_000_000, 1_900_000_000  # 2028, 2030
    assert engine.recall("r1", k=5, now=before).ids[1] == "b30"
    assert "operations" in engine.recall("r1", k=5, now=before).items[1].channels
    assert engine.recall("r1", k=5, now=after).ids[1] != "b30"
    assert engine.recall(channels=["operations"], k=1, now=1_932_000_000).ids == ["b3"]  # 2031-03-22
    everything = engine.recall(k=100, now=before).ids
    assert {"b0", "b29"}.isdisjoint(everything)
    assert len(everything) == 29
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["inputs"]["operations"]["rules"]["pin"] == 1
    assert report["inputs"]["operations"]["denied"] == 2


def test_check_shows_the_calendar(command: Command, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out_console, "width", 160)
    ran = command("operations", "check", out.parent / "operations.toml", "--bundle", out, "--at", "2028-01-01")
    assert ran.code == 0
    assert "labels" in ran.err
    assert "launch" in ran.out
    assert "2030-01-01T00:00:00Z" in ran.out
    live = [line for line in ran.out.splitlines() if "●" in line]
    assert any("launch" in line for line in live)
    assert not any("spring" in line for line in live)


def test_check_compares_with_the_data(command: Command, out: Path) -> None:
    rules = out.parent / "other.toml"
    rules.write_text(
        "[[pin]]\nitem = 'b31'\nposition = 1\n\n[[boost]]\nlabel = { genre = 'crime' }\nfactor = 2.0\n",
        encoding="utf-8",
    )
    config = out.parent / "config.toml"
    ran = command("operations", "check", rules, "--config", config, "--json")
    assert ran.code == 2
    found = json.loads(ran.out)
    assert found["ok"] is False
    assert "line 1: pin 'b31': item 'b31' is not among the 31 known items; nearest:" in found["problems"][0]
    assert "no label 'genre' among the attributes" in found["problems"][1]
    assert [one["where"][-6:] for one in found["calendar"]] == ["line 1", "line 5"]
    good = command("operations", "check", out.parent / "operations.toml", "--config", config)
    assert good.code == 0
    alone = command("operations", "check", out.parent / "operations.toml")
    assert alone.code == 0
    assert "ids were not checked" in alone.err


def test_faults_stop_a_run_with_one_sentence(command: Command, tmp_path: Path) -> None:
    config = write_shelf(tmp_path)
    config.write_text(
        config.read_text(encoding="utf-8").replace("[channels.hot]", "[channels.hot]\n[channels.operations]\n"),
        encoding="utf-8",
    )
    ran = command("evaluate", config)
    assert ran.code == 2
    assert "there is no file of rules" in ran.err
    (tmp_path / "operations.toml").write_text(
        "[[pin]]\nitem='b1'\nposition=1\n[[pin]]\nitem='b2'\nposition=1\n", encoding="utf-8"
    )
    ran = command("evaluate", config)
    assert ran.code == 2
    assert "both stand on position 1" in ran.err


def test_recall_takes_a_context_and_a_moment(command: Command, out: Path) -> None:
    ran = command("recall", out, "--context", "country=DE", "--at", "2028-01-01", "-k", "3", "--json")
    assert json.loads(ran.out)["items"][1]["item"] == "b30"
    assert command("recall", out, "--context", "country").code == 2
