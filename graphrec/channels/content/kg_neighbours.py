"""KG neighbours: items that share entities of the knowledge graph, or are joined by an edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag, number, weights
from graphrec.errors import DataError
from graphrec.graph.adjacency import check_relation_names
from graphrec.recallers.graph_neighbours import GraphNeighbourRecaller
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.walked import WalkWeights, walks_of
from graphrec.sparse.taste import (
    degrees,
    expected_popularity,
    inverse_power,
    rows_sum_to_one,
    scaled,
)
from graphrec.sparse.topk import top_products


@dataclass(frozen=True, slots=True, kw_only=True)
class KgNeighbours(HistorySettings):
    r"""The k items nearest to each item in the knowledge graph, by what they share.

    .. math:: S_{ij} = \frac{(1 + pop_j)^{q}}{(n_i n_j)^{c}}
              \Big(\sum_{r,\, e \in r(i) \cap r(j)} \frac{w_r}{d_{re}^{x}} + \sum_{r:\, j \in r(i)} w_r\Big)

    with :math:`d_{re}` the items that relation r joins to entity e, and :math:`n_i` the links of item i. Walks run
    item -r-> entity <-r- item, and item -r-> item.

    A user is served by his history, known or live; without history the list is empty. Cold items need no events:
    whatever has links to entities can be reached, and reach others.

    Parameters
    ----------
    k : int, default 200
        Neighbours kept an item, >= 1.
    relations : mapping of str to float, default all
        Weight w of each relation that may be walked, by its name where it leaves an item. Empty walks all, weight 1.
    degree_exponent : float, default 1.1
        x: how much less an entity of many items says ("Dune Chronicles" against "fiction").
    hub_cap : int, default 1000
        Entities with more items than this (a language, "fiction") are not walked through; 0 walks through all. It
        bounds the time of fitting.
    popularity_exponent : float, default 0.4
        q: power of the neighbour's popularity; 0 ignores how many people took it.
    cold_popularity : float, default 0.5
        Popularity of an item without events, in parts of the mean of the others.
    link_exponent : float, default 0.5
        c: how much an item's own number of links is divided out.
    normalise : bool, default True
        Let each item's k scores sum to 1, so that every history item has one vote to give, richly linked or not.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.
    """

    about: ClassVar[About] = About(
        recalls="items that share entities, rare ones first",
        artefact="neighbour table",
        cold_items="recalled by its entities",
        of_graph=True,
    )

    k: int = count(200, least=1, unit="neighbours", search=ints(50, 1000, log=True))
    relations: Mapping[str, float] = weights(of="relations")
    degree_exponent: float = number(1.1, search=floats(0.0, 2.0))
    hub_cap: int = count(1000, unit="items", search=choices(100, 300, 1000, 3000))
    popularity_exponent: float = number(0.4, search=floats(0.0, 1.0))
    cold_popularity: float = number(0.5, search=floats(0.0, 1.0))
    link_exponent: float = number(0.5, search=floats(0.0, 1.0))
    normalise: bool = flag(True, searched=True)
    weight_exponent: float = history_weight_exponent(searched=False)

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a relation that is named, before anything is fitted."""
        check_relation_names(self.relations, data.catalogue.adjacency.relation_names)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> GraphNeighbourRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel, which can say of every item which walk brought it.

        Time O(sum over entities of deg(e)^2), which ``hub_cap`` bounds; memory O(n_items * k).

        Raises
        ------
        DataError
            If no item of the catalogue graph has an edge, or it lacks a relation named in ``relations``.
        """
        walk_weights = WalkWeights(self.relations, self.degree_exponent, self.hub_cap)
        walks = walks_of(data.catalogue.adjacency, data.catalogue.n_items, walk_weights)
        shared, direct = walks.shared, walks.direct
        if shared.nnz + direct.nnz == 0:
            raise DataError(
                "no item has an edge of the wanted relations; give the data a knowledge graph, "
                "or leave the kg-neighbours channel out"
            )
        sizes = degrees(shared, 1) + degrees(direct, 1)
        by_links = inverse_power(np.maximum(sizes, 1.0), self.link_exponent)
        ends = (
            (1.0 + expected_popularity(data.interactions, self.cold_popularity)) ** self.popularity_exponent
            * by_links
            * data.pool
        )
        # One product gives both kinds of walk: [shared | direct] @ [shared' ; identity].
        walked = sp.csr_array(sp.hstack([scaled(shared, columns=walks.discount), direct]))
        ones = shared.copy()
        ones.data = np.ones_like(ones.data)
        back = sp.csr_array(sp.vstack([ones.T, sp.eye_array(data.catalogue.n_items, dtype=np.float32)]))
        table = top_products(scaled(walked, rows=by_links), scaled(back, columns=ends), self.k, drop_self=True)
        neighbours = NeighbourRecaller(
            [rows_sum_to_one(table) if self.normalise else table],
            profile=self.profile(),
            reason="because you {verb} {source}: {path}",
        )
        return GraphNeighbourRecaller(neighbours, data.catalogue, walk_weights)
