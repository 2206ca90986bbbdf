"""Compiled parts of :mod:`graphrec.graph.sampling`: order by destination, draws of edges, numbering of nodes.

The draws of a node are a stream of their own (:mod:`graphrec.graph.counter_random`), keyed by the batch, the edge type
and the node's place in the sample: they come out the same in any chunk, on any thread.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.counter_random import GAMMA, below, mix, stream, unit
from graphrec.kernels import kernel

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
# Draws by weight for each edge wanted, before the rest is drawn by going through all edges of the node.
_PATIENCE = 8
_LARGEST = np.finfo(np.float64).max


@kernel
def order_by(destinations: IntArray, order: IntArray, indptr: IntArray) -> IntArray:  # pragma: no cover - compiled
    """Return ``order`` (m,) sorted by the destination of each edge, stable; O(m + n)."""
    cursor = indptr[:-1].copy()
    result = np.empty_like(order)
    for i in range(order.size):
        edge = order[i]
        result[cursor[destinations[edge]]] = edge
        cursor[destinations[edge]] += 1
    return result


@kernel
def cumulate(indptr: IntArray, weights: FloatArray) -> FloatArray:  # pragma: no cover - compiled
    """Return the running sums of weights within each node, last included."""
    sums = np.empty_like(weights)
    for node in range(indptr.size - 1):
        total = 0.0
        for edge in range(indptr[node], indptr[node + 1]):
            total += weights[edge]
            sums[edge] = total
    return sums


@kernel
def legal_edges(
    indptr: IntArray,
    times: npt.NDArray[np.generic],
    nodes: IntArray,
    trees: IntArray,
    limits: npt.NDArray[np.generic],
    fan_out: int,
    replace: bool,
    last: bool,
    starts: IntArray,
    stops: IntArray,
    counts: IntArray,
) -> None:  # pragma: no cover - compiled
    """Fill the run of edges that each of ``nodes`` may be given, and how many of them it is given.

    With ``times`` (ascending within a node) a run ends with the last edge that is no later than the limit of the
    node's tree; with ``last`` it begins ``fan_out`` edges before that. A ``fan_out`` below 0 takes all.
    """
    for i in range(nodes.size):
        low, high = indptr[nodes[i]], indptr[nodes[i] + 1]
        if times.size:
            limit, first = limits[trees[i]], low
            while first < high:
                middle = (first + high) >> 1
                if times[middle] <= limit:
                    first = middle + 1
                else:
                    high = middle
            if last and fan_out >= 0:
                low = max(low, high - fan_out)
        starts[i], stops[i] = low, high
        population = high - low
        counts[i] = population
        if fan_out >= 0 and population > 0 and (replace or population > fan_out):
            counts[i] = fan_out


@kernel(inline="always")
def _insert(slots: IntArray, number: int) -> bool:  # pragma: no cover - compiled
    """Put ``number`` into a hash set (-1 is empty, its size a power of two); return whether it is new."""
    mask = slots.size - 1
    slot = number & mask
    while slots[slot] >= 0:
        if slots[slot] == number:
            return False
        slot = (slot + 1) & mask
    slots[slot] = number
    return True


@kernel(inline="always")
def _by_weight(sums: FloatArray, low: int, high: int, base: float, share: float) -> int:  # pragma: no cover - compiled
    """Return the edge of ``low..high-1`` at a share of the weight; ``base`` is the sum before ``low``."""
    wanted, stop = base + share * (sums[high - 1] - base), high - 1
    while low < stop:
        middle = (low + stop) >> 1
        if sums[middle] <= wanted:
            low = middle + 1
        else:
            stop = middle
    return low


@kernel
def _distinct_by_weight(
    sums: FloatArray, low: int, high: int, base: float, state: np.uint64, slots: IntArray, chosen: IntArray
) -> None:  # pragma: no cover - compiled
    """Fill ``chosen`` with edges drawn in turn by weight among those left.

    Refusing edges drawn before gives the same distribution; where that would take long, the first of exponential
    clocks do (Efraimidis and Spirakis 2006).
    """
    n, count = 0, chosen.size
    if high - low > 4 * count:
        for _ in range(_PATIENCE * count):
            state += GAMMA
            edge = _by_weight(sums, low, high, base, unit(mix(state)))
            if _insert(slots, edge - low):
                chosen[n] = edge
                n += 1
                if n == count:
                    return
    clocks = np.empty(high - low, np.float64)
    before = base
    for edge in range(low, high):
        weight, before = sums[edge] - before, sums[edge]
        state += GAMMA
        # A weight that vanishes beside the others comes last.
        clock = -np.log1p(-unit(mix(state))) / weight if weight > 0.0 else _LARGEST
        clocks[edge - low] = min(clock, _LARGEST)
    for j in range(n):
        clocks[chosen[j] - low] = np.inf
    order = np.argsort(clocks)
    for j in range(n, count):
        chosen[j] = low + order[j - n]


@kernel
def draw_edges(
    starts: IntArray,
    stops: IntArray,
    offsets: IntArray,
    bases: FloatArray,
    sums: FloatArray,
    with_repeats: bool,
    key: np.uint64,
    first: int,
    begin: int,
    end: int,
    sources: npt.NDArray[np.integer],
    edges: IntArray,
    rows: IntArray,
    names: IntArray,
) -> None:  # pragma: no cover - compiled
    """Draw edges of the run of node i for ``begin <= i < end``; fill their sources and numbers from ``offsets[i]`` on.

    ``sums`` are empty where all edges weigh the same; ``bases`` are the sums before each run. ``first`` is the place in
    the sample of node 0, which keys its stream.
    """
    chosen = names  # positions first, numbers in the end
    widest = 1
    for i in range(begin, end):
        widest = max(widest, offsets[i + 1] - offsets[i])
    size = 2
    while size < 2 * widest:
        size *= 2
    slots = np.empty(size, np.int64)
    for i in range(begin, end):
        low, high, place, stop = starts[i], stops[i], offsets[i], offsets[i + 1]
        count, population = stop - place, high - low
        state = stream(key, np.uint64(first + i))
        if count == population and not with_repeats:
            for j in range(count):
                chosen[place + j] = low + j
        elif with_repeats:
            for j in range(place, stop):
                state += GAMMA
                if sums.size:
                    chosen[j] = _by_weight(sums, low, high, bases[i], unit(mix(state)))
                else:
                    chosen[j] = low + below(mix(state), population)
        elif sums.size:
            slots[:] = -1
            _distinct_by_weight(sums, low, high, bases[i], state, slots, chosen[place:stop])
        else:  # Floyd's algorithm: one draw for each edge
            slots[:] = -1
            for limit in range(population - count, population):
                state += GAMMA
                pick = int(below(mix(state), np.int64(limit + 1)))
                if not _insert(slots, pick):
                    pick = limit
                    _insert(slots, pick)
                chosen[place] = low + pick
                place += 1
    # A loop of its own: the processor waits for many places of memory at once.
    for j in range(offsets[begin], offsets[end]):
        edge = chosen[j]
        rows[j] = sources[edge]
        names[j] = edges[edge]


@kernel(inline="always")
def _slot(table: IntArray, key: int, direct: bool) -> int:  # pragma: no cover - compiled
    """Return the slot of ``key`` in a table of keys and places, or the empty one (-1) that it may take."""
    if direct:
        return key
    mask = len(table) - 1
    slot = np.int64(mix(np.uint64(key)) & np.uint64(mask))
    while table[slot, 0] >= 0 and table[slot, 0] != key:
        slot = (slot + 1) & mask
    return int(slot)


@kernel
def number_nodes(
    given: IntArray,
    given_trees: IntArray,
    stride: int,
    table: IntArray,
    direct: bool,
    nodes: IntArray,
    trees: IntArray,
    count: int,
) -> int:  # pragma: no cover - compiled
    """Append all of ``given`` to ``nodes`` from ``count`` on; the first of equal ones is what edges will name."""
    for i in range(given.size):
        tree = given_trees[i] if given_trees.size else 0
        key = tree * stride + given[i]
        slot = _slot(table, key, direct)
        if table[slot, 0] < 0:
            table[slot, 0], table[slot, 1] = key, count
        nodes[count] = given[i]
        if trees.size:
            trees[count] = tree
        count += 1
    return count


@kernel
def number_sources(
    offsets: IntArray,
    first: int,
    owner_trees: IntArray,
    stride: int,
    table: IntArray,
    direct: bool,
    nodes: IntArray,
    trees: IntArray,
    count: int,
    rows: IntArray,
    columns: IntArray,
) -> int:  # pragma: no cover - compiled
    """Append the sources in ``rows`` that are new to ``nodes``; fill the places of both ends of each edge."""
    for i in range(offsets.size - 1):
        tree = owner_trees[i] if owner_trees.size else 0
        for j in range(offsets[i], offsets[i + 1]):
            key = int(tree * stride + rows[j])
            slot = _slot(table, key, direct)
            if table[slot, 0] < 0:
                table[slot, 0], table[slot, 1] = key, count
                nodes[count] = rows[j]
                if trees.size:
                    trees[count] = tree
                count += 1
            rows[j] = table[slot, 1]
            columns[j] = first + i
    return count


@kernel
def move_keys(table: IntArray, wider: IntArray) -> None:  # pragma: no cover - compiled
    """Copy a hash table into a larger one."""
    for old in range(len(table)):
        if table[old, 0] >= 0:
            slot = _slot(wider, table[old, 0], False)
            wider[slot, 0], wider[slot, 1] = table[old, 0], table[old, 1]


@kernel
def edges_within(
    starts: IntArray,
    stops: IntArray,
    trees: IntArray,
    sources: npt.NDArray[np.integer],
    stride: int,
    table: IntArray,
    direct: bool,
    begin: int,
    end: int,
    offsets: IntArray,
    rows: IntArray,
    columns: IntArray,
    chosen: IntArray,
) -> None:  # pragma: no cover - compiled
    """Find the edges whose source is in the sample, for the runs ``begin..end-1``.

    With ``chosen`` empty, their number is written to ``offsets[i + 1]``; else they are written from ``offsets[i]`` on.
    """
    for i in range(begin, end):
        tree = trees[i] if trees.size else 0
        place = offsets[i] if chosen.size else 0
        for edge in range(starts[i], stops[i]):
            key = int(tree * stride + sources[edge])
            slot = _slot(table, key, direct)
            if table[slot, 0] < 0:
                continue
            if chosen.size:
                rows[place], columns[place], chosen[place] = table[slot, 1], i, edge
            place += 1
        if not chosen.size:
            offsets[i + 1] = place
