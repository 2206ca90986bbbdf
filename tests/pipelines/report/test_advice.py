"""What a report advises for a budget, in sentences."""

from __future__ import annotations

from typing import Any

from graphrec.evaluation.bootstrap import Interval
from graphrec.pipelines.report.advice import advice
from graphrec.pipelines.report.parts import ChannelChoice, DroppedChannel
from graphrec.pipelines.report.report import Report
from tests.pipelines.report.reports import report

HOT = {"query_us": 120.0, "size_bytes": 2_500_000, "channels": 1}


def chosen(**changes: Any) -> Report:
    parts: dict[str, Any] = {
        "k": 200,
        "budget": {"query_us": 1500.0},
        "chosen_on": "2,000 users of the validation part",
        "users": 2672,
        "kept": ("item-cf", "tag"),
        "steps": (),
        "recall": Interval(0.6352, 0.6301, 0.6402),
        "recall_of_all": Interval(0.6405, 0.6355, 0.6455),
        "against_all": Interval(-0.0053, -0.0068, -0.0039),
        "costs": {"query_us": 1220.0, "size_bytes": 34_300_000, "channels": 2},
        "costs_of_all": {"query_us": 2537.0, "size_bytes": 73_700_000, "channels": 3},
        "dropped": {"hot": DroppedChannel(Interval(-0.0016, -0.0024, -0.0008), HOT, fits=True)},
    }
    return report(["hot", "item-cf", "tag"], selection=ChannelChoice(**(parts | changes)))


def test_without_a_budget_there_is_no_advice() -> None:
    assert advice(report()) == []


def test_what_to_keep_and_what_to_drop_with_figures() -> None:
    kept, dropped = (line.replace("\N{MINUS SIGN}", "-") for line in advice(chosen()))
    assert kept == (
        "Budget 1,500 µs a query: keep item-cf, tag: Recall@200 63.52 % at 1,220 µs a query; all 3: 64.05 % at 2,537 "
        "µs a query; difference -0.53 [-0.68, -0.39] points. Chosen on 2,000 users of the validation part; measured on "
        "2,672."
    )
    assert dropped == "Drop hot: to those kept it adds -0.16 [-0.24, -0.08] points at 120 µs a query."


def test_why_a_channel_that_would_help_is_dropped() -> None:
    adds, costs = Interval(0.004, 0.003, 0.005), {"query_us": 900.0, "size_bytes": 1e6, "channels": 1}
    over = advice(chosen(dropped={"hot": DroppedChannel(adds, costs, fits=False)}))[1]
    assert over.endswith(" it adds +0.40 [+0.30, +0.50] points at 900 µs a query, which is over the budget.")
    unlucky = advice(chosen(dropped={"hot": DroppedChannel(adds, costs, fits=True)}))[1]
    assert unlucky.endswith("; nothing where the choice was made, so look twice.")


def test_several_limits_and_a_budget_for_nothing() -> None:
    budget = {"size_bytes": 1000.0, "channels": 1}
    (line, *_) = advice(chosen(budget=budget, kept=()))
    assert line == (
        "Budget 1 kB, 1 channel: it pays for no channel that returns a true item; the cheapest is hot at 2.5 MB, "
        "1 channel."
    )
    assert "34.3 MB; all 3" in advice(chosen(budget=budget))[0]
