"""A report and its file: the same there and back, and one sentence for a file that is none."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.bootstrap import Interval
from graphrec.pipelines.report.curves import Curve
from graphrec.pipelines.report.parts import (
    ChannelChoice,
    ChannelReport,
    Comparison,
    Counts,
    DroppedChannel,
    ExposureRecall,
    FusedReport,
    Step,
    StrataRecall,
)
from graphrec.pipelines.report.report import Report
from tests.pipelines.report.reports import report

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(min_size=1, max_size=8)
INTERVALS = st.builds(Interval, FLOATS, FLOATS, FLOATS)
CURVES = st.integers(1, 4).flatmap(
    lambda n: st.builds(
        Curve,
        st.sampled_from(["epoch", "step"]),
        st.tuples(*[st.integers(0, 9)] * n),
        st.tuples(*[FLOATS] * n),
        *[st.tuples(*[st.none() | FLOATS] * n)] * 3,
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


def rows(draw: st.DrawFn, k: tuple[int, ...], kind: type[Any], *, hot: bool = False) -> Any:
    """Draw a row: every metric at every cut-off."""
    at: dict[str, st.SearchStrategy[Any]] = {
        "novelty": st.none() | FLOATS,
        "popularity_overlap": st.none() | FLOATS,
        "strata_recall": st.builds(StrataRecall, *[st.none() | FLOATS] * 3),
        "unique_hits": st.integers(0, 10**9),
        "exposure_recall": st.builds(ExposureRecall, *[st.none() | FLOATS] * 2),
        **dict.fromkeys(("recall_interval", "marginal_recall", "vs_hot", "value", "value_recall"), INTERVALS),
    }
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        if field.name in ("fit_s", "query_us"):
            values[field.name] = draw(FLOATS)
        elif field.name == "size_bytes":
            values[field.name] = draw(st.integers(0, 2**60))
        elif field.name == "training":
            values[field.name] = draw(st.none() | st.dictionaries(st.sampled_from(["choosing", "measured"]), CURVES))
        elif field.name == "chosen":
            values[field.name] = draw(st.none() | OBJECTS)
        elif field.name in ("value", "value_recall", "exposure_recall") and draw(st.booleans()):
            continue
        elif not (hot and field.name == "vs_hot"):
            values[field.name] = {cutoff: draw(at.get(field.name, FLOATS)) for cutoff in k}
    return kind(**values)


@st.composite
def choices(draw: st.DrawFn, names: list[str]) -> ChannelChoice:
    costs = st.dictionaries(st.sampled_from(["query_us", "size_bytes", "channels"]), FLOATS | st.integers(0, 9))
    kept = draw(st.lists(st.sampled_from(names), unique=True))
    return ChannelChoice(
        k=draw(st.integers(1, 500)),
        budget=draw(costs),
        chosen_on=draw(st.text()),
        users=draw(st.integers(0, 10**6)),
        kept=tuple(kept),
        steps=tuple(Step(name, draw(FLOATS)) for name in kept),
        recall=draw(INTERVALS),
        recall_of_all=draw(INTERVALS),
        against_all=draw(INTERVALS),
        costs=draw(costs),
        costs_of_all=draw(costs),
        dropped={
            name: DroppedChannel(draw(INTERVALS), draw(costs), draw(st.booleans()))
            for name in names
            if name not in kept
        },
    )


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Draw whole reports: names of any letters, cut-offs, free JSON values, and what may be missing."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    k = tuple(sorted(draw(st.sets(st.integers(1, 10**6), min_size=1, max_size=3))))
    return dataclasses.replace(
        report(names, k),
        dataset=draw(st.text(max_size=5)),
        split=draw(OBJECTS),
        users=Counts(*draw(st.lists(st.integers(0, 10**9), min_size=7, max_size=7))),
        fusion=draw(OBJECTS),
        channels={name: rows(draw, k, ChannelReport, hot=draw(st.booleans())) for name in names},
        fused=rows(draw, k, FusedReport),
        fused_vs_best={cutoff: Comparison(draw(st.sampled_from(names)), draw(INTERVALS)) for cutoff in k},
        overlap={cutoff: {a: {b: draw(FLOATS) for b in names} for a in names} for cutoff in k},
        selection=draw(st.none() | choices(names)),
        notices=tuple(draw(st.lists(st.text(max_size=5), max_size=2))),
        fusion_fit=draw(st.none() | OBJECTS),
        inputs=draw(OBJECTS),
        pool=draw(OBJECTS),
        pool_published=draw(st.none() | OBJECTS),
    )


@settings(max_examples=30)
@given(reports())
def test_a_report_is_read_back_as_it_was_written(whole: Report) -> None:
    assert Report.from_json(whole.to_json()) == whole
    assert Report.from_json(whole.to_json().encode()) == whole
    assert Report.from_dict(whole.to_dict()) == whole
    rounded = whole.rounded()
    assert rounded.rounded() == rounded
    assert list(rounded.channels) == list(whole.channels)


def test_numbers_by_cutoff_are_keys_of_their_own() -> None:
    values = report().to_dict()
    hot = values["channels"]["hot"]
    assert (hot["recall@20"], hot["marginal_recall@5"], hot["fit_s"]) == (0.5, [0.25, 0.125, 0.5], 1.5)
    assert hot["strata_recall@5"] == {"head": 0.5, "torso": 0.25, "tail": None}
    assert values["overlap@20"]["hot"]["item-cf"] == 0.5
    assert values["machine"]["cpus"] is None
    assert values["k"] == [5, 20]
    assert values.keys().isdisjoint(("selection", "fusion_fit", "pool_published"))


def test_what_is_no_number_becomes_null() -> None:
    strange = report(fusion_fit={"loss": float("nan"), "ends": (1, float("inf"))})
    assert json.loads(strange.to_json())["fusion_fit"] == {"loss": None, "ends": [1, None]}


def damage(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    values = report().to_dict()
    change(values)
    return values


def newer(values: dict[str, Any]) -> None:
    values["versions"]["graphrec"] = "9.10.1"
    values["channels"]["hot"]["serendipity@5"] = 0.5


DAMAGED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a metric without a cut-off": (
        lambda values: values["channels"]["hot"].pop("recall@5"),
        r"channels.hot.recall is there for K = \[20\], the cut-offs are \[5, 20\]",
    ),
    "a metric at a further cut-off": (
        lambda values: values["fused"].update({"ndcg@7": 0.5}),
        r"fused.ndcg is there for K = \[5, 7, 20\]",
    ),
    "no metric": (
        lambda values: [values["fused"].pop(key) for key in ("gini@5", "gini@20")],
        "fused.gini is missing",
    ),
    "an unknown metric": (lambda values: values["fused"].update({"luck@5": 1}), "the key fused.luck is unknown"),
    "an unknown key": (lambda values: values.update(luck=1), "the key luck is unknown"),
    "text for a number": (
        lambda values: values["channels"]["item-cf"].update({"recall@20": "0.5"}),
        "channels.item-cf.recall@20 is '0.5'; input should be a valid number",
    ),
    "true for a number": (lambda values: values["users"].update(all=True), "users.all is True; input should be"),
    "null for a number": (lambda values: values["fused"].update({"recall@5": None}), "fused.recall@5 is None"),
    "an interval of two": (
        lambda values: values["channels"]["hot"].update({"vs_hot@5": [0, 1]}),
        r"channels.hot.vs_hot@5 is \[0, 1\]; it must be \[estimate, low, high\]",
    ),
    "a stratum missing": (lambda values: values["fused"]["strata_recall@5"].pop("tail"), "strata_recall@5.tail is"),
    "channels as a list": (lambda values: values.update(channels=[1]), r"channels is \[1\]"),
    "a channel as text": (lambda values: values["channels"].update(hot="x"), "channels.hot is 'x'"),
    "no channels": (lambda values: values.update(channels={}), "there are 0 channels"),
    "no cut-offs": (lambda values: values.update(k=[]), "there are 2 channels and the cut-offs"),
    "falling cut-offs": (lambda values: values.update(k=[20, 5]), "there are 2 channels and the cut-offs"),
    "another channel in the overlap": (
        lambda values: values["overlap@5"].pop("hot"),
        "overlap@5 has other channels",
    ),
    "an unknown best channel": (
        lambda values: values["fused_vs_best@5"].update(channel="als"),
        "it names the channel 'als', which is not among its channels",
    ),
    "a newer report": (newer, r"was written by graphrec 9\.10\.1, which is newer .*serendipity.*update graphrec"),
    "foreign": (lambda values: values.pop("fused"), "is no report of graphrec: it is no JSON object with"),
}


@pytest.mark.parametrize("case", list(DAMAGED))
def test_a_damaged_foreign_or_newer_file_gets_one_sentence(case: str, tmp_path: Path) -> None:
    change, words = DAMAGED[case]
    path = tmp_path / "report.json"
    path.write_text(json.dumps(damage(change)), encoding="utf-8")
    with pytest.raises(DataError, match=words) as caught:
        Report.read(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    assert len(message.replace(str(path), "")) < 300


@pytest.mark.parametrize(
    "text", ["", "sales: 1", "[]", "null", '"k"', "{", "[" * 100_000, '{"k": 1}', b"\xff\xfe{", "\0"]
)
def test_what_is_no_report_gets_one_sentence(text: str | bytes) -> None:
    with pytest.raises(DataError, match=r"^the report is no report of graphrec") as caught:
        Report.from_json(text)
    assert len(str(caught.value)) < 300


def test_a_missing_file_and_a_wrong_path_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no report at '.*report\.json': No such file"):
        Report.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"'.*pipe' is a pipe or device; a report is read from a file"):
        Report.read(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"there is no report at 'x+': File name too long") as caught:
        Report.read("x" * 5000)
    assert len(str(caught.value)) < 300
    for wrong in (None, 5, "", "a\0b"):
        with pytest.raises(ConfigError, match="the path of the report is"):
            Report.read(wrong)  # type: ignore[arg-type]


def test_values_that_json_cannot_hold_are_refused() -> None:
    for value in (object(), {1, 2}, b"x"):
        with pytest.raises(DataError, match="the report is damaged"):
            Report.from_dict(report().to_dict() | {"fusion": {"x": value}})


def test_the_directory_of_a_run_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(report().to_json(), encoding="utf-8")
    assert Report.read(tmp_path) == Report.read(str(tmp_path / "report.json")) == report()
