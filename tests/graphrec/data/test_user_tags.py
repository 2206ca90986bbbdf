"""Tags of users: their weights against the obvious count, and nothing of what is held out in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.channels.content.tag import Tag
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.training_part import training_part
from graphrec.data.interactions import Interactions, histories
from graphrec.data.item_tags import ItemTags
from graphrec.data.splits import split_by_ratio, split_by_time
from graphrec.data.user_tags import UserTags, plain_tag, tags_of_items, without_rare
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from tests.oracles.data import user_tag_weights
from tests.worlds import DAY, START, item_tags, skewed

NAMES = ("dark", "funny", "slow", "space")
N_USERS, N_ITEMS = 4, 5
Row = tuple[int, int, str]


def tagged(rows: list[Row], *, min_users: int = 1, known: ItemTags | None = None) -> UserTags:
    people, items, tags = ([row[place] for row in rows] for place in range(3))
    vocabulary = Vocabulary(sorted({*NAMES, *(known.tags if known is not None else ())}))
    return UserTags(
        np.array(people, dtype=np.int32),
        np.array(items, dtype=np.int32),
        vocabulary.rows(tags),
        vocabulary=vocabulary,
        given=known,
        min_users=min_users,
        n_users=N_USERS,
        n_items=N_ITEMS,
    )


def weights(found: ItemTags) -> dict[tuple[int, str], float]:
    """Return (item, tag) -> weight, after a look at the order of each item's tags."""
    told: dict[tuple[int, str], float] = {}
    for item in range(len(found.table)):
        tags, scores = found.table[item]
        assert list(zip(-scores, tags, strict=True)) == sorted(zip(-scores, tags, strict=True))
        told |= {(item, found.tags[int(tag)]): float(score) for tag, score in zip(tags, scores, strict=True)}
    return told


rows_drawn = st.lists(st.tuples(st.integers(0, 7), st.integers(0, N_ITEMS - 1), st.sampled_from(NAMES)), max_size=40)


@settings(deadline=None, max_examples=50)
@given(rows=rows_drawn, min_users=st.integers(1, 3), both=st.booleans())
def test_weights_are_those_of_the_obvious_count(rows: list[Row], min_users: int, both: bool) -> None:
    known = item_tags(N_ITEMS, ["space", "Drama"], [(0, 0), (3, 0), (3, 1)]) if both else None
    expected = user_tag_weights(rows, {} if known is None else weights(known), min_users)
    whole = tagged(rows, min_users=min_users, known=known)
    assert weights(tags_of_items(whole)) == pytest.approx(expected)
    frequent = without_rare(whole)
    assert weights(tags_of_items(frequent)) == pytest.approx(expected)
    kept = {tag for _, tag in expected} | (set() if known is None else set(known.tags))
    assert list(frequent.vocabulary) == sorted(kept)


def test_a_saturating_count_of_distinct_people() -> None:
    rows = [(0, 1, "dark"), (0, 1, "dark"), (1, 1, "dark"), (9, 1, "dark"), (2, 1, "slow")]
    assert weights(tags_of_items(tagged(rows))) == pytest.approx({(1, "dark"): 2.0, (1, "slow"): 1.0})
    assert weights(tags_of_items(tagged(rows, min_users=2))) == {(1, "dark"): 2.0}


def test_plain_tags() -> None:
    assert plain_tag("  Highly\t\u00a0Quotable\n") == "highly quotable"
    assert plain_tag("Cafe\u0301") == plain_tag("CAF\u00c9") == "caf\u00e9"
    assert plain_tag(" \u2003 ") == ""


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"users": [-1]}, "users"),
        ({"items": [5]}, "items"),
        ({"tags": [1]}, "tags"),
        ({"items": [0, 1]}, "items has 2 entries"),
        ({"times": []}, "times has 0 entries"),
        ({"min_users": 0}, "min_users is 0"),
        ({"given": item_tags(3, ["a"], [])}, "given tags has 4 entries; it must have 6"),
    ],
)
def test_faults_are_named(fields: dict[str, object], words: str) -> None:
    whole: dict[str, object] = {"users": [0], "items": [0], "tags": [0], "min_users": 1} | fields
    rows = [np.array(whole.pop(name), dtype=np.int32) for name in ("users", "items", "tags")]
    with pytest.raises(DataError, match=words):
        UserTags(*rows, vocabulary=Vocabulary(["a"]), n_users=4, n_items=5, **whole)  # type: ignore[arg-type]


