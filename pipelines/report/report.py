"""The report of an evaluation, typed: what ``report.json`` holds, and what tables, page and plots show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrec.escapes import one_line

from . import arrow, json_format
from .numbers import percent, points_interval, rounded_values
from .part import Part
from .parts import (
    FUSED,
    BootstrapSettings,
    ChannelChoice,
    ChannelReport,
    Comparison,
    Counts,
    FusedReport,
    ItemMap,
    Machine,
)

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report(Part):
    """What an evaluation measured; ``report.json``, tables, page and plots are views of it.

    For example ``report.channels["als"].recall[20]``, ``report.channels["als"].marginal_recall[20].low``,
    ``report.fused.ndcg[20]``.

    Parameters
    ----------
    dataset : str
        Name of the configuration; empty where channels were measured without one.
    split, fusion, fusion_fit, inputs, pool, pool_published : mapping
        JSON values of what made the numbers: how events were divided, the fusion and what fitting it chose, what was
        read and linked, what each rule removed from the pool (while measuring; of the published bundle).
    catalogue : mapping
        What is known of the items, and by channel which it reaches (:mod:`graphrec.pipelines.evaluation.reach`).
    seed : int
        Of the bootstrap and of samples of users.
    k : tuple of int
        Cut-offs, rising; every metric has them as keys.
    users : Counts
        Who was measured.
    channels : mapping of str to ChannelReport
        In the order of the configuration.
    fused : FusedReport
        The merged list.
    fused_vs_best : mapping of int to Comparison
        By cut-off, the merged list beside the best channel.
    overlap : mapping
        ``overlap[k][a][b]``: the share of ``a``'s entries that ``b`` returned too.
    selection : ChannelChoice or None
        Which channels to keep, where a budget was given.
    bootstrap : BootstrapSettings
        How the intervals were made.
    definitions : mapping of str to str
        What each number means.
    versions : mapping of str to str
        Of the packages that computed them.
    machine : Machine
        Where the times were taken.
    maps : tuple of ItemMap
        The items of each channel of vectors on a plane.
    notices : tuple of str
        What to know before reading, a sentence each.
    """

    dataset: str = ""
    split: Mapping[str, Any] = field(default_factory=dict)
    seed: int
    k: tuple[int, ...]
    users: Counts
    fusion: Mapping[str, Any]
    channels: Mapping[str, ChannelReport]
    fused: FusedReport
    fused_vs_best: Mapping[int, Comparison]
    overlap: Mapping[int, Mapping[str, Mapping[str, float]]]
    selection: ChannelChoice | None = None
    bootstrap: BootstrapSettings
    definitions: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Machine
    maps: tuple[ItemMap, ...] = ()
    notices: tuple[str, ...] = ()
    fusion_fit: Mapping[str, Any] | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    pool: Mapping[str, Any] = field(default_factory=dict)
    pool_published: Mapping[str, Any] | None = None
    catalogue: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, ChannelReport | FusedReport]:
        """Every channel by name, and the merged list last, as ``"fused"``."""
        return {**self.channels, FUSED: self.fused}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values with the keys of ``report.json``; numbers that JSON does not know are None."""
        values: dict[str, Any] = json_format.plain(self)
        return values

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text. The files that a run writes are the text of :meth:`rounded`."""
        return json_format.text(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "the report") -> Report:
        """Return the report that :meth:`to_dict` described; ``source`` names it in errors.

        Raises
        ------
        DataError
            If it is no report of graphrec, is damaged, or holds what only a newer graphrec knows.
        """
        return json_format.report_from(cls, values, source)

    @classmethod
    def from_json(cls, text: str | bytes, *, source: str = "the report") -> Report:
        """Return the report that a JSON text holds; the opposite of :meth:`to_json`. Errors as :meth:`from_dict`."""
        return cls.from_dict(json_format.document(text, source), source=source)

    @classmethod
    def read(cls, path: str | Path) -> Report:
        """Return the report in a file, or in ``report.json`` of an output directory.

        Raises
        ------
        DataError
            If there is none, or as :meth:`from_dict`.
        """
        text, source = json_format.read_file(path)
        return cls.from_json(text, source=source)

    def rounded(self) -> Report:
        """Return the report as files and tables have it: numbers of 6 decimal places."""
        return self.from_dict(rounded_values(self.to_dict()))

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table of a row a channel and cut-off, the merged list (``"fused"``) last.

        Columns are ``channel``, ``k`` and the metrics; an interval is three columns (``marginal_recall``,
        ``marginal_recall_low``, ``marginal_recall_high``), a metric that a row does not have is null.
        """
        return arrow.table(self.rows, self.k)

    def __repr__(self) -> str:
        """Return name, channels and the headline in one line."""
        k = self.k[-1]
        name = f"{self.dataset!r}, " if self.dataset else ""
        return f"<Report: {name}{len(self.channels)} channels, Recall@{k} fused {percent(self.fused.recall[k])} %>"

    def __str__(self) -> str:
        """Return a line a channel: recall at the cut-offs, NDCG at the largest, and the marginal gain there, in %."""
        cutoffs, k, title = self.k[-4:], self.k[-1], f"{one_line(self.dataset) or 'shares'}, in %"
        names = [one_line(name) for name in self.rows]
        width = max(map(len, (title, *names)))
        heads = [*(f"R@{cutoff}" for cutoff in cutoffs), f"NDCG@{k}", "marginal [95 %]"]
        lines = [[title.ljust(width), *heads]]
        for name, row in zip(names, self.rows.values(), strict=True):
            shares = [*(row.recall[cutoff] for cutoff in cutoffs), row.ndcg[k]]
            gain = points_interval(row.marginal_recall[k]) if isinstance(row, ChannelReport) else ""
            lines.append([name.ljust(width), *map(percent, shares), gain])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = ("  ".join(map(str.rjust, line, widths)) for line in lines)
        return "\n".join(line.rstrip() for line in aligned)

    def faults(self) -> Iterator[str]:
        """Yield what is not there for every channel and cut-off, though it must be; nothing for a whole report."""
        cutoffs, names = set(self.k), self.channels.keys()
        if not names or not cutoffs or list(self.k) != sorted(cutoffs) or self.k[0] < 1:
            yield f"there are {len(names)} channels and the cut-offs {list(self.k)[:5]}"
        for place, values in self._by_cutoff():
            if values.keys() != cutoffs:
                yield f"{place} is there for K = {sorted(values)[:5]}, the cut-offs are {list(self.k)[:5]}"
        for k, matrix in self.overlap.items():
            if any(row.keys() != names for row in (matrix, *matrix.values())):
                yield f"overlap@{k} has other channels"
        for shown in self.maps:
            places = {len(shown.x), len(shown.y), len(shown.group)}
            if len(places) > 1 or not set(shown.group) <= set(range(len(shown.groups))):
                yield f"the map of {shown.channel[:40]!r} has {len(shown.x)} places for {len(shown.group)} items"
        for name in self._named() - names:
            yield f"it names the channel {name[:40]!r}, which is not among its channels"

    def _by_cutoff(self) -> Iterator[tuple[str, Mapping[int, object]]]:
        """Yield the place and the values of everything that has a value at each cut-off."""
        yield "fused_vs_best", self.fused_vs_best
        yield "overlap", self.overlap
        places = {"fused": self.fused, **{f"channels.{name}": row for name, row in self.channels.items()}}
        for place, row in places.items():
            yield from ((f"{place}.{name}", values) for name, values in row.by_cutoff().items())

    def _named(self) -> set[str]:
        """Return the channels that comparisons and the choice for a budget name."""
        best = {comparison.channel for comparison in self.fused_vs_best.values()}
        best |= {shown.channel for shown in self.maps}
        choice = self.selection
        return best if choice is None else best | {*choice.kept, *choice.dropped, *(s.channel for s in choice.steps)}
