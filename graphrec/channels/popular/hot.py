"""Hot: what many people took lately."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

import numpy as np

from graphrec.channels.popular.segments import category_recaller, check_labels, sums_by_segment, user_segments
from graphrec.contracts.domains import floats
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import Settings, count, number, text
from graphrec.data.interactions import DAY_S, Interactions, coalesced_parts
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.ranked import RankedRecaller
from graphrec.recallers.segmented import SegmentedRecaller
from graphrec.sparse.taste import Scale, sums_by_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Hot(Settings):
    r"""Popularity by distinct users, each counted less the longer ago his last event with the item is.

    .. math:: s(i) = \sum_{u \in U_i} 2^{-(t_{\max} - t_{ui}) / h}

    Everybody gets the same list, so cold users are served like others. Items without events stand at its end in row
    order: the list holds the whole pool. Without times, users are simply counted.

    **By segment of users** (``by_user``): with :math:`s_g(i)` the same sum over the users of segment g alone and
    :math:`p(i)` the share of item i in all sums, the list of a segment is ordered by its shares, shrunk towards those
    of everybody as if ``prior`` more events had come from all users:

    .. math:: p_g(i) = \frac{s_g(i) + prior \cdot p(i)}{\sum_j s_g(j) + prior}

    A small segment therefore has nearly the list of everybody, and who belongs to no known segment has just that. A
    request's context goes before what is stored of a user.

    **By category of items** (``by_item``): the categories of a history's items, each with its items by their share in
    the category, :math:`s(i) / \sum_{j \in c} s(j)`. A cold user gets an empty list, a cold item is not recalled.

    Parameters
    ----------
    half_life_days : float, default 30.0
        h, days, > 0, after which an event counts half. Our choice: about a season; shorten it for news.
        ``inf`` counts all events alike.
    by_user : str, default ""
        A label of the users, such as ``"country"``: one list a value of it. Empty: one list for all.
    by_item : str, default ""
        A label of the items, such as ``"category"``. Empty: not divided. Only one of the two may be given.
    prior : float, default 100.0
        Events, > 0, that a segment must have before it says as much as everybody does. Our choice.
    list_length : int, default 2000
        Items kept a category; 0 keeps all.
    last : int, default 0
        Newest history items whose categories count; 0 counts all.

    Raises
    ------
    ConfigError
        If a setting is out of its range, or both labels are given.
    """

    about: ClassVar[About] = About(
        recalls="the most taken, decaying with age; for all, by segment or by category",
        artefact="ranked list",
        unknown_users="served",
    )

    half_life_days: float = number(30.0, above=0, infinite=True, unit="days", search=floats(1.0, 1000.0, log=True))
    by_user: str = text(legal="the name of a label, or empty")
    by_item: str = text(legal="the name of a label, or empty")
    prior: float = number(100.0, above=0, unit="events")
    list_length: int = count(2000, unit="items")
    last: int = count(0, unit="items")

    def check(self) -> None:
        """Raise ConfigError where settings do not go together."""
        check_labels(self.by_user, self.by_item)

    def fit(
        self,
        data: RecallData,
        context: FitContext = ALONE,  # noqa: ARG002 - nothing is drawn
    ) -> RankedRecaller | SegmentedRecaller | NeighbourRecaller:
        """Return the pool in order of decayed popularity.

        Time O(m log m); memory one part of the pairs, a sum an item, and one a segment and item that meet.

        Raises
        ------
        ConfigError
            If the data does not have the label.
        """
        sums = np.zeros(len(data.items))
        for pairs, counted in counted_parts(data.interactions, self.half_life_days):
            np.add.at(sums, pairs.items, counted)
        reason = "widely {verb} lately" if data.interactions.times is not None else "widely {verb}"
        if self.by_item:
            shares = _shares_of_categories(data, self.by_item, sums)
            return category_recaller(
                data, self.by_item, shares, list_length=self.list_length, last=self.last, reason=f"{reason} in {{via}}"
            )
        items = np.flatnonzero(data.pool).astype(np.int32)
        if self.by_user:
            return self._segmented(data, sums / max(sums.sum(), np.finfo(float).tiny), reason)
        return RankedRecaller(items, sums[items].astype(np.float32), reason)

    def _segmented(self, data: RecallData, shares: Scale, reason: str) -> SegmentedRecaller:
        """Return one list a segment: its own shares where it has events, else those of everybody times a factor."""
        segments = user_segments(data, self.by_user)
        sums = reduce(
            add,
            (
                sums_by_segment(
                    segments.labels.codes[pairs.users],
                    pairs.items,
                    counted,
                    n_segments=len(segments),
                    n_items=len(data.items),
                )
                for pairs, counted in counted_parts(data.interactions, self.half_life_days)
            ),
        )
        rows = np.repeat(np.arange(len(segments)), np.diff(sums.indptr))
        mass = sums_by_row(rows, sums.data, len(segments)) + self.prior
        own = (sums.data + self.prior * shares[sums.indices]) / mass[rows]
        kept = data.pool[sums.indices]
        indptr = indptr_of(kept)[sums.indptr]
        table = NeighbourTable(indptr, sums.indices[kept], own[kept].astype(np.float32), n_columns=len(data.items))
        items = np.flatnonzero(data.pool).astype(np.int32)
        everyone = RankedRecaller(items, shares[items].astype(np.float32), reason)
        return SegmentedRecaller(everyone, segments, table, self.prior / mass, reason)


def counted_parts(interactions: Interactions, half_life_days: float) -> Iterator[tuple[Interactions, Scale]]:
    """Yield the pairs in parts, and (m,) float64 what each counts: 1 for the newest of all; ones without times."""
    times = interactions.times
    newest = 0 if times is None or len(times) == 0 else int(times.max())
    for pairs in coalesced_parts(interactions):
        counted = np.ones(len(pairs))
        if pairs.times is not None:
            counted = np.exp2((newest - pairs.times) / -DAY_S / half_life_days)
        yield pairs, counted


def _shares_of_categories(data: RecallData, label: str, sums: Scale) -> Scale:
    """Return (n_items,) float64: each item's share of what its category has; 0 without a category."""
    if data.item_features is None:
        return sums
    codes = data.item_features.label(label).codes
    known = codes >= 0
    totals = sums_by_row(codes[known], (sums * data.pool)[known], 1)
    of_own = totals[np.where(known, codes, 0)]
    shares: Scale = np.where(known & (of_own > 0), sums / np.where(of_own > 0, of_own, 1.0), 0.0)
    return shares
