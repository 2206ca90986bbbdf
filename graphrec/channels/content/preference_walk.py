"""Preference walk: a history's mass spread over items, entities and users hop by hop, at request time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number, weights
from graphrec.graph.adjacency import check_relation_names
from graphrec.graph.catalogue import walked_relations
from graphrec.recallers.taste_graph import TasteGraph
from graphrec.recallers.walk import MOST_HOPS, WalkRecaller, WalkSettings
from graphrec.sparse.taste import liked_pairs, popularity


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceWalk(HistorySettings):
    r"""The items that the mass of a history comes to, as it spreads over relations and through users.

    .. math:: m_h(y) \propto \sum_x m_{h-1}(x) \sum_{r:\, x \to y} \frac{w_r}{d_r(x)^a},
              \quad s(j) = (1 + pop_j)^{q} \sum_{h=1}^{H} \lambda^{h-1} m_h(j)

    with :math:`m_0` the history, and the ``width`` largest nodes of each hop kept: the ripple sets of RippleNet [1]_,
    and nothing trained. Each node that is reached counts once, whatever number of paths lead there, so long mixed paths
    (author, another book, its readers) need no listing as in ``kg-paths``.

    A user is served by his history, known or live; without history the list is empty. Cold items need no events: their
    entities lead to them, and from them.

    Parameters
    ----------
    hops : int, default 3
        H: steps from the history; two lead to items that share an entity or a reader.
    width : int, default 1000
        Nodes kept of each hop, largest first; it bounds the time of a request.
    decay : float, default 0.3
        lambda: what each hop counts of the one before.
    degree_exponent : float, default 0.7
        a: 1 shares a node's mass out among its edges of a relation, 0 gives it to each.
    hub_cap : int, default 1000
        Nodes with more edges of one relation are not walked through by it; 0 walks through all.
    popularity_exponent : float, default 0.2
        q: power of the popularity of the item that is reached.
    relations : mapping of str to float, default all 1
        Weight w of each relation as it is walked, also ``rev_author``, ``interacts`` (user to item) and
        ``rev_interacts``; 0 is not walked.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] H. Wang et al., "RippleNet", CIKM 2018; see :mod:`graphrec.graph.propagation` for what differs.
    """

    about: ClassVar[About] = About(
        recalls="what a history's mass spreads to over relations and users",
        artefact="walk",
        cold_items="recalled by its entities",
        of_graph=True,
    )

    hops: int = count(3, least=1, most=MOST_HOPS, unit="hops", search=ints(2, 4))
    width: int = count(1000, least=1, unit="nodes")
    decay: float = number(0.3, search=floats(0.0, 1.0))
    degree_exponent: float = number(0.7, search=floats(0.0, 1.5))
    hub_cap: int = count(1000, unit="edges", search=choices(100, 300, 1000, 3000))
    popularity_exponent: float = number(0.2, search=floats(0.0, 1.0))
    relations: Mapping[str, float] = weights(of="relations")
    weight_exponent: float = history_weight_exponent(searched=False)

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a relation that is named, before anything is fitted."""
        check_relation_names(self.relations, walked_relations(data.catalogue))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> WalkRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel, which can say of every item which walk gave it most.

        Time and memory O(edges + events): nothing but the graph is made.

        Raises
        ------
        DataError
            If the graph lacks a relation named in ``relations``.
        """
        settings = WalkSettings(
            hops=self.hops, width=self.width, decay=self.decay, degree_exponent=self.degree_exponent,
            hub_cap=self.hub_cap, relations=dict(self.relations),
        )  # fmt: skip
        ends = (1.0 + popularity(data.interactions)) ** self.popularity_exponent * data.pool
        graph = TasteGraph(data.catalogue, liked_pairs(data.interactions))
        return WalkRecaller(graph, settings, ends, profile=self.profile())
