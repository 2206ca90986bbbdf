"""What a fit may use besides the data."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.als import Als
from graphrec.channels.behaviour.bspm import Bspm
from graphrec.channels.behaviour.cheby_cf import ChebyCf
from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.turbo_cf import TurboCf
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.contracts.progress import ALONE, FitContext, SharedResults
from graphrec.contracts.queries import known_queries
from graphrec.data.interactions import Interactions, histories
from graphrec.errors import ConfigError
from graphrec.sparse.taste import taste_matrix
from tests.close import assert_same_lists
from tests.worlds import checkerboard, skewed


@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None])
@pytest.mark.parametrize("name", ["seed", "workers"])
def test_numbers_that_are_none_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} of a fit is {value!r}"):
        FitContext(**{name: value})


def test_a_result_is_computed_once_for_each_owner_and_key() -> None:
    shared, calls = SharedResults(), []

    def make(value: int) -> int:
        calls.append(value)
        return value

    first, second = object(), object()
    assert [shared.once(first, "a", lambda: make(1)), shared.once(first, "a", lambda: make(2))] == [1, 1]
    assert [shared.once(first, "b", lambda: make(3)), shared.once(second, "a", lambda: make(4))] == [3, 4]
    assert calls == [1, 3, 4]


def test_an_owner_that_is_gone_never_lends_its_results_to_another() -> None:
    shared = SharedResults()
    # Objects that are let go leave their id to the next one.
    assert [shared.once(object(), "a", lambda n=n: n) for n in range(100)] == list(range(100))  # type: ignore[misc]


def test_threads_that_ask_at_once_get_the_one_result() -> None:
    shared, owner, started = SharedResults(), object(), threading.Barrier(8)

    def ask(_: int) -> object:
        started.wait()
        return shared.once(owner, "a", object)

    with ThreadPoolExecutor(8) as pool:
        assert len({id(result) for result in pool.map(ask, range(8))}) == 1


def test_a_fit_by_itself_shares_nothing() -> None:
    owner = object()
    assert ALONE.once(owner, "a", lambda: 1) == 1
    assert ALONE.once(owner, "a", lambda: 2) == 2


def test_filters_of_one_run_share_the_spectrum(monkeypatch: pytest.MonkeyPatch) -> None:
    import graphrec.channels.behaviour.spectrum as spectrum

    computed, decomposed = [], spectrum._decomposed

    def counted(interactions: Interactions, *settings: Any) -> spectrum.Spectrum:
        computed.append(settings)
        return decomposed(interactions, *settings)

    monkeypatch.setattr(spectrum, "_decomposed", counted)
    data, other, context = skewed(), checkerboard(), FitContext(seed=4, shared=SharedResults())
    recipes: list[GfCf | Bspm | ChebyCf] = [GfCf(rank=8), Bspm(rank=8), ChebyCf(rank=8)]
    together = [recipe.fit(data, context) for recipe in recipes]
    assert computed == [(8, recipes[0].weight_exponent, 4)]
    alone = [recipe.fit(data, FitContext(seed=4)) for recipe in recipes]
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours.targets, theirs.targets, atol=1e-6)
    computed.clear()
    recipes[0].fit(other, context)
    GfCf(rank=4).fit(data, context)
    assert computed == [(8, 0.0, 4), (4, 0.0, 4)]


def test_channels_of_one_run_share_the_taste_of_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    import graphrec.channels.shared as shared

    computed: list[tuple[float, int]] = []

    def counted(interactions: Interactions, exponent: float = 0.0, *, max_items_per_user: int = 0) -> Any:
        computed.append((exponent, max_items_per_user))
        return taste_matrix(interactions, exponent, max_items_per_user=max_items_per_user)

    monkeypatch.setattr(shared, "taste_matrix", counted)
    data, context = skewed(), FitContext(shared=SharedResults())
    recipes: list[Any] = [RP3beta(), UserCF(), ItemCF(), Ease(), Als(dim=4, iterations=2), TurboCf()]
    together = [recipe.fit(data, context) for recipe in recipes]
    assert len(computed) == len(set(computed)) < len(recipes)
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    for recipe, recaller in zip(recipes, together, strict=True):
        # What one channel did with the shared matrix changed nothing for the next.
        assert_same_lists(recaller.recall(queries, 10), recipe.fit(data).recall(queries, 10))
