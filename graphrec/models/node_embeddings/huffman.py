"""Huffman trees over nodes of a graph: the codes of hierarchical softmax."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

IntArray = npt.NDArray[np.int64]


class HuffmanTree(NamedTuple):
    """The way from the root to each of n nodes, which are the leaves; nodes of count 0 have none.

    ``indptr`` (n + 1,) int64: the way to node ``i`` is ``indptr[i]:indptr[i + 1]``. ``points`` (L,) int32: the inner
    nodes on it, root first; a tree of t leaves has the inner nodes 0 to t - 2. ``labels`` (L,) float32: 1 where it goes
    to the left of that inner node, else 0.
    """

    indptr: IntArray
    points: npt.NDArray[np.int32]
    labels: npt.NDArray[np.float32]

    @property
    def depth(self) -> int:
        """Length of the longest way."""
        return int(np.diff(self.indptr).max(initial=0))


def huffman_tree(counts: IntArray) -> HuffmanTree:
    """Return the tree with the shortest mean way, each leaf weighing its count (n,), >= 0 [1]_.

    Notes
    -----
    Time O(n log n + L); L is at most 1.45 n log2(sum of counts). A function of the counts: of equal ones the lower row
    is joined first, and leaves before inner nodes.

    References
    ----------
    .. [1] D. Huffman, "A method for the construction of minimum-redundancy codes", Proceedings of the IRE, 1952; by two
       queues, as in J. van Leeuwen, "On the construction of Huffman trees", ICALP 1976.
    """
    leaves = np.flatnonzero(counts)
    leaves = leaves[np.argsort(counts[leaves], kind="stable")]
    parents, left = _join(counts[leaves])
    depths = _depths(parents)
    lengths = np.zeros(len(counts), dtype=np.int64)
    lengths[leaves] = depths[: len(leaves)]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    points, labels = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=np.float32)
    _write_ways(parents, left, indptr[leaves + 1], points, labels)
    return HuffmanTree(indptr, points, labels)


@kernel
def _join(counts: IntArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:  # pragma: no cover - compiled
    """Return the parent of each of t leaves, of ascending counts, and t - 1 inner nodes; and which stand to the left.

    Inner nodes follow the leaves in the order in which they were made: a parent stands after its children, the root is
    last, and its parent -1.
    """
    t = counts.size
    total = max(2 * t - 1, 0)
    weights = np.empty(total, np.int64)
    weights[:t] = counts
    parents, left = np.full(total, -1, np.int64), np.zeros(total, np.bool_)
    leaf, inner = 0, t
    for made in range(t, total):
        weights[made] = 0
        for side in range(2):
            if leaf < t and (inner >= made or weights[leaf] <= weights[inner]):
                least = leaf
                leaf += 1
            else:
                least = inner
                inner += 1
            parents[least] = made
            left[least] = side == 0
            weights[made] += weights[least]
    return parents, left


@kernel
def _depths(parents: IntArray) -> IntArray:  # pragma: no cover - compiled
    """Return how far each node is from the root."""
    depths = np.zeros(parents.size, np.int64)
    for node in range(parents.size - 2, -1, -1):
        depths[node] = depths[parents[node]] + 1
    return depths


@kernel
def _write_ways(
    parents: IntArray,
    left: npt.NDArray[np.bool_],
    ends: IntArray,
    points: npt.NDArray[np.int32],
    labels: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write the way to each leaf, from its end in ``points`` and ``labels`` back to the root."""
    for leaf in range(ends.size):
        node, place = leaf, ends[leaf]
        while parents[node] >= 0:
            place -= 1
            points[place] = parents[node] - ends.size
            labels[place] = np.float32(1) if left[node] else np.float32(0)
            node = parents[node]
