"""Boosted fusion: the calibrated list, put in a better order by what looks at all channels together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.candidates import Candidates, number_candidates, with_provenance
from graphrec.fusion.features import check_levels, feature_tiles, n_features, read_levels
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.heads import Answers, Values, head_factors, head_shares
from graphrec.fusion.network import NO_NETWORK, Network, add_network
from graphrec.fusion.rrf import check_settings
from graphrec.fusion.selection import Selection, select_best
from graphrec.fusion.stacked import StackedLists, merge_in_chunks
from graphrec.fusion.sums import sum_values
from graphrec.fusion.trees import Trees, add_trees
from graphrec.graph.catalogue import CatalogueGraph

# An entry stays a candidate, whatever trees say of it.
_LEAST_SCORE = float(np.finfo(np.float32).tiny)
# Beyond this, what trees add would leave float32.
_MOST_TOTAL = 60.0


@dataclass(frozen=True)
class Boosted:
    r"""The best k items a query by their calibrated score, times what is made of all that is known of them.

    .. math:: s(i) = s_{calibrated}(i)\; e^{F(x(i))}

    F is the sum of the trees and of a network, where there is any; x(i) holds for each channel the item's share (as in
    :class:`Calibrated`), its rank, and the sum of the head of the list; then the logarithm of the calibrated score, how
    popular the item is, and, where a channel of the graph answers, how much the knowledge graph has near it and what
    links it to the history. Channels cannot be weighed alike everywhere: how much a rank of one means depends on what
    the others say, on how sure the list is of its head, and on whether the item is popular. The best 3 k of the
    calibrated list are looked at, 200 at least.

    A query that one channel alone answers keeps that channel's order. A channel that is absent counts as one that
    returned nothing; trees have seen that in training. A channel that is not among the curves adds nothing.

    Parameters
    ----------
    base : Calibrated
        What is corrected; its curves' order is that of the channels in x.
    trees : Trees
        Of F, over ``3 * channels + 2`` features and those of the graph.
    popularity : str
        A digit an item, by row: :func:`graphrec.fusion.features.log_levels` of its events. Items beyond it are taken
        for unpopular.
    graph : GraphLevels, optional
        What the graph says of the items; by default nothing.
    network : Network, optional
        Of F, over the same features; by default none.
    head_factors : dict of str to float
        By channel, > 0: what the head of its list is multiplied with in x, 1 where a channel is not named
        (:meth:`on_scores`).

    Raises
    ------
    ConfigError
        If the parts do not fit together.
    """

    kind: ClassVar[str] = "boosted"
    base: Calibrated
    trees: Trees
    popularity: str
    graph: GraphLevels = NO_LEVELS
    network: Network = NO_NETWORK
    head_factors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # JSON gives mappings.
        base = self.base if isinstance(self.base, Calibrated) else Calibrated(**self.base)
        trees = self.trees if isinstance(self.trees, Trees) else Trees(**self.trees)
        graph = self.graph if isinstance(self.graph, GraphLevels) else GraphLevels(**self.graph)
        network = self.network if isinstance(self.network, Network) else Network(**self.network)
        object.__setattr__(self, "base", base)
        object.__setattr__(self, "trees", trees)
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "network", network)
        deepest, last = max(trees.features, default=-1), n_features(len(base.curves), graph.n_features) - 1
        more = f" and {graph.n_features} numbers of the graph" if graph.n_features else ""
        known = f"{len(base.curves)} channels{more}"
        if deepest > last:
            raise ConfigError(f"trees look at feature {deepest}; {known} have 0 to {last}")
        if network.weights and network.n_features != last + 1:
            raise ConfigError(f"the network looks at {network.n_features} features; {known} have {last + 1}")
        check_levels(self.popularity)
        for name, factor in self.head_factors.items():
            if name not in base.curves:
                raise ConfigError(f"head_factors names {name!r}, which has no curve; legal: {', '.join(base.curves)}")
            if not 0 < factor < math.inf:
                raise ConfigError(f"head_factors has {factor} for {name!r}; it must be finite and above 0")

    @cached_property
    def levels(self) -> npt.NDArray[np.uint8]:
        """(n_items,) how popular each item is, 0 to 35."""
        return read_levels(self.popularity)

    def on_graph(self, catalogue: CatalogueGraph) -> Boosted:
        """Return the fusion with links counted in the graph of a catalogue."""
        return replace(self, graph=self.graph.on(catalogue))

    def on_scores(self, learnt: Answers, served: Answers) -> Boosted:
        """Return the fusion for channels that were fitted anew, whose scores may be larger or smaller.

        Fitted on more events, a channel's scores are others: trees would take its lists for those of other users.
        ``learnt`` are answers that the fusion was fitted on, ``served`` those of the new channels.
        """
        factors = head_factors(learnt, served)
        return replace(self, head_factors={name: factors[name] for name in self.base.curves if name in factors})

    def merge(self, lists: Mapping[str, ItemLists], k: int, *, histories: ItemLists | None = None) -> FusedLists:
        """Return at most k items a query, best first, ties by row, with what each channel said of them.

        Without the ``histories`` of the queries nothing links an item to them.

        Beside the calibrated merge, time O(D (C + nodes of trees + weights)) a query for D = max(3 k, 200), and that of
        :meth:`graphrec.fusion.history_links.HistoryLinks.features`.
        """
        check_settings(k=k)
        return merge_in_chunks(lists, lambda stacked: self._merge(stacked, k), histories=histories)

    def _merge(self, stacked: StackedLists, k: int) -> FusedLists:
        shares, heads = head_shares(stacked)
        candidates = number_candidates(stacked)
        sums = sum_values(stacked, candidates, self.base.values(stacked, shares))
        near = select_best(candidates.indptr, candidates.items, sums, correction_depth(k))
        tiles = self.tiles(stacked, candidates, near, shares, heads)
        # Of the channels that have entries for a query; where it is one, its order stays.
        answers = np.repeat((stacked.lengths > 0).sum(axis=0), np.diff(near.indptr))
        corrections = add_trees(tiles, self.trees) + add_network(tiles, self.network, len(self.base.curves))
        totals = np.where(answers > 1, corrections.ravel()[: len(answers)], 0.0)
        scores = np.maximum(near.scores * np.exp(np.clip(totals, -_MOST_TOTAL, _MOST_TOTAL)), _LEAST_SCORE).astype(
            np.float32
        )
        best = select_best(near.indptr, candidates.items[near.places], scores, k)
        return with_provenance(stacked, candidates, Selection(best.indptr, near.places[best.places], best.scores))

    def tiles(
        self, stacked: StackedLists, candidates: Candidates, near: Selection, shares: Values, heads: Values
    ) -> npt.NDArray[np.float32]:
        """Return what trees look at: :func:`graphrec.fusion.features.feature_tiles` of the candidates ``near``."""
        columns = self.columns(stacked.channels)
        heads = heads * np.array([[self.head_factors.get(name, 1.0)] for name in stacked.channels])
        graph, told = self.graph.matrix, self.graph.told(stacked)
        links = self.graph.links_of(stacked.histories, told, near.indptr, candidates.items[near.places])
        return feature_tiles(stacked, candidates, near, shares, heads, columns, self.levels, graph, told, links)

    def columns(self, channels: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Return (C,) int64: where the channels that have a curve stand among ``channels``, -1 where one is absent."""
        places = {name: column for column, name in enumerate(channels)}
        return np.array([places.get(name, -1) for name in self.base.curves], dtype=np.int64)

    def channel_depth(self, k: int) -> int:
        """Return how deep the calibrated fusion asks."""
        return self.base.channel_depth(k)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        base = {key: value for key, value in self.base.to_dict().items() if key != "kind"}
        return {
            "kind": self.kind, "base": base, "trees": self.trees.to_dict(), "popularity": self.popularity,
            "graph": self.graph.to_dict(), "network": self.network.to_dict(), "head_factors": dict(self.head_factors),
        }  # fmt: skip


def correction_depth(k: int) -> int:
    """Return how many entries of the calibrated list trees look at."""
    return max(3 * k, 200)
