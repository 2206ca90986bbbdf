"""Curves of trainings: thinned without loss of a check, and shown in JSON, table and page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphrec.contracts.progress import TrainingPoint
from graphrec.errors import DataError
from graphrec.pipelines.report.curves import LONGEST, Curve, curve_of, curves_of
from graphrec.pipelines.report.numbers import DASH
from graphrec.pipelines.report.page import page
from graphrec.pipelines.report.plots import training_curves
from graphrec.pipelines.report.report import Report
from graphrec.pipelines.report.tables import report_tables
from graphrec.pipelines.report.training_table import training_rows
from tests.pipelines.report.reports import channel, report

POINTS = [
    TrainingPoint("epoch", 1, 0.75, 0.125, 0.5, 1000.0),
    TrainingPoint("epoch", 2, 0.5, None, 0.25, 3000.0),
    TrainingPoint("epoch", 3, 0.25, 0.25, 0.125, 2000.0),
]


def trained(name: str = "pinsage") -> Report:
    curves = curves_of({"choosing": POINTS, "measured": [TrainingPoint("epoch", 1, 0.5)]})
    plain = report(("hot", name))
    return replace(plain, channels={**plain.channels, name: replace(channel(plain.k), training=curves)})


def test_a_curve_has_a_value_a_point() -> None:
    curve = curve_of(POINTS)
    assert curve == Curve(
        "epoch", (1, 2, 3), (0.75, 0.5, 0.25), (0.125, None, 0.25), (0.5, 0.25, 0.125), (1000, 3000, 2000)
    )
    assert curve is not None
    assert curve.checks == [(1, 0.125), (3, 0.25)]


def test_nothing_recorded_is_no_curve() -> None:
    assert curve_of([]) is None
    assert curves_of({"choosing": [], "measured": []}) is None


def test_a_point_that_is_repeated_after_a_stop_counts_once() -> None:
    assert curve_of([*POINTS[:2], *POINTS]) == curve_of(POINTS)


@pytest.mark.parametrize("n", [LONGEST, LONGEST + 1, 7 * LONGEST + 3])
def test_a_long_curve_keeps_its_checks_and_its_end(n: int) -> None:
    checks = {3, n // 2, n - 1}
    curve = curve_of(
        [TrainingPoint("step", step, 1 / step, 0.5 if step in checks else None) for step in range(1, n + 1)]
    )
    assert curve is not None
    assert len(curve.step) <= LONGEST + len(checks) + 1
    assert (curve.step[0], curve.step[-1]) == (1, n)
    assert {step for step, _ in curve.checks} == checks
    assert list(curve.step) == sorted(set(curve.step))


def test_rows_say_how_long_how_well_and_how_fast() -> None:
    first, second = training_rows(trained())
    assert first == ("pinsage", "choosing", "3 epochs", "0.75 → 0.25", "25.0 % at 3", "2,000")
    assert second == ("pinsage", "measured", "1 epoch", "0.5 → 0.5", DASH, DASH)


def test_curves_are_in_the_file_the_page_and_the_tables() -> None:
    ours = trained("<b>")
    assert Report.from_json(ours.to_json()) == ours
    assert "How channels were trained" in page(ours)
    assert "<b>" not in training_curves(ours)
    assert "How channels were trained" in [str(table.title) for table in report_tables(ours)]


def test_a_report_without_trainings_says_nothing_of_them() -> None:
    assert "How channels were trained" not in page(report())
    assert "training" not in report().to_dict()["channels"]["hot"]


@pytest.mark.parametrize("damage", [{"loss": [0.5]}, {"loss": [], "step": []}, {"unit": "day"}, {"step": [-1, 2, 3]}])
def test_a_damaged_curve_is_refused(damage: dict[str, object]) -> None:
    values = trained().to_dict()
    values["channels"]["pinsage"]["training"]["choosing"] |= damage
    with pytest.raises(DataError, match="damaged"):
        Report.from_dict(values)
