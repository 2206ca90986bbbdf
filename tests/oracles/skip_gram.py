"""Skip-gram written out: a window at a time, in float64; and Huffman codes by a heap."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from graphrec.graph.counter_random import GAMMA, below, mix, stream

Array = npt.NDArray[np.float64]


def sigma(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def window_loss(inputs: Array, outputs: Array, labels: Sequence[float]) -> float:
    """Return the summed loss of inputs (n, dim) with outputs (m, dim) of these labels, 1 or 0."""
    scores = inputs @ outputs.T * (1 - 2 * np.asarray(labels))  # (n, m)
    return float(np.log1p(np.exp(scores)).sum())


def window_step(
    inputs: Array, outputs: Array, rows: list[int], drawn: list[int], labels: Sequence[float], rate: float
) -> None:
    """Take a gradient step of :func:`window_loss`, in place; a row that is named twice moves twice."""
    own_inputs, own_outputs = inputs[rows], outputs[drawn]
    errors = rate * (np.asarray(labels) - sigma(own_inputs @ own_outputs.T))
    np.add.at(inputs, rows, errors @ own_outputs)
    np.add.at(outputs, drawn, errors.T @ own_inputs)


def train(
    walks: list[list[int]], inputs: Array, outputs: Array, *, key: np.uint64, window: int, rate: float, fall: float,
    outputs_of: Callable[[int, Callable[[], np.uint64]], tuple[list[int], list[float]]],
) -> None:  # fmt: skip
    """Train on walks, in place, with the numbers that the compiled form draws.

    ``outputs_of`` gives the outputs of a window's middle and their labels, and may draw numbers for that.
    """
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
                window_step(inputs, outputs, rows, *outputs_of(middle, draw), rate - fall * number)


def negatives_of(
    table: tuple[npt.NDArray[np.int32], npt.NDArray[np.uint32], npt.NDArray[np.int32]], negative: int
) -> Callable[[int, Callable[[], np.uint64]], tuple[list[int], list[float]]]:
    """Return what draws a window's middle and its negatives."""
    nodes, thresholds, aliases = table

    def drawn(middle: int, draw: Callable[[], np.uint64]) -> tuple[list[int], list[float]]:
        chosen = [middle]
        for _ in range(negative):
            z = draw()
            slot = int(below(z, np.int64(len(nodes))))
            node = int(nodes[slot if int(z) & 0xFFFFFFFF < thresholds[slot] else int(aliases[slot])])
            chosen += [node] * (node != middle)
        return chosen, [1.0] + [0.0] * (len(chosen) - 1)

    return drawn


def huffman_cost(counts: Sequence[int]) -> int:
    """Return the least sum of count times code length that a prefix code has."""
    heap, cost = [count for count in counts if count], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    return cost
