"""Text-EASE beside a dense inverse, items without events, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.models.content.text import Text
from graphrec.models.content.text_ease import TextEase
from tests.oracles.sparse import dense_taste
from tests.worlds import checkerboard, skewed


@pytest.mark.parametrize("world", [checkerboard, skewed])
@pytest.mark.parametrize("weight", [0.5, 40.0])
def test_rows_are_those_of_the_joined_inverse(world: object, weight: float) -> None:
    data = world()  # type: ignore[operator]
    vectors = Text(columns=("tags",)).encoded(data)[1].astype(np.float64)
    taste = dense_taste(data, 0.0)
    inverse = np.linalg.inv(taste.T @ taste + weight * vectors @ vectors.T + 10.0 * np.eye(len(vectors)))
    expected = -inverse / np.diag(inverse) * data.pool
    np.fill_diagonal(expected, 0.0)
    table = TextEase(columns=("tags",), text_weight=weight, regularisation=10.0).fit(data).tables[0]
    noise = 1e-4 * expected.max()
    for row in range(len(data.items)):
        items, scores = table[row]
        np.testing.assert_allclose(scores, expected[row][items], rtol=1e-3, atol=noise)
        assert len(items) >= int((expected[row] > noise).sum())


def test_an_item_without_events_comes_back_by_its_text() -> None:
    data = checkerboard()
    cold = replace(data, interactions=take(data.interactions, data.interactions.items != 4))
    items, _ = TextEase(columns=("tags",), half_life=0.0).fit(cold).recall(Queries([-1], item_lists([[0, 2]])), 20)[0]
    assert 4 in items
    assert (items[: items.tolist().index(4)] % 2 == 0).all()


def test_without_events_the_text_alone_speaks() -> None:
    data = checkerboard()
    quiet = replace(data, interactions=Interactions([], [], n_users=30, n_items=20))
    items, _ = TextEase(columns=("tags",)).fit(quiet).recall(Queries([-1], item_lists([[0]])), 3)[0]
    assert len(items) == 3
    assert (items % 2 == 0).all()


def test_what_it_cannot_do_is_said() -> None:
    with pytest.raises(ConfigError, match="neighbourhood is 50; it must be 0"):
        TextEase(neighbourhood=50)
    with pytest.raises(ConfigError, match="max_items is 3; 20 items have events or a text"):
        TextEase(columns=("tags",), max_items=3).fit(checkerboard())
