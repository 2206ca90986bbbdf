"""What PinSage is trained on: item pairs, negatives, histories cut in two, and the neighbourhoods that they need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.interactions import DAY_S, Interactions
from graphrec.data.lists import indptr_of, lists_of
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.errors import DataError
from graphrec.kernels import kernel
from graphrec.recallers.profile import Profile, profile_weights
from graphrec.sparse.taste import degrees, inverse_power, liked_pairs, scaled

Rows = npt.NDArray[np.int64]
Places = npt.NDArray[np.int32]
Seeds = npt.NDArray[np.uint64]
FloatArray = npt.NDArray[np.float32]
# Neighbours of a layer: half the bytes of 64 bits, and the time of a batch is that of reading them.
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One layer's neighbourhoods: what ``n`` nodes pool, among ``s`` nodes of the layer below.

    Parameters
    ----------
    nodes : ndarray
        (s,) int64 distinct items; the first n of them are those that pool.
    indptr, neighbours : ndarray
        (n + 1,) and (m,) int32: node i pools ``nodes[neighbours[indptr[i]:indptr[i + 1]]]``.
    weights : ndarray
        (m,) float32 above 0; those of a node add up to 1.
    turned_indptr, poolers, turned_weights : ndarray
        (s + 1,) int32, (m,) int32 and (m,) float32: the same by what is pooled: ``nodes[j]`` is pooled by the nodes
        ``poolers[turned_indptr[j]:turned_indptr[j + 1]]``. A gradient goes this way.
    """

    nodes: Rows
    indptr: Places
    neighbours: Places
    weights: FloatArray
    turned_indptr: Places
    poolers: Places
    turned_weights: FloatArray


def block_of(nodes: Rows, indptr: Rows | Places, neighbours: Rows | Places, weights: FloatArray) -> Block:
    """Return the block with its other direction; DataError beyond ``2^31 - 1`` neighbours."""
    _check_size(len(neighbours))
    lists = indptr.astype(np.int32, copy=False), neighbours.astype(np.int32, copy=False), weights
    return Block(nodes, *lists, *_turned(len(nodes), *lists))


def _check_size(n_neighbours: int) -> None:
    """Raise DataError where a layer has more neighbours than 32 bits count."""
    if n_neighbours > _MOST:
        raise DataError(
            f"a layer has {n_neighbours:,} neighbours; at most {_MOST:,}: keep fewer neighbours an item, or cut the "
            "items into parts"
        )


class Frontier:
    """Samples the blocks of some items from everybody's neighbourhoods; each node stands in a layer once.

    The work of a batch is that of its distinct nodes, never more than that of the whole catalogue. Not to be used from
    two threads at once.

    Parameters
    ----------
    table : NeighbourTable
        (n_items, n_items): weighted neighbours of each item.
    layers : int
        Blocks to make.
    """

    def __init__(self, table: NeighbourTable, layers: int) -> None:
        self._table, self._layers = table, layers
        self._place = np.full(len(table), -1, dtype=np.int32)
        self._left_out = np.zeros(len(table.neighbours), dtype=np.bool_)

    def blocks(self, seeds: Rows, pairs: tuple[Rows, Rows] | None = None) -> list[Block]:
        """Return the blocks that lead to ``seeds`` (n,), distinct items: the lowest layer first.

        Parameters
        ----------
        pairs : two ndarrays or None
            (p,) items each: the edges between the two items of a pair, either way, are left out in all layers, and the
            weights that are left add up to 1 again. What a model is to tell may not stand in what it reads.
        """
        left, right = pairs or (seeds[:0], seeds[:0])
        edges = self._table.indptr, self._table.neighbours
        _mark(*edges, left, right, self._left_out, True)
        blocks: list[Block] = []
        try:
            for _ in range(self._layers):
                blocks.append(self._block(seeds))
                seeds = blocks[-1].nodes
        finally:
            _mark(*edges, left, right, self._left_out, False)
        return blocks[::-1]

    def _block(self, seeds: Rows) -> Block:
        table = self._table
        _check_size(int((table.indptr[seeds + 1] - table.indptr[seeds]).sum()))
        return block_of(*_expand(table.indptr, table.neighbours, table.scores, seeds, self._left_out, self._place))


