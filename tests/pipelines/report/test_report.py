import copy
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from graphrec.data.neighbours import NeighbourTable
from graphrec.data.splits import split_by_ratio
from graphrec.pipelines.report.numbers import rounded_values
from graphrec.pipelines.report.plots import latency_scatter, marginal_bars, popularity_panels, recall_curves
from graphrec.pipelines.report.report import write_report
from graphrec.pipelines.report.tables import report_lines, report_tables
from graphrec.pipelines.terminal import Terminal
from graphrec.recallers.neighbours import NeighbourRecaller
from tests.pipelines.evaluation.test_evaluate import run, world
from tests.worlds import skewed


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    data, split, channels = world(split_by_ratio(skewed().interactions, test_share=0.3, seed=1))
    return {**run(data, split, channels, k=[1, 2, 3, 5, 8]), "dataset": "skewed world", "split": split.settings}


def printed(report: dict[str, Any], width: int = 100) -> str:
    console = Terminal(width=width, file=io.StringIO(), color_system=None)
    for table in report_tables(report):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_tables_fit_80_columns_with_every_digit(report: dict[str, Any]) -> None:
    wide = renamed(report, "hot", "kg-neighbours")
    # The widest cut-offs and shares that a report of everyday size holds.
    wide["k"] = [20, 50, 100, 200]
    rows = [wide["fused"], *wide["channels"].values()]
    for row in rows:
        row.update({f"{name.removesuffix('8')}{k}": row[name] for k in wide["k"] for name in list(row) if "@8" in name})
        row.update({f"{metric}@{k}": 1.0 for k in wide["k"] for metric in ("hit_rate", "coverage", "gini")})
    wide["fused_vs_best@200"] = wide["fused_vs_best@8"]
    text = printed(wide, width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def renamed(report: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return the report with one channel called otherwise, wherever it is named."""
    changed = copy.deepcopy(report)
    changed["channels"] = {new if name == old else name: row for name, row in changed["channels"].items()}
    for k in changed["k"]:
        shares = changed[f"overlap@{k}"]
        for row in (shares, *shares.values()):
            row[new] = row.pop(old)
        if changed[f"fused_vs_best@{k}"]["channel"] == old:
            changed[f"fused_vs_best@{k}"]["channel"] = new
    return changed


class Page(HTMLParser):
    """Collects start tags and text, and complains of tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def test_the_json_is_the_rounded_report(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(report, tmp_path / "new" / "place")
    written = json.loads((tmp_path / "new" / "place" / "report.json").read_text(encoding="utf-8"))
    assert written == rounded_values(report)
    assert list(written["channels"]) == ["hot", "item-cf", "tag"]
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["report.html", "report.json"]


def test_a_written_report_can_be_written_again(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(report, tmp_path / "a")
    write_report(json.loads((tmp_path / "a" / "report.json").read_text(encoding="utf-8")), tmp_path / "b")
    for name in ("report.json", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rounding_leaves_no_nan() -> None:
    assert str(rounded_values(-1e-9)) == "0.0"
    value = {"a": [0.12345678, float("nan"), (1, "x")], "b": {"c": float("inf"), "d": True}}
    assert rounded_values(value) == {"a": [0.123457, None, [1, "x"]], "b": {"c": None, "d": True}}


def test_the_page_is_whole_and_needs_nothing_else(report: dict[str, Any], tmp_path: Path) -> None:
    write_report(report, tmp_path)
    page = read(tmp_path / "report.html")
    assert [tag for tag, _ in page.tags].count("svg") == 4
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "url(http" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    words = " ".join(page.words)
    for expected in ("skewed world", "item-cf", "split: ratio", "|top-K ∩ truth| / |truth|", '"bootstrap"'):
        assert expected in words


def test_strings_of_the_report_are_escaped(report: dict[str, Any], tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script> & $x^2$"
    hostile = renamed(report, "tag", nasty)
    hostile["dataset"] = nasty
    hostile["split"]["note"] = nasty
    write_report(hostile, tmp_path)
    page = read(tmp_path / "report.html")
    assert "script" not in {tag for tag, _ in page.tags}
    assert nasty in page.words


def test_drawings_take_their_ink_from_the_page(report: dict[str, Any]) -> None:
    for drawing in (recall_curves(report), marginal_bars(report), popularity_panels(report), latency_scatter(report)):
        assert "currentColor" in drawing
        assert "#010203" not in drawing
        assert "<metadata" not in drawing
        assert re.search(r"<text[ >]", drawing)
        assert "mathdefault" not in drawing


def test_drawings_are_the_same_every_time(report: dict[str, Any]) -> None:
    assert recall_curves(report) == recall_curves(report)


def test_one_channel_and_one_cutoff_can_be_shown(tmp_path: Path) -> None:
    data, split, channels = world()
    alone = run(data, split, {"tag": channels["tag"]}, k=[4])
    write_report(alone, tmp_path)
    read(tmp_path / "report.html")
    assert "tag" in printed(alone)


def test_the_tables_fit_a_hundred_columns(report: dict[str, Any]) -> None:
    wide = renamed(report, "tag", "a-channel-of-long-name")
    for row in (*wide["channels"].values(), wide["fused"]):
        row |= {"fit_s": 123456.7, "size_bytes": 9_876_543_210, "query_us": 123456.7}
        row |= {"unique_hits@8": 1234567, "marginal_recall@8": [-0.1234, -0.2345, -0.1012]}
    text = printed(wide)
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "…" not in text
    for expected in (
        "R@2",
        "R@8",
        "NDCG@8",
        "marginal",
        "only here",
        "fused",
        "split: ratio",
        "a-channel-of-long-name",
    ):
        assert expected in text


def test_a_report_with_a_silent_channel_and_a_budget(tmp_path: Path) -> None:
    data, split, channels = world()
    n = len(data.items)
    silent = NeighbourRecaller([NeighbourTable([0] * (n + 1), [], [], n_columns=n)])
    report = run(data, split, {**channels, "silent": silent}, limits={"channels": 1})
    write_report(report, tmp_path)
    words = " ".join(read(tmp_path / "report.html").words)
    assert "Channel 'silent' returned nothing for any of the" in words
    assert "Which channels to keep" in words
    assert report_lines(report)[0] == report["notices"][0]
    assert len(report_lines(report)) == 2 + 3
    assert "silent" in printed(report)


def test_the_popularity_table_says_who_serves_the_tail(report: dict[str, Any]) -> None:
    text = printed(report)
    tail = report["channels"]["tag"]["strata_recall@8"]["tail"]
    row = next(line for line in text.split("by popularity")[1].splitlines() if line.strip().startswith("tag"))
    assert f"{100 * tail:.1f}" in row


def test_names_are_no_markup(report: dict[str, Any]) -> None:
    text = printed(renamed({**report, "dataset": "[red]books[/red]"}, "tag", "[bold]tag[/]"))
    assert "[red]books[/red]" in text
    assert "[bold]tag[/]" in text


def test_the_tables_say_the_numbers(report: dict[str, Any]) -> None:
    text = printed(report)
    row = report["channels"]["item-cf"]
    assert f"{100 * row['recall@8']:.2f}" in text
    assert f"{row['unique_hits@8']:,}" in text
    assert report["fused_vs_best@8"]["channel"] in text.splitlines()[-2] + text.splitlines()[-1]
