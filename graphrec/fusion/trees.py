"""Regression trees that many entries walk together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.kernels import kernel

# Entries that walk together: their features and their leaves stay in the nearest cache.
LANES = 128

_FIELDS = ("roots", "features", "values", "rights")


class NodeArrays(NamedTuple):
    """Trees as the kernel reads them: inner nodes in preorder, leaves numbered from left to right within their tree.

    Parameters
    ----------
    nodes, leaves : ndarray
        (trees + 1,) int32: where each tree's inner nodes and leaves start.
    features : ndarray
        (inner,) int32: what a node looks at.
    thresholds : ndarray
        (inner,) float32: up to which the way leads left.
    firsts, splits : ndarray
        (inner,) int32: the node's first leaf, and the first of its right child.
    values : ndarray
        (leaves,) float64: what a leaf adds.
    """

    nodes: npt.NDArray[np.int32]
    leaves: npt.NDArray[np.int32]
    features: npt.NDArray[np.int32]
    thresholds: npt.NDArray[np.float32]
    firsts: npt.NDArray[np.int32]
    splits: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trees:
    """Regression trees, laid end to end: a node's left child is the node behind it.

    Parameters
    ----------
    roots : tuple of int
        The node that each tree starts from.
    features : tuple of int
        What a node looks at; -1 for a leaf.
    values : tuple of float
        A node's threshold, up to which the way leads left; what a leaf adds.
    rights : tuple of int
        A node's right child, behind the node; 0 for a leaf.

    Raises
    ------
    ConfigError
        If a way through the trees leads outside them, or a node is reached by none or by several.
    """

    roots: tuple[int, ...]
    features: tuple[int, ...]
    values: tuple[float, ...]
    rights: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in _FIELDS:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        n = len(self.features)
        if not len(self.values) == len(self.rights) == n:
            values, rights = len(self.values), len(self.rights)
            raise ConfigError(f"trees have {n} features, {values} values and {rights} right children")
        inner = np.flatnonzero(np.array(self.features, dtype=np.int64) >= 0)
        right = np.array(self.rights, dtype=np.int64)[inner]
        reached = np.sort(np.concatenate([np.array(self.roots, dtype=np.int64), inner + 1, right]))
        forward = (right > inner + 1).all() and np.array_equal(reached, np.arange(n))
        if not forward or not np.isfinite(self.values).all():
            raise ConfigError("trees are damaged: each way must lead on through the nodes, to a leaf with a number")

    @cached_property
    def arrays(self) -> NodeArrays:
        """The trees as the kernel reads them."""
        nodes: list[int] = []
        firsts: list[int] = []
        splits: list[int] = []
        leaves: list[int] = []
        bounds = [(0, 0)]
        for root in self.roots:
            start = len(leaves)
            way = [(root, -1)]  # nodes to come, with the place of the node whose right child each is
            while way:
                node, parent = way.pop()
                if parent >= 0:
                    splits[parent] = len(leaves) - start
                if self.features[node] < 0:
                    leaves.append(node)
                    continue
                way += [(self.rights[node], len(nodes)), (node + 1, -1)]
                nodes.append(node)
                firsts.append(len(leaves) - start)
                splits.append(0)
            bounds.append((len(nodes), len(leaves)))
        features, values = np.array(self.features, dtype=np.int32), np.array(self.values, dtype=np.float64)
        ends = np.array(bounds, dtype=np.int32)
        return NodeArrays(
            ends[:, 0].copy(), ends[:, 1].copy(), features[nodes], _float32_below(values[nodes]),
            np.array(firsts, dtype=np.int32), np.array(splits, dtype=np.int32), values[leaves],
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the trees as JSON values."""
        return {name: list(getattr(self, name)) for name in _FIELDS}


def add_trees(tiles: npt.NDArray[np.float32], trees: Trees) -> npt.NDArray[np.float64]:
    """Return what the trees say of each entry: the sum of the leaves that it comes to, in the order of trees.

    Parameters
    ----------
    tiles : ndarray
        (t, F, LANES) float32: the F features of LANES entries a tile.
    trees : Trees
        Trees over F features.

    Returns
    -------
    ndarray
        (t, LANES) float64.

    Notes
    -----
    No branch depends on an entry. Every node of a tree is looked at by all entries of a tile, in preorder: where an
    entry stands at the node's first leaf, which it does if and only if its way leads through the node, and its feature
    is above the threshold, it moves to the first leaf of the right child. LANES entries at once, this is one comparison
    a few entries wide for each node, while a walk down mispredicts about every other turn. The idea of looking at all
    nodes in place of walking is that of [1]_. Time O(entries * inner nodes).

    References
    ----------
    .. [1] Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of regression
       trees", SIGIR 2015. Differs: the leaf's number is kept in place of a mask of leaves, so that trees may have any
       number of leaves and nothing is counted at the end.
    """
    totals = np.zeros((len(tiles), LANES))
    _add(tiles, trees.arrays, totals)
    return totals


def trees_from_lightgbm(tree_info: Sequence[Mapping[str, Any]]) -> Trees:
    """Return the trees of ``Booster.dump_model()["tree_info"]``, laid end to end."""
    roots: list[int] = []
    features: list[int] = []
    values: list[float] = []
    rights: list[int] = []

    def lay(node: Mapping[str, Any]) -> None:
        place, leaf = len(features), "leaf_value" in node
        features.append(-1 if leaf else int(node["split_feature"]))
        values.append(float(node["leaf_value" if leaf else "threshold"]))
        rights.append(0)
        if not leaf:
            lay(node["left_child"])
            rights[place] = len(features)
            lay(node["right_child"])

    for tree in tree_info:
        roots.append(len(features))
        lay(tree["tree_structure"])
    return Trees(tuple(roots), tuple(features), tuple(values), tuple(rights))


def _float32_below(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the largest float32 up to each value: a float32 lies up to the one where it lies up to the other."""
    with np.errstate(over="ignore"):
        nearest = values.astype(np.float32)
    below: npt.NDArray[np.float32] = np.where(nearest > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return below


@kernel
def _add(
    tiles: npt.NDArray[np.float32], trees: NodeArrays, totals: npt.NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Add what what trees say to ``totals``; loops over lanes are of constant length, so that they become vectors."""
    leaf = np.empty(LANES, dtype=np.int32)
    for tile in range(tiles.shape[0]):
        for tree in range(trees.nodes.size - 1):
            for lane in range(LANES):
                leaf[lane] = 0
            for node in range(trees.nodes[tree], trees.nodes[tree + 1]):
                feature, threshold = trees.features[node], trees.thresholds[node]
                first, split = trees.firsts[node], trees.splits[node]
                for lane in range(LANES):
                    right = (leaf[lane] == first) & (not (tiles[tile, feature, lane] <= threshold))
                    leaf[lane] = split if right else leaf[lane]
            base = trees.leaves[tree]
            for lane in range(LANES):
                totals[tile, lane] += trees.values[base + leaf[lane]]
