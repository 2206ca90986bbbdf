"""Relations that were made of interactions are found by what they are, and content that correlates is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.data.splits import split_by_ratio
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, LeakError
from graphrec.graph.catalogue import CatalogueGraph, items_only
from graphrec.graph.derived import RelationCheck, check_relations, refuse_derived, sentence
from graphrec.graph.named_edges import NamedEdges, with_edges

N_USERS, N_SERIES, PARTS = 400, 30, 12
N_ITEMS = N_SERIES * PARTS
Pairs = Sequence[tuple[str, str]]


def world() -> tuple[Interactions, Interactions]:
    """Return train and test: users like a few series, of each the better known parts, and some of everything."""
    rng = np.random.default_rng(5)
    known = 1 / np.arange(1, PARTS + 1)
    pairs = set()
    for user in range(N_USERS):
        liked = [
            series * PARTS + int(part)
            for series in rng.choice(N_SERIES, 2)
            for part in rng.choice(PARTS, 5, replace=False, p=known / known.sum())
        ]
        pairs |= {(user, item) for item in [*liked, *rng.choice(N_ITEMS, 3).tolist()]}
    rows = np.array(sorted(pairs))
    events = Interactions(rows[:, 0], rows[:, 1], n_users=N_USERS, n_items=N_ITEMS)
    split = split_by_ratio(events, test_share=0.3, seed=1)
    return split.train, split.test


TRAIN, TEST = world()


def graph(**relations: Pairs) -> CatalogueGraph:
    nodes = Vocabulary(sorted({end for pairs in relations.values() for pair in pairs for end in pair}))
    ends = [(head, number, tail) for number, pairs in enumerate(relations.values()) for head, tail in pairs]
    columns = [
        nodes.rows([head for head, _, _ in ends]),
        [number for _, number, _ in ends],
        nodes.rows([t for *_, t in ends]),
    ]
    nothing: list[str | None] = [None] * len(nodes)
    heads, numbers, tails = (np.asarray(column, dtype=np.int32) for column in columns)
    edges = NamedEdges(nodes, nothing, nothing, heads, numbers, tails, list(relations))
    return with_edges(items_only(Vocabulary([f"i{item}" for item in range(N_ITEMS)])), edges)


def series_pairs() -> Pairs:
    return [(f"i{a}", f"i{b}") for a in range(N_ITEMS) for b in range(N_ITEMS) if a != b and a // PARTS == b // PARTS]


def most_taken_together(parts: Sequence[Interactions], n: int) -> Pairs:
    """Return for each item the n others that most of its users took, as shops list them."""
    taken = np.zeros((N_USERS, N_ITEMS))
    for part in parts:
        taken[part.users, part.items] = 1
    together = taken.T @ taken
    np.fill_diagonal(together, 0)
    lists = np.argsort(-together, axis=1, kind="stable")[:, :n]
    return [(f"i{a}", f"i{b}") for a in range(N_ITEMS) for b in lists[a].tolist() if together[a, b] > 1]


def verdict(**relations: Pairs) -> dict[str, RelationCheck]:
    return {check.relation: check for check in check_relations(graph(**relations), TRAIN, TEST)}


def test_content_that_correlates_is_no_leak() -> None:
    entity = [(f"i{item}", f"s{item // PARTS}") for item in range(N_ITEMS)]
    checks = verdict(same_series=series_pairs(), series=entity)
    pairs = checks["same_series"]
    assert pairs.lift is not None
    assert pairs.lift > 2
    assert not pairs.derived
    assert (checks["series"].derived, checks["series"].entities, checks["series"].pairs) == (False, N_SERIES, 0)


def test_pairs_made_of_held_out_events_are_found() -> None:
    check = verdict(also_bought=most_taken_together([TEST], 4))["also_bought"]
    assert check.derived
    assert check.test_lift is not None
    assert check.lift is not None
    assert check.test_lift > 2 * check.lift


def test_a_digest_of_all_events_is_found_by_lift_and_popularity_together() -> None:
    check = verdict(also_bought=most_taken_together([TRAIN, TEST], 4))["also_bought"]
    assert check.lift is not None
    assert check.coupling is not None
    assert check.lift > 5
    assert check.derived, check


@pytest.mark.parametrize("part", [TRAIN, TEST])
def test_entities_that_are_users_under_other_names_are_found(part: Interactions) -> None:
    owners = [(f"i{item}", f"x{user}") for user, item in zip(part.users.tolist(), part.items.tolist(), strict=True)]
    check = verdict(listed_by=owners)["listed_by"]
    assert check.baskets > 0.9
    assert check.derived
    assert "have the items of one user" in sentence(check)


def test_lifts_are_those_of_slow_sums() -> None:
    pairs = series_pairs()[:200]
    check = verdict(r=pairs)["r"]
    sets: dict[str, list[set[int]]] = {name: [set() for _ in range(N_ITEMS)] for name in ("train", "test")}
    for name, part in (("train", TRAIN), ("test", TEST)):
        for user, item in zip(part.users.tolist(), part.items.tolist(), strict=True):
            sets[name][item].add(user)
    k = np.bincount(TRAIN.users, minlength=N_USERS).astype(float)
    h = np.bincount(TEST.users, minlength=N_USERS).astype(float)
    seen = across = expected = crossed = 0.0
    for head, tail in pairs:
        a, b = int(head[1:]), int(tail[1:])
        seen += len(sets["train"][a] & sets["train"][b])
        across += len(sets["train"][a] & sets["test"][b]) + len(sets["test"][a] & sets["train"][b])
        expected += len(sets["train"][a]) * len(sets["train"][b])
        crossed += len(sets["train"][a]) * len(sets["test"][b]) + len(sets["test"][a]) * len(sets["train"][b])
    assert check.lift == pytest.approx(seen / (expected * (k * (k - 1)).sum() / k.sum() ** 2))
    assert check.held_out_lift == pytest.approx(across / (crossed * (k * h).sum() / (k.sum() * h.sum())))


def test_what_is_derived_is_refused_unless_it_is_named() -> None:
    checks = list(verdict(also_bought=most_taken_together([TEST], 4), same_series=series_pairs()).values())
    with pytest.raises(LeakError, match=r"relation 'also_bought' are taken by the same users .* catalogue\.derived"):
        refuse_derived(checks)
    refuse_derived(checks, allowed=["also_bought"])
    with pytest.raises(ConfigError, match=r"'also_bougth', which is not there.*also_bought"):
        refuse_derived(checks, allowed=["also_bougth"])


def test_parts_over_other_items_are_refused() -> None:
    with pytest.raises(DataError, match="train has 3 items"):
        check_relations(graph(r=[("i0", "i1")]), Interactions([0], [0], n_users=1, n_items=3), TEST)
