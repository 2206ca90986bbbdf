"""Running means of a model's weights: what is served where single steps wander about what they should find."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Steps after which the mean of the first ones is as long as it may be: d_t = min(d, (1 + t) / (10 + t)).
_YOUNG = 10


class WeightMeans(nn.Module):
    r"""Exponential running means of the parameters of a module, as buffers, so that checkpoints hold them.

    .. math:: m_t = d_t\, m_{t-1} + (1 - d_t)\, w_t, \qquad d_t = \min\Big(1 - \frac1n, \frac{1 + t}{10 + t}\Big)

    Parameters
    ----------
    module : nn.Module
        Its parameters that learn.
    steps : float
        n, the steps that a mean looks back on, >= 1.

    Notes
    -----
    An update takes O(weights) time; memory is that of the weights once more.

    References
    ----------
    .. [1] Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 1992.
       Differs: the mean forgets, and the faster the younger it is.
    """

    steps_taken: Tensor

    def __init__(self, module: nn.Module, steps: float) -> None:
        super().__init__()
        self._longest = 1 - 1 / max(steps, 1.0)
        self.register_buffer("steps_taken", torch.zeros((), dtype=torch.int64))
        for place, weight in enumerate(_weights(module)):
            self.register_buffer(f"mean_{place}", weight.detach().clone())

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take up the weights of ``module`` as they are after a step."""
        for mean, weight in zip(self._means, _weights(module), strict=True):
            mean.lerp_(weight, self._share)
        self.steps_taken += 1

    @contextmanager
    @torch.no_grad()
    def within(self, module: nn.Module) -> Iterator[None]:
        """Let the weights of ``module`` be their means inside the block, the weights of now taken up."""
        own = [weight.clone() for weight in _weights(module)]
        _put(module, [mean.lerp(weight, self._share) for mean, weight in zip(self._means, own, strict=True)])
        try:
            yield
        finally:
            _put(module, own)

    @property
    def _share(self) -> float:
        """What the next weights count in the mean."""
        taken = int(self.steps_taken)
        return 1 - min(self._longest, (1 + taken) / (_YOUNG + taken))

    @property
    def _means(self) -> list[Tensor]:
        return [mean for name, mean in self.named_buffers() if name.startswith("mean_")]


def _weights(module: nn.Module) -> list[nn.Parameter]:
    return [weight for weight in module.parameters() if weight.requires_grad]


@torch.no_grad()
def _put(module: nn.Module, values: list[Tensor]) -> None:
    for weight, value in zip(_weights(module), values, strict=True):
        weight.copy_(value)
