from typing import Any

from graphrec.pipelines.report.advice import advice


def selection(**changes: Any) -> dict[str, Any]:
    costs = {"query_us": 120.0, "size_bytes": 2_500_000, "channels": 1}
    return {
        "selection": {
            "k": 200,
            "budget": {"query_us": 1500.0},
            "chosen_on": "2,000 users of the validation part",
            "users": 2672,
            "kept": ["item-cf", "tag"],
            "steps": [],
            "recall": [0.6352, 0.6301, 0.6402],
            "recall_of_all": [0.6405, 0.6355, 0.6455],
            "against_all": [-0.0053, -0.0068, -0.0039],
            "costs": {"query_us": 1220.0, "size_bytes": 34_300_000, "channels": 2},
            "costs_of_all": {"query_us": 2537.0, "size_bytes": 73_700_000, "channels": 3},
            "dropped": {"hot": {"adds": [-0.0016, -0.0024, -0.0008], "costs": costs, "fits": True}},
            **changes,
        }
    }


def test_without_a_budget_there_is_no_advice() -> None:
    assert advice({"k": [5]}) == []


def test_what_to_keep_and_what_to_drop_with_figures() -> None:
    kept, dropped = (line.replace("\N{MINUS SIGN}", "-") for line in advice(selection()))
    assert kept == (
        "Budget 1,500 µs a query: keep item-cf, tag: Recall@200 63.52 % at 1,220 µs a query; all 3: 64.05 % at 2,537 "
        "µs a query; difference -0.53 [-0.68, -0.39] points. Chosen on 2,000 users of the validation part; measured on "
        "2,672."
    )
    assert dropped == "Drop hot: to those kept it adds -0.16 [-0.24, -0.08] points at 120 µs a query."


def test_why_a_channel_that_would_help_is_dropped() -> None:
    row = {"adds": [0.004, 0.003, 0.005], "costs": {"query_us": 900.0, "size_bytes": 1e6, "channels": 1}}
    over = advice(selection(dropped={"hot": {**row, "fits": False}}))[1]
    assert over.endswith(" it adds +0.40 [+0.30, +0.50] points at 900 µs a query, which is over the budget.")
    unlucky = advice(selection(dropped={"hot": {**row, "fits": True}}))[1]
    assert unlucky.endswith("; nothing where the choice was made, so look twice.")


def test_several_limits_and_a_budget_for_nothing() -> None:
    budget = {"size_bytes": 1000.0, "channels": 1}
    (line, *_) = advice(selection(budget=budget, kept=[]))
    assert line == (
        "Budget 1 kB, 1 channel: it pays for no channel that finds anything; the cheapest is hot at 2.5 MB, 1 channel."
    )
    assert "34.3 MB; all 3" in advice(selection(budget=budget))[0]