def shared_items(queries: Rows, candidates: Rows) -> tuple[Rows, Rows]:
    """Return the places among queries and among distinct candidates of the pairs that are of one item."""
    places = np.full(max(queries.max(initial=-1), candidates.max(initial=-1)) + 1, -1, dtype=np.int64)
    places[candidates] = np.arange(len(candidates))
    shared = np.flatnonzero(places[queries] >= 0)
    return shared, places[queries[shared]]


def whole(table: NeighbourTable) -> Block:
    """Return the block of all items: what each pools among all."""
    return Frontier(table, 1).blocks(np.arange(len(table), dtype=np.int64))[0]


def rows_of(table: NeighbourTable, rows: Rows) -> Block:
    """Return the block of some ``rows`` (n,) of a table, over all of its columns."""
    starts, lengths = table.indptr[rows], np.diff(table.indptr)[rows]
    indptr = indptr_of(lengths)
    places = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
    nodes = np.arange(table.n_columns, dtype=np.int64)
    return block_of(nodes, indptr, table.neighbours[places], table.scores[places])


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Everybody's liked items, oldest first: user u took ``items[indptr[u]:indptr[u + 1]]``.

    Parameters
    ----------
    indptr, items : ndarray
        (n_users + 1,) and (m,) int64.
    weights : ndarray
        (m,) float32 above 0.
    n_items : int
        Size of the catalogue.
    times : ndarray or None
        (m,) int64 seconds; None where no times are known.
    """

    indptr: Rows
    items: Rows
    weights: FloatArray
    n_items: int
    times: npt.NDArray[np.int64] | None

    @property
    def ordered(self) -> bool:
        """Whether the order is one of time."""
        return self.times is not None

    @property
    def events(self) -> Rows:
        """(n_items,) int64: each item's number of events."""
        return np.bincount(self.items, minlength=self.n_items)

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """(n_items,) float64: each item's share of all events."""
        return self.events / max(len(self.items), 1)

    def discounts(self, power: float) -> FloatArray:
        """Return (n_items,) float32: each item's number of events to the power ``-power``, 1 for an average event."""
        shares = self.shares
        discounts = np.maximum(shares, 1 / max(len(self.items), 1)) ** -power
        return (discounts / max(float(discounts @ shares), 1e-12) if len(self.items) else discounts).astype(np.float32)

    def fresh_events(self, half_life_days: float) -> npt.NDArray[np.float64]:
        """Return (n_items,) float64: each item's number of events, each counted by :meth:`freshness`."""
        fresh = self.freshness(half_life_days)
        return np.asarray(np.bincount(self.items, weights=fresh, minlength=self.n_items), dtype=np.float64)

    def freshness(self, half_life_days: float) -> FloatArray:
        """Return (m,) float32: what each pair counts by its age, halved every ``half_life_days``, 1 on average.

        Ones without times, and for half-lives so long that all pairs count alike.
        """
        if self.times is None or not len(self.times) or math.isinf(half_life_days):
            return np.ones(len(self.items), dtype=np.float32)
        ages = (self.times.max() - self.times) / DAY_S
        counted = np.exp2(-ages / half_life_days)
        return np.asarray(counted / counted.mean(), dtype=np.float32)


def takers_of(histories: Histories) -> NeighbourTable:
    r"""Return (n_items, n_users): who took each item, with :math:`1 / \sqrt{d_u d_i}` for u's and i's events."""
    n_users = len(histories.indptr) - 1
    ones = np.ones(len(histories.items), dtype=np.float32)
    taste = sp.csr_array((ones, histories.items, histories.indptr), shape=(n_users, histories.n_items))
    by_user, by_item = inverse_power(degrees(taste, 1), 0.5), inverse_power(degrees(taste, 0), 0.5)
    return csr_table(sp.csr_array(scaled(taste, rows=by_user, columns=by_item).T.tocsr()))


