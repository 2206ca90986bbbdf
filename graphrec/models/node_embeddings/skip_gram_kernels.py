"""Compiled parts of :mod:`graphrec.models.node_embeddings.skip_gram`: one pass over a block of walks.

The pairs of a window are taken at once: its C inputs against the node in its middle and K negatives, so that the
C (K + 1) products are two small matrix products over rows that lie in the first cache [1]_.

References
----------
.. [1] S. Ji, N. Satish, S. Li, P. Dubey, "Parallelizing word2vec in shared and distributed memory", 2016,
   arXiv 1604.04661.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.counter_random import GAMMA, LOW, below, mix, stream
from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]

# Sums may be taken in any order and products fused; not a number stays one, so that it is seen.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
# Beyond this the hyperbolic tangent is 1 in float32.
_FLAT = np.float32(7.9)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
# tanh(x) = x P(x^2) / Q(x^2), within 3e-7 on the range: the coefficients of Eigen's.
_P = tuple(
    np.float32(c)
    for c in (
        4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08,
        -8.60467152213735e-11, 2.00018790482477e-13, -2.76076847742355e-16,
    )
)  # fmt: skip
_Q = tuple(
    np.float32(c) for c in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
)


@kernel(fastmath=_FAST, error_model="numpy")  # the divisor is never 0
def _to_errors(
    scores: FloatArray, n: int, labels: FloatArray, m: int, rate: np.float32
) -> None:  # pragma: no cover - compiled
    """Turn scores (n * m,) in place into (label - sigma(score)) rate, with the same ``labels[:m]`` for each input."""
    for j in range(n * m):
        x = _HALF * scores[j]
        x = _FLAT if x > _FLAT else x
        x = -_FLAT if x < -_FLAT else x
        y = x * x
        p = _P[0] + y * (_P[1] + y * (_P[2] + y * (_P[3] + y * (_P[4] + y * (_P[5] + y * _P[6])))))
        q = _Q[0] + y * (_Q[1] + y * (_Q[2] + y * _Q[3]))
        scores[j] = -rate * (_HALF + _HALF * x * p / q)
    for c in range(n):
        for o in range(m):
            scores[c * m + o] += rate * labels[o]


@kernel(inline="always")
def _negative(
    z: np.uint64, nodes: RowArray, thresholds: npt.NDArray[np.uint32], aliases: RowArray
) -> np.int64:  # pragma: no cover - compiled
    """Return a node drawn by the alias table with one draw: 32 bits for the slot and 32 for the verdict."""
    slot = below(z, np.int64(thresholds.size))
    return np.int64(nodes[slot if (z & LOW) < np.uint64(thresholds[slot]) else np.int64(aliases[slot])])


# Rows are read as a[row, d], never as a slice: a slice costs two atomic counts, more than the row itself. Four rows are
# taken together, so that what they are added to is read and written once.


@kernel(fastmath=_FAST)
def _multiply(
    inputs: FloatArray, rows: RowArray, n: int, own: FloatArray, m: int, scores: FloatArray
) -> None:  # pragma: no cover - compiled
    """Write the products of ``inputs[rows[:n]]`` and ``own[:m]`` to ``scores`` (n * m,)."""
    dim = own.shape[1]
    for c in range(n):
        r, p, o = np.int64(rows[c]), c * m, 0
        while o + 4 <= m:
            s0 = s1 = s2 = s3 = np.float32(0)
            for d in range(dim):
                s0 += inputs[r, d] * own[o, d]
                s1 += inputs[r, d] * own[o + 1, d]
                s2 += inputs[r, d] * own[o + 2, d]
                s3 += inputs[r, d] * own[o + 3, d]
            scores[p + o], scores[p + o + 1], scores[p + o + 2], scores[p + o + 3] = s0, s1, s2, s3
            o += 4
        while o < m:
            s0 = np.float32(0)
            for d in range(dim):
                s0 += inputs[r, d] * own[o, d]
            scores[p + o] = s0
            o += 1


@kernel(fastmath=_FAST)
def _changes(
    inputs: FloatArray, rows: RowArray, n: int, errors: FloatArray, m: int, change: FloatArray
) -> None:  # pragma: no cover - compiled
    """Write to ``change[:m]`` what the outputs are to be moved by: errors (n * m,) times the inputs."""
    dim = change.shape[1]
    for o in range(m):
        for d in range(dim):
            change[o, d] = np.float32(0)
        c = 0
        while c + 4 <= n:
            r0, r1, r2, r3 = np.int64(rows[c]), np.int64(rows[c + 1]), np.int64(rows[c + 2]), np.int64(rows[c + 3])
            p = c * m + o
            x0, x1, x2, x3 = errors[p], errors[p + m], errors[p + 2 * m], errors[p + 3 * m]
            for d in range(dim):
                change[o, d] += x0 * inputs[r0, d] + x1 * inputs[r1, d] + x2 * inputs[r2, d] + x3 * inputs[r3, d]
            c += 4
        while c < n:
            r0, x0 = np.int64(rows[c]), errors[c * m + o]
            for d in range(dim):
                change[o, d] += x0 * inputs[r0, d]
            c += 1


@kernel(fastmath=_FAST)
def _move_inputs(
    inputs: FloatArray,
    rows: RowArray,
    n: int,
    errors: FloatArray,
    m: int,
    own: FloatArray,
    fixed: npt.NDArray[np.bool_],
) -> None:  # pragma: no cover - compiled
    """Move ``inputs[rows[:n]]`` by errors (n * m,) times ``own[:m]``, but for those that are ``fixed``."""
    dim = own.shape[1]
    for c in range(n):
        r, p, o = np.int64(rows[c]), c * m, 0
        if fixed.size and fixed[r]:
            continue
        while o + 4 <= m:
            x0, x1, x2, x3 = errors[p + o], errors[p + o + 1], errors[p + o + 2], errors[p + o + 3]
            for d in range(dim):
                inputs[r, d] += x0 * own[o, d] + x1 * own[o + 1, d] + x2 * own[o + 2, d] + x3 * own[o + 3, d]
            o += 4
        while o < m:
            x0 = errors[p + o]
            for d in range(dim):
                inputs[r, d] += x0 * own[o, d]
            o += 1


@kernel
def _window_loss(scores: FloatArray, n: int, labels: FloatArray, m: int) -> float:  # pragma: no cover - compiled
    """Return the mean loss of an input and its outputs, of scores (n * m,) and ``labels[:m]``."""
    total = 0.0
    for j in range(n * m):
        wrong = np.float64(scores[j]) * (1.0 - 2.0 * np.float64(labels[j % m]))
        total += max(wrong, 0.0) + np.log1p(np.exp(-abs(wrong)))
    return total / n


@kernel(fastmath=_FAST)
def train_window(
    inputs: FloatArray,
    outputs: FloatArray,
    rows: RowArray,
    n: int,
    drawn: RowArray,
    labels: FloatArray,
    m: int,
    fixed: npt.NDArray[np.bool_],
    rate: float,
    buffers: tuple[FloatArray, FloatArray, FloatArray],
    measured: bool,
) -> float:  # pragma: no cover - compiled
    """Take one step with the inputs ``rows[:n]`` and the outputs ``drawn[:m]``, whose ``labels`` are 1 or 0.

    ``buffers`` are room for scores, outputs and changes. ``fixed`` is empty, or says which nodes do not move. Returns
    the mean loss before the step where it is to be ``measured``, else 0.
    """
    scores, own, change = buffers
    dim, loss = inputs.shape[1], 0.0
    for o in range(m):
        r = np.int64(drawn[o])
        for d in range(dim):
            own[o, d] = outputs[r, d]
    _multiply(inputs, rows, n, own, m, scores)
    if measured:
        loss = _window_loss(scores, n, labels, m)
    _to_errors(scores, n, labels, m, np.float32(rate))
    # The outputs are moved by the inputs as they were, and the inputs by the outputs as they were.
    _changes(inputs, rows, n, scores, m, change)
    _move_inputs(inputs, rows, n, scores, m, own, fixed)
    for o in range(m):
        r = np.int64(drawn[o])
        if not (fixed.size and fixed[r]):
            for d in range(dim):
                outputs[r, d] += change[o, d]
    return loss


@kernel
def _buffers(n: int, m: int, dim: int) -> tuple[FloatArray, FloatArray, FloatArray]:  # pragma: no cover - compiled
    """Return the room that :func:`train_window` needs for n inputs and m outputs."""
    return np.empty(n * m, np.float32), np.empty((m, dim), np.float32), np.empty((m, dim), np.float32)


@kernel(inline="always")
def _take_window(
    walks: RowArray, w: int, length: int, i: int, reach: int, rows: RowArray
) -> int:  # pragma: no cover - compiled
    """Write the nodes within ``reach`` of position i of walk w, but its own, to ``rows``; return how many they are."""
    n = 0
    for j in range(max(0, i - reach), min(length, i + reach + 1)):
        if j != i:
            rows[n] = walks[w, j]
            n += 1
    return n


@kernel
def train_walks(
    walks: RowArray,
    lengths: RowArray,
    first: int,
    key: np.uint64,
    inputs: FloatArray,
    outputs: FloatArray,
    nodes: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    fixed: npt.NDArray[np.bool_],
    window: int,
    negative: int,
    rate: float,
    fall: float,
) -> float:  # pragma: no cover - compiled
    """Train on walks ``first..first+n-1``, (n, length), in place; return the mean loss of one window of each.

    The rate of walk i is ``rate - fall * i``. What is drawn is a function of ``key`` and i. ``nodes``, ``thresholds``
    and ``aliases`` draw the negatives; those that are the window's middle are left out.
    """
    rows, drawn = np.empty(2 * window, np.int32), np.empty(negative + 1, np.int32)
    labels = np.zeros(drawn.size, np.float32)
    labels[0] = 1
    buffers = _buffers(rows.size, drawn.size, inputs.shape[1])
    loss, n_measured = 0.0, 0
    for w in range(walks.shape[0]):
        length = int(lengths[w])
        if length < 2:
            continue
        state = stream(key, np.uint64(first + w)) + GAMMA
        measured = below(mix(state), np.int64(length))
        for i in range(length):
            state += GAMMA
            reach = int(1 + below(mix(state), np.int64(window)))
            n, m = _take_window(walks, w, length, i, reach, rows), 1
            drawn[0] = walks[w, i]
            for _ in range(negative):
                state += GAMMA
                drawn[m] = _negative(mix(state), nodes, thresholds, aliases)
                m += int(drawn[m] != drawn[0])
            loss += train_window(
                inputs, outputs, rows, n, drawn, labels, m, fixed, rate - fall * (first + w), buffers, i == measured
            )
        n_measured += 1
    return loss / max(n_measured, 1)


@kernel
def train_walks_by_tree(
    walks: RowArray,
    lengths: RowArray,
    first: int,
    key: np.uint64,
    inputs: FloatArray,
    outputs: FloatArray,
    indptr: npt.NDArray[np.int64],
    points: RowArray,
    labels: FloatArray,
    depth: int,
    window: int,
    rate: float,
    fall: float,
) -> float:  # pragma: no cover - compiled
    """Train as :func:`train_walks` does, with the way to a window's middle through a tree in place of negatives.

    ``indptr``, ``points`` and ``labels`` are a :class:`graphrec.models.node_embeddings.huffman.HuffmanTree` of that
    ``depth``; ``outputs`` (n_nodes, dim) are those of its inner nodes.
    """
    rows, fixed = np.empty(2 * window, np.int32), np.empty(0, np.bool_)
    buffers = _buffers(rows.size, depth, inputs.shape[1])
    loss, n_measured = 0.0, 0
    for w in range(walks.shape[0]):
        length = int(lengths[w])
        if length < 2:
            continue
        state = stream(key, np.uint64(first + w)) + GAMMA
        measured = below(mix(state), np.int64(length))
        for i in range(length):
            state += GAMMA
            reach = int(1 + below(mix(state), np.int64(window)))
            n, node = _take_window(walks, w, length, i, reach, rows), np.int64(walks[w, i])
            start, stop = indptr[node], indptr[node + 1]
            loss += train_window(
                inputs, outputs, rows, n, points[start:stop], labels[start:stop], stop - start, fixed,
                rate - fall * (first + w), buffers, i == measured,
            )  # fmt: skip
        n_measured += 1
    return loss / max(n_measured, 1)


@kernel
def count_nodes(nodes: RowArray, counts: npt.NDArray[np.int64]) -> None:  # pragma: no cover - compiled
    """Add to ``counts`` (n_nodes,) how often each node stands among ``nodes``."""
    for node in nodes:
        counts[node] += 1
