"""The sampled softmax and its gradient beside what torch makes of the plain formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from graphrec.models.deep import sampled_softmax as module
from graphrec.models.deep.sampled_softmax import sampled_softmax

INF = float("inf")


def _case(n_shared: int, n_own: int) -> dict[str, Any]:
    torch.manual_seed(3)
    lengths = torch.tensor([2, 0, 3, 1, 1])
    vectors = {name: torch.randn(*shape, dtype=torch.float64, requires_grad=True)
               for name, shape in (("anchors", (5, 4)), ("positives", (7, 4)), ("shared", (n_shared, 4)),
                                   ("own", (5, n_own, 4)))}  # fmt: skip
    own_log_q = torch.randn(5, n_own, dtype=torch.float64)
    own_log_q[2] = INF
    masked = (
        (torch.tensor([4, 0, 0, 2]), torch.tensor([1, 0, 2, 1]))
        if n_shared
        else (torch.tensor([], dtype=torch.int64),) * 2
    )
    return {**vectors, "indptr": torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]),
            "shared_log_q": torch.randn(n_shared, dtype=torch.float64), "masked": masked,
            "own_log_q": own_log_q}  # fmt: skip


def _plain(case: dict[str, Any]) -> Tensor:
    """Return the formula, pair by pair."""
    losses = []
    for user in range(len(case["anchors"])):
        anchor, left_out = case["anchors"][user], case["masked"][1][case["masked"][0] == user].tolist()
        scores = [case["shared"][j] @ anchor - case["shared_log_q"][j]
                  for j in range(len(case["shared"])) if j not in left_out]  # fmt: skip
        scores += [case["own"][user, r] @ anchor - case["own_log_q"][user, r]
                   for r in range(case["own"].shape[1]) if case["own_log_q"][user, r] < INF]  # fmt: skip
        for pair in range(int(case["indptr"][user]), int(case["indptr"][user + 1])):
            positive = case["positives"][pair] @ anchor
            losses.append(torch.logsumexp(torch.stack([positive, *scores]), 0) - positive)
    return torch.stack(losses).mean()


@pytest.mark.parametrize(("n_shared", "n_own"), [(6, 3), (6, 0), (0, 3)])
@pytest.mark.parametrize("rows", [2, 512])
def test_loss_and_gradients_are_those_of_the_formula(
    n_shared: int, n_own: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", rows)
    case = _case(n_shared, n_own)
    names = ["anchors", "positives", "shared", "own"]
    expected = torch.autograd.grad(_plain(case), [case[name] for name in names], allow_unused=True)
    loss = sampled_softmax(**case)
    assert loss.item() == pytest.approx(_plain(case).item(), rel=1e-9)
    gradients = torch.autograd.grad(2 * loss, [case[name] for name in names], allow_unused=True)
    for left, right in zip(gradients, expected, strict=True):
        if right is not None:
            torch.testing.assert_close(left, 2 * right, rtol=1e-8, atol=1e-10)


def test_a_batch_without_positives_costs_nothing() -> None:
    case = _case(6, 3)
    empty = case | {"positives": case["positives"][:0], "indptr": torch.zeros(6, dtype=torch.int64)}
    loss = sampled_softmax(**empty)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0


def test_users_without_any_negative_cost_next_to_nothing() -> None:
    case = _case(0, 0)
    assert sampled_softmax(**case).item() == pytest.approx(0, abs=1e-6)
