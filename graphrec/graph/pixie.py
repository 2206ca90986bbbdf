r"""Pixie: nodes near several weighted query nodes at once, by counting visits of walks with restart [1]_.

Each query node q of a list has a number of steps of its own, by its weight :math:`w_q` and degree :math:`d_q`,

.. math:: N_q \propto w_q d_q (C - \log d_q), \qquad C = \max_v \log d_v \text{ over the targets},

and at least one, since a hub's walk spreads wider, but the largest hub would get none. Its visits
:math:`V_q[v]` are counted apart, and walking from q stops early when enough targets were visited often enough. With the
booster a list's score is :math:`(\sum_q \sqrt{V_q[v]})^2`, which favours what several query nodes reach; without it is
the sum.

References
----------
.. [1] C. Eksombatchai et al., "Pixie: a system for recommending 3+ billion items to 200+ million users in real-time",
   WWW 2018, algorithms 2 and 3. Differs: steps lead along any edges, not from pin to board to pin; walks restart by
   chance before a step in place of having a drawn length; scores may be discounted by degree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_at_least, check_count, check_flag, check_rows, typed
from graphrec.data.lists import ItemLists, indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import GAMMA, LOW, S32, below, key_of, mix, stream
from graphrec.graph.importance import check_restart, check_targets
from graphrec.graph.transitions import FloatArray, IntArray, RowArray, Transitions, transitions_of
from graphrec.kernels import kernel
from graphrec.memory import check_memory
from graphrec.sparse.topk import join, select_top
from graphrec.threads import map_chunks

Doubles = npt.NDArray[np.float64]
# Lists that one call of the kernel takes.
_CHUNK = 8
ABREAST = 64
"""Walks of a query node that are taken side by side, each with draws of its own."""


class Visited(NamedTuple):
    """Ranked nodes of each list, and the steps that walking took.

    Parameters
    ----------
    table : NeighbourTable
        n rows over the targets: column ``j`` is node ``start + j``; best first, ties by row, without the query nodes.
    steps : ndarray
        (n,) int64: fewer than were allowed where walking stopped early.
    """

    table: NeighbourTable
    steps: npt.NDArray[np.int64]


@typed
def pixie(
    adjacency: Adjacency,
    queries: ItemLists,
    *,
    top: int = 100,
    steps: int = 100_000,
    restart: float = 0.5,
    booster: bool = True,
    enough_targets: int = 2000,
    enough_visits: int = 4,
    degree_exponent: float = 0.0,
    seed: int,
    targets: tuple[int, int] | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Visited:
    """Return the targets that walks from the nodes of each list visit most.

    Parameters
    ----------
    adjacency : Adjacency
        The graph; steps go by its edge weights, where it has any.
    queries : ItemLists
        n lists of nodes (rows of the graph) and weights; nodes of weight 0 or less are left out.
    top : int, default 100
        Targets kept a list.
    steps : int, default 100,000
        Steps a list, shared out among its nodes.
    restart : float, default 0.5
        Probability of going back to the query node before a step, from 0 up to but not including 1.
    booster : bool, default True
        Reward what several query nodes reach. It helps where users have one interest at a time; measure it.
    enough_targets, enough_visits : int
        Walking from a query node stops when so many targets have so many of its visits; ``enough_targets=0`` never
        stops it.
    degree_exponent : float, default 0.0
        Scores are divided by degree to this power, >= 0: larger favours the long tail.
    seed : int
        A list's answer is a function of the graph, the settings, this and the list; threads and other lists play no
        part.
    targets, relation_weights, threads
        As :func:`graphrec.graph.importance.importance_neighbours`.

    Returns
    -------
    Visited
        ``table`` and ``steps``. A list whose nodes have no edges gets an empty row and takes no steps.

    Raises
    ------
    ConfigError
        On a setting out of range, or a result that memory may not hold.
    DataError
        On nodes out of range or a relation that the graph does not have.

    Notes
    -----
    Time O(n * steps); memory O(n * top) and two counters of ``stop - start`` numbers a thread.
    """
    start, stop = check_targets(targets, adjacency.n_nodes)
    how = PixieSteps(steps, restart, enough_targets, enough_visits)
    check_count("top", top, 1)
    check_walking(how, booster=booster, degree_exponent=degree_exponent)
    if not isinstance(queries, ItemLists):
        raise ConfigError(f"queries is of type {type(queries).__name__}; it must be ItemLists of rows of the graph")
    check_rows(queries.items, adjacency.n_nodes, name="queries")
    return walk_lists(
        transitions_of(adjacency, relation_weights),
        queries,
        how,
        top=top,
        booster=booster,
        degree_exponent=degree_exponent,
        seed=seed,
        targets=(start, stop),
        threads=threads,
    )


class PixieSteps(NamedTuple):
    """How walks are taken: see :func:`pixie`, which checks the values."""

    steps: int
    restart: float
    enough_targets: int
    enough_visits: int


def check_walking(how: PixieSteps, *, booster: bool, degree_exponent: float) -> None:
    """Raise ConfigError where a setting of walks or of their scores is out of range."""
    check_count("steps", how.steps, 1)
    check_count("enough_visits", how.enough_visits, 1)
    check_count("enough_targets", how.enough_targets, 0)
    check_restart(how.restart)
    check_flag("booster", booster)
    check_at_least("degree_exponent", degree_exponent, 0)


def walk_lists(
    walked: Transitions,
    queries: ItemLists,
    how: PixieSteps,
    *,
    top: int,
    booster: bool,
    degree_exponent: float,
    seed: int,
    targets: tuple[int, int],
    threads: int | None = None,
    apart: bool = False,
) -> Visited:
    """Return what :func:`pixie` does on a graph that was made ready before; nothing is checked.

    With ``apart`` there is a row for each node of the lists in place of each list: what its own walks, as many as it
    has steps of its list, give.
    """
    (start, stop), (steps, restart, enough_targets, enough_visits) = targets, how
    degrees = np.diff(walked.indptr)
    allotted = _allot(queries, degrees, float(np.log(max(1, degrees[start:stop].max(initial=1)))), steps)
    bounds = np.arange(len(queries.items) + 1) if apart else queries.indptr
    n_lists = len(bounds) - 1
    discount = np.maximum(degrees[start:stop], 1).astype(np.float64) ** -degree_exponent
    bound = min(top, stop - start, steps + len(queries.items))
    check_memory(8 * bound * n_lists, f"up to {bound:,} targets of {n_lists:,} lists", "lower top, or pass fewer lists")
    back, key = np.uint64(restart * 2.0**32), key_of(seed)

    def work(first: int, last: int) -> tuple[IntArray, IntArray, RowArray, FloatArray]:
        counts, taken = np.empty(last - first, np.int64), np.zeros(last - first, np.int64)
        rows, scores = np.empty((last - first) * bound, np.int32), np.empty((last - first) * bound, np.float32)
        total = visit_lists(
            *walked.arrays, bounds[first : last + 1], queries.items, allotted, back, key, start, booster,
            enough_targets, enough_visits, discount, counts, taken, rows, scores,
        )  # fmt: skip
        return taken, indptr_of(counts), rows[:total], scores[:total]

    parts = list(map_chunks(work, n_lists, chunk=_CHUNK, threads=threads))
    empty = (np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    indptr, rows, scores = join([part[1:] for part in parts] or [empty])
    taken = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    return Visited(NeighbourTable(indptr, rows, scores, n_columns=stop - start), taken)


def _allot(queries: ItemLists, degrees: IntArray, largest: float, steps: int) -> IntArray:
    """Return (m,) int64: the steps of each node of each list."""
    degree = degrees[queries.items].astype(np.float64)
    weights = np.where((queries.scores > 0) & (degree > 0), queries.scores, 0.0).astype(np.float64)
    shares = weights * degree * np.maximum(largest - np.log(np.maximum(degree, 1)), 0)
    owner = np.repeat(np.arange(len(queries)), queries.lengths)
    sums = np.bincount(owner, shares, minlength=len(queries))
    # Where every node is as large as the largest hub, weights alone decide.
    flat = sums[owner] == 0
    shares[flat] = weights[flat]
    sums = np.bincount(owner, shares, minlength=len(queries))
    parts = steps * shares / np.maximum(sums[owner], np.finfo(np.float64).tiny)
    return np.where(weights > 0, np.maximum(np.rint(parts), 1), 0).astype(np.int64)


@kernel
def next_edge(
    indptr: IntArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    here: np.int64,
    node: np.int64,
    back: np.uint64,
    state: np.uint64,
) -> tuple[np.uint64, np.int64, np.int64]:  # pragma: no cover - compiled
    """Return a walk's state after a step, the node that it steps from, ``node`` after a restart, and the edge.

    These are the draws of :func:`_visit`, which takes those of many walks in turns, since memory answers slowly.
    """
    state += GAMMA
    z = mix(state)
    if (z & LOW) < back or indptr[here] == indptr[here + 1]:
        here = node
    begin = indptr[here]
    edge = begin + below(z, indptr[here + 1] - begin)
    if thresholds.size > 0:
        state += GAMMA
        if (mix(state) >> S32) > np.uint64(thresholds[edge]):
            edge = begin + np.int64(aliases[edge])
    return state, here, edge


@kernel
def _visit(
    indptr: IntArray,
    indices: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    node: np.int64,
    steps: int,
    back: np.uint64,
    own: np.uint64,
    first: int,
    enough_targets: int,
    enough_visits: int,
    visits: Doubles,
    touched: RowArray,
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Count the visits of ``steps`` steps from ``node``; return the number of targets touched and of steps taken."""
    abreast = min(ABREAST, steps)
    states, here, edges = np.empty(abreast, np.uint64), np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    for a in range(abreast):
        states[a], here[a] = stream(own, np.uint64(a)), node
    n_touched, n_enough = 0, 0
    for done in range(0, steps, abreast):
        active = min(abreast, steps - done)
        for a in range(active):  # draw an edge for each walk
            states[a] += GAMMA
            z = mix(states[a])
            if (z & LOW) < back or indptr[here[a]] == indptr[here[a] + 1]:
                here[a] = node
            begin = indptr[here[a]]
            edges[a] = begin + below(z, indptr[here[a] + 1] - begin)
        if thresholds.size > 0:
            for a in range(active):
                states[a] += GAMMA
                if (mix(states[a]) >> S32) > np.uint64(thresholds[edges[a]]):
                    edges[a] = indptr[here[a]] + np.int64(aliases[edges[a]])
        for a in range(active):  # take it, and count where it leads
            here[a] = indices[edges[a]]
            target = here[a] - first
            if 0 <= target < visits.size and here[a] != node:
                if visits[target] == 0.0:
                    touched[n_touched] = target
                    n_touched += 1
                visits[target] += 1.0
                n_enough += visits[target] == enough_visits
        if enough_targets > 0 and n_enough >= enough_targets:
            return n_touched, done + active
    return n_touched, steps


