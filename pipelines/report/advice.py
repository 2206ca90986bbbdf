"""What a report advises, in sentences: which channels to keep for a budget, and what the others would add."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .numbers import microseconds, percent, points_interval, size, verdict
from .parts import ChannelChoice, DroppedChannel
from .report import Report


def advice(report: Report) -> list[str]:
    """Return the recommendation of a report, the kept channels first, then a sentence for each dropped one.

    Empty where the report was made without a budget.
    """
    choice = report.selection
    if choice is None:
        return []
    return [_kept(choice), *(_dropped(name, row, choice) for name, row in choice.dropped.items())]


def _kept(choice: ChannelChoice) -> str:
    k, n = choice.k, len(choice.kept) + len(choice.dropped)
    budget = amounts(choice.budget, choice.budget)
    if not choice.kept:
        cheapest = min(choice.dropped, key=lambda name: _share(choice.dropped[name], choice.budget))
        cost = amounts(choice.dropped[cheapest].costs, choice.budget)
        return (
            f"Budget {budget}: it pays for no channel that returns a true item; the cheapest is {cheapest} at {cost}."
        )
    shown = _shown(choice)
    return (
        f"Budget {budget}: keep {', '.join(choice.kept)}: Recall@{k} {percent(choice.recall.estimate)} % at "
        f"{amounts(choice.costs, shown)}; all {n}: {percent(choice.recall_of_all.estimate)} % at "
        f"{amounts(choice.costs_of_all, shown)}; difference {points_interval(choice.against_all)} points. "
        f"Chosen on {choice.chosen_on}; measured on {choice.users:,}."
    )


def _dropped(name: str, row: DroppedChannel, choice: ChannelChoice) -> str:
    adds = f"to those kept it adds {points_interval(row.adds)} points at {amounts(row.costs, _shown(choice))}"
    if not row.fits:
        return f"Drop {name}: {adds}, which is over the budget."
    if verdict(row.adds) == "better":
        return f"Drop {name}: {adds}; nothing where the choice was made, so look twice."
    return f"Drop {name}: {adds}."


def amounts(costs: Mapping[str, float], shown: Collection[str]) -> str:
    """Return costs in words: ``3,000 µs a query, 12.0 MB, 4 channels``."""
    words: dict[str, Callable[[float], str]] = {
        "query_us": lambda value: f"{microseconds(value)} µs a query",
        "size_bytes": size,
        "channels": lambda value: f"{value:,.0f} channel{'s' if value != 1 else ''}",
    }
    return ", ".join(words[name](value) for name, value in costs.items() if name in shown)


def _shown(choice: ChannelChoice) -> list[str]:
    """Return the costs that are shown: those with a limit, and the time of a query."""
    return [name for name in ("query_us", "size_bytes") if name == "query_us" or name in choice.budget]


def _share(row: DroppedChannel, budget: Mapping[str, float]) -> float:
    return float(max(row.costs[name] / most for name, most in budget.items()))