def histories_of(interactions: Interactions) -> Histories:
    """Return the histories in a table of events: liked pairs, each once, by user."""
    pairs = liked_pairs(interactions)
    indptr = indptr_of(np.bincount(pairs.users, minlength=pairs.n_users))
    items = pairs.items.astype(np.int64)
    return Histories(indptr, items, pairs.weights, pairs.n_items, pairs.times)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How batches are drawn: settings of the recipe, :class:`graphrec.models.graph_networks.pinsage.PinSage`."""

    batch: int
    held: float
    exponent: float
    discount: float
    profile: Profile
    negatives: int
    in_batch: bool
    pairs: bool
    window: int


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One step's work. Items are positions among ``seeds`` (s,), the distinct items that must have a vector.

    Parameters
    ----------
    seeds : ndarray
        (s,) int64 rows of the catalogue, ascending.
    blocks : sequence of Block
        Lead to the seeds, lowest layer first.
    users : ndarray
        (b,) int64 rows.
    history_indptr, history, history_weights : ndarray
        (b + 1,), (h,) and (h,) float32: what is read of each user's history, and how much of it counts.
    owners, taken : ndarray
        (m,) places among the users, and what each is to tell.
    queries, partners : ndarray
        (p,) pairs of items.
    hard : ndarray
        (p, r) negatives of each query's own.
    candidates, log_q : ndarray
        (n,) negatives for all, and (n,) float32: the log of how likely each was to be among them.
    """

    seeds: Rows
    blocks: Sequence[Block]
    users: Rows
    history_indptr: Rows
    history: Rows
    history_weights: FloatArray
    owners: Rows
    taken: Rows
    queries: Rows
    partners: Rows
    hard: Rows
    candidates: Rows
    log_q: FloatArray


