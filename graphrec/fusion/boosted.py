"""Boosted fusion: the calibrated list, put in a better order by trees that look at all channels together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, entries_where, indptr_of, take_lists
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.fusion.calibrated import (
    HEAD,
    Calibrated,
    Method,
    Values,
    check_cutoffs,
    check_method,
    fit_calibrated,
)
from graphrec.fusion.fit import users_with_truth
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.kernels import describe_all, head_sums, rescore
from graphrec.fusion.rrf import check_settings, merging_depth
from graphrec.fusion.settings import FitResult
from graphrec.threads import map_chunks

# Queries that a thread takes at a time, and those whose entries are described at a time.
_QUERIES, _CHUNK = 64, 1024
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


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
        If a way through the trees could lead outside them, or never end.
    """

    roots: tuple[int, ...]
    features: tuple[int, ...]
    values: tuple[float, ...]
    rights: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("roots", "features", "values", "rights"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        n, (roots, features, values, rights) = len(self.features), self.arrays
        if not len(values) == len(rights) == n:
            raise ConfigError(f"trees have {n} features, {len(values)} values and {len(rights)} right children")
        places = np.arange(n)
        inner = features >= 0
        whole = ((roots >= 0) & (roots < n)).all() and (rights[inner] > places[inner] + 1).all()
        if not whole or (rights[inner] >= n).any() or not np.isfinite(values).all():
            raise ConfigError("trees are damaged: each way must lead on through the nodes, to a leaf with a number")

    @cached_property
    def arrays(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Values, npt.NDArray[np.int32]]:
        """Roots, features, values and right children, as kernels read them."""
        return (
            np.array(self.roots, dtype=np.int32),
            np.array(self.features, dtype=np.int32),
            np.array(self.values, dtype=np.float64),
            np.array(self.rights, dtype=np.int32),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the trees as JSON values."""
        return {name: list(getattr(self, name)) for name in ("roots", "features", "values", "rights")}


@dataclass(frozen=True)
class Boosted:
    r"""The best k items a query by their calibrated score, times what trees make of all that is known of them.

    .. math:: s(i) = s_{calibrated}(i)\; e^{F(x(i))}

    F is the sum of the trees, x(i) holds for each channel the item's share (as in :class:`Calibrated`), its rank, and
    the sum of the head of the list; then the logarithm of the calibrated score, and how popular the item is. Channels
    cannot be weighed alike everywhere: how much a rank of one means depends on what the others say, on how sure the
    list is of its head, and on whether the item is popular. The best 3 k of the calibrated list are looked at, 200 at
    least.

    A query that one channel alone answers keeps that channel's order. A channel that is absent counts as one that
    found nothing; trees have seen that in training. A channel that is not among the curves adds nothing.

    Parameters
    ----------
    base : Calibrated
        What the trees correct; its curves' order is that of the channels in x.
    trees : Trees
        F, over ``3 * channels + 2`` features.
    popularity : str
        A digit an item, by row: :func:`popularity_levels`. Items beyond it are taken for unpopular.

    Raises
    ------
    ConfigError
        If the parts do not fit together.
    """

    kind: ClassVar[str] = "boosted"
    base: Calibrated
    trees: Trees
    popularity: str

    def __post_init__(self) -> None:
        # JSON gives mappings.
        base = self.base if isinstance(self.base, Calibrated) else Calibrated(**self.base)
        trees = self.trees if isinstance(self.trees, Trees) else Trees(**self.trees)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "trees", trees)
        deepest, last = max(trees.features, default=-1), 3 * len(base.curves) + 1
        if deepest > last:
            raise ConfigError(f"trees look at feature {deepest}; {len(base.curves)} channels have 0 to {last}")
        strange = set(self.popularity) - set(_DIGITS)
        if strange:
            raise ConfigError(f"popularity holds {min(strange)!r}; legal: {_DIGITS}")

    @cached_property
    def levels(self) -> npt.NDArray[np.uint8]:
        """(n_items,) how popular each item is, 0 to 35."""
        codes = np.frombuffer(self.popularity.encode("ascii"), dtype=np.uint8)
        return np.where(codes <= ord("9"), codes - ord("0"), codes - ord("a") + 10).astype(np.uint8)

    def merge(self, lists: Mapping[str, ItemLists], k: int) -> FusedLists:
        """Return at most k items a query, best first, ties by row, with what each channel said of them.

        Beside the calibrated merge, time O(D (C + trees * depth of a tree)) a query for D = max(3 k, 200).
        """
        check_settings(k=k)
        merged = self.base.merge(lists, _depth(k))
        found, n, channels = merged.lists, len(merged), tuple(self.base.curves)
        columns, heads = _columns(merged, channels), _heads(lists, channels, n)
        answers: npt.NDArray[np.int64] = np.stack([part.lengths > 0 for part in lists.values()]).sum(axis=0)
        scores, order = np.empty_like(found.scores), np.empty(len(found.items), dtype=np.int64)

        def work(start: int, stop: int) -> None:
            rescore(
                start, stop, found.indptr, found.items, found.scores, columns, merged.ranks, merged.scores, heads,
                answers, self.levels, *self.trees.arrays, scores, order,
            )  # fmt: skip

        for _ in map_chunks(work, n, chunk=_QUERIES):
            pass
        within = np.arange(len(order)) - np.repeat(found.indptr[:-1], found.lengths)
        best = order[within < k]
        indptr = indptr_of(np.minimum(found.lengths, k))
        kept = ItemLists(indptr, found.items[best], scores[best])
        return FusedLists(kept, merged.channels, merged.ranks[best], merged.scores[best])

    def channel_depth(self, k: int) -> int:
        """Return how deep the calibrated fusion asks."""
        return self.base.channel_depth(k)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        base = {key: value for key, value in self.base.to_dict().items() if key != "kind"}
        return {"kind": self.kind, "base": base, "trees": self.trees.to_dict(),
                "popularity": self.popularity}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FittedBoosted:
    """Boosted fusion, fitted on a validation part of train: see :func:`fit_boosted`.

    Parameters
    ----------
    method, cutoffs
        Of the calibrated fusion that is corrected, as in :class:`graphrec.fusion.calibrated.FittedCalibrated`.
    trees, leaves, learning_rate
        As in :func:`fit_boosted`.

    Raises
    ------
    ConfigError
        If a setting is illegal.
    """

    method: Method = "isotonic"
    cutoffs: tuple[int, ...] = ()
    trees: int = 100
    leaves: int = 15
    learning_rate: float = 0.1

    def __post_init__(self) -> None:
        check_method(self.method)
        check_cutoffs(self.cutoffs)
        _check_growth(self.trees, self.leaves, self.learning_rate)

    def fit(
        self, lists: Mapping[str, ItemLists], truth: ItemLists, *, k: int, counts: npt.NDArray[np.int64], seed: int
    ) -> FitResult:
        """Return the fusion, and the weights that it starts from as what was found."""
        cutoffs = self.cutoffs or (k,)
        fusion = fit_boosted(
            lists, truth, cutoffs=cutoffs, counts=counts, seed=seed, method=self.method, trees=self.trees,
            leaves=self.leaves, learning_rate=self.learning_rate,
        )  # fmt: skip
        # Growing stops where nothing is left to learn.
        grown = len(fusion.trees.roots)
        found = {"method": self.method, "cutoffs": list(cutoffs), "trees": grown, "weights": fusion.base.weights}
        return FitResult(fusion, found)

    def channel_depth(self, k: int) -> int:
        """Return how deep the fitted fusion asks."""
        return merging_depth(k)


def fit_boosted(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    *,
    cutoffs: Sequence[int],
    counts: npt.NDArray[np.int64],
    seed: int,
    method: Method = "isotonic",
    trees: int = 100,
    leaves: int = 15,
    learning_rate: float = 0.1,
    max_users: int = 20_000,
) -> Boosted:
    """Return the calibrated fusion of ``lists``, corrected by gradient-boosted trees.

    Trees start from the logarithm of the calibrated score and grow by the log loss of hit or no hit over the entries of
    the calibrated list, all hits and a quarter of the others, which count four times. A user's entries weigh one over
    his held-out items, as they do in Recall. Half of the users lack one channel, drawn at random, so that the trees
    know what to make of a channel that is late or left out.

    Parameters
    ----------
    lists, truth, cutoffs, seed, method
        As in :func:`graphrec.fusion.calibrated.fit_calibrated`, which is fitted first.
    counts : ndarray
        (n_items,) events of each item in what the channels learnt from.
    trees : int, default 100
        Trees, >= 1.
    leaves : int, default 15
        Leaves of a tree, 2 to 255.
    learning_rate : float, default 0.1
        What a tree counts, above 0 and at most 1.
    max_users : int, default 20000
        Users looked at.

    Raises
    ------
    DataError
        If no user has any truth, or no channel has a hit.
    ConfigError
        If a setting is illegal.
    MissingExtraError
        If LightGBM or scikit-learn is not installed.

    Notes
    -----
    The best max(3 K, 200) entries are learnt from, K the largest cut-off. Memory: a quarter of them a user, 12 bytes a
    channel each. Deterministic, whatever the number of threads.

    References
    ----------
    .. [1] Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001.
    .. [2] Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017: who grows them.
    """
    _check_growth(trees, leaves, learning_rate)
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("boosted fusion", extra="train") from error
    base = fit_calibrated(lists, truth, cutoffs=cutoffs, seed=seed, method=method)
    popularity = popularity_levels(counts)
    rng = np.random.default_rng(seed)
    users = users_with_truth(truth, max_users, rng)
    untold = Boosted(base, Trees((), (), (), ()), popularity)
    rows, hits, weights = _rows(untold, lists, truth, users, _depth(max(cutoffs)), rng)
    settings = {
        "objective": "binary", "num_leaves": leaves, "learning_rate": learning_rate, "min_data_in_leaf": 200,
        "lambda_l2": 20.0, "use_missing": False, "seed": seed, "deterministic": True, "force_row_wise": True,
        "verbose": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(rows, hits, weight=weights, init_score=rows[:, -2].astype(np.float64))
    grown = lightgbm.train(settings, data, num_boost_round=trees)
    return Boosted(base, _flattened(grown.dump_model()["tree_info"]), popularity)


def popularity_levels(counts: npt.NDArray[np.int64]) -> str:
    """Return a base-36 digit an item: twice the binary logarithm of its events and one, rounded; z from 2^17.5 on."""
    levels = np.minimum(np.rint(2 * np.log2(1.0 + counts)), len(_DIGITS) - 1).astype(np.int64)
    return "".join(np.array(list(_DIGITS))[levels])


def _depth(k: int) -> int:
    """Return how many entries of the calibrated list trees look at."""
    return max(3 * k, 200)


def _check_growth(trees: int, leaves: int, learning_rate: float) -> None:
    """Raise ConfigError unless trees can be grown so."""
    if trees < 1:
        raise ConfigError(f"trees is {trees}; it must be 1 or more")
    if not 2 <= leaves <= 255:
        raise ConfigError(f"leaves is {leaves}; it must lie between 2 and 255")
    if not 0 < learning_rate <= 1:
        raise ConfigError(f"learning_rate is {learning_rate}; it must be above 0 and at most 1")


def _columns(merged: FusedLists, channels: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return (C,) the columns of ``channels`` in what was merged, -1 where one is absent."""
    places = {name: column for column, name in enumerate(merged.channels)}
    return np.array([places.get(name, -1) for name in channels], dtype=np.int64)


def _heads(lists: Mapping[str, ItemLists], channels: tuple[str, ...], n: int) -> Values:
    """Return (n, C) the sum of each list's head; 0 for a channel that is absent."""
    heads = np.zeros((n, len(channels)))
    for column, name in enumerate(channels):
        if name in lists:
            head_sums(lists[name].indptr, lists[name].scores, HEAD, heads[:, column])
    return heads


def _rows(
    fusion: Boosted,
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    users: npt.NDArray[np.int64],
    depth: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Values]:
    """Return what trees learn from: rows of features, which of them are hits, and their weights, whose mean is 1."""
    channels, parts = tuple(fusion.base.curves), []
    for start in range(0, len(users), _CHUNK):
        chunk = users[start : start + _CHUNK]
        # Whom which channel is missing; half lack none.
        missing = np.where(rng.random(len(chunk)) < 0.5, rng.integers(len(channels), size=len(chunk)), -1)
        asked = {}
        for c, name in enumerate(channels):
            part = take_lists(lists[name], chunk)
            asked[name] = entries_where(part, np.repeat(missing != c, part.lengths))
        merged, held = fusion.base.merge(asked, depth), take_lists(truth, chunk)
        hits = hit_mask(merged.lists, held)
        entries = np.flatnonzero(hits | (rng.random(len(hits)) < 0.25))
        queries = np.repeat(np.arange(len(chunk)), merged.lists.lengths)[entries]
        rows = np.empty((len(entries), 3 * len(channels) + 2), dtype=np.float32)
        found = merged.lists
        describe_all(
            entries, queries, found.items, found.scores, _columns(merged, channels), merged.ranks, merged.scores,
            _heads(asked, channels, len(chunk)), fusion.levels, rows,
        )  # fmt: skip
        weights = np.where(hits[entries], 1.0, 4.0) / truth_sizes(held)[queries]
        parts.append((rows, hits[entries], weights))
    rows, hits, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, hits, weights / weights.mean()


def _flattened(grown: Sequence[Mapping[str, Any]]) -> Trees:
    """Return the trees that LightGBM has grown, as it dumps them, laid end to end."""
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

    for tree in grown:
        roots.append(len(features))
        lay(tree["tree_structure"])
    return Trees(tuple(roots), tuple(features), tuple(values), tuple(rights))
