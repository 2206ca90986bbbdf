"""Hot, for everybody and by segment or category, beside its slow versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrec.channels.popular.hot import Hot
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.recallers.ranked import RankedRecaller
from tests.graphrec.channels.compare import WORLDS, World, assert_scores, from_country, members
from tests.oracles.popular import decayed_sums, hot_of_segment, hot_scores
from tests.oracles.sparse import takers
from tests.worlds import checkerboard, described, skewed


def _ranked(recipe: Hot, data: RecallData) -> RankedRecaller:
    recaller = recipe.fit(data)
    assert isinstance(recaller, RankedRecaller)
    return recaller


def test_hot_counts_users_and_halves_them_with_age() -> None:
    data = skewed()
    recaller = _ranked(Hot(half_life_days=20.0), data)
    expected = hot_scores(data, 20.0)
    np.testing.assert_allclose(recaller.scores, expected[recaller.items], rtol=1e-5)
    assert sorted(recaller.items.tolist()) == np.flatnonzero(data.pool).tolist()
    forever = _ranked(Hot(half_life_days=float("inf")), data)
    np.testing.assert_array_equal(forever.scores, takers(data)[forever.items])


def test_hot_without_times_counts_distinct_users() -> None:
    data = checkerboard()
    twice = Interactions(
        np.tile(data.interactions.users, 2), np.tile(data.interactions.items, 2), n_users=30, n_items=20
    )
    recaller = _ranked(Hot(), RecallData(data.users, data.items, twice, data.catalogue))
    np.testing.assert_array_equal(recaller.scores, takers(data)[recaller.items])


def test_hot_of_no_events_is_the_pool_in_row_order() -> None:
    data = checkerboard()
    nothing = Interactions([], [], None, np.empty(0, np.int64), n_users=30, n_items=20)
    recaller = _ranked(Hot(), RecallData(data.users, data.items, nothing, data.catalogue))
    assert recaller.items.tolist() == list(range(20))


@WORLDS
@pytest.mark.parametrize("prior", [0.5, 100.0])
def test_hot_of_a_segment_is_its_shares_shrunk_to_everybodys(world: World, prior: float) -> None:
    data = described(world())
    recaller = Hot(half_life_days=40, by_user="country", prior=prior).fit(data)
    for code, country in enumerate(["DE", "FR", "NL"]):
        expected = hot_of_segment(data, 40, prior, members(data, code))
        assert_scores(recaller, from_country(country), expected, data.pool)
    everyone = decayed_sums(data, 40, range(len(data.users)))
    assert_scores(recaller, from_country("Atlantis"), everyone / everyone.sum(), data.pool)
    assert_scores(recaller, from_country(None), everyone / everyone.sum(), data.pool)


def test_a_known_user_is_at_home_unless_the_request_says_otherwise() -> None:
    data = described(skewed())
    recaller = Hot(by_user="country", prior=1.0).fit(data)
    french = members(data, 1)[0]
    homes = recaller.recall(from_country("DE", "FR", None), 45)
    asked = recaller.recall(Queries([french] * 3, empty_lists(3), {"country": [None, "DE", "Atlantis"]}), 45)
    assert (homes[0][0] != homes[1][0]).any()
    for position, home in enumerate((1, 0, 2)):
        np.testing.assert_array_equal(asked[position][0], homes[home][0])
    nowhere = np.flatnonzero(data.user_features.label("country").codes == -1)[:1]  # type: ignore[union-attr]
    np.testing.assert_array_equal(recaller.recall(Queries(nowhere, empty_lists(1)), 45)[0][0], homes[2][0])


def test_a_segment_without_events_has_the_list_of_everybody() -> None:
    data = described(skewed())
    codes = np.where(np.arange(len(data.users)) < 57, 0, 1)  # the last three took nothing
    labels = Labels(Vocabulary(["old", "new"]), codes)
    data = replace(data, user_features=Features(len(data.users), {}, {"age": labels}))
    recaller = Hot(by_user="age").fit(data)
    lists = recaller.recall(Queries([-1, -1], empty_lists(2), {"age": ["new", None]}), 45)
    np.testing.assert_array_equal(lists[0][0], lists[1][0])


@WORLDS
def test_hot_by_category_hands_out_votes_by_share(world: World) -> None:
    data = described(world())
    recaller = Hot(half_life_days=40, by_item="colour").fit(data)
    sums = decayed_sums(data, 40, range(len(data.users))) * data.pool
    n = len(data.items)
    shares = np.array([sums[i] / max(sums[i % 2 :: 2].sum(), 1e-300) for i in range(n)])
    query = Queries([-1], item_lists([[1, 3, 4]]))
    expected = shares * np.where(np.arange(n) % 2 == 1, 2.0, 1.0)
    assert_scores(recaller, query, expected, expected > 0)
