"""What each channel brings to the set: overlap, unique hits, union recall, marginal recall.

Counts are sums over queries, so that results of chunks of queries may be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.evaluation.accounting_kernels import count_shared
from graphrec.evaluation.bootstrap import Interval, paired_bootstrap
from graphrec.evaluation.metrics import hit_mask, rank_metrics, truth_sizes
from graphrec.fusion.candidates import number_candidates
from graphrec.fusion.stacked import stack

Merge = Callable[[Mapping[str, ItemLists], int], ItemLists]


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """What C channels have in common at one cut-off, summed over n queries.

    ``common`` (C, C) int64: entries of row channel's top-K that also stand in column channel's (the diagonal is how
    many entries the channel returned). ``unique_hits`` (C,) int64: hits that no other channel has. ``union_hits`` (n,)
    int64: truth found by any channel, by query.
    """

    channels: tuple[str, ...]
    common: npt.NDArray[np.int64]
    unique_hits: npt.NDArray[np.int64]
    union_hits: npt.NDArray[np.int64]


def shares(lists: Mapping[str, ItemLists], truth: ItemLists, k: int) -> Shares:
    """Return what the channels' top-k lists have in common and what each alone finds.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to the same n queries.
    truth : ItemLists
        n lists of held-out items.
    k : int
        Cut-off, >= 1.

    Raises
    ------
    ConfigError
        If ``k < 1``.
    DataError
        If numbers of queries disagree.

    Notes
    -----
    Time O(E C^2) for E entries in all.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; it must be 1 or more")
    stacked = stack(lists, depth=k)
    check_length(truth.lengths, stacked.n, name="truth")
    hits = np.concatenate([hit_mask(part, truth) for part in lists.values()])
    candidates = number_candidates(stacked)
    c = len(lists)
    common, unique_hits = np.zeros((c, c), dtype=np.int64), np.zeros(c, dtype=np.int64)
    union_hits = np.zeros(stacked.n, dtype=np.int64)
    count_shared(
        stacked.starts, stacked.stops, candidates.indptr, candidates.numbers, hits, common, unique_hits, union_hits
    )
    return Shares(stacked.channels, common, unique_hits, union_hits)


def overlap(common: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return (C, C) shares: of all that the row channel returned, how much the column channel returned too.

    ``common`` is that of :class:`Shares`. A channel that returned nothing has a row of zeros.
    """
    returned = np.diag(common).astype(np.float64)
    shared: npt.NDArray[np.float64] = common / np.maximum(returned, 1.0)[:, None]
    return shared


def union_recall(lists: Mapping[str, ItemLists], truth: ItemLists, k: int) -> npt.NDArray[np.float64]:
    """Return (n,) recall of all channels' top-k lists together: what a perfect merge of unlimited room would find.

    NaN for queries without truth.
    """
    sizes = truth_sizes(truth)
    found = shares(lists, truth, k).union_hits
    return np.where(sizes > 0, found / np.maximum(sizes, 1), np.nan)


def without_each(lists: Mapping[str, ItemLists], merge: Merge, k: int) -> dict[str, ItemLists]:
    """Return for each channel the merged top-k lists of all *other* channels; empty lists for an only channel."""
    merged = {}
    for name, own in lists.items():
        others = {other: part for other, part in lists.items() if other != name}
        merged[name] = (
            merge(others, k) if others else ItemLists(np.zeros(len(own) + 1, np.int64), np.empty(0, np.int32))
        )
    return merged


def marginal_recall(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    merge: Merge,
    k: int,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return by channel the Recall@k of the merged list minus that of the merged list without this channel.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to the same n queries.
    truth : ItemLists
        n lists of held-out items; queries without any are left out.
    merge : callable
        ``merge(lists, k) -> ItemLists``, such as ``lambda lists, k: fusion.merge(lists, k).lists``.
    k : int
        Cut-off, >= 1.
    rounds, seed : int
        Of the paired bootstrap over users; the interval is that of 95 %.

    Returns
    -------
    dict of str to Interval
        The gain may be negative: the channel takes places from better ones.

    Raises
    ------
    DataError
        If no query has any truth, or numbers of queries disagree.
    """
    full = rank_metrics(merge(lists, k), truth, k).recall
    valid = ~np.isnan(full)
    gains = {
        name: (full - rank_metrics(part, truth, k).recall)[valid]
        for name, part in without_each(lists, merge, k).items()
    }
    resamples = paired_bootstrap(gains, rounds=rounds, seed=seed)
    return {name: resamples.interval(name) for name in lists}
