"""Rows of a report as an Arrow table, for notebooks and other programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphrec.evaluation.bootstrap import Interval

from .parts import STRATA, ChannelReport, ExposureRecall, FusedReport, StrataRecall

if TYPE_CHECKING:
    import pyarrow as pa


def table(channels: Mapping[str, ChannelReport | FusedReport], cutoffs: Sequence[int]) -> pa.Table:
    """Return what :meth:`graphrec.pipelines.report.report.Report.to_arrow` describes."""
    import pyarrow as pa

    rows = [{"channel": name, "k": k, **dict(_columns(row, k))} for name, row in channels.items() for k in cutoffs]
    # Not every row has every column: only a channel has a marginal gain, only the merged list a ceiling.
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


def _columns(row: ChannelReport | FusedReport, k: int) -> Iterator[tuple[str, Any]]:
    for name, values in row.by_cutoff().items():
        value = values[k]
        if isinstance(value, Interval):
            yield name, value.estimate
            yield f"{name}_low", value.low
            yield f"{name}_high", value.high
        elif isinstance(value, StrataRecall):
            yield from ((f"{stratum}_recall", getattr(value, stratum)) for stratum in STRATA)
        elif isinstance(value, ExposureRecall):
            yield from {"exposed_recall": value.exposed, "never_exposed_recall": value.never_exposed}.items()
        else:
            yield name, value
    yield from {"fit_s": row.fit_s, "size_bytes": row.size_bytes, "query_us": row.query_us}.items()