class Batches:
    """Makes the batches of users: a part of each history to read and the rest to tell.

    What is drawn for a user follows from his own number alone, so that a batch may be divided among processes.

    Parameters
    ----------
    histories : Histories
        Of training.
    frontier : Frontier
        Makes the blocks of a batch.
    settings : BatchSettings
        How they are drawn.
    band : NeighbourTable or None
        (n_items, n_items): for each item, those that are near but not next to it; hard negatives are drawn from them.
    """

    def __init__(
        self, histories: Histories, frontier: Frontier, settings: BatchSettings, band: NeighbourTable | None = None
    ) -> None:
        self._histories, self._frontier, self._settings, self._band = histories, frontier, settings, band
        self._shares, self._discounts = histories.shares, histories.discounts(settings.discount)
        self._users = np.flatnonzero(np.diff(histories.indptr))

    def __len__(self) -> int:
        return -(-len(self._users) // self._settings.batch)

    @property
    def pairs_per_user(self) -> float:
        """Items that a user has to tell, on average; at least a tiny number."""
        return max(len(self._histories.items) * (self._settings.held or 1.0) / max(len(self._users), 1), 1e-9)

    def epoch(self, rng: np.random.Generator) -> Iterator[tuple[Rows, Seeds, Rows]]:
        """Yield for each batch of an epoch its users, a number of each, and the negatives that all share."""
        order = rng.permutation(self._users)
        n_items = self._histories.n_items
        for start in range(0, len(order), self._settings.batch):
            users = np.sort(order[start : start + self._settings.batch])
            numbers = rng.integers(0, 1 << 63, len(users)).astype(np.uint64)
            wanted = min(self._settings.negatives, n_items)
            yield users, numbers, np.sort(rng.choice(n_items, wanted, replace=False)).astype(np.int64)

    def batch(self, users: Rows, numbers: Seeds, negatives: Rows, n_hard: int = 0) -> Batch:
        """Return the batch of some ``users`` (b,) with their ``numbers``, and ``n_hard`` hard negatives a query."""
        settings, histories = self._settings, self._histories
        starts, lengths = histories.indptr[users], np.diff(histories.indptr)[users]
        owners = np.repeat(np.arange(len(users)), lengths)
        bounds = indptr_of(lengths)
        first = np.arange(bounds[-1]) - bounds[owners]
        places = first + starts[owners]
        items, keys = histories.items[places], numbers[owners]
        hidden = _drawn(keys, first, 0) < settings.held
        indptr, weights = self._weights(owners[~hidden], histories.weights[places[~hidden]], len(users))
        weights *= self._discounts[items[~hidden]]
        told = hidden if settings.held else np.ones(len(items), dtype=np.bool_)
        queries, partners, hard = self._pairs(items, owners, bounds, keys, n_hard)
        candidates, log_q = self._candidates(negatives, items[told])
        seeds, where = np.unique(
            np.concatenate([items[~hidden], items[told], queries, partners, candidates, hard.ravel()]),
            return_inverse=True,
        )
        sizes = [int((~hidden).sum()), int(told.sum()), len(queries), len(partners), len(candidates)]
        history, taken, left, right, shared, own = np.split(where, np.cumsum(sizes))
        return Batch(
            seeds, self._frontier.blocks(seeds, (queries, partners) if len(queries) else None), users, indptr, history,
            weights, owners[told], taken, left, right, own.reshape(hard.shape), shared, log_q,
        )  # fmt: skip

    def _weights(self, owners: Rows, weights: FloatArray, n: int) -> tuple[Rows, FloatArray]:
        """Return where n histories start, and what each entry weighs in the user's vector."""
        settings = self._settings
        indptr = indptr_of(np.bincount(owners, minlength=n))
        counted = profile_weights(lists_of(indptr, owners.astype(np.int32), weights), settings.profile)
        mass = np.bincount(owners, weights=counted, minlength=n)
        return indptr, (counted / np.maximum(mass, 1e-12)[owners] ** settings.exponent).astype(np.float32)

    def _pairs(self, items: Rows, owners: Rows, bounds: Rows, keys: Seeds, n_hard: int) -> tuple[Rows, Rows, Rows]:
        """Return for each event another item of the same user, and hard negatives of the first.

        Where times are known, the other is a later one of the next few.
        """
        none = np.empty(0, dtype=np.int64)
        if not self._settings.pairs:
            return none, none, none.reshape(0, 0)
        first, lengths = np.arange(len(items)) - bounds[owners], np.diff(bounds)[owners]
        part = _drawn(keys, first, 1)
        if self._histories.ordered and self._settings.window:
            most = np.minimum(self._settings.window, np.maximum(lengths - first - 1, 1))
            second = first + 1 + (part * most).astype(np.int64)
            kept = second < lengths
        else:
            second = (first + 1 + (part * np.maximum(lengths - 1, 1)).astype(np.int64)) % lengths
            kept = lengths > 1
        queries = items[kept]
        return queries, items[(bounds[owners] + second)[kept]], self._hard(queries, keys[kept], first[kept], n_hard)

    def _candidates(self, negatives: Rows, taken: Rows) -> tuple[Rows, FloatArray]:
        """Return the distinct negatives that the batch shares, and the log of how likely each was to be among them."""
        n_items = self._histories.n_items
        if len(negatives) == n_items or not self._settings.in_batch:
            return negatives, np.full(len(negatives), np.log(len(negatives) / n_items), dtype=np.float32)
        candidates = np.unique(np.concatenate([negatives, taken]))
        missed = (1 - self._shares[candidates]) ** len(taken) * (1 - len(negatives) / n_items)
        return candidates, np.log1p(-np.minimum(missed, 1 - 1e-9)).astype(np.float32)

    def _hard(self, queries: Rows, keys: Seeds, first: Rows, n: int) -> Rows:
        """Return (p, n) items from the band of each query; an item at random where a band is empty."""
        if n == 0 or self._band is None:
            return np.empty((len(queries), 0), dtype=np.int64)
        parts = np.stack([_drawn(keys, first, 2 + r) for r in range(n)], axis=1)  # (p, n)
        starts, sizes = self._band.indptr[queries][:, None], np.diff(self._band.indptr)[queries][:, None]
        anything = (parts * self._histories.n_items).astype(np.int64)
        if not len(self._band.neighbours):
            return anything
        places = np.minimum(starts + (parts * sizes).astype(np.int64), len(self._band.neighbours) - 1)
        return np.where(sizes > 0, self._band.neighbours[places], anything).astype(np.int64)


def _drawn(keys: Seeds, places: Rows, stream: int) -> npt.NDArray[np.float64]:
    """Return (m,) numbers from 0 up to but not including 1, a function of key, place and stream (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = keys + (places.astype(np.uint64) * np.uint64(64) + np.uint64(stream + 1)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    drawn: npt.NDArray[np.float64] = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return drawn


@kernel
def _mark(
    indptr: Rows, neighbours: Places, left: Rows, right: Rows, marks: npt.NDArray[np.bool_], value: bool
) -> None:  # pragma: no cover - compiled
    """Set the marks of all edges between ``left[i]`` and ``right[i]``, either way."""
    for i in range(left.size):
        for a, b in ((left[i], right[i]), (right[i], left[i])):
            for p in range(indptr[a], indptr[a + 1]):
                if neighbours[p] == b:
                    marks[p] = value


@kernel
def _expand(
    indptr: Rows,
    neighbours: Places,
    scores: FloatArray,
    seeds: Rows,
    left_out: npt.NDArray[np.bool_],
    place: Places,
) -> tuple[Rows, Places, Places, FloatArray]:  # pragma: no cover - compiled
    """Return nodes, indptr, neighbours and weights of a block; ``place`` is -1 everywhere, before and after."""
    total = 0
    for seed in seeds:
        total += indptr[seed + 1] - indptr[seed]
    nodes = np.empty(min(seeds.size + total, place.size), dtype=np.int64)
    bounds = np.zeros(seeds.size + 1, dtype=np.int32)
    places = np.empty(total, dtype=np.int32)
    weights = np.empty(total, dtype=np.float32)
    for i in range(seeds.size):
        nodes[i] = seeds[i]
        place[seeds[i]] = i
    n_nodes, m = seeds.size, 0
    for i in range(seeds.size):
        start, mass = m, np.float32(0)
        for p in range(indptr[seeds[i]], indptr[seeds[i] + 1]):
            if left_out[p]:
                continue
            other = neighbours[p]
            if place[other] < 0:
                place[other] = n_nodes
                nodes[n_nodes] = other
                n_nodes += 1
            places[m] = place[other]
            weights[m] = scores[p]
            mass += scores[p]
            m += 1
        for p in range(start, m):
            weights[p] /= mass
        bounds[i + 1] = m
    for i in range(n_nodes):
        place[nodes[i]] = -1
    return nodes[:n_nodes].copy(), bounds, places[:m].copy(), weights[:m].copy()


@kernel
def _turned(
    n: int, indptr: Places, neighbours: Places, weights: FloatArray
) -> tuple[Places, Places, FloatArray]:  # pragma: no cover - compiled
    """Return the transpose of a CSR matrix with ``n`` columns, rows in order."""
    bounds = np.zeros(n + 1, dtype=np.int32)
    for j in neighbours:
        bounds[j + 1] += 1
    for j in range(n):
        bounds[j + 1] += bounds[j]
    free = bounds[:n].copy()
    rows = np.empty(neighbours.size, dtype=np.int32)
    turned = np.empty(neighbours.size, dtype=np.float32)
    for i in range(indptr.size - 1):
        for p in range(indptr[i], indptr[i + 1]):
            place = free[neighbours[p]]
            rows[place], turned[place] = i, weights[p]
            free[neighbours[p]] += 1
    return bounds, rows, turned
