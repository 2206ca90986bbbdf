"""The compiled kernels that read several channels' lists at once.

They stand in one file because numba's cache watches only the file of the kernel that is called: a change to a kernel
which another file's kernel calls would leave stale machine code behind.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

# A share of 0 has no logarithm, and an entry that was never a hit still comes before none.
LEAST_SHARE, LEAST_RATE = 1e-9, 1e-9
# The rank of an entry that a channel does not have, for trees: below any.
_ABSENT = 1e6


@nb.njit(nogil=True, cache=True)
def table_size(n: int) -> int:  # pragma: no cover - compiled
    """Return the power of two that holds n entries at most half full."""
    size = 16
    while size < 2 * n:
        size *= 2
    return size


@nb.njit(nogil=True, cache=True)
def find(item: int, keys: npt.NDArray[np.int32], mask: int) -> int:  # pragma: no cover - compiled
    """Return the place of ``item`` in an open-addressing table (-1 = free), or the free place where it belongs."""
    # Fibonacci hashing: neighbouring rows are spread over the table.
    place = ((np.int64(item) * np.int64(2654435769)) >> np.int64(8)) & mask
    while keys[place] != -1 and keys[place] != item:
        place = (place + 1) & mask
    return int(place)


@nb.njit(nogil=True, cache=True)
def gather(
    query: int,
    depth: int,
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int32],
    entries: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Number the distinct candidates of one query in order of appearance; return how many there are.

    ``keys`` and ``slots`` are the scratch hash table, ``rows`` takes the candidates, and ``entries`` the number of
    the candidate that each entry names, channel after channel.
    """
    keys[:] = -1
    mask = keys.size - 1
    found = 0
    entry = 0
    for channel in range(bounds.shape[0]):
        start = bounds[channel, query]
        stop = bounds[channel, query + 1]
        if depth > 0:
            stop = min(stop, start + depth)
        for p in range(start, stop):
            place = find(items[p], keys, mask)
            if keys[place] == -1:
                keys[place] = items[p]
                slots[place] = found
                rows[found] = items[p]
                found += 1
            entries[entry] = slots[place]
            entry += 1
    return found


