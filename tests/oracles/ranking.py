"""Slow, obvious versions: pins, place by place."""

from __future__ import annotations

from collections.abc import Sequence


def placed_in_turn(items: Sequence[int], pins: Sequence[tuple[int, int]], k: int) -> list[int]:
    """Fill k places one by one: the pin of the place, else the next item that is not pinned; late pins at the end."""
    waiting = [item for item in items if item not in {row for _, row in pins}]
    due = sorted((position, row) for position, row in pins if position <= k)
    result: list[int] = []
    while (waiting or due) and len(result) < k:
        if due and (due[0][0] <= len(result) + 1 or not waiting):
            result.append(due.pop(0)[1])
        else:
            result.append(waiting.pop(0))
    return result
