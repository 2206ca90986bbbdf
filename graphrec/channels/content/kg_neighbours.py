"""KG neighbours: items that share entities of the knowledge graph, or are joined by an edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag, number, weights
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, relation_number
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import (
    Scale,
    degrees,
    inverse_power,
    popularity,
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

    A user is served by his history, known or live; one without history gets an empty list. Cold items need no events:
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
        cold_items="found by its entities",
    )

    k: int = count(200, least=1, unit="neighbours", search=ints(50, 1000, log=True))
    relations: Mapping[str, float] = weights(of="relations")
    degree_exponent: float = number(1.1, search=floats(0.0, 2.0))
    hub_cap: int = count(1000, unit="items", search=choices(100, 300, 1000, 3000))
    popularity_exponent: float = number(0.4, search=floats(0.0, 1.0))
    link_exponent: float = number(0.5, search=floats(0.0, 1.0))
    normalise: bool = flag(True, searched=True)
    weight_exponent: float = history_weight_exponent(searched=False)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel. Time O(sum over entities of deg(e)^2), which ``hub_cap`` bounds; memory O(n_items * k).

        Raises
        ------
        DataError
            If no item of the catalogue graph has an edge, or it lacks a relation named in ``relations``.
        """
        graph = data.catalogue.adjacency
        shared, direct = self._links(graph, data.catalogue.n_items)
        if shared.nnz + direct.nnz == 0:
            raise DataError(
                "no item has an edge of the wanted relations; give the data a knowledge graph, "
                "or leave the kg-neighbours channel out"
            )
        sizes = degrees(shared, 1) + degrees(direct, 1)
        by_links = inverse_power(np.maximum(sizes, 1.0), self.link_exponent)
        ends = (1.0 + popularity(data.interactions)) ** self.popularity_exponent * by_links * data.pool
        # One product gives both kinds of walk: [shared | direct] @ [shared' ; identity].
        walked = sp.csr_array(sp.hstack([self._discounted(shared), direct]))
        ones = shared.copy()
        ones.data = np.ones_like(ones.data)
        back = sp.csr_array(sp.vstack([ones.T, sp.eye_array(data.catalogue.n_items, dtype=np.float32)]))
        table = top_products(scaled(walked, rows=by_links), scaled(back, columns=ends), self.k, drop_self=True)
        profile = self.profile()
        return NeighbourRecaller(
            [rows_sum_to_one(table) if self.normalise else table],
            profile=profile,
            reason="because you {verb} {source}: {path}",
        )

    def _discounted(self, shared: sp.csr_array) -> sp.csr_array:
        """Return item -> entity links, each entity divided by its degree; those above the hub cap go."""
        counts = degrees(shared, 0)
        discount: Scale = inverse_power(counts, self.degree_exponent)
        if self.hub_cap:
            discount = np.where(counts > self.hub_cap, 0.0, discount)
        return scaled(shared, columns=discount)

    def _relation_weights(self, graph: Adjacency) -> npt.NDArray[np.float64]:
        """Return (n_relations,) float64, 0 where a relation is not walked."""
        if not self.relations:
            return np.ones(len(graph.relation_names))
        weights = np.zeros(len(graph.relation_names))
        for name, weight in self.relations.items():
            weights[relation_number(graph, name)] = weight
        return weights

    def _links(self, graph: Adjacency, n_items: int) -> tuple[sp.csr_array, sp.csr_array]:
        """Return item -> (relation, entity) and item -> item links, weighted by relation; parallel edges are one."""
        stop = int(graph.indptr[n_items])
        sources = np.repeat(np.arange(n_items), graph.degrees[:n_items])
        ends, relations = graph.indices[:stop].astype(np.int64), graph.relations[:stop].astype(np.int64)
        weights = self._relation_weights(graph)[relations]
        keep = weights > 0
        sources, ends, relations, weights = sources[keep], ends[keep], relations[keep], weights[keep]
        to_item = ends < n_items
        columns, place = np.unique((relations * graph.n_nodes + ends)[~to_item], return_inverse=True)
        shared = _matrix(sources[~to_item], place, weights[~to_item], (n_items, len(columns)))
        return shared, _matrix(sources[to_item], ends[to_item], weights[to_item], (n_items, n_items))


def _matrix(
    rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], weights: Scale, shape: tuple[int, int]
) -> sp.csr_array:
    """Return a float32 CSR matrix in which repeated entries are summed."""
    matrix = sp.coo_array((weights.astype(np.float32), (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)
    return sp.csr_array(matrix.tocsr())
