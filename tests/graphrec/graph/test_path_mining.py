"""Mined meta-paths join what is liked together, never through the user who liked it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.graph import path_composition
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.path_mining import mine_paths
from graphrec.graph.relations import parse_path, path_text
from graphrec.sparse.taste import liked_pairs
from tests.worlds import Relation, catalogue, checkerboard, library, vocabulary

N = 40


def world() -> tuple[CatalogueGraph, Interactions]:
    """Return items of makers, whom users are loyal to, and of colours, which say nothing; both have ten items each."""
    makers = [(item, item % 4) for item in range(N)]
    colours = [(item, item // 10) for item in range(N)]
    relations = [Relation("made_by", "maker", makers), Relation("colour", "colour", colours)]
    graph = catalogue(vocabulary("i", N), {"maker": 4, "colour": 4}, relations)
    rng = np.random.default_rng(3)
    taken = [
        (user, int(item)) for user in range(60) for item in rng.choice(np.arange(user % 4, N, 4), 3, replace=False)
    ]
    users, items = np.array(taken).T
    liked = liked_pairs(Interactions(users, items, n_users=60, n_items=N))
    return graph, liked


def test_the_telling_relation_is_mined_and_the_other_is_not() -> None:
    mined = mine_paths(*world(), max_length=2, seed=1)
    assert mined[0].text == "made_by/^made_by"
    # Liked pairs share a maker; a quarter of the others do, but for pairs of one item.
    assert mined[0].liked == pytest.approx(1.0)
    assert 0.1 < mined[0].chance < 0.3
    assert "colour/^colour" not in [path.text for path in mined]


def test_the_user_who_liked_both_is_no_path() -> None:
    pairs = [(user, 2 * user + place) for user in range(N // 2) for place in range(2)]
    users, items = np.array(pairs).T
    liked = liked_pairs(Interactions(users, items, n_users=N // 2, n_items=N))
    graph = catalogue(vocabulary("i", N), {"maker": 1}, [Relation("by", "maker", [(0, 0)])])
    assert mine_paths(graph, liked, seed=1) == []


def test_lengths_users_and_number_of_paths_are_kept() -> None:
    graph, liked = world()
    for length, users, n in itertools.product((1, 2, 3, 4), (True, False), (1, 5)):
        mined = mine_paths(graph, liked, max_length=length, through_users=users, n_paths=n, min_lift=0.5, seed=4)
        assert len(mined) <= n
        assert all(len(parse_path(path.text)) <= length for path in mined)
        assert users or not any("interacts" in path.text for path in mined)


def test_the_same_seed_mines_the_same_paths() -> None:
    data = library()
    liked = liked_pairs(data.interactions)
    assert mine_paths(data.catalogue, liked, seed=5) == mine_paths(data.catalogue, liked, seed=5)


def test_nobody_with_two_items_gives_no_path() -> None:
    data = checkerboard()
    alone = liked_pairs(Interactions([0, 1], [2, 3], n_users=30, n_items=20))
    assert mine_paths(data.catalogue, alone) == []


@pytest.mark.parametrize("text", ["author/^author", "^a/b/<http://x.org/y#z>", "^<a b>"])
def test_a_path_is_written_as_it_is_read(text: str) -> None:
    assert path_text(parse_path(text)) == text


def test_the_pair_is_held_out_of_what_users_took_together() -> None:
    """Each user took two items that no other took, and both have a maker: only the maker joins them."""
    pairs = [(user, 2 * user + place) for user in range(N // 2) for place in range(2)]
    users, items = np.array(pairs).T
    liked = liked_pairs(Interactions(users, items, n_users=N // 2, n_items=N))
    graph = catalogue(vocabulary("i", N), {"maker": N // 2}, [Relation("by", "maker", [(i, i // 2) for i in range(N)])])
    assert [path.text for path in mine_paths(graph, liked, seed=1)] == ["by/^by"]


def test_short_paths_are_composed_with_what_users_took_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies ten steps or more down a list of forty is not near, so a composition tells loyal users' items apart."""
    monkeypatch.setattr(path_composition, "NEAREST", 10)
    texts = [path.text for path in mine_paths(*world(), max_length=4, seed=1)]
    assert {"made_by/^made_by", "made_by/^made_by/^interacts/interacts"} <= set(texts)
    assert texts[0] == "made_by/^made_by"
    alone = mine_paths(*world(), max_length=4, through_users=False, seed=1)
    assert "made_by/^made_by/made_by/^made_by" in [path.text for path in alone]
