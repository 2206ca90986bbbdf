"""Tag beside the lift of a dense profile, and what lowers or avoids a tag."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.channels.content.tag import Tag
from graphrec.contracts.queries import Queries, known_queries
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from tests.close import assert_same_lists
from tests.graphrec.channels.compare import WORLDS, World, profile_of, settings_of
from tests.oracles.content import tag_scores
from tests.worlds import library

WIDE = Tag(tags=0, list_length=0, lift=0.5, idf_exponent=2.0, length_exponent=0.0, popularity_exponent=0.0, last=3)


@WORLDS
@pytest.mark.parametrize("recipe", [Tag(), Tag(tags=2, list_length=7, lift=0.0, idf_exponent=1.0), WIDE])
def test_tag_is_the_lift_of_the_profile(world: World, recipe: Tag) -> None:
    data = world()
    recaller = recipe.fit(data)
    history = histories(data.interactions)
    for user in range(0, len(data.users), 5):
        query = known_queries(history, [user])
        if history.lengths[user]:
            expected = tag_scores(
                data, profile_of(recaller, query), **settings_of(recipe, "weight_exponent", "dislike", "avoid")
            )
            # A tag that is left with a rounding error may be in or out; scores as small as that are.
            items, scores = recaller.recall(query, len(data.items))[0]
            np.testing.assert_allclose(scores, expected[items], rtol=1e-3, atol=1e-5)
            assert set(np.flatnonzero(expected > 1e-4).tolist()) <= set(items.tolist())


def test_disliked_items_lower_their_tags() -> None:
    data = library()  # tags: science fiction (rows 0-5, 10), fantasy (6-9), classics (11)
    history = item_lists([[0, 6, 7]], [[5.0, 5.0, 1.0]])
    plain = Tag(lift=0.0).fit(data).recall(Queries([-1], history), 12)
    lowered = Tag(lift=0.0, dislike=2.0).fit(data).recall(Queries([-1], history), 12)
    assert {0, 6} <= set(plain.items.tolist())
    assert 0 in lowered.items
    assert 6 not in lowered.items
    below = item_lists([[0, 6, 7]], [[1.0, 1.0, -1.0]])  # a weight of 0 or below is a dislike too
    assert 6 not in Tag(lift=0.0, dislike=2.0).fit(data).recall(Queries([-1], below), 12).items
    alike = item_lists([[0, 6, 7]])  # nobody dislikes what he weighs like all the rest
    assert_same_lists(
        Tag(dislike=2.0).fit(data).recall(Queries([-1], alike), 12),
        Tag().fit(data).recall(Queries([-1], alike), 12),
    )


def test_tags_to_avoid_never_come_back() -> None:
    data = library()
    answer = Tag(lift=0.0, avoid=("fantasy",)).fit(data).recall(Queries([-1], item_lists([[0, 6]])), 12)
    assert len(answer.items) > 0
    assert not np.isin(answer.items, [6, 7, 8, 9]).any()
    with pytest.raises(ConfigError, match=r"avoid: 'fantasi' is not among the 3 tags; nearest: 'fantasy'"):
        Tag(avoid=("fantasi",)).fit(data)
    with pytest.raises(ConfigError, match="avoid is 'fantasy'; it must be a list of tags"):
        Tag(avoid="fantasy")  # type: ignore[arg-type]
