"""Pixie: random walks from a history over items, entities and users, at request time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.contracts.domains import choices, floats
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag, number, weights
from graphrec.graph.adjacency import check_relation_names
from graphrec.graph.catalogue import walked_relations
from graphrec.recallers.pixie import PixieRecaller, PixieSettings
from graphrec.recallers.taste_graph import TasteGraph
from graphrec.sparse.taste import liked_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixie(HistorySettings):
    r"""The items that short random walks from the items of a history visit most [1]_.

    .. math:: s(j) = d_j^{-x} \Big(\sum_{q} \sqrt{V_q(j)}\Big)^2

    with :math:`V_q(j)` the visits of item j by walks from the history item q, which get steps by its weight and degree
    (:mod:`graphrec.graph.pixie`). Walks lead over the relations of the graph and through users; those of one relation
    are one choice of a step, by its weight.

    A user is served by his history, known or live; without history the list is empty. Cold items need no events: their
    entities lead to them, and from them. The same history always gets the same list.

    Parameters
    ----------
    steps : int, default 50000
        Steps of a request, shared out among the items of the history.
    restart : float, default 0.5
        Probability of going back to where a walk began before a step, from 0 up to but not including 1.
    booster : bool, default True
        Reward what walks from several items of the history visit.
    enough_targets, enough_visits : int, default 2000 and 4
        Walking from an item stops when so many others have so many of its visits; ``enough_targets = 0`` never stops.
    degree_exponent : float, default 0
        x: visits are divided by the item's edges to this power; larger favours the long tail.
    relations : mapping of str to float, default all 1
        Weight of each relation as it is walked, also ``rev_author``, ``interacts`` (user to item) and
        ``rev_interacts``; 0 is not walked.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] C. Eksombatchai et al., "Pixie", WWW 2018; see :mod:`graphrec.graph.pixie` for what differs.
    """

    about: ClassVar[About] = About(
        recalls="what random walks from the history visit over relations and users",
        artefact="walk",
        cold_items="recalled by its entities",
        of_graph=True,
    )

    steps: int = count(50_000, least=1, unit="steps", search=choices(5_000, 20_000, 50_000))
    restart: float = number(0.5, below=1.0, search=floats(0.2, 0.8))
    booster: bool = flag(True, searched=True)
    enough_targets: int = count(2000, unit="items")
    enough_visits: int = count(4, least=1, unit="visits")
    degree_exponent: float = number(0.0, search=floats(0.0, 1.0))
    relations: Mapping[str, float] = weights(of="relations")
    weight_exponent: float = history_weight_exponent(searched=False)

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a relation that is named, before anything is fitted."""
        check_relation_names(self.relations, walked_relations(data.catalogue))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> PixieRecaller:
        """Return the channel; time and memory O(edges + events).

        Raises
        ------
        DataError
            If the graph lacks a relation named in ``relations``.
        """
        graph = TasteGraph(data.catalogue, liked_pairs(data.interactions))
        names = graph.adjacency.relation_names
        # Relations that are not named weigh 1: so one of many edges at a node is no likelier than one of few.
        shares = dict.fromkeys(names, 1.0) | dict(self.relations)
        settings = PixieSettings(
            steps=self.steps, restart=self.restart, enough_targets=self.enough_targets,
            enough_visits=self.enough_visits, booster=self.booster, degree_exponent=self.degree_exponent,
            seed=context.seed, relations=shares,
        )  # fmt: skip
        return PixieRecaller(graph, settings, data.pool, profile=self.profile())
