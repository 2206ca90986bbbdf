r"""Finding relations of a catalogue graph that were made of interactions: they tell what people take, held-out or not.

Two kinds are looked for, by statistics that need no names:

*Pairs.* A relation that joins items to items (``also_bought``) may be a digest of behaviour. Its pairs are then taken
by the same people far more often than the popularity of both and the sizes of histories explain, the held-out halves of
histories included, and its ends are popular items: such lists follow sales. Similarity by content alone has the first
mark (books of a series are read together), but its ends do not follow popularity. Both marks together are a verdict.
So is a lift among held-out events alone that is well above that of training: it was made of what is held out.

*Baskets.* A relation that joins items to entities may hide people, orders or lists behind the entities. Then the items
of an entity are, but for a few, those of one user. Brands, authors and categories are never that.

Sharing an entity is not judged by lift: brands co-occur in baskets as strongly as ``also_bought`` does (12 times chance
on Amazon Beauty, both), and rightly so. A relation that says something of one item at a time cannot hold what two items
do together, unless its entities are baskets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.interactions import Interactions, coalesce
from graphrec.errors import ConfigError, DataError, LeakError, nearest_names
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.relations import is_reverse

# A relation of pairs is made of interactions where its pairs are taken together so many times as often as by chance,
# in training and in the held-out part, and the rank correlation of its ends with popularity is so high. Measured:
# also_bought, also_viewed, bought_together of Amazon Beauty 14 to 30 times and .36 to .41; pairs of one series of
# goodbooks 10 times and .09.
LIFT, COUPLING = 5.0, 0.2
# It is made of the held-out part where the lift among held-out events is so many times that of training, and so many
# standard deviations above it.
_EXCESS, _SIGMA = 2.0, 5.0
# Below so many co-takings expected or seen, and items with edges, nothing can be said.
_LEAST = 30
# A relation to entities is made of baskets where so large a share of its entities have the items of one user, which is
# a Jaccard index of at least ``_ALIKE``; entities of fewer items than ``_SMALL`` are not looked at.
BASKETS, _ALIKE, _SMALL = 0.5, 0.8, 3
_SAMPLE_EDGES, _SAMPLE_ENTITIES, _LEAST_ENTITIES = 20_000, 500, 10
Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RelationCheck:
    """What the check found of a relation.

    Parameters
    ----------
    relation : str
        Its name; reverses are not looked at by themselves.
    pairs : int
        Edges between items.
    lift, held_out_lift, test_lift : float or None
        How often its pairs are taken by one user, as a multiple of what degrees explain: both in training; one in
        training and the other held out; both held out. None where too little is expected and seen to say.
    coupling : float or None
        Spearman correlation of the relation's edges into an item with the item's users, over items with such edges.
    entities : int
        Entities of three items and more.
    baskets : float
        Share of these (of a sample) whose items are those of one user.
    derived : bool
        The verdict.
    """

    relation: str
    pairs: int
    lift: float | None
    held_out_lift: float | None
    test_lift: float | None
    coupling: float | None
    entities: int
    baskets: float
    derived: bool


def check_relations(
    catalogue: CatalogueGraph, train: Interactions, test: Interactions, *, seed: int = 0
) -> list[RelationCheck]:
    r"""Return for every relation whether it seems to be made of interactions.

    The lift of a relation with pairs :math:`E`, over users :math:`u` with :math:`k_u` training items, :math:`h_u` held
    out, and items with :math:`d_i` training users, :math:`g_i` held out, is

    .. math:: \frac{\sum_{(i,j) \in E} |U_i \cap U_j|}{\sum_{(i,j) \in E} d_i d_j \sum_u k_u (k_u - 1) / (\sum_u k_u)^2}

    whose denominator is the expectation where every degree is kept and ends are joined at random. The held-out lift
    has :math:`|U_i \cap H_j|`, :math:`g_j` and :math:`\sum_u k_u h_u / (\sum_u k_u \sum_u h_u)` instead.

    Parameters
    ----------
    catalogue : CatalogueGraph
        The graph that channels learn from.
    train, test : Interactions
        The two parts of the events, over its items and the same users.
    seed : int
        Of the sample of edges and entities.

    Returns
    -------
    list of RelationCheck
        In the order of the graph's relations, without reverses.

    Raises
    ------
    DataError
        If the parts have other items than the catalogue, or other users than each other.

    Notes
    -----
    Up to 20,000 edges and 500 entities of each relation are looked at, so time is O(edges + events) and a bounded
    number of intersections.
    """
    if not catalogue.n_items == train.n_items == test.n_items:
        raise DataError(f"train has {train.n_items} items, test {test.n_items}, the catalogue {catalogue.n_items}")
    if train.n_users != test.n_users:
        raise DataError(f"train has {train.n_users} users, test {test.n_users}; split one table of events")
    known = _Taken(_matrix(train), _matrix(test))
    rng = np.random.default_rng(seed)
    graph = catalogue.adjacency
    sources = np.repeat(np.arange(graph.n_nodes, dtype=np.int64), graph.degrees)
    checks = []
    for number, name in enumerate(graph.relation_names):
        if not is_reverse(name):
            own = graph.relations == number
            checks.append(_checked(name, sources[own], graph.indices[own], known, rng))
    return checks


def refuse_derived(checks: Iterable[RelationCheck], *, allowed: Sequence[str] = ()) -> None:
    """Raise LeakError where a relation seems to be made of interactions and is not among ``allowed``.

    Raises
    ------
    LeakError
        With the figures of each such relation.
    ConfigError
        If ``allowed`` names a relation that is not there.
    """
    every = list(checks)
    names = [check.relation for check in every]
    for name in allowed:
        if name not in names:
            raise ConfigError(
                f"catalogue.derived names the relation {name!r}, which is not there{nearest_names(name, names)}"
            )
    refused = [check for check in every if check.derived and check.relation not in allowed]
    if refused:
        raise LeakError(
            f"{'; '.join(map(sentence, refused))}: what is held out may be in there. Leave it out (exclude), "
            "or name it in catalogue.derived where serving has it as early as the events"
        )


def sentence(check: RelationCheck) -> str:
    """Return what was found of a relation, in words."""
    if check.baskets >= BASKETS:
        return (
            f"relation {check.relation!r} joins items to {check.entities:,} entities, of which {check.baskets:.0%} "
            "have the items of one user"
        )
    lifts = {"in training": check.lift, "one of them held out": check.held_out_lift, "both held out": check.test_lift}
    known = ", ".join(f"{lift:.1f} {where}" for where, lift in lifts.items() if lift is not None)
    if not known:
        return f"relation {check.relation!r} has {check.pairs:,} pairs of items, too few taken together to say more"
    follows = "" if check.coupling is None else f"; rank correlation with popularity {check.coupling:.2f}"
    return (
        f"the {check.pairs:,} pairs of items of relation {check.relation!r} are taken by the same users so many times "
        f"as often as by chance: {known}{follows}"
    )


class _Taken:
    """Who took what: (n_items, n_users) 0/1 matrices of the two parts and of both, and the sums of degrees."""

    def __init__(self, train: sp.csr_array, test: sp.csr_array) -> None:
        self.train, self.test = train, test
        self.both = sp.csr_array(train + test)
        self.both.data[:] = 1.0
        self.users, self.held = _sums(train, 1), _sums(test, 1)
        taken, held = _sums(train, 0), _sums(test, 0)
        self.chance = float((taken * (taken - 1)).sum() / max(taken.sum(), 1.0) ** 2)
        self.held_chance = float((taken * held).sum() / max(taken.sum() * held.sum(), 1.0))
        self.test_chance = float((held * (held - 1)).sum() / max(held.sum(), 1.0) ** 2)


def _checked(
    name: str, heads: npt.NDArray[np.int64], tails: npt.NDArray[np.int32], known: _Taken, rng: np.random.Generator
) -> RelationCheck:
    n_items = known.train.shape[0]
    # An edge from an entity to an item is one of the item, too.
    swapped = (heads >= n_items) & (tails < n_items)
    ends, others = np.where(swapped, tails, heads), np.where(swapped, heads, tails)
    of_items = ends < n_items
    pairs = of_items & (others < n_items) & (ends != others)
    in_train, across, in_test = _together(ends[pairs], others[pairs], known, rng)
    coupling = _coupling(others[pairs], known.users)
    entities, baskets = _baskets(ends[of_items & ~pairs], others[of_items & ~pairs], known, rng)
    by_pairs = min(in_train.lift or 0.0, across.lift or 0.0) >= LIFT and (coupling or 0.0) >= COUPLING
    derived = by_pairs or baskets >= BASKETS or _of_test(in_train, in_test)
    lifts = (in_train.lift, across.lift, in_test.lift)
    return RelationCheck(name, int(pairs.sum()), *lifts, coupling, entities, baskets, derived)


@dataclass(frozen=True, slots=True)
class _Seen:
    """How often the pairs of a sample are taken together, and how often chance has it."""

    seen: float
    expected: float

    @property
    def lift(self) -> float | None:
        """Seen by expected; None where both are too small."""
        if max(self.seen, self.expected) < _LEAST or self.expected == 0:
            return None
        return self.seen / self.expected


def _of_test(in_train: _Seen, in_test: _Seen) -> bool:
    """Return whether pairs are taken together among held-out events far more than training explains."""
    explained = _EXCESS * max(in_train.lift or 1.0, 1.0) * in_test.expected
    return in_test.lift is not None and bool(in_test.seen - explained > _SIGMA * np.sqrt(explained + 1.0))


def _together(
    heads: npt.NDArray[np.int64], tails: npt.NDArray[np.int64], known: _Taken, rng: np.random.Generator
) -> tuple[_Seen, _Seen, _Seen]:
    """Return how often pairs are taken in training, one in training and one held out, and both held out."""
    if len(heads) > _SAMPLE_EDGES:
        rows = rng.choice(len(heads), _SAMPLE_EDGES, replace=False)
        heads, tails = heads[rows], tails[rows]
    across = _shared(known.train, known.test, heads, tails) + _shared(known.train, known.test, tails, heads)
    crossed = float((known.users[heads] * known.held[tails] + known.users[tails] * known.held[heads]).sum())
    return (
        _Seen(
            _shared(known.train, known.train, heads, tails),
            known.chance * float((known.users[heads] * known.users[tails]).sum()),
        ),
        _Seen(across, known.held_chance * crossed),
        _Seen(
            _shared(known.test, known.test, heads, tails),
            known.test_chance * float((known.held[heads] * known.held[tails]).sum()),
        ),
    )


def _shared(a: sp.csr_array, b: sp.csr_array, heads: npt.NDArray[np.int64], tails: npt.NDArray[np.int64]) -> float:
    """Return how often a user took the head of a pair (in ``a``) and its tail (in ``b``), over all pairs."""
    return float(a[heads].multiply(b[tails]).sum())


def _coupling(tails: npt.NDArray[np.int64], users: Float) -> float | None:
    """Return the rank correlation of edges into an item and its users, over items with such edges."""
    edges = np.bincount(tails, minlength=len(users))
    live = edges > 0
    by_edges, by_users = _ranks(edges[live]), _ranks(users[live])
    if live.sum() < _LEAST or by_edges.std() == 0 or by_users.std() == 0:
        return None
    return float(np.corrcoef(by_edges, by_users)[0, 1])


def _ranks(values: npt.NDArray[np.generic]) -> Float:
    """Return the 1-based rank of each value, ties in the middle of their places."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Float = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def _baskets(
    items: npt.NDArray[np.int64], entities: npt.NDArray[np.int64], known: _Taken, rng: np.random.Generator
) -> tuple[int, float]:
    """Return the entities of ``_SMALL`` items or more, and the share of them whose items are those of one user.

    Of few entities the share says nothing: it is 0.
    """
    if not len(items):
        return 0, 0.0
    names, rows = np.unique(entities, return_inverse=True)
    holds = sp.csr_array((np.ones(len(rows)), (rows, items)), shape=(len(names), known.train.shape[0]))
    holds.data[:] = 1.0
    large = np.flatnonzero(np.diff(holds.indptr) >= _SMALL)
    if len(large) < _LEAST_ENTITIES:
        return len(large), 0.0
    chosen = rng.choice(large, min(len(large), _SAMPLE_ENTITIES), replace=False)
    alike = np.zeros(len(chosen), dtype=np.bool_)
    for part in (known.both, known.train, known.test):
        alike |= _best_jaccard(sp.csr_array(holds[chosen]), part) >= _ALIKE
    return len(large), float(alike.mean())


def _best_jaccard(holds: sp.csr_array, taken: sp.csr_array) -> Float:
    """Return (n,) the highest Jaccard index of each row of ``holds`` (n, n_items) with the items of a user."""
    shared = sp.coo_array(holds @ taken)
    sizes, baskets = _sums(holds, 1), _sums(taken, 0)
    entity, user = shared.coords
    index = shared.data / (sizes[entity] + baskets[user] - shared.data)
    best = np.zeros(holds.shape[0])
    np.maximum.at(best, entity, index)
    return best


def _matrix(interactions: Interactions) -> sp.csr_array:
    """Return (n_items, n_users) float64: 1 where a user took an item."""
    merged = coalesce(interactions)
    shape = (interactions.n_items, interactions.n_users)
    return sp.csr_array((np.ones(len(merged)), (merged.items, merged.users)), shape=shape)


def _sums(matrix: sp.csr_array, axis: int) -> Float:
    sums: Float = np.asarray(matrix.sum(axis=axis), dtype=np.float64).ravel()
    return sums
