"""What a report advises, in sentences: which channels to keep for a budget, and what the others would add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .numbers import microseconds, percent, points_interval, size, verdict


def advice(report: Mapping[str, Any]) -> list[str]:
    """Return the recommendation of a report, the kept channels first, then a sentence for each dropped one.

    Empty where the report was made without a budget.
    """
    selection = report.get("selection")
    if selection is None:
        return []
    return [_kept(selection), *(_dropped(name, row, selection) for name, row in selection["dropped"].items())]


def _kept(selection: Mapping[str, Any]) -> str:
    k, n = selection["k"], len(selection["kept"]) + len(selection["dropped"])
    budget = amounts(selection["budget"], selection["budget"])
    if not selection["kept"]:
        cheapest = min(selection["dropped"], key=lambda name: _share(selection["dropped"][name], selection["budget"]))
        cost = amounts(selection["dropped"][cheapest]["costs"], selection["budget"])
        return f"Budget {budget}: it pays for no channel that finds anything; the cheapest is {cheapest} at {cost}."
    shown = _shown(selection)
    return (
        f"Budget {budget}: keep {', '.join(selection['kept'])}: Recall@{k} {percent(selection['recall'][0])} % at "
        f"{amounts(selection['costs'], shown)}; all {n}: {percent(selection['recall_of_all'][0])} % at "
        f"{amounts(selection['costs_of_all'], shown)}; difference {points_interval(selection['against_all'])} points. "
        f"Chosen on {selection['chosen_on']}; measured on {selection['users']:,}."
    )


def _dropped(name: str, row: Mapping[str, Any], selection: Mapping[str, Any]) -> str:
    adds = f"to those kept it adds {points_interval(row['adds'])} points at {amounts(row['costs'], _shown(selection))}"
    if not row["fits"]:
        return f"Drop {name}: {adds}, which is over the budget."
    if verdict(row["adds"]) == "better":
        return f"Drop {name}: {adds}; nothing where the choice was made, so look twice."
    return f"Drop {name}: {adds}."


def amounts(costs: Mapping[str, float], shown: Mapping[str, Any] | list[str]) -> str:
    """Return costs in words: ``3,000 µs a query, 12.0 MB, 4 channels``."""
    words: dict[str, Callable[[float], str]] = {
        "query_us": lambda value: f"{microseconds(value)} µs a query",
        "size_bytes": size,
        "channels": lambda value: f"{value:,.0f} channel{'s' if value != 1 else ''}",
    }
    return ", ".join(words[name](value) for name, value in costs.items() if name in shown)


def _shown(selection: Mapping[str, Any]) -> list[str]:
    """Return the costs that are told: those with a limit, and the time of a query."""
    return [name for name in ("query_us", "size_bytes") if name == "query_us" or name in selection["budget"]]


def _share(row: Mapping[str, Any], budget: Mapping[str, float]) -> float:
    return float(max(row["costs"][name] / most for name, most in budget.items()))
