"""Meta-paths mined from a graph: those that join items liked together more often than items that are not."""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import INTERACTS, REVERSE_INTERACTS
from graphrec.graph.counter_random import GAMMA, below, key_of, mix, stream
from graphrec.graph.relations import parse_path, path_text, reverse_numbers

RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
# Different meta-paths that are remembered of a pair.
_KINDS = 1024


@dataclass(frozen=True, slots=True)
class MinedPath:
    """A meta-path, and the shares of the pairs that it joins: liked together, and taken from different users."""

    text: str
    liked: float
    chance: float

    @property
    def length(self) -> int:
        """Number of its steps."""
        return len(parse_path(self.text))

    @property
    def lift(self) -> float:
        """How much oftener it joins items liked together."""
        return self.liked / self.chance


def mine_paths(
    graph: Adjacency,
    liked: Interactions,
    *,
    max_length: int = 4,
    n_paths: int = 32,
    n_pairs: int = 2000,
    trials: int = 8,
    hub_cap: int = 1000,
    through_users: bool = True,
    min_lift: float = 1.2,
    seed: int = 0,
) -> list[MinedPath]:
    """Return the meta-paths that tell items liked together from others, the most telling first.

    Pairs of items that a user took are drawn, a user first, and as many pairs in which the second item is that of
    another drawn pair, so that both kinds are equally popular. Paths of one or two steps between them are all found;
    of longer ones those that random steps from both ends, ``trials`` times, bring within two steps of each other. No
    path leads through the user by whom a pair was drawn, through a hub, or back over the items of the pair.

    Parameters
    ----------
    graph : Adjacency
        See :func:`graphrec.graph.paths.path_graph`.
    liked : Interactions
        One event a pair; users of one item draw none.
    max_length : int, default 4
        Most steps of a path, up to 4.
    n_paths : int, default 32
        Paths returned at most.
    n_pairs : int, default 2000
        Pairs of either kind.
    trials : int, default 8
        Random steps from both ends, for each length above 2.
    hub_cap : int, default 1000
        Nodes with more edges of one relation are not walked through; 0 walks through all.
    through_users : bool, default True
        Whether paths may lead through users.
    min_lift : float, default 1.2
        Least quotient of the shares of either kind that a path joins, both counted from 1.
    seed : int, default 0
        Of all draws.

    Returns
    -------
    list of MinedPath
        First paths of one or two steps, then longer ones, half of ``n_paths`` each where there are so many. Of either
        kind the next is that with the largest weight of the pairs liked together that it joins, times the logarithm of
        the lift; a pair counts half for each path taken before that joins it. Empty where no user took two items.

    Raises
    ------
    DataError
        If there are more than 10,000 relations.

    Notes
    -----
    Time O(n_pairs * trials * degree); memory 8 kB a pair.
    """
    n_relations = len(graph.relation_names)
    if n_relations > 10_000:
        raise DataError(f"the graph has {n_relations:,} relations; paths are mined among 10,000 at most")
    rng = np.random.default_rng(seed)
    owners, first, second = _pairs(liked, n_pairs, rng)
    if len(first) == 0:
        return []
    walked = np.ones(n_relations, np.bool_)
    if not through_users:
        walked[[graph.relation_names.index(name) for name in (INTERACTS, REVERSE_INTERACTS)]] = False
    other = np.roll(second, len(second) // 2 or 1)
    users = (graph.n_nodes - liked.n_users + owners).astype(np.int32)
    hubs = _hubs(graph, hub_cap)
    joined = []
    for place, (ends, excluded) in enumerate(((second, users), (other, np.full_like(users, -1)))):
        codes = np.full((len(first), _KINDS), -1, np.int64)
        _paths_of_pairs(
            graph.indptr, graph.indices, graph.relations, reverse_numbers(graph), walked, first, ends, excluded,
            max_length, trials, hubs, key_of(seed + place), codes,
        )  # fmt: skip
        joined.append(_pairs_by_path(codes))
    paths = _lifted(graph, joined[0], joined[1], len(first), min_lift)
    n_long = min(n_paths // 2, sum(path.length > 2 for path in paths))
    weights = np.ones(len(first))
    short = _telling(paths, joined[0], weights, n_paths - n_long, longer=False)
    return [*short, *_telling(paths, joined[0], weights, n_paths - len(short), longer=True)]


def _pairs_by_path(codes: IntArray) -> dict[int, IntArray]:
    """Return the pairs that each path joins, by the path's code."""
    pairs, places = np.nonzero(codes >= 0)
    found = codes[pairs, places]
    order = np.argsort(found, kind="stable")
    kinds, starts = np.unique(found[order], return_index=True)
    return dict(zip(kinds.tolist(), np.split(pairs[order], starts[1:]), strict=True)) if len(kinds) else {}


def _hubs(graph: Adjacency, cap: int) -> npt.NDArray[np.bool_]:
    """Return (n_nodes,) bool: the nodes that more than ``cap`` edges of one relation leave."""
    hubs = np.zeros(graph.n_nodes, np.bool_)
    for node in np.flatnonzero(graph.degrees > cap) if cap else ():
        edges = slice(int(graph.indptr[node]), int(graph.indptr[node + 1]))
        hubs[node] = np.bincount(graph.relations[edges]).max() > cap
    return hubs


def _lifted(
    graph: Adjacency, liked: dict[int, IntArray], chance: dict[int, IntArray], n: int, min_lift: float
) -> dict[MinedPath, int]:
    """Return the paths whose lift suffices, with their codes, in order of their texts."""
    paths = {}
    for code, pairs in liked.items():
        shares = (len(pairs) + 1) / (n + 1), (len(chance.get(code, ())) + 1) / (n + 1)
        # A path that joins fewer than three pairs may be a coincidence.
        if len(pairs) >= 3 and shares[0] / shares[1] >= min_lift:
            paths[MinedPath(path_text(_names(graph, code)), *shares)] = code
    return dict(sorted(paths.items(), key=lambda entry: entry[0].text))


def _telling(
    paths: dict[MinedPath, int],
    liked: dict[int, IntArray],
    weights: npt.NDArray[np.float64],
    n: int,
    *,
    longer: bool,
) -> list[MinedPath]:
    """Return the n best paths of one or two steps, or of more, each taken after what those before it join counts half.

    ``weights`` (pairs,) is what each pair counts; it is changed.
    """
    left = [path for path in paths if (path.length > 2) == longer]
    chosen: list[MinedPath] = []
    while left and len(chosen) < n:
        gains = [weights[liked[paths[path]]].sum() * np.log(path.lift) for path in left]
        chosen.append(left.pop(int(np.argmax(gains))))
        weights[liked[paths[chosen[-1]]]] /= 2
    return chosen


def _names(graph: Adjacency, code: int) -> list[str]:
    """Return the relations of a path's code: digits of base n_relations + 1, each a number plus 1."""
    names, base = [], len(graph.relation_names) + 1
    while code:
        code, digit = divmod(code, base)
        names.append(graph.relation_names[digit - 1])
    return names[::-1]


def _pairs(liked: Interactions, n: int, rng: np.random.Generator) -> tuple[IntArray, RowArray, RowArray]:
    """Return n users of two items or more, drawn with replacement, and two different items of each."""
    order = np.argsort(liked.users, kind="stable")
    items = liked.items[order]
    sizes = np.bincount(liked.users, minlength=liked.n_users)
    starts = np.cumsum(sizes) - sizes
    able = np.flatnonzero(sizes > 1)
    if len(able) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32)
    users = rng.choice(able, n)
    one = rng.integers(0, sizes[users])
    two = (one + rng.integers(1, sizes[users])) % sizes[users]
    return users.astype(np.int64), items[starts[users] + one], items[starts[users] + two]


@nb.njit(nogil=True, cache=True)
def _step(
    indptr: IntArray,
    relations: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    node: int,
    z: np.uint64,
    counts: IntArray,
) -> int:  # pragma: no cover - compiled
    """Return a random edge of a random relation of a node, -1 where it has none that may be walked."""
    start, stop, n = indptr[node], indptr[node + 1], 0
    counts[:] = 0
    for edge in range(start, stop):
        if walked[relations[edge]]:
            n += counts[relations[edge]] == 0
            counts[relations[edge]] += 1
    if n == 0:
        return -1
    turn, wanted = below(z, np.int64(n)), 0
    for relation in range(counts.size):
        if counts[relation] > 0:
            if turn == 0:
                wanted = relation
                break
            turn -= 1
    left = below(mix(z), counts[wanted])
    for edge in range(start, stop):
        if relations[edge] == wanted:
            if left == 0:
                return int(edge)
            left -= 1
    return -1


@nb.njit(nogil=True, cache=True)
def _note(kinds: IntArray, n: int, code: int) -> int:  # pragma: no cover - compiled
    """Add a code to the first ``n`` of ``kinds`` unless it is there or there is no place; return how many they are."""
    for place in range(n):
        if kinds[place] == code:
            return n
    if n == kinds.size:
        return n
    kinds[n] = code
    return n + 1


@nb.njit(nogil=True, cache=True)
def _join(
    indptr: IntArray,
    indices: RowArray,
    relations: npt.NDArray[np.int16],
    reverses: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    x: int,
    y: int,
    a: int,
    b: int,
    user: int,
    hubs: npt.NDArray[np.bool_],
    head: int,
    tail: int,
    shift: int,
    kinds: IntArray,
    n: int,
) -> int:  # pragma: no cover - compiled
    """Note the codes of all paths x - m - y, with ``head`` before and ``tail`` (below ``shift``) after."""
    base = walked.size + 1
    p, stop = indptr[x], indptr[x + 1]
    q, last = indptr[y], indptr[y + 1]
    while p < stop and q < last:
        if indices[p] < indices[q]:
            p += 1
        elif indices[q] < indices[p]:
            q += 1
        else:
            middle = indices[p]
            fit = middle != user and middle != a and middle != b and not hubs[middle]
            at = q
            while at < last and indices[at] == middle:
                if fit and walked[relations[p]] and walked[relations[at]]:
                    code = (head * base + relations[p] + 1) * base + reverses[relations[at]] + 1
                    n = _note(kinds, n, code * shift + tail)
                at += 1
            p += 1
    return n


@nb.njit(nogil=True, cache=True)
def _paths_of_pairs(
    indptr: IntArray,
    indices: RowArray,
    relations: npt.NDArray[np.int16],
    reverses: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    first: RowArray,
    second: RowArray,
    users: RowArray,
    max_length: int,
    trials: int,
    hubs: npt.NDArray[np.bool_],
    key: np.uint64,
    codes: IntArray,
) -> None:  # pragma: no cover - compiled
    """Write the codes of the meta-paths of each pair to ``codes`` (n, kinds)."""
    base, counts = walked.size + 1, np.empty(walked.size, np.int64)
    for i in range(first.size):
        a, b, user, kinds, n = first[i], second[i], users[i], codes[i], 0
        state = stream(key, np.uint64(i))
        if a == b:
            continue
        for p in range(indptr[a], indptr[a + 1]):
            if indices[p] == b and walked[relations[p]]:
                n = _note(kinds, n, relations[p] + 1)
        if max_length >= 2:
            n = _join(indptr, indices, relations, reverses, walked, a, b, a, b, user, hubs, 0, 0, 1, kinds, n)
        for length in range(3, max_length + 1):
            for _ in range(trials):
                state += GAMMA
                p = _step(indptr, relations, walked, a, mix(state), counts)
                if p < 0 or indices[p] == b or indices[p] == user or hubs[indices[p]]:
                    continue
                y, tail, shift = b, 0, 1
                if length == 4:
                    state += GAMMA
                    q = _step(indptr, relations, walked, b, mix(state), counts)
                    if q < 0 or indices[q] == a or indices[q] == user or hubs[indices[q]]:
                        continue
                    y, tail, shift = indices[q], reverses[relations[q]] + 1, base
                head = relations[p] + 1
                n = _join(
                    indptr, indices, relations, reverses, walked, indices[p], y, a, b, user, hubs, head, tail, shift,
                    kinds, n,
                )  # fmt: skip
