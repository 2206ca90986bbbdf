"""Reports made by hand: of any channels and cut-offs, every number at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphrec.evaluation.bootstrap import Interval
from graphrec.pipelines.report.parts import (
    BootstrapSettings,
    ChannelReport,
    Comparison,
    Counts,
    FusedReport,
    Machine,
    StrataRecall,
)
from graphrec.pipelines.report.report import Report

INTERVAL = Interval(0.25, 0.125, 0.5)


def channel(k: Sequence[int], **changes: Any) -> ChannelReport:
    """Return a row whose metrics are all alike; a change is the value of a field at every cut-off."""
    own = {"unique_hits": 3, "returned": 5.0, "marginal_recall": INTERVAL, "vs_hot": INTERVAL}
    return ChannelReport(**row(k, own | changes))


def fused(k: Sequence[int], **changes: Any) -> FusedReport:
    """Return the row of the merged list."""
    return FusedReport(**row(k, {"union_recall": 0.75} | changes))


def row(k: Sequence[int], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row."""
    shares = ("recall", "ndcg", "hit_rate", "coverage", "gini", "popularity_overlap")
    more = {"novelty": 4.0, "strata_recall": StrataRecall(0.5, 0.25, None), "recall_interval": INTERVAL}
    costs = {"fit_s": 1.5, "size_bytes": 2000, "query_us": 100.0}
    values: dict[str, Any] = {**dict.fromkeys(shares, 0.5), **more, **costs, **changes}
    return {
        name: value if name in costs or value is None else dict.fromkeys(k, value) for name, value in values.items()
    }


def report(
    names: Sequence[str] = ("hot", "item-cf"),
    k: Sequence[int] = (5, 20),
    *,
    each: Callable[[str], ChannelReport] | None = None,
    **changes: Any,
) -> Report:
    """Return a whole report; ``each`` makes the row of a channel."""
    parts: dict[str, Any] = {
        "seed": 3,
        "k": tuple(k),
        "users": Counts(10, 9, 8, 0, 100, 20, 1),
        "fusion": {"kind": "rrf", "depth": None},
        "channels": {name: channel(k) if each is None else each(name) for name in names},
        "fused": fused(k),
        "fused_vs_best": dict.fromkeys(k, Comparison(names[0], INTERVAL)),
        "overlap": {cutoff: {a: dict.fromkeys(names, 0.5) for a in names} for cutoff in k},
        "bootstrap": BootstrapSettings(100, 0.95, 3),
        "definitions": {"recall@K": "a share"},
        "versions": {"graphrec": "0.1.0"},
        "machine": Machine(system="Linux", processor="x86_64", cpus=None, python="3.11"),
    }
    return Report(**(parts | changes))
