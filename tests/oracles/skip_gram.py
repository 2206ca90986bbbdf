"""Skip-gram with negative sampling written out: a window at a time, in float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.counter_random import GAMMA, below, mix, stream

Array = npt.NDArray[np.float64]


def sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def window_loss(inputs: Array, outputs: Array) -> float:
    """Return the summed loss of inputs (n, dim) with outputs (m, dim), of which the first is in the window."""
    scores = inputs @ outputs.T  # (n, m)
    scores[:, 0] *= -1
    return float(np.log1p(np.exp(scores)).sum())


def window_step(inputs: Array, outputs: Array, rows: list[int], drawn: list[int], rate: float) -> None:
    """Take a gradient step of :func:`window_loss`, in place; a row that is named twice moves twice."""
    own_inputs, own_outputs = inputs[rows], outputs[drawn]
    label = np.zeros(len(drawn))
    label[0] = 1
    errors = rate * (label - sigma(own_inputs @ own_outputs.T))
    np.add.at(inputs, rows, errors @ own_outputs)
    np.add.at(outputs, drawn, errors.T @ own_inputs)


def train(
    walks: list[list[int]], inputs: Array, outputs: Array, *, key: np.uint64, window: int, negative: int, rate: float,
    fall: float, table: tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32], npt.NDArray[np.int32]],
) -> None:  # fmt: skip
    """Train on walks, in place, with the numbers that the compiled form draws."""
    nodes, thresholds, aliases = table
    for number, walk in enumerate(walks):
        if len(walk) < 2:
            continue
        with np.errstate(over="ignore"):
            state = stream(key, np.uint64(number)) + GAMMA

            def draw() -> np.uint64:
                nonlocal state
                state = state + GAMMA
                return np.uint64(mix(state))

            for i, middle in enumerate(walk):
                reach = 1 + int(below(draw(), np.int64(window)))
                rows = [walk[j] for j in range(max(0, i - reach), min(len(walk), i + reach + 1)) if j != i]
                drawn = [middle]
                for _ in range(negative):
                    z = draw()
                    slot = int(below(z, np.int64(len(nodes))))
                    chosen = slot if int(z) & 0xFFFFFFFF < thresholds[slot] else int(aliases[slot])
                    if nodes[chosen] != middle:
                        drawn.append(int(nodes[chosen]))
                window_step(inputs, outputs, rows, drawn, rate - fall * number)
