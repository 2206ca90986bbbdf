"""PinSage's margin beside loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from graphrec.models.deep import sampled_softmax
from graphrec.models.graph_networks.pinsage_losses import margin_loss

B, N, M, R, DIM = 4, 7, 6, 2, 3
OWNERS = [0, 0, 1, 2, 3, 3]
INDPTR = [0, 2, 3, 4, 6]
MASKED = [(1, 3), (2, 0)]


def margin(vectors: list[Tensor], delta: float) -> Tensor:
    anchors, positives, candidates, own = vectors
    masked = torch.tensor(MASKED).T
    return margin_loss(anchors, torch.tensor(INDPTR), positives, candidates, (masked[0], masked[1]), own, margin=delta)


@pytest.mark.parametrize("r", [R, 0])
def test_the_margin_is_its_formula(r: int) -> None:
    torch.manual_seed(2)
    shapes = ((B, DIM), (M, DIM), (N, DIM), (B, r, DIM))
    vectors = [normalize(torch.randn(*shape, dtype=torch.float64), dim=-1) for shape in shapes]
    anchors, positives, candidates, own = (part.numpy() for part in vectors)
    delta = 0.4
    shared_terms: list[float] = []
    own_terms: list[float] = []
    for pair, owner in enumerate(OWNERS):
        near = anchors[owner] @ positives[pair]
        # What is left out costs nothing.
        shared_terms += [
            0.0 if (owner, j) in MASKED else max(0.0, anchors[owner] @ candidates[j] - near + delta) for j in range(N)
        ]
        own_terms += [max(0.0, anchors[owner] @ vector - near + delta) for vector in own[owner]]
    expected = np.mean(shared_terms) + (np.mean(own_terms) if r else 0)
    assert float(margin(vectors, delta)) == pytest.approx(expected)


@pytest.mark.parametrize("lengths", [[1] * 9, [3, 0, 1, 1, 2, 0, 0, 1, 1], [0] * 8 + [9]], ids=str)
@pytest.mark.parametrize("rows", [512, 2])
def test_the_gradient_is_that_of_the_whole_matrix(
    lengths: list[int], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled_softmax, "_ROWS", rows)
    torch.manual_seed(5)
    indptr = torch.tensor([0, *np.cumsum(lengths).tolist()])
    owners = torch.repeat_interleave(torch.arange(9), torch.tensor(lengths))
    masked = torch.tensor([8, 0, 3]), torch.tensor([4, 1, 1])
    shapes = ((9, DIM), (9, DIM), (N, DIM))
    vectors = [normalize(torch.randn(*shape, dtype=torch.float64), dim=1).requires_grad_() for shape in shapes]
    anchors, positives, candidates = vectors
    loss = margin_loss(anchors, indptr, positives, candidates, masked, anchors.new_empty(9, 0, DIM), margin=0.3)
    scores = (anchors @ candidates.T).index_put(masked, anchors.new_tensor(-1e4))[owners]
    expected = torch.relu(scores - (anchors[owners] * positives).sum(dim=1, keepdim=True) + 0.3).mean()
    torch.testing.assert_close(loss, expected)
    given, wanted = (torch.autograd.grad(3 * value, vectors) for value in (loss, expected))
    for ours, plain in zip(given, wanted, strict=True):
        torch.testing.assert_close(ours, plain)


def test_an_anchor_that_is_its_only_candidate_gives_a_finite_loss() -> None:
    vector = torch.ones(1, DIM, requires_grad=True)
    itself = (torch.tensor([0]), torch.tensor([0]))
    loss = margin_loss(vector, torch.tensor([0, 1]), vector, vector, itself, torch.empty(1, 0, DIM), margin=0.1)
    assert torch.isfinite(loss)
    (gradient,) = torch.autograd.grad(loss, vector)
    assert torch.isfinite(gradient).all()
