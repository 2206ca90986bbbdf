"""The trees and the network of boosted fusion, learnt from held-out events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, entries_where, take_lists
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.fusion.boosted import Boosted, correction_depth
from graphrec.fusion.candidates import number_candidates
from graphrec.fusion.features import feature_rows, log_levels
from graphrec.fusion.fit_calibrated import Method, check_cutoffs, check_method, fit_calibrated
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.heads import Values, head_shares
from graphrec.fusion.network import FARTHEST, NO_NETWORK, Network, add_rows, even_features, network_from_layers
from graphrec.fusion.objective import users_with_truth
from graphrec.fusion.rrf import merging_depth
from graphrec.fusion.selection import select_best
from graphrec.fusion.settings import FitResult
from graphrec.fusion.stacked import stack
from graphrec.fusion.sums import sum_values
from graphrec.fusion.trees import Trees, trees_from_lightgbm

# Users whose entries are described at a time.
_USERS = 1024
# Users who lack a channel while trees grow, and those who say when they have grown enough.
_LACKING, _HELD = 0.1, 0.2
# Trees in a row that may bring these no gain.
_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class FittedBoosted:
    """Boosted fusion, fitted on a validation part of train: see :func:`fit_boosted`.

    Parameters
    ----------
    method, cutoffs
        Of the calibrated fusion that is corrected, as in :class:`graphrec.fusion.fit_calibrated.FittedCalibrated`.
    trees, leaves, learning_rate, popularity_exponent
        As in :func:`fit_boosted`.
    network : tuple of int, default ()
        As in :func:`fit_boosted`.
    graph_levels : bool, default True
        Whether trees and network look at what the knowledge graph tells of an item, where a channel of it answers.

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
    popularity_exponent: float = 0.0
    network: tuple[int, ...] = ()
    graph_levels: bool = True

    def __post_init__(self) -> None:
        check_method(self.method)
        check_cutoffs(self.cutoffs)
        _check_growth(self.trees, self.leaves, self.learning_rate, self.popularity_exponent)
        object.__setattr__(self, "network", tuple(self.network))
        _check_network(self.network)

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],
        seed: int,
        graph: GraphLevels = NO_LEVELS,
        histories: ItemLists | None = None,
    ) -> FitResult:
        """Return the fusion, and the weights that it starts from for the report."""
        cutoffs = self.cutoffs or (k,)
        fusion = fit_boosted(
            lists, truth, cutoffs=cutoffs, counts=counts, seed=seed, method=self.method, trees=self.trees,
            leaves=self.leaves, learning_rate=self.learning_rate, popularity_exponent=self.popularity_exponent,
            network=self.network, graph=graph if self.graph_levels else NO_LEVELS, histories=histories,
        )  # fmt: skip
        # Growing stops where nothing is left to learn.
        grown = len(fusion.trees.roots)
        units = [len(layer) for layer in fusion.network.biases[:-1]]
        report = {
            "method": self.method, "cutoffs": list(cutoffs), "trees": grown, "network": units,
            "weights": fusion.base.weights,
        }  # fmt: skip
        return FitResult(fusion, report)

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
    popularity_exponent: float = 0.0,
    network: tuple[int, ...] = (),
    graph: GraphLevels = NO_LEVELS,
    histories: ItemLists | None = None,
    max_users: int = 20_000,
) -> Boosted:
    """Return the calibrated fusion of ``lists``, corrected by gradient-boosted trees.

    Trees start from the logarithm of the calibrated score and grow by the log loss of hit or no hit over the entries of
    the calibrated list, all hits and a quarter of the others, which count four times. A user's entries weigh one over
    his held-out items, as they do in Recall. A tenth of the users lack one channel, drawn at random, or all those of
    the graph, so that the trees know what to make of a channel that is late or left out.

    A ``network``, where it is asked for, learns before the trees, which start from what it says: it follows what
    changes evenly with shares, ranks and heads, for which trees need many steps. Where trees alone do better by
    users whom neither has seen, there is none.

    Where little can be learnt there are fewer trees: they grow on four fifths of the users while the loss of the others
    falls, and as many are grown on all. The loss falls longer than the head of the list gains: see ``docs/fusion.md``.

    Parameters
    ----------
    lists, truth, cutoffs, seed, method
        As in :func:`graphrec.fusion.fit_calibrated.fit_calibrated`, which is fitted first.
    counts : ndarray
        (n_items,) events of each item in what the channels learnt from.
    trees : int, default 100
        Trees at most, >= 1.
    leaves : int, default 15
        Leaves of a tree, 2 to 255.
    learning_rate : float, default 0.1
        What a tree counts, above 0 and at most 1.
    popularity_exponent : float, default 0
        beta, 0 to 2: a hit weighs 1 / (1 + events of the item)^beta, as in the popularity-stratified Recall of [3]_.
        Above 0 the list reaches further into the tail, and has fewer hits in all.
    network : tuple of int, default ()
        Units of the hidden layers of a network, each 1 to 1024; such as (96, 48). By default no network.
    graph : GraphLevels, optional
        What the graph tells of the items: :func:`graphrec.fusion.graph_levels.graph_levels`, of the same ``counts``.
        Passed over where no channel that tells of it has a hit.
    histories : ItemLists, optional
        What each user took of what the channels learnt from; without it nothing links an item to him.
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
    channel each; as much again, twice, for a network. Deterministic, whatever the number of threads, but for the last
    digits of a network.

    References
    ----------
    .. [1] Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001.
    .. [2] Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS 2017: who grows them.
    .. [3] Steck, "Item popularity and recommendation accuracy", RecSys 2011.
    """
    _check_growth(trees, leaves, learning_rate, popularity_exponent)
    _check_network(network)
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtraError("boosted fusion", extra="train") from error
    base = fit_calibrated(lists, truth, cutoffs=cutoffs, seed=seed, method=method)
    popularity = log_levels(counts)
    if not base.curves.keys() & set(graph.channels):
        graph = NO_LEVELS
    rng = np.random.default_rng(seed)
    users = users_with_truth(truth, max_users, rng)
    plain = Boosted(base, Trees((), (), (), ()), popularity, graph)
    score = 3 * len(base.curves)
    rows, hits, weights, owners = _rows(plain, lists, truth, histories, users, correction_depth(max(cutoffs)), rng)
    if popularity_exponent:
        weights = weights * _rarity(rows[:, score + 1], hits, popularity_exponent)
    settings = {
        "objective": "binary", "num_leaves": leaves, "learning_rate": learning_rate, "min_data_in_leaf": 200,
        "lambda_l2": 20.0, "use_missing": False, "seed": seed, "deterministic": True, "force_row_wise": True,
        "verbose": -1,
    }  # fmt: skip

    def learn(among: npt.NDArray[np.bool_]) -> tuple[Network, npt.NDArray[np.float64]]:
        from graphrec.models.deep.odds_network import fit_odds_network

        given = hits[among], weights[among], odds[among]
        layers = fit_odds_network(even[among], *given, hidden=network, farthest=float(FARTHEST), seed=seed)
        made = network_from_layers(*layers)
        return made, odds + add_rows(even, made)

    def entries(among: npt.NDArray[np.bool_], start: npt.NDArray[np.float64], reference: Any = None) -> Any:
        return lightgbm.Dataset(
            rows[among], hits[among], weight=weights[among], init_score=start[among], reference=reference
        )

    def grow(start: npt.NDArray[np.float64]) -> tuple[float, int]:
        first, stop = entries(~held, start), lightgbm.early_stopping(_PATIENCE, verbose=False)
        grown = lightgbm.train(settings, first, trees, [entries(held, start, first)], callbacks=[stop])
        return grown.best_score["valid_0"]["binary_logloss"], grown.best_iteration

    odds, made = rows[:, score].astype(np.float64), NO_NETWORK
    even = even_features(rows, len(base.curves)) if network else rows
    held = (rng.permutation(len(users)) < int(_HELD * len(users)))[owners]
    if held.any() and not held.all():
        loss, enough = grow(odds)
        if network:
            lower, after = grow(learn(~held)[1])
            network, enough = (network, after) if lower < loss else ((), enough)
        trees = enough
    everyone = np.ones(len(rows), dtype=np.bool_)
    if network:
        made, odds = learn(everyone)
    grown = lightgbm.train(settings, entries(everyone, odds), trees)
    return Boosted(base, trees_from_lightgbm(grown.dump_model()["tree_info"]), popularity, graph, made)