@nb.njit(nogil=True, cache=True)
def tell(
    query: int,
    depth: int,
    bounds: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    entries: npt.NDArray[np.int32],
    places: npt.NDArray[np.int64],
    first: int,
    last: int,
    out_ranks: npt.NDArray[np.int32],
    out_own: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write every channel's rank and score of one query's merged entries, rows ``first`` to ``last`` of the output.

    ``places`` holds the output row of each candidate, -1 where it was not chosen. An item that a channel returns twice
    keeps its better rank.
    """
    out_ranks[first:last, :] = 0
    out_own[first:last, :] = np.nan
    entry = 0
    for channel in range(bounds.shape[0]):
        start = bounds[channel, query]
        stop = bounds[channel, query + 1]
        if depth > 0:
            stop = min(stop, start + depth)
        for p in range(start, stop):
            place = places[entries[entry]]
            entry += 1
            if place >= 0 and out_ranks[place, channel] == 0:
                out_ranks[place, channel] = p - start + 1
                out_own[place, channel] = scores[p]


@nb.njit(nogil=True, cache=True)
def reciprocal_ranks(
    bounds: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], c: float, values: npt.NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Write ``weight / (c + rank)`` of every entry into ``values`` (m,)."""
    for channel in range(bounds.shape[0]):
        for query in range(bounds.shape[1] - 1):
            start = bounds[channel, query]
            for p in range(start, bounds[channel, query + 1]):
                values[p] = weights[channel] / (c + (p - start + 1))


@nb.njit(nogil=True, cache=True)
def head_sum(scores: npt.NDArray[np.float32], start: int, stop: int) -> float:  # pragma: no cover - compiled
    """Return the sum of the scores above 0 from ``start`` to ``stop``."""
    whole = 0.0
    for p in range(start, stop):
        whole += max(np.float64(scores[p]), 0.0)
    return whole


@nb.njit(nogil=True, cache=True)
def head_shares(
    bounds: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    head: int,
    shares: npt.NDArray[np.float64],
    ranks: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Write every entry's share of the sum of its list's first ``head`` scores above 0, and its 1-based rank."""
    for channel in range(bounds.shape[0]):
        for query in range(bounds.shape[1] - 1):
            start, stop = bounds[channel, query], bounds[channel, query + 1]
            whole = head_sum(scores, start, min(stop, start + head))
            for p in range(start, stop):
                shares[p] = max(np.float64(scores[p]), 0.0) / (whole if whole > 0 else 1.0)
                ranks[p] = p - start + 1


@nb.njit(nogil=True, cache=True)
def calibrated_rates(
    shares: npt.NDArray[np.float64],
    ranks: npt.NDArray[np.float64],
    knots: npt.NDArray[np.float64],
    slopes: npt.NDArray[np.float64],
    weight: float,
    values: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Write ``weight`` times the rate of hits of every entry of a channel into ``values`` (m,).

    ``knots`` (2, n) are shares and rates of a piecewise linear curve; where n is 0, ``slopes`` holds the intercept and
    the slopes of share and rank of a logistic one.
    """
    n = knots.shape[1]
    for p in range(shares.size):
        share, rank = shares[p], ranks[p]
        if n == 0:
            odds = slopes[0] + slopes[1] * np.log(max(share, LEAST_SHARE)) + slopes[2] * np.log(rank)
            rate = 1 / (1 + np.exp(-odds))
        else:
            after = np.searchsorted(knots[0], share)
            if after == 0 or after == n:
                rate = knots[1, min(after, n - 1)]
            else:
                low, high = knots[0, after - 1], knots[0, after]
                rate = knots[1, after - 1] + (knots[1, after] - knots[1, after - 1]) * (share - low) / (high - low)
        # Where a curve is flat, entries keep their channel's order: a millionth more for every place.
        values[p] = weight * max(rate, LEAST_RATE) * (1 + 1e-6 * max(10_000 - rank, 0.0))


@nb.njit(nogil=True, cache=True)
def head_sums(
    indptr: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], head: int, sums: npt.NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Write the sum of each list's first ``head`` scores above 0 into ``sums`` (n,)."""
    for query in range(indptr.size - 1):
        start, stop = indptr[query], indptr[query + 1]
        sums[query] = head_sum(scores, start, min(stop, start + head))


@nb.njit(nogil=True, cache=True)
def describe(
    columns: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    own: npt.NDArray[np.float32],
    heads: npt.NDArray[np.float64],
    score: float,
    item: int,
    levels: npt.NDArray[np.uint8],
    row: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write what trees look at into ``row``: a share, rank and head for each of C channels, then log score and level.

    ``ranks`` and ``own`` are one merged entry's, as :class:`graphrec.fusion.fused.FusedLists` has them, ``columns``
    (C,) the channels' columns there, -1 where one is absent; ``heads`` (C,) are its query's.
    """
    for c in range(columns.size):
        column = columns[c]
        there = column >= 0 and ranks[column] > 0
        row[3 * c] = max(own[column], 0.0) / heads[c] if there and heads[c] > 0 else 0.0
        row[3 * c + 1] = ranks[column] if there else _ABSENT
        row[3 * c + 2] = heads[c]
    row[3 * columns.size] = np.log(score)
    row[3 * columns.size + 1] = levels[item] if item < levels.size else 0


@nb.njit(nogil=True, cache=True)
def describe_all(
    entries: npt.NDArray[np.int64],
    queries: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    own: npt.NDArray[np.float32],
    heads: npt.NDArray[np.float64],
    levels: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write a row for each of some merged ``entries``, whose queries are ``queries``."""
    for place in range(entries.size):
        p = entries[place]
        describe(columns, ranks[p], own[p], heads[queries[place]], scores[p], items[p], levels, rows[place])


@nb.njit(nogil=True, cache=True)
def add_trees(
    rows: npt.NDArray[np.float32],
    roots: npt.NDArray[np.int32],
    features: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    rights: npt.NDArray[np.int32],
    totals: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add what trees say of each row to ``totals``: a node's left child follows it, a leaf's feature is -1."""
    for root in roots:
        for p in range(len(rows)):
            node = root
            while features[node] >= 0:
                node = node + 1 if rows[p, features[node]] <= values[node] else rights[node]
            totals[p] += values[node]


@nb.njit(nogil=True, cache=True)
def rescore(
    start: int,
    stop: int,
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    columns: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    own: npt.NDArray[np.float32],
    heads: npt.NDArray[np.float64],
    answers: npt.NDArray[np.int64],
    levels: npt.NDArray[np.uint8],
    roots: npt.NDArray[np.int32],
    features: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    rights: npt.NDArray[np.int32],
    rescored: npt.NDArray[np.float32],
    order: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Multiply the merged scores of queries ``start`` to ``stop`` by what trees say; write the new ``order`` of each.

    ``answers`` (n,) counts the channels that have entries for a query; where it is one, the order stays that channel's.
    """
    widest = 0
    for query in range(start, stop):
        widest = max(widest, indptr[query + 1] - indptr[query])
    rows, totals = np.empty((widest, 3 * columns.size + 2), dtype=np.float32), np.empty(widest)
    for query in range(start, stop):
        first, last = indptr[query], indptr[query + 1]
        rescored[first:last] = scores[first:last]
        if answers[query] > 1:
            n = last - first
            totals[:n] = 0.0
            for p in range(n):
                q = first + p
                describe(columns, ranks[q], own[q], heads[query], scores[q], items[q], levels, rows[p])
            add_trees(rows[:n], roots, features, values, rights, totals)
            for p in range(n):
                rescored[first + p] *= np.exp(totals[p])
        # Positive floats sort like their bits: by falling score, then by rising row.
        falling = np.int64(0x7FFFFFFF) - rescored[first:last].view(np.int32).astype(np.int64)
        order[first:last] = first + np.argsort((falling << np.int64(32)) | items[first:last])


@nb.njit(nogil=True, cache=True)
def merge_by_sum(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    values: npt.NDArray[np.float64],
    depth: int,
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
    out_own: npt.NDArray[np.float32],
) -> int:  # pragma: no cover - compiled
    """Merge each query's lists by the sum of its entries' values (>= 0); return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    entries = np.empty(widest, dtype=np.int32)
    sums = np.empty(widest, dtype=np.float64)
    totals = np.empty(widest, dtype=np.float32)
    bits = totals.view(np.int32)
    order = np.empty(widest, dtype=np.int64)
    places = np.empty(widest, dtype=np.int64)
    seen = np.full(widest, -1, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, depth, bounds, items, keys, slots, rows, entries)
        sums[:found] = 0.0
        places[:found] = -1
        entry = 0
        for channel in range(n_channels):
            start = bounds[channel, query]
            stop = bounds[channel, query + 1]
            if depth > 0:
                stop = min(stop, start + depth)
            # Who was seen by this channel of this query: an item that stands twice in a list counts once.
            mark = np.int64(query) * n_channels + channel
            for p in range(start, stop):
                slot = entries[entry]
                entry += 1
                if seen[slot] != mark:
                    seen[slot] = mark
                    sums[slot] += values[p]
        n_scored = 0
        for slot in range(found):
            totals[slot] = sums[slot]
            if totals[slot] > 0.0:
                # Positive floats sort like their bits, so one integer sorts by falling score, then by rising row.
                falling = np.int64(0x7FFFFFFF) - np.int64(bits[slot])
                order[n_scored] = (falling << np.int64(32)) | np.int64(rows[slot])
                n_scored += 1
        taken = min(k, n_scored)
        best = order[:n_scored]
        if taken < n_scored:
            best = np.partition(best, taken - 1)[:taken]
        best.sort()
        for position in range(taken):
            row = best[position] & np.int64(0x7FFFFFFF)
            slot = slots[find(row, keys, size - 1)]
            places[slot] = total + position
            out_items[total + position] = row
            out_scores[total + position] = totals[slot]
        tell(query, depth, bounds, scores, entries, places, total, total + taken, out_ranks, out_own)
        total += taken
        counts[query] = taken
    return total


@nb.njit(nogil=True, cache=True)
def merge_by_turns(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    turn_length: int,
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
    out_own: npt.NDArray[np.float32],
) -> int:  # pragma: no cover - compiled
    """Let channels take turns of up to ``turn_length`` places for each query; return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    entries = np.empty(widest, dtype=np.int32)
    places = np.empty(widest, dtype=np.int64)
    pointers = np.empty(n_channels, dtype=np.int64)
    starts = np.empty(n_channels + 1, dtype=np.int64)
    left = np.empty(n_channels, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, 0, bounds, items, keys, slots, rows, entries)
        places[:found] = -1
        starts[0] = 0
        for channel in range(n_channels):
            starts[channel + 1] = starts[channel] + bounds[channel, query + 1] - bounds[channel, query]
        pointers[:] = starts[:-1]
        taken = 0
        # First the quotas, then whatever room is left, for which no quota counts.
        for fill in range(2):
            if fill:
                left[:] = k
            else:
                left[:] = quotas
            turn = 0
            moved = True
            while moved and taken < k:
                moved = False
                for step in range(n_channels):
                    # Snake: whoever chose last in one round chooses first in the next.
                    channel = order[step if turn % 2 == 0 else n_channels - 1 - step]
                    allowed = min(turn_length, left[channel])
                    while allowed > 0 and taken < k and pointers[channel] < starts[channel + 1]:
                        slot = entries[pointers[channel]]
                        pointers[channel] += 1
                        if places[slot] < 0:
                            places[slot] = total + taken
                            out_items[total + taken] = rows[slot]
                            out_scores[total + taken] = 1.0 - taken / k
                            taken += 1
                            allowed -= 1
                            left[channel] -= 1
                            moved = True
                turn += 1
        tell(query, 0, bounds, scores, entries, places, total, total + taken, out_ranks, out_own)
        total += taken
        counts[query] = taken
    return total


@nb.njit(nogil=True, cache=True)
def number_cells(
    bounds: npt.NDArray[np.int64], items: npt.NDArray[np.int32], widest: int, cells: npt.NDArray[np.int64]
) -> int:  # pragma: no cover - compiled
    """Give every distinct (query, item) a number, written to the entries that name it; return how many there are."""
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    entries = np.empty(widest, dtype=np.int32)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, 0, bounds, items, keys, slots, rows, entries)
        entry = 0
        for channel in range(bounds.shape[0]):
            for p in range(bounds[channel, query], bounds[channel, query + 1]):
                cells[p] = total + entries[entry]
                entry += 1
        total += found
    return total


@nb.njit(nogil=True, cache=True)
def fresh_gains(
    bounds: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    worth: npt.NDArray[np.float64],
    placed: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    room: npt.NDArray[np.int64],
    gains: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add to ``gains[channel, j]`` what the channel's j-th next entries without a place are worth, over all queries."""
    for channel in range(bounds.shape[0]):
        for query in range(bounds.shape[1] - 1):
            fresh = 0
            for p in range(starts[channel, query], bounds[channel, query + 1]):
                if fresh == room[channel]:
                    break
                if not placed[cells[p]]:
                    fresh += 1
                    gains[channel, fresh] += worth[cells[p]]


@nb.njit(nogil=True, cache=True)
def place_fresh(
    bounds: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    placed: npt.NDArray[np.bool_],
    starts: npt.NDArray[np.int64],
    channel: int,
    step: int,
) -> None:  # pragma: no cover - compiled
    """Place the channel's next ``step`` entries without a place for every query, and move its start behind them."""
    for query in range(bounds.shape[1] - 1):
        p = starts[channel, query]
        fresh = 0
        while fresh < step and p < bounds[channel, query + 1]:
            if not placed[cells[p]]:
                placed[cells[p]] = True
                fresh += 1
            p += 1
        starts[channel, query] = p


@nb.njit(nogil=True, cache=True)
def count_shared(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    hits: npt.NDArray[np.bool_],
    k: int,
    widest: int,
    common: npt.NDArray[np.int64],
    unique_hits: npt.NDArray[np.int64],
    union_hits: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Add up what channels' top-k lists have in common, hits of one channel alone, and hits of any, by query."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    has = np.zeros((widest, n_channels), dtype=np.bool_)
    is_hit = np.zeros(widest, dtype=np.bool_)
    for query in range(bounds.shape[1] - 1):
        keys[:] = -1
        found = 0
        for c in range(n_channels):
            for p in range(bounds[c, query], min(bounds[c, query + 1], bounds[c, query] + k)):
                place = find(items[p], keys, size - 1)
                if keys[place] == -1:
                    keys[place] = items[p]
                    slots[place] = found
                    has[found, :] = False
                    is_hit[found] = False
                    found += 1
                has[slots[place], c] = True
                is_hit[slots[place]] |= hits[p]
        for slot in range(found):
            n_having = 0
            last = -1
            for a in range(n_channels):
                if has[slot, a]:
                    n_having += 1
                    last = a
                    for b in range(n_channels):
                        common[a, b] += has[slot, b]
            if is_hit[slot]:
                union_hits[query] += 1
                if n_having == 1:
                    unique_hits[last] += 1
