"""Meta-paths mined from a graph: those that join items liked together more often than items that are not."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions, take
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import INTERACTS, REVERSE_INTERACTS, CatalogueGraph
from graphrec.graph.pair_paths import paths_of_pairs
from graphrec.graph.path_composition import composed_pairs
from graphrec.graph.path_scores import PathScoring
from graphrec.graph.paths import Steps, path_graph
from graphrec.graph.relations import parse_path, path_text

RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
Joined = Mapping[str, IntArray]
# What users took together, as a path; short paths that are put together with each other.
_TOGETHER = path_text([REVERSE_INTERACTS, INTERACTS])
_PIECES = 6


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
    catalogue: CatalogueGraph,
    liked: Interactions,
    *,
    scoring: PathScoring | None = None,
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

    Pairs of items that a user took are drawn, a user first, and the second item is held out: on the graph that is mined
    he did not take it. No more than a fifth of the events are held out, and one of a user. As many pairs in which the
    second item is that of another drawn pair are equally popular, not liked together. Paths of one or two steps between
    the items of a pair are all found; of longer ones those that random steps from both ends, ``trials`` times, bring
    within two steps of each other. The best short paths are composed besides: each with what users took together, and
    the best six with each other.

    Parameters
    ----------
    catalogue : CatalogueGraph
        Items and entities.
    liked : Interactions
        One event a pair; users of one item draw none.
    scoring : PathScoring or None
        How compositions are scored; by default the probability of a walk. A composition joins a pair where its second
        item is among the 100 best of the first.
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
        First paths of one or two steps, then longer ones, half of ``n_paths`` each where there are so many. Of the
        short ones those come first that share an entity by one relation (``author/^author``), and what users took
        together; of the long ones these short paths twice over, and before what users took together. Else the next is
        that with the largest weight of the pairs liked together that it joins, times the logarithm of the lift; a pair
        counts half for each path taken before that joins it. Empty where no user took two items.

    Raises
    ------
    DataError
        If there are more than 10,000 relations.

    Notes
    -----
    Time O(n_pairs * trials * degree), and that of the compositions
    (:func:`graphrec.graph.path_composition.composed_pairs`); memory 8 kB a pair.
    """
    graph, left, first, second = _mined_graph(catalogue, liked, n_pairs, seed)
    if len(first) == 0:
        return []
    n, ends = len(first), (second, np.roll(second, len(second) // 2 or 1))
    walked = np.ones(len(graph.relation_names), np.bool_)
    if not through_users:
        walked[[graph.relation_names.index(name) for name in (INTERACTS, REVERSE_INTERACTS)]] = False
    joined = [
        paths_of_pairs(
            graph, first, end, max_length=max_length, trials=trials, hub_cap=hub_cap, walked=walked, seed=seed + place
        )
        for place, end in enumerate(ends)
    ]
    paths = _lifted(joined[0], joined[1], n, min_lift)
    steps, n_items = Steps(graph, catalogue.n_items), catalogue.n_items
    plain = {path.text for path in steps.shared_entities()} | {_TOGETHER}
    long = [path for path in paths if path.length > 2]
    short = _telling([path for path in paths if path.length <= 2], plain, joined[0], n_paths)
    doubled: set[str] = set()
    if max_length > 2:
        scoring = scoring or PathScoring(ends=np.ones(n_items), pool=np.ones(n_items, np.bool_))
        usable = [path.text for path in short if scoring.score != "pathsim" or _symmetric(steps, path)]
        parts = _parts(usable, max_length, together=through_users and len(left.items) > 0)
        near = dict(composed_pairs(steps, scoring, parts, first, ends))
        composed = [{text: held[place] for text, held in near.items()} for place in range(2)]
        long = [*(path for path in long if path.text not in near), *_lifted(composed[0], composed[1], n, min_lift)]
        joined[0] = {**joined[0], **composed[0]}
        doubled = {f"{text}/{after}" for text in plain for after in (text, _TOGETHER)}
    short = short[: n_paths - min(n_paths // 2, len(long))]
    return [*short, *_telling(long, doubled, joined[0], n_paths - len(short))]


def _mined_graph(
    catalogue: CatalogueGraph, liked: Interactions, n_pairs: int, seed: int
) -> tuple[Adjacency, Interactions, RowArray, RowArray]:
    """Return the graph without the second items' events, what is left of the events, and the pairs.

    Raises
    ------
    DataError
        If there are more relations than a path's code holds.
    """
    users, first, second = _pairs(liked, n_pairs, np.random.default_rng(seed))
    held_out = np.isin(liked.users * np.int64(liked.n_items) + liked.items, users * liked.n_items + second)
    left = take(liked, ~held_out)
    graph = path_graph(catalogue, left)
    if len(graph.relation_names) > 10_000:
        raise DataError(f"the graph has {len(graph.relation_names):,} relations; paths are mined among 10,000 at most")
    return graph, left, first, second


def _parts(short: Sequence[str], max_length: int, *, together: bool) -> list[tuple[str, str]]:
    """Return what is composed: each short path with what users took together, and the best with each other."""
    pieces = list(short[:_PIECES])
    parts = [(before, after) for before in pieces for after in pieces]
    if together:
        parts += [(path, _TOGETHER) for path in [*short, _TOGETHER]]
    return [
        (before, after)
        for before, after in dict.fromkeys(parts)
        if len(parse_path(before)) + len(parse_path(after)) <= max_length
    ]


def _symmetric(steps: Steps, path: MinedPath) -> bool:
    return steps.is_symmetric(steps.metapath(path.text))


def _lifted(liked: Joined, chance: Joined, n: int, min_lift: float) -> list[MinedPath]:
    """Return the paths whose lift suffices, in the order of ``liked``."""
    paths = []
    for text, pairs in liked.items():
        shares = (len(pairs) + 1) / (n + 1), (len(chance.get(text, ())) + 1) / (n + 1)
        # A path that joins fewer than three pairs may be a coincidence.
        if len(pairs) >= 3 and shares[0] / shares[1] >= min_lift:
            paths.append(MinedPath(text, *shares))
    return paths


def _telling(paths: Sequence[MinedPath], before: Container[str], liked: Joined, n: int) -> list[MinedPath]:
    """Return the n best paths, those whose text is in ``before`` first.

    Each is taken after what those before it join counts half.
    """
    weights = np.ones(max((int(pairs[-1]) + 1 for pairs in liked.values() if len(pairs)), default=0))
    chosen: list[MinedPath] = []
    for preferred in (True, False):
        left = [path for path in paths if (path.text in before) == preferred]
        while left and len(chosen) < n:
            gains = [weights[liked[path.text]].sum() * np.log(path.lift) for path in left]
            chosen.append(left.pop(int(np.argmax(gains))))
            weights[liked[chosen[-1].text]] /= 2
    return chosen


def _pairs(liked: Interactions, n: int, rng: np.random.Generator) -> tuple[IntArray, RowArray, RowArray]:
    """Return users, and two different items of each: the second is the same in all pairs of a user.

    At most n pairs, of n users where there are so many, but never of more users than a fifth of the events.
    """
    order = np.argsort(liked.users, kind="stable")
    items = liked.items[order]
    sizes = np.bincount(liked.users, minlength=liked.n_users)
    starts = np.cumsum(sizes) - sizes
    able = np.flatnonzero(sizes > 1)
    drawn = rng.permutation(able)[: max(1, min(n, len(items) // 5))]
    if len(drawn) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32)
    two = rng.integers(0, sizes[drawn])
    n_pairs = min(n, int((sizes[drawn] - 1).sum()))
    turns = rng.permutation(n_pairs) % len(drawn)
    users, two = drawn[turns], two[turns]
    one = (two + rng.integers(1, sizes[users])) % sizes[users]
    return users.astype(np.int64), items[starts[users] + one], items[starts[users] + two]
