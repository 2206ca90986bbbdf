"""What the tests of channels compare with: worlds, settings of a recipe, tables and lists beside dense ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import empty_lists
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import profile_weights
from tests.oracles.sparse import Dense
from tests.worlds import checkerboard, library, skewed

World = Callable[[], RecallData]
WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])


def settings_of(recipe: Any, *without: str) -> dict[str, Any]:
    """Return the settings that an oracle takes: all but those of the profile, of the search and ``without``."""
    left_out = {"last", "half_life", "index", *without}
    return {f.name: getattr(recipe, f.name) for f in fields(recipe) if f.name not in left_out}


def assert_table(recaller: NeighbourRecaller, dense: Dense) -> None:
    """Check that the one table holds the entries of ``dense`` that are not 0, and no others."""
    table = recaller.tables[0]
    for row in range(len(dense)):
        columns, scores = table[row]
        np.testing.assert_allclose(scores, dense[row, columns], rtol=1e-5)
        assert len(columns) == np.count_nonzero(dense[row])


def assert_ranked_like(recaller: NeighbourRecaller, query: Queries, expected: Dense) -> None:
    """Check that the one list holds every item above 0 of ``expected``, with its score."""
    items, scores = recaller.recall(query, len(expected))[0]
    assert len(items) == np.count_nonzero(expected > 0)
    np.testing.assert_allclose(scores, expected[items], rtol=1e-4)


def profile_of(recaller: NeighbourRecaller, query: Queries) -> dict[int, float]:
    """Return the history of one query, item -> weight in the profile, where that is above 0."""
    weights = profile_weights(query.history, recaller.profile)
    return {int(i): float(w) for i, w in zip(query.history.items, weights, strict=True) if w > 0}


def from_country(*countries: str | None) -> Queries:
    """Return a query of an unknown user from each country."""
    return Queries([-1] * len(countries), empty_lists(len(countries)), {"country": countries})


def members(data: RecallData, code: int) -> list[int]:
    assert data.user_features is not None
    return np.flatnonzero(data.user_features.label("country").codes == code).tolist()


def assert_scores(recaller: Recaller, query: Queries, expected: Dense, among: Any) -> None:
    """Check that the one list holds ``among`` in order of ``expected``, with these scores."""
    items, scores = recaller.recall(query, len(expected))[0]
    assert sorted(items.tolist()) == sorted(np.flatnonzero(among).tolist())
    np.testing.assert_allclose(scores, expected[items], rtol=1e-4, atol=1e-12)
