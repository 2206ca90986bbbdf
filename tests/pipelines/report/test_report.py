import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphrec.data.neighbours import NeighbourTable
from graphrec.data.splits import split_by_ratio
from graphrec.evaluation.bootstrap import Interval
from graphrec.pipelines.report.files import write_report
from graphrec.pipelines.report.numbers import points_interval, rounded_values
from graphrec.pipelines.report.plots import latency_scatter, marginal_bars, popularity_panels, recall_curves
from graphrec.pipelines.report.report import Report
from graphrec.pipelines.report.tables import report_lines, report_tables
from graphrec.pipelines.terminal import Terminal
from graphrec.recallers.neighbours import NeighbourRecaller
from tests.pipelines.evaluation.test_evaluate import run, world
from tests.pipelines.report.reports import channel, fused
from tests.pipelines.report.reports import report as made
from tests.worlds import skewed


@pytest.fixture(scope="module")
def measured() -> Report:
    """Return the report of a world."""
    data, split, channels = world(split_by_ratio(skewed().interactions, test_share=0.3, seed=1))
    report = run(data, split, channels, k=[1, 2, 3, 5, 8])
    return dataclasses.replace(report, dataset="skewed world", split=split.settings)


def printed(report: Report, width: int = 100) -> str:
    console = Terminal(width=width, file=io.StringIO(), color_system=None)
    for table in report_tables(report):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_tables_fit_80_columns_with_every_digit() -> None:
    # The widest cut-offs and shares that a report of everyday size holds.
    cutoffs = [20, 50, 100, 200]
    wide = {"hit_rate": 1.0, "coverage": 1.0, "gini": 1.0, "unique_hits": 12_345, "novelty": 12.5}
    merged = fused(cutoffs, hit_rate=1.0, coverage=1.0)
    names = ["kg-neighbours", "item-cf"]
    text = printed(made(names, cutoffs, each=lambda _name: channel(cutoffs, **wide), fused=merged), width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def renamed(report: Report, old: str, new: str) -> Report:
    """Return the report with a channel called otherwise, wherever it is named."""
    values = json.loads(report.to_json())
    for key, part in values.items():
        if key == "channels":
            values[key] = {new if name == old else name: row for name, row in part.items()}
        elif key.startswith("overlap@"):
            for shares in (part, *part.values()):
                shares[new] = shares.pop(old)
        elif key.startswith("fused_vs_best@") and part["channel"] == old:
            part["channel"] = new
    return Report.from_dict(values)


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


def test_the_json_is_the_rounded_report(measured: Report, tmp_path: Path) -> None:
    write_report(measured, tmp_path / "new" / "place")
    written = json.loads((tmp_path / "new" / "place" / "report.json").read_text(encoding="utf-8"))
    assert written == rounded_values(measured.to_dict())
    assert list(written["channels"]) == ["hot", "item-cf", "tag"]
    assert sorted(path.name for path in (tmp_path / "new" / "place").iterdir()) == ["report.html", "report.json"]


def test_a_written_report_can_be_written_again(measured: Report, tmp_path: Path) -> None:
    write_report(measured, tmp_path / "a")
    write_report(Report.read(tmp_path / "a"), tmp_path / "b")
    for name in ("report.json", "report.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_report_prints_itself_in_a_line_or_as_a_table(measured: Report) -> None:
    recall = f"{100 * measured.fused.recall[8]:.2f}"
    assert repr(measured) == f"<Report: 'skewed world', 3 channels, Recall@8 fused {recall} %>"
    lines = str(measured).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines] == ["skewed", "hot", "item-cf", "tag", "fused"]
    assert lines[0].split() == [
        "skewed",
        "world,",
        "in",
        "%",
        "R@2",
        "R@3",
        "R@5",
        "R@8",
        "NDCG@8",
        "marginal",
        "[95",
        "%]",
    ]
    assert recall in lines[-1]
    assert points_interval(measured.channels["tag"].marginal_recall[8]) in lines[3]


def test_an_arrow_table_has_a_row_for_each_channel_and_cutoff(measured: Report) -> None:
    table = measured.to_arrow()
    assert table["channel"].to_pylist() == [name for name in ("hot", "item-cf", "tag", "fused") for _ in measured.k]
    assert table["k"].to_pylist() == list(measured.k) * 4
    row = table.to_pylist()[9]  # item-cf at 8
    own = measured.channels["item-cf"]
    assert (row["recall"], row["unique_hits"], row["query_us"]) == (own.recall[8], own.unique_hits[8], own.query_us)
    assert row["marginal_recall_low"] == own.marginal_recall[8].low
    assert row["tail_recall"] == own.strata_recall[8].tail
    fused_row, hot_row = table.to_pylist()[-1], table.to_pylist()[0]
    assert fused_row["union_recall"] == measured.fused.union_recall[8]
    assert fused_row["marginal_recall"] is fused_row["vs_hot"] is hot_row["vs_hot_low"] is None


def test_rounding_leaves_no_nan() -> None:
    assert str(rounded_values(-1e-9)) == "0.0"
    value = {"a": [0.12345678, float("nan"), (1, "x")], "b": {"c": float("inf"), "d": True}}
    assert rounded_values(value) == {"a": [0.123457, None, [1, "x"]], "b": {"c": None, "d": True}}


def test_the_page_is_whole_and_needs_nothing_else(measured: Report, tmp_path: Path) -> None:
    write_report(measured, tmp_path)
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


def test_strings_of_the_report_are_escaped(measured: Report, tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script> & $x^2$"
    hostile = renamed(measured, "tag", nasty)
    write_report(dataclasses.replace(hostile, dataset=nasty, split={"note": nasty}), tmp_path)
    page = read(tmp_path / "report.html")
    assert "script" not in {tag for tag, _ in page.tags}
    assert nasty in page.words


def test_what_acts_in_a_page_is_written_out(measured: Report, tmp_path: Path) -> None:
    hostile = dataclasses.replace(renamed(measured, "tag", "ta\u202eg"), dataset="a\u202eb\x1b[1m")
    write_report(hostile, tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert r"a\u202eb\x1b[1m" in text
    assert not {"\u202e", "\x1b"} & set(text)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["dataset"] == hostile.dataset


def test_drawings_take_their_ink_from_the_page(measured: Report) -> None:
    for draw in (recall_curves, marginal_bars, popularity_panels, latency_scatter):
        drawing = draw(measured)
        assert "currentColor" in drawing
        assert "#010203" not in drawing
        assert "<metadata" not in drawing
        assert re.search(r"<text[ >]", drawing)
        assert "mathdefault" not in drawing


def test_drawings_are_the_same_every_time(measured: Report) -> None:
    assert recall_curves(measured) == recall_curves(measured)


def test_one_channel_and_one_cutoff_can_be_shown(tmp_path: Path) -> None:
    data, split, channels = world()
    alone = run(data, split, {"tag": channels["tag"]}, k=[4])
    write_report(alone, tmp_path)
    read(tmp_path / "report.html")
    assert "tag" in printed(alone)


def test_the_tables_fit_a_hundred_columns() -> None:
    costs = {"fit_s": 123456.7, "size_bytes": 9_876_543_210, "query_us": 123456.7}
    own = {**costs, "unique_hits": 1234567, "marginal_recall": Interval(-0.1234, -0.2345, -0.1012)}
    cutoffs = [1, 2, 3, 5, 8]
    rows = {name: channel(cutoffs, **own) for name in ("hot", "a-channel-of-long-name")}
    merged = fused(cutoffs, **costs)
    text = printed(made(list(rows), cutoffs, each=rows.__getitem__, fused=merged, split={"kind": "ratio"}))
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
    assert report_lines(report)[0] == report.notices[0]
    assert len(report_lines(report)) == 2 + 3
    assert "silent" in printed(report)


def test_the_popularity_table_says_who_serves_the_tail(measured: Report) -> None:
    text = printed(measured)
    tail = measured.channels["tag"].strata_recall[8].tail
    assert tail is not None
    row = next(line for line in text.split("by popularity")[1].splitlines() if line.strip().startswith("tag"))
    assert f"{100 * tail:.1f}" in row


def test_names_are_no_markup(measured: Report) -> None:
    text = printed(renamed(dataclasses.replace(measured, dataset="[red]books[/red]"), "tag", "[bold]tag[/]"))
    assert "[red]books[/red]" in text
    assert "[bold]tag[/]" in text


def test_the_tables_say_the_numbers(measured: Report) -> None:
    text = printed(measured)
    row = measured.channels["item-cf"]
    assert f"{100 * row.recall[8]:.2f}" in text
    assert f"{row.unique_hits[8]:,}" in text
    assert measured.fused_vs_best[8].channel in text.splitlines()[-2] + text.splitlines()[-1]
