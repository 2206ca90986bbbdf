"""ESAM: its losses beside their formulas in numpy, and what a step takes for source and target."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.contracts.progress import FitContext
from graphrec.models.deep.esam import ESAM
from graphrec.models.deep.esam_losses import centre_losses, confident_entropy, covariance_gap
from graphrec.models.deep.esam_task import EsamTask
from graphrec.models.deep.recall_task import Compared
from graphrec.models.deep.two_tower import TwoTower
from tests.worlds import skewed

SMALL = ESAM(dim=6, epochs=6, lr=0.05, batch=16, negatives=24, targets=9)
Matrix = npt.NDArray[np.float64]


def drawn(n: int, dim: int, seed: int) -> Matrix:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dim)) * rng.uniform(0.2, 2, size=dim)


@settings(max_examples=30, deadline=None)
@given(m=st.integers(2, 20), n=st.integers(2, 20), dim=st.integers(1, 6), seed=st.integers(0, 50))
def test_the_gap_is_that_of_the_covariances(m: int, n: int, dim: int, seed: int) -> None:
    source, target = drawn(m, dim, seed), drawn(n, dim, seed + 100)
    gap = sum(
        (np.cov(source[:, a], source[:, b])[0, 1] - np.cov(target[:, a], target[:, b])[0, 1]) ** 2
        for a in range(dim) for b in range(dim)
    )  # fmt: skip
    assert float(covariance_gap(torch.tensor(source), torch.tensor(target))) == pytest.approx(gap, rel=1e-6, abs=1e-12)
    assert float(covariance_gap(torch.tensor(source), torch.tensor(source))) == 0
    assert float(covariance_gap(torch.tensor(source[:1]), torch.tensor(target))) == 0


def test_descending_the_gap_aligns() -> None:
    source, moving = torch.tensor(drawn(200, 4, 0)), torch.tensor(drawn(300, 4, 1), requires_grad=True)
    first = float(covariance_gap(source, moving).detach())
    optimiser = torch.optim.Adam([moving], lr=0.02)
    for _ in range(100):
        optimiser.zero_grad()
        loss = covariance_gap(source, moving)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert float(loss.detach()) < 0.1 * first


@settings(max_examples=30, deadline=None)
@given(
    m=st.integers(1, 30), groups=st.integers(2, 6), near=st.floats(0, 1), far=st.floats(0, 3), seed=st.integers(0, 50)
)
def test_centres_draw_and_push_as_the_formula_says(m: int, groups: int, near: float, far: float, seed: int) -> None:
    vectors, group = drawn(m, 3, seed), np.random.default_rng(seed).integers(0, groups, m)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = {int(g): unit[group == g].mean(axis=0) for g in np.unique(group)}
    pairs = [(a, b) for a in centres for b in centres if a < b]
    inside = np.mean([max(0.0, ((unit[j] - centres[int(group[j])]) ** 2).sum() - near) for j in range(m)])
    between = [max(0.0, far - ((centres[a] - centres[b]) ** 2).sum()) for a, b in pairs]
    loss = centre_losses(
        torch.tensor(vectors), torch.tensor(group), groups,
        torch.tensor(np.array(pairs, dtype=np.int64).reshape(-1, 2)), near=near, far=far,
    )  # fmt: skip
    assert float(loss) == pytest.approx(inside + (np.mean(between) if between else 0.0), rel=1e-6, abs=1e-9)


def test_only_pairs_that_are_nearly_sure_are_made_surer() -> None:
    scores = np.array([0.05, 0.2, 0.5, 0.8, 0.9, 0.0])
    sure = scores[[0, 4]]
    expected = -(sure * np.log(sure)).sum() / 3  # 0 log 0 is 0
    assert float(confident_entropy(torch.tensor(scores), low=0.2, high=0.8)) == pytest.approx(expected)
    assert float(confident_entropy(torch.tensor([0.5, 0.6]), low=0.2, high=0.8)) == 0


def steps_of(recipe: ESAM, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Compared, float, Any, torch.Tensor]]:
    """Return what the steps of an epoch compared, the further loss, the target items, and their vectors."""
    steps: list[tuple[Compared, float, Any, torch.Tensor]] = []
    further = EsamTask._further

    def seen(self: EsamTask, compared: Compared, rng: np.random.Generator) -> Any:
        loss = further(self, compared, np.random.default_rng(4))
        targets = self._not_shown(compared, np.random.default_rng(4))
        vectors = self.model.items(torch.from_numpy(targets))[0].detach()
        steps.append((compared, float(torch.as_tensor(loss).detach()), targets, vectors))
        return loss

    monkeypatch.setattr(EsamTask, "_further", seen)
    task = recipe._task(skewed(), FitContext(seed=1))
    for batch in task.batches(3, np.random.default_rng(2)):
        task.loss(batch, np.random.default_rng(3)).backward()  # type: ignore[no-untyped-call]
    return steps


def test_targets_are_items_that_no_user_of_the_step_took_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    late: dict[str, Any] = {"hard_starts": 0.0, "hard_full": 0.0, "hard_from": 2, "hard_to": 9}
    recipe = replace(SMALL, mix={"in-batch": 1.0, "hard": 0.1}, **late)
    for compared, _, targets, _ in steps_of(recipe, monkeypatch):
        assert 0 < len(np.unique(targets)) == len(targets) <= 9
        assert not np.isin(targets, np.concatenate([compared.told, compared.own.ravel()])).any()
        assert (compared.own >= 0).any()


def test_a_step_adds_the_three_losses_by_their_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    late: dict[str, Any] = {"hard_starts": 0.0, "hard_full": 0.0, "hard_from": 2, "hard_to": 9}
    recipe = replace(
        SMALL, mix={"in-batch": 1.0, "hard": 0.1}, alignment=2.0, clustering=3.0, self_training=5.0, **late
    )
    for compared, loss, _, vectors in steps_of(recipe, monkeypatch):
        users = np.repeat(np.arange(len(compared.users)), np.diff(compared.indptr.numpy()))
        has = compared.own >= 0
        both = [[u, len(compared.users) + u] for u in range(len(compared.users)) if has[u].any() and (users == u).any()]
        refusers = np.nonzero(has)[0]
        taken, refused = (np.isin(owners, np.array(both)[:, 0]) for owners in (users, refusers))
        groups = np.concatenate([users[taken], len(compared.users) + refusers[refused]])
        grouped = torch.cat([compared.positives[taken], compared.single[torch.tensor(has)][refused]])
        target = torch.nn.functional.normalize(vectors)
        expected = 2 * covariance_gap(compared.positives, target) + 3 * centre_losses(
            grouped, torch.tensor(groups), 2 * len(compared.users), torch.tensor(both).reshape(-1, 2), near=0.2, far=0.7
        )
        scores = torch.sigmoid(compared.anchors @ target.T)
        expected = expected + 5 * confident_entropy(scores, low=0.2, high=0.8)
        assert loss == pytest.approx(float(expected.detach()), rel=1e-3)
        assert loss > 0


def test_without_its_weights_it_is_the_two_tower() -> None:
    plain = ESAM(alignment=0, clustering=0, self_training=0, dim=4, epochs=3, negatives=16).fit(
        skewed(), FitContext(seed=1)
    )
    tower = TwoTower(dim=4, epochs=3, negatives=16, mix={"in-batch": 1.0}).fit(skewed(), FitContext(seed=1))
    np.testing.assert_allclose(plain.targets, tower.targets, rtol=1e-4, atol=1e-6)
