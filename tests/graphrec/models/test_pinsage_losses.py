"""PinSage's losses beside loops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from graphrec.models.pinsage_losses import margin_loss, softmax_loss

B, N, M, R, DIM = 4, 7, 6, 2, 3


def drawn() -> dict[str, Tensor]:
    torch.manual_seed(2)
    itself = torch.zeros(B, N, dtype=torch.bool)
    itself[1, 3] = itself[2, 0] = True
    return {
        "anchors": torch.randn(B, DIM), "owners": torch.tensor([0, 0, 1, 2, 3, 3]), "positives": torch.randn(M, DIM),
        "candidates": torch.randn(N, DIM), "log_q": -torch.rand(N), "itself": itself, "hard": torch.randn(B, R, DIM),
    }  # fmt: skip


def cosine(left: Tensor, right: Tensor) -> float:
    a, b = left.numpy().astype(np.float64), right.numpy().astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def scores_of(parts: dict[str, Tensor], owner: int, *, hard: bool) -> tuple[list[float], list[float]]:
    """Return cosines of an anchor with the candidates that are not itself, and with its hard negatives."""
    anchor = parts["anchors"][owner]
    shared = [cosine(anchor, parts["candidates"][j]) for j in range(N) if not parts["itself"][owner, j]]
    return shared, [cosine(anchor, parts["hard"][owner, r]) for r in range(R)] if hard else []


@pytest.mark.parametrize("hard", [True, False])
def test_the_softmax_is_its_formula(hard: bool) -> None:
    parts, tau = drawn(), 0.3
    terms = []
    for pair, owner in enumerate(parts["owners"].tolist()):
        shared, own = scores_of(parts, owner, hard=hard)
        log_q = [float(parts["log_q"][j]) for j in range(N) if not parts["itself"][owner, j]]
        logits = [s / tau - q for s, q in zip(shared, log_q, strict=True)] + [s / tau for s in own]
        near = cosine(parts["anchors"][owner], parts["positives"][pair]) / tau
        terms.append(np.log(np.exp(logits).sum()) - near)
    given = {**parts, "hard": parts["hard"] if hard else None}
    assert float(softmax_loss(**given, temperature=tau)) == pytest.approx(np.mean(terms), rel=1e-5)  # type: ignore[arg-type]


@pytest.mark.parametrize("hard", [True, False])
def test_the_margin_is_its_formula(hard: bool) -> None:
    parts, delta = drawn(), 0.4
    shared_terms: list[float] = []
    hard_terms: list[float] = []
    for pair, owner in enumerate(parts["owners"].tolist()):
        near = cosine(parts["anchors"][owner], parts["positives"][pair])
        shared, own = scores_of(parts, owner, hard=hard)
        # What is left out costs nothing.
        shared_terms += [max(0.0, s - near + delta) for s in shared] + [0.0] * (N - len(shared))
        hard_terms += [max(0.0, s - near + delta) for s in own]
    given = {**parts, "hard": parts["hard"] if hard else None}
    del given["log_q"]
    expected = np.mean(shared_terms) + (np.mean(hard_terms) if hard else 0)
    assert float(margin_loss(**given, margin=delta)) == pytest.approx(expected, rel=1e-5)  # type: ignore[arg-type]


def test_the_correction_makes_a_sample_stand_for_all() -> None:
    """Where q is the odds that an item was drawn, the corrected sum is right on average over many samples."""
    rng = np.random.default_rng(0)
    items = torch.from_numpy(rng.normal(size=(40, DIM)).astype(np.float32))
    odds: npt.NDArray[np.float64] = rng.uniform(0.1, 0.9, 40)
    anchor, owners = torch.ones(1, DIM), torch.tensor([0])

    def total(rows: npt.NDArray[np.intp], log_q: npt.NDArray[np.float64]) -> float:
        loss = softmax_loss(
            anchor, owners, anchor, items[torch.from_numpy(rows)], torch.from_numpy(log_q.astype(np.float32)),
            temperature=1.0,
        )  # fmt: skip
        return float(np.exp(float(loss) + 1.0))  # the positive is the anchor itself: its cosine is 1

    whole = total(np.arange(40), np.zeros(40))
    sums = [total(rows, np.log(odds[rows])) for rows in (np.flatnonzero(rng.random(40) < odds) for _ in range(1500))]
    assert np.mean(sums) == pytest.approx(whole, rel=0.05)


def test_an_anchor_that_is_its_only_candidate_gives_a_finite_loss() -> None:
    vector, itself = torch.ones(1, DIM, requires_grad=True), torch.ones(1, 1, dtype=torch.bool)
    owners, log_q = torch.tensor([0]), torch.zeros(1)
    for loss in (
        softmax_loss(vector, owners, vector, vector, log_q, temperature=0.1, itself=itself),
        margin_loss(vector, owners, vector, vector, margin=0.1, itself=itself),
    ):
        assert torch.isfinite(loss)
        (gradient,) = torch.autograd.grad(loss, vector)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("rows", [2, 100])
def test_the_softmax_has_the_gradient_of_its_formula(hard: bool, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.models.pinsage_losses._ROWS", rows)
    parts = {name: part.double() if part.is_floating_point() else part for name, part in drawn().items()}
    learnt = [parts[name].requires_grad_() for name in ("anchors", "positives", "candidates", "hard")]

    def loss(anchors: Tensor, positives: Tensor, candidates: Tensor, own: Tensor) -> Tensor:
        given = {**parts, "anchors": anchors, "positives": positives, "candidates": candidates}
        return softmax_loss(**{**given, "hard": own if hard else None}, temperature=0.4)  # type: ignore[arg-type]

    assert torch.autograd.gradcheck(loss, learnt)