def _rarity(levels: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_], exponent: float) -> Values:
    """Return (m,) float64: what a hit weighs by the :func:`log_levels` of its item's events, 1 of what is no hit."""
    if not hits.any():
        return np.ones(len(hits))
    # A level is twice the binary logarithm; hits of mean popularity keep their weight.
    above = (levels - levels[hits].mean()) / 2.0
    return np.where(hits, np.exp2(-exponent * above.astype(np.float64)), 1.0)


def _check_growth(trees: int, leaves: int, learning_rate: float, popularity_exponent: float) -> None:
    """Raise ConfigError unless trees can be grown so."""
    if trees < 1:
        raise ConfigError(f"trees is {trees}; it must be 1 or more")
    if not 2 <= leaves <= 255:
        raise ConfigError(f"leaves is {leaves}; it must lie between 2 and 255")
    if not 0 < learning_rate <= 1:
        raise ConfigError(f"learning_rate is {learning_rate}; it must be above 0 and at most 1")
    if not 0 <= popularity_exponent <= 2:
        raise ConfigError(f"popularity_exponent is {popularity_exponent}; it must lie between 0 and 2")


def _check_network(units: tuple[int, ...]) -> None:
    """Raise ConfigError unless a network can have these hidden layers."""
    for unit in units:
        if isinstance(unit, bool) or not isinstance(unit, int) or not 1 <= unit <= 1024:
            raise ConfigError(f"network has {unit!r} units in a layer; legal: a whole number from 1 to 1024")