@kernel
def visit_lists(
    indptr: IntArray,
    indices: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    lists: IntArray,
    nodes: RowArray,
    allotted: IntArray,
    back: np.uint64,
    key: np.uint64,
    first: int,
    booster: bool,
    enough_targets: int,
    enough_visits: int,
    discount: Doubles,
    counts: IntArray,
    taken: IntArray,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the best targets of each list and their scores; return how many there are in all.

    List ``i`` is ``nodes[lists[i]:lists[i + 1]]``. ``counts`` and ``taken`` (n,) get targets and steps of each list.
    """
    n, n_targets = lists.size - 1, discount.size
    top = rows.size // max(n, 1)
    visits, total = np.zeros(n_targets), np.zeros(n_targets)
    touched, known = np.empty(n_targets, np.int32), np.empty(n_targets, np.int32)
    place = 0
    for i in range(n):
        n_known = 0
        for q in range(lists[i], lists[i + 1]):
            if allotted[q] == 0:
                continue
            node = np.int64(nodes[q])
            own = stream(key, np.uint64(node))
            n_touched, steps = _visit(
                indptr, indices, thresholds, aliases, node, allotted[q], back, own, first,
                enough_targets, enough_visits, visits, touched,
            )  # fmt: skip
            taken[i] += steps
            for j in range(n_touched):
                target = touched[j]
                if total[target] == 0.0:
                    known[n_known] = target
                    n_known += 1
                total[target] += np.sqrt(visits[target]) if booster else visits[target]
                visits[target] = 0.0
        for j in range(n_known):
            value = total[known[j]]
            total[known[j]] = (value * value if booster else value) * discount[known[j]]
        for q in range(lists[i], lists[i + 1]):  # a list's own nodes are no answer to it
            if 0 <= nodes[q] - first < n_targets:
                total[nodes[q] - first] = 0.0
        n_left = 0
        for j in range(n_known):
            if total[known[j]] > 0.0:
                touched[n_left] = known[j]
                n_left += 1
        counts[i] = select_top(total, touched[:n_left], top, rows[place:], scores[place:])
        for j in range(n_known):
            total[known[j]] = 0.0
        place += counts[i]
    return place
