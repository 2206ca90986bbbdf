"""Negatives of each user's own: bands of ranks, rules, what was shown, and what a committee doubts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.data.exposures import Exposures
from graphrec.data.features import Features, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.negatives.active import LeastSure, doubt, subspaces
from graphrec.negatives.exposed import exposed_without_click
from graphrec.negatives.hard import ModelHard
from graphrec.negatives.kinds import KindSettings, make_mixture
from graphrec.negatives.protocol import Model, positive_pairs
from graphrec.negatives.rules import BusinessRule
from graphrec.negatives.taken import Taken
from tests.graphrec.negatives.draws import assert_follows, batch_of, model_of, own_counts
from tests.worlds import DAY, START, described, skewed

DATA = described(skewed())
TAKEN = Taken(DATA.interactions)
USER, N = 5, len(DATA.items)
RELEASED: npt.NDArray[np.float64] = START + np.arange(N, dtype=np.float64) * DAY
HAS = np.isin(np.arange(N), TAKEN.lists(np.array([USER])).items)


def _ranks(model: Model, user: int) -> Any:
    """Return the items of the pool that a user does not have, best first."""
    legal = np.flatnonzero(DATA.pool & ~HAS)
    return legal[np.argsort(-(model.items[legal] @ model.users[user]), kind="stable")]


def test_hard_negatives_are_a_band_of_ranks() -> None:
    model, sampler = model_of(DATA), ModelHard(TAKEN, DATA.pool, first=4, last=15, guard=0.0)
    sampler.refresh(model, np.random.default_rng(0))
    band = np.isin(np.arange(N), _ranks(model, USER)[3:15])
    assert_follows(own_counts(sampler, batch_of(DATA, [USER]), N, 6000), band.astype(np.float64))
    drawn = sampler.draw(batch_of(DATA, [USER]), 3, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.own_log_q, np.log(3 / 12), rtol=1e-6)


def test_of_a_wide_band_other_items_are_kept_at_each_refresh() -> None:
    model, sampler, rng = (
        model_of(DATA),
        ModelHard(TAKEN, DATA.pool, first=1, last=20, kept=3, guard=0.0),
        np.random.default_rng(0),
    )
    kept = set()
    for _ in range(40):
        sampler.refresh(model, rng)
        counts = own_counts(sampler, batch_of(DATA, [USER]), N, 200)
        assert (counts > 0).sum() <= 3
        kept |= set(np.flatnonzero(counts).tolist())
    assert kept <= set(_ranks(model, USER)[:20].tolist())
    assert len(kept) > 6


def test_what_scores_as_high_as_his_own_items_is_guarded() -> None:
    items = np.ones((N, 2), np.float32)
    items[HAS] = 2.0
    free = np.flatnonzero(DATA.pool & ~HAS)
    items[free[:3]] = 1.99  # above .95 of the mean of his own
    model = Model(np.ones((len(DATA.users), 2), np.float32), items)
    for guard, guarded in ((0.0, False), (0.95, True)):
        sampler = ModelHard(TAKEN, DATA.pool, first=1, last=20, guard=guard)
        sampler.refresh(model, np.random.default_rng(0))
        drawn = np.flatnonzero(own_counts(sampler, batch_of(DATA, [USER]), N, 2000))
        assert bool(np.isin(free[:3], drawn).any()) is not guarded
        assert len(drawn) > 5


def test_a_band_beyond_the_pool_is_empty() -> None:
    sampler = ModelHard(TAKEN, DATA.pool, first=N + 1, last=2 * N)
    sampler.refresh(model_of(DATA), np.random.default_rng(0))
    assert (sampler.draw(batch_of(DATA, [0, 1]), 4, np.random.default_rng(0)).own == -1).all()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [({"first": 0, "last": 3}, "from rank 0 to 3"), ({"first": 5, "last": 3}, "from rank 5 to 3"),
     ({"first": 1, "last": 3, "kept": 0}, "kept is 0"), ({"first": 1, "last": 3, "guard": 2.0}, "guard 2.0")],
)  # fmt: skip
def test_an_illegal_band_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        ModelHard(TAKEN, DATA.pool, **settings)


@pytest.mark.parametrize(
    ("rules", "legal"),
    [
        (("same colour",), lambda anchor: np.arange(N) % 2 == anchor % 2),
        (("colour is black",), lambda _: np.arange(N) % 2 == 0),
        (
            ("colour is not black", "released  above 1.7015e9"),
            lambda _: (np.arange(N) % 2 == 1) & (RELEASED > 1.7015e9),
        ),
        (("same colour", "released below 1.7015e9"), lambda a: (np.arange(N) % 2 == a % 2) & (RELEASED < 1.7015e9)),
    ],
)
def test_rules_draw_all_legal_items_alike(rules: tuple[str, ...], legal: Any) -> None:
    sampler = BusinessRule(rules, DATA.item_features, DATA.pool, TAKEN)
    for anchor in np.flatnonzero(HAS)[:3].tolist():
        shares = legal(anchor) & DATA.pool & ~HAS
        positives = positive_pairs([USER], [anchor])
        assert_follows(own_counts(sampler, positives, N, 6000), shares.astype(np.float64))
        np.testing.assert_allclose(
            sampler.draw(positives, 4, np.random.default_rng(0)).own_log_q, np.log(4 / shares.sum()), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (("colour black",), r"the rule 'colour black' cannot be read; a rule is 'same NAME'"),
        (("released above soon",), "compares with 'soon', which is no number"),
        (("same color",), r"there is no label 'color' .*nearest: 'colour'"),
        (("colour is pink",), "a rule compares the label 'colour': .*'pink'"),
        (("released above 1e12",), r"the rules 'released above 1e12' leave no negatives: 0 of 45 items meet them"),
        ((), "at least one rule"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(rules: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        BusinessRule(rules, DATA.item_features, DATA.pool, TAKEN)


def test_items_of_an_unknown_label_are_no_negatives_by_rule() -> None:
    codes = np.where(np.arange(N) < N // 2, 0, -1)
    sampler = BusinessRule(["same kind"], Features(N, {}, {"kind": Labels(Vocabulary(["a"]), codes)}), DATA.pool, TAKEN)
    drawn = sampler.draw(positive_pairs([USER, USER], [0, N - 1]), 50, np.random.default_rng(0)).own
    assert drawn[0].max() < N // 2
    assert (drawn[1] == -1).all()


def _exposures(pairs: list[tuple[int, int, bool]], propensities: Any = None) -> Exposures:
    users, items, converted = zip(*pairs, strict=True)
    return Exposures(users, items, converted, n_users=len(DATA.users), n_items=N, propensities=propensities)


def test_exposed_negatives_are_what_was_shown_and_never_taken() -> None:
    free = np.flatnonzero(DATA.pool & ~HAS)[:4].tolist()
    shown = [(USER, free[0], False), (USER, free[1], False), (USER, free[1], False), (USER, free[2], True),
             (USER, free[2], False), (USER, int(np.flatnonzero(HAS)[0]), False), (-1, free[3], False)]  # fmt: skip
    sampler = exposed_without_click(_exposures(shown), DATA.pool, TAKEN)
    shares = np.zeros(N)
    shares[free[:2]] = 1, 2
    assert_follows(own_counts(sampler, batch_of(DATA, [USER]), N, 3000), shares)
    logged = _exposures(shown, [0.1, 1, 1, 1, 1, 1, 1])
    inverse = make_mixture({"exposed": 1.0}, replace(DATA, exposures=logged), KindSettings()).parts[0].sampler
    shares[free[:2]] = 10, 2
    assert_follows(own_counts(inverse, batch_of(DATA, [USER]), N, 3000), shares)
    drawn = inverse.draw(batch_of(DATA, [USER, USER + 1]), 2, np.random.default_rng(0))
    assert (drawn.own[1] == -1).all()
    expected = np.log(2 * shares[drawn.own[0]] / 12)
    np.testing.assert_allclose(drawn.own_log_q[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("exposures", "problem"),
    [
        (None, r"need exposures; give \[data.exposures\] a path"),
        (_exposures([(1, 2, True)]), "every exposure of the 1 given converted"),
        (_exposures([(1, 2, False), (2, 3, False)]), "no exposure of the 2 given converted"),
        (_exposures([(-1, 2, False), (2, 3, True)]), "no known user was shown"),
    ],
)
def test_exposures_that_tell_nothing_are_refused(exposures: Exposures | None, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        exposed_without_click(exposures, DATA.pool, TAKEN)


def test_doubt_is_disagreement_and_of_a_teacher_alone_entropy() -> None:
    two = np.array([[0.5, 0.9, 0.99, 0.01], [0.5, 0.1, 0.99, 0.01]])
    doubts = doubt(two)
    assert doubts.argmax() == 1
    np.testing.assert_allclose(doubts[[0, 2, 3]], 0, atol=1e-9)
    assert doubt(two[:1]).argmax() == 0
    assert doubt(two[:1])[0] == pytest.approx(np.log(2))


def test_the_pairs_of_greatest_doubt_are_kept_within_the_budget() -> None:
    # Both members agree on all items but the first three of the pool that the user does not have.
    free = np.flatnonzero(DATA.pool & ~HAS)
    rng = np.random.default_rng(0)
    first, second = (Model(np.ones((len(DATA.users), 1), np.float32), rng.normal(size=(N, 1)).astype(np.float32))
                     for _ in range(2))  # fmt: skip
    first.items[:], second.items[:] = 1.0, 1.0
    first.items[free[3:]], second.items[free[3:]] = -1.0, -1.0
    first.items[free[:3]], second.items[free[:3]] = 3.0, -3.0
    sampler = LeastSure(TAKEN, DATA.pool, budget=25, candidates=64)
    sampler.refresh_by([first, second], np.random.default_rng(1))
    assert (sampler.state()["pairs"] >= 0).all()
    assert set(sampler.state()["pairs"][:, 1].tolist()) <= set(free[:3].tolist())
    wide = LeastSure(TAKEN, DATA.pool, budget=10**5, candidates=4)
    wide.refresh(model_of(DATA), np.random.default_rng(1))
    pairs = wide.state()["pairs"]
    pairs = pairs[pairs[:, 0] >= 0]
    assert 0 < len(pairs) < 10**5
    assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_a_committee_of_parts_sees_every_dimension_once() -> None:
    model = model_of(DATA, dim=7)
    parts = subspaces(model, 3)
    scores = sum(part.items @ part.users[USER] for part in parts)
    np.testing.assert_allclose(scores, model.items @ model.users[USER], rtol=1e-4, atol=1e-5)
    with pytest.raises(ConfigError, match="a committee of 8 members cannot be made of 7 dimensions"):
        subspaces(model, 8)
    with pytest.raises(ConfigError, match="budget is 0"):
        LeastSure(TAKEN, DATA.pool, budget=0)


def test_who_has_what_counts_repeated_and_disliked_events() -> None:
    for user in range(len(DATA.users)):
        own = np.unique(DATA.interactions.items[DATA.interactions.users == user])
        np.testing.assert_array_equal(TAKEN.lists(np.array([user])).items, own)
    nothing = Taken(replace(DATA, interactions=type(DATA.interactions)([], [], n_users=60, n_items=45)).interactions)
    assert not nothing.contains(np.array([3]), np.array([[1, -1]])).any()
