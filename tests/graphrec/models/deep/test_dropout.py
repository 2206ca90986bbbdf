"""Dropout: the share that was set, the same mean, gradients of what stays, and nothing outside training."""

from __future__ import annotations

import pytest
import torch

from graphrec.models.deep.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(3, 5, 7), (100_003,)])
def test_a_share_is_hidden_and_the_mean_stays(share: float, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.ones(shape, requires_grad=True)
    y = Dropout(share)(x)
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / (1 - share)))
    if x.numel() > 1000:
        assert abs(float((y == 0).float().mean()) - share) < 0.01
        # No place of a word of the generator is hidden more often than another.
        places = (y[: len(y) // 4 * 4].reshape(-1, 4) == 0).float().mean(dim=0)
        assert float((places - share).abs().max()) < 0.02
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


def test_draws_follow_from_the_seed_and_nothing_is_hidden_outside_training() -> None:
    x, layer = torch.randn(1000), Dropout(0.5)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    torch.testing.assert_close(layer(x), first, rtol=0, atol=0)
    assert not torch.equal(first, second)
    assert Dropout(0.0)(x) is x
    assert layer.train(mode=False)(x) is x
