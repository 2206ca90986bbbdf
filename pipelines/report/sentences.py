"""A report in sentences: how it was measured, what came of it, what the pool lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .numbers import percent, points_interval, verdict
from .report import Report


def sentence(report: Report) -> str:
    """Return how the merged list compares with the best single channel, in one sentence."""
    k = report.k[-1]
    best = report.fused_vs_best[k]
    return (
        f"Recall@{k}: fused {percent(report.fused.recall[k])} %, best channel {best.channel} "
        f"{percent(report.channels[best.channel].recall[k])} %, difference "
        f"{points_interval(best.difference)} points: {verdict(best.difference)}"
    )


def protocol(report: Report) -> str:
    """Return split, seed, who was measured and what channels chose on a validation part, in one line."""
    split, users = report.split, report.users
    settings = [f"{key} {split[key]}" for key in ("test_share", "n", "cut") if split.get(key) is not None]
    if split.get("validation") == "history":
        settings.append("(validation events in the histories, not learned)")
    return (
        f"split: {' '.join([str(split.get('kind', 'not stated')), *settings])}; seed {report.seed}; "
        f"{users.measured:,} of {users.with_truth:,} users with truth; pool {users.pool:,} items; full ranking"
        f"{_chosen(report)}"
    )


def _chosen(report: Report) -> str:
    rows = [(name, row.chosen) for name, row in report.channels.items() if row.chosen]
    texts = [f"{name} {setting} {value}" for name, chosen in rows for setting, value in chosen.items()]
    return f"; chosen on a validation part of train: {', '.join(texts)}" if texts else ""


def pool_lines(pool: Mapping[str, Any]) -> list[str]:
    """Return how large a pool is and how its lists and rules came out, a line each; ``pool`` as in the report."""
    since = f" as of {pool['now']} ({pool['now_from']})" if pool["now"] else ""
    lines = [f"{pool['left']:,} of {pool['items']:,} items in the pool, judged on {pool['events']} events{since}"]
    for name, verb in (("allow", "brought back"), ("deny", "removed")):
        if (given := pool[name])["given"]:
            count = pool["brought_back" if name == "allow" else "denied"]
            unknown = f"; {given['unknown']:,} are no items: {', '.join(given['unknown_examples'])}"
            lines.append(f"{name}: {given['given']:,} ids, {count:,} items {verb}{unknown if given['unknown'] else ''}")
    for removal in pool["removals"]:
        words = [f"{removal['unknown']:,} with nothing known"] if removal["unknown"] else []
        words += [f"{removal['spared']:,} spared as new"] if removal["spared"] else []
        lines += [f"{removal['rule']}: {', '.join(words)}"] if words else []
    return lines + list(pool["notes"])