def _rows(
    fusion: Boosted,
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    histories: ItemLists | None,
    users: npt.NDArray[np.int64],
    depth: int,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Values, npt.NDArray[np.int64]]:
    """Return what trees learn from: rows of features, which are hits, their weights (mean 1), their places in users."""
    parts = []
    for start in range(0, len(users), _USERS):
        chunk = users[start : start + _USERS]
        known, held = _without_some(lists, fusion, chunk, rng), take_lists(truth, chunk)
        stacked = stack(known, histories=None if histories is None else take_lists(histories, chunk))
        shares, heads = head_shares(stacked)
        candidates = number_candidates(stacked)
        sums = sum_values(stacked, candidates, fusion.base.values(stacked, shares))
        near = select_best(candidates.indptr, candidates.items, sums, depth)
        hits = hit_mask(ItemLists(near.indptr, candidates.items[near.places], near.scores), held)
        # All hits and a quarter of the others, which count four times.
        kept = hits | (rng.random(len(hits)) < 0.25)
        near, hits = near.where(kept), hits[kept]
        tiles = fusion.tiles(stacked, candidates, near, shares, heads)
        queries = np.repeat(np.arange(len(chunk)), np.diff(near.indptr))
        weights = np.where(hits, 1.0, 4.0) / truth_sizes(held)[queries]
        parts.append((feature_rows(tiles, len(hits)), hits, weights, start + queries))
    rows, hits, weights, owners = (np.concatenate(column) for column in zip(*parts, strict=True))
    return rows, hits, weights / weights.mean(), owners


def _without_some(
    lists: Mapping[str, ItemLists], fusion: Boosted, users: npt.NDArray[np.int64], rng: np.random.Generator
) -> dict[str, ItemLists]:
    """Return the channels' answers to some users, of whom a tenth, drawn at random, lack one channel or the graph's."""
    channels, graph = tuple(fusion.base.curves), fusion.graph.channels
    ways = len(channels) + bool(graph)
    missing = np.where(rng.random(len(users)) < _LACKING, rng.integers(ways, size=len(users)), -1)
    known = {}
    for c, name in enumerate(channels):
        part = take_lists(lists[name], users)
        lacks = (missing == c) | ((missing == len(channels)) & (name in graph))
        known[name] = entries_where(part, np.repeat(~lacks, part.lengths))
    return known
