"""A small network that corrects log odds which are known: hit or no hit, learnt by gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

# Passes over the entries, entries a step, the largest rate of learning, decay of the weights.
_EPOCHS, _BATCH, _RATE, _DECAY = 16, 4096, 4e-3, 1e-3


def fit_odds_network(
    rows: npt.NDArray[np.float32],
    hits: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    *,
    hidden: Sequence[int],
    farthest: float,
    seed: int,
) -> tuple[
    npt.NDArray[np.float64],
    npt.NDArray[np.float64],
    list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
]:
    """Return centres, scales and layers of a network that, added to ``start``, has the least log loss of hits.

    Parameters
    ----------
    rows : ndarray
        (t, F) float32: features of any scale; NaN, or an infinity, where one is not known.
    hits, weights, start : ndarray
        (t,): which entries are hits, what they weigh (mean 1), the log odds from which the network starts.
    hidden : sequence of int
        Units of each hidden layer.
    farthest : float
        Where scaled features are cut off, > 0.
    seed : int
        Decides the first weights and the order of the entries.

    Returns
    -------
    centres, scales : ndarray
        (F,): a feature less its centre, times its scale, is cut off at ``farthest``, either way, and 0 where it is not
        known.
    layers : list of (ndarray, ndarray)
        Each layer's (outputs, inputs) weights and (outputs,) biases. Between layers, z becomes
        z min(max(z + 3, 0), 6) / 6 [3]_, which is smooth as z sigmoid(z) is, without an exponential.

    Notes
    -----
    AdamW [1]_ in 16 passes, a step for 4,096 entries (where there are fewer than 64 times as many, for a 64th of them,
    32 at least), at a rate that rises to .004 and falls to nothing, in one cycle [2]_. The last layer starts from 0, so
    that learning starts from ``start``. Deterministic on as many threads of torch; on another number sums differ in
    their last digits.

    References
    ----------
    .. [1] Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019.
    .. [2] Smith, Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2019.
    .. [3] Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
    """
    known = np.isfinite(rows)
    centres = np.add.reduce(rows, axis=0, dtype=np.float64, where=known) / np.maximum(known.sum(axis=0), 1)
    scaled = np.where(known, rows - centres.astype(np.float32), np.float32(0))
    spread = np.sqrt(np.einsum("tf,tf->f", scaled, scaled, dtype=np.float64) / len(rows))
    # A feature that is the same everywhere says nothing here, and must not say much elsewhere.
    scales = np.where(spread > 1e-6, 1.0 / np.maximum(spread, 1e-6), 0.0)
    scaled *= scales.astype(np.float32)
    np.clip(scaled, -farthest, farthest, out=scaled)
    inputs = torch.from_numpy(scaled)
    hit, weight, given = (torch.from_numpy(part.astype(np.float32)) for part in (hits, weights, start))
    generator = torch.Generator().manual_seed(seed)
    sizes = [rows.shape[1], *hidden, 1]
    layers = [nn.utils.skip_init(nn.Linear, n, m) for n, m in pairwise(sizes)]  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for layer in layers:
            bound = 0.0 if layer is layers[-1] else layer.in_features**-0.5
            for part in (layer.weight, layer.bias):
                part.uniform_(-bound, bound, generator=generator)
    network = nn.Sequential(*(part for layer in layers[:-1] for part in (layer, nn.Hardswish())), layers[-1])
    batch = min(_BATCH, max(len(rows) // 64, 32))
    steps = -(-len(rows) // batch)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=_EPOCHS * steps)
    for _ in range(_EPOCHS):
        for chosen in torch.randperm(len(rows), generator=generator).split(batch):  # type: ignore[no-untyped-call]
            odds = network(inputs[chosen])[:, 0] + given[chosen]
            losses = nn.functional.binary_cross_entropy_with_logits(odds, hit[chosen], reduction="none")
            optimiser.zero_grad()
            (losses * weight[chosen]).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            cycle.step()
    parts = [(layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in layers]
    return centres, scales, parts
