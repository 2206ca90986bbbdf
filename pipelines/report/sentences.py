"""What a report says in sentences: how it was measured, what came of it, what the pool lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .numbers import percent, points_interval, verdict


def sentence(report: Mapping[str, Any]) -> str:
    """Return how the merged list compares with the best single channel, in one sentence."""
    k = report["k"][-1]
    against = report[f"fused_vs_best@{k}"]
    return (
        f"Recall@{k}: fused {percent(report['fused'][f'recall@{k}'])} %, best channel {against['channel']} "
        f"{percent(report['channels'][against['channel']][f'recall@{k}'])} %, difference "
        f"{points_interval(against['difference'])} points: {verdict(against['difference'])}"
    )


def protocol(report: Mapping[str, Any]) -> str:
    """Return split, seed and who was measured, in one line."""
    split = report.get("split", {})
    told = [f"{key} {split[key]}" for key in ("test_share", "n", "cut") if split.get(key) is not None]
    users = report["users"]
    return (
        f"split: {' '.join([str(split.get('kind', 'not stated')), *told])}; seed {report['seed']}; "
        f"{users['measured']:,} of {users['with_truth']:,} users with truth; pool {users['pool']:,} items; full ranking"
    )


def pool_lines(pool: Mapping[str, Any]) -> list[str]:
    """Return the rest of what there is to say of a pool, a line each."""
    since = f" as of {pool['now']} ({pool['now_from']})" if pool["now"] else ""
    lines = [f"{pool['left']:,} of {pool['items']:,} items in the pool, judged on {pool['events']} events{since}"]
    for name, verb in (("allow", "brought back"), ("deny", "removed")):
        if (given := pool[name])["given"]:
            count = pool["brought_back" if name == "allow" else "denied"]
            strange = f"; {given['unknown']:,} are no items: {', '.join(given['unknown_examples'])}"
            lines.append(f"{name}: {given['given']:,} ids, {count:,} items {verb}{strange if given['unknown'] else ''}")
    for one in pool["removals"]:
        said = [f"{one['unknown']:,} with nothing known"] if one["unknown"] else []
        said += [f"{one['spared']:,} spared as new"] if one["spared"] else []
        lines += [f"{one['rule']}: {', '.join(said)}"] if said else []
    return lines + list(pool["notes"])