def test_sizes_must_agree() -> None:
    with pytest.raises(DataError, match="the table of user tags has 5 items, the vocabulary 45"):
        replace(skewed(), user_tags=tagged([(0, 0, "dark")]))


def world(seed: int = 0) -> RecallData:
    """Return the skewed world where users gave tags, many of them to items that they took."""
    data, rng = skewed(), np.random.default_rng(seed)
    events = data.interactions
    own = rng.choice(len(events), size=300)
    users = np.concatenate([events.users[own], rng.integers(0, 70, 100)])
    items = np.concatenate([events.items[own], rng.integers(0, 45, 100)])
    assert data.item_tags is not None
    vocabulary = Vocabulary(sorted({*NAMES, *data.item_tags.tags}))
    found = UserTags(
        users,
        items,
        vocabulary.rows([NAMES[(item + n) % 2 + item % 3] for n, item in enumerate(items)]),
        START + rng.integers(0, 300 * DAY, len(users)),
        vocabulary=vocabulary,
        given=data.item_tags,
        min_users=2,
        n_users=60,
        n_items=45,
    )
    return replace(data, user_tags=found, item_tags=tags_of_items(found))


def answers(data: RecallData) -> tuple[list[int], list[float]]:
    """Return what the tag channel tells every user."""
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    lists = Tag().fit(data).recall(queries, 20)
    return lists.items.tolist(), lists.scores.tolist()


@pytest.mark.parametrize("kind", ["ratio", "time"])
def test_a_tag_on_a_held_out_pair_changes_nothing(kind: str) -> None:
    data = world()
    events, found = data.interactions, data.user_tags
    assert found is not None
    split = split_by_ratio(events, seed=1) if kind == "ratio" else split_by_time(events)
    pairs = set(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True))
    held = np.array([pair in pairs for pair in zip(found.users.tolist(), found.items.tolist(), strict=True)])
    assert 20 < held.sum() < len(found) - 100
    # Were they heard, the tag of their items would be another.
    poison = found.vocabulary.row("space")
    poisoned = UserTags(
        found.users,
        found.items,
        np.where(held, poison, found.tags),
        found.times,
        vocabulary=found.vocabulary,
        given=found.given,
        min_users=2,
        n_users=60,
        n_items=45,
    )
    worse = replace(data, user_tags=poisoned, item_tags=tags_of_items(poisoned))
    assert answers(worse) != answers(data)
    part = training_part(data, split)
    assert answers(training_part(worse, split)) == answers(part)
    assert answers(part) != answers(replace(part, item_tags=data.item_tags))
    assert part.user_tags is not None
    left = zip(part.user_tags.users.tolist(), part.user_tags.items.tolist(), strict=True)
    assert not pairs & set(left)
    assert (part.user_tags.users >= 60).sum() == (found.users >= 60).sum() or kind == "time"


def test_a_split_by_time_drops_tags_from_the_cut_on() -> None:
    data = world()
    split = split_by_time(data.interactions, test_share=0.3)
    part = training_part(data, split).user_tags
    cut = datetime.fromisoformat(str(split.settings["cut"])).timestamp()
    assert part is not None
    assert part.times is not None
    assert 0 < len(part) < 400
    assert part.times.max() < cut
    assert (part.users >= 60).any()


def test_a_split_by_time_refuses_tags_without_times() -> None:
    data = world()
    found = data.user_tags
    assert found is not None
    untimed = UserTags(
        found.users,
        found.items,
        found.tags,
        vocabulary=found.vocabulary,
        given=found.given,
        min_users=2,
        n_users=60,
        n_items=45,
    )
    with pytest.raises(ConfigError, match="the user tags have no times"):
        training_part(replace(data, user_tags=untimed), split_by_time(data.interactions))
    assert training_part(replace(data, user_tags=untimed), split_by_ratio(data.interactions, seed=1)).user_tags


def test_a_part_in_which_no_tag_counts_still_knows_the_tags() -> None:
    data = world()
    lone = UserTags([0], [0], [1], vocabulary=Vocabulary(["dark", "slow"]), min_users=2, n_users=60, n_items=45)
    bare = replace(data, user_tags=lone, item_tags=tags_of_items(lone))
    assert answers(bare) == ([], [])
    Tag(avoid=("slow",)).fit(bare)
    events = Interactions([0], [0], n_users=60, n_items=45)
    assert answers(replace(bare, interactions=events)) == ([], [])
