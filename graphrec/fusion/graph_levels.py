"""What the knowledge graph tells of an item: how much lies near it whoever asks, and what links it to who asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.fusion.features import check_levels, log_levels, read_levels
from graphrec.fusion.history_links import HistoryLinks, history_links
from graphrec.fusion.stacked import StackedLists
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.relations import reverse_mask

# Relations that are looked at: those that link the most items. Each is two bytes an item.
_RELATIONS = 8


@dataclass(frozen=True)
class GraphLevels:
    """What trees of boosted fusion look at of the knowledge graph: levels of every item, and its links with a history.

    Parameters
    ----------
    relations : dict of str to str
        By name, a digit an item by row, as :func:`graphrec.fusion.features.log_levels` writes them, all of one length.
        Items beyond have level 0.
    channels : tuple of str
        Channels of the graph: where none of them answers a query, its items have level 0 and no links.
    linked : tuple of str
        Relations by which links with the history are counted.
    links : HistoryLinks, optional
        What counts them, :meth:`on` the graph of a catalogue; no part of the settings. Without it there are no links.

    Raises
    ------
    ConfigError
        If a character is no digit, lengths differ, or there are levels and no channels.
    """

    relations: dict[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    links: HistoryLinks | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "linked", tuple(self.linked))
        if self.links is not None and not isinstance(self.links, HistoryLinks):
            raise ConfigError(f"links is {str(self.links)[:80]!r}; links are counted by a catalogue, no setting")
        for name, digits in self.relations.items():
            check_levels(digits, name=repr(name))
        lengths = {len(digits) for digits in self.relations.values()}
        if len(lengths) > 1:
            raise ConfigError(f"the graph has levels of {min(lengths)} to {max(lengths)} items; give a digit an item")
        if (self.relations or self.linked) and not self.channels:
            raise ConfigError("there are levels of relations, but no channel of the graph to tell them")

    @cached_property
    def matrix(self) -> npt.NDArray[np.uint8]:
        """(n_items, L) uint8, 0 to 35."""
        columns = [read_levels(digits) for digits in self.relations.values()]
        return np.stack(columns, axis=1) if columns else np.zeros((0, 0), dtype=np.uint8)

    def to_dict(self) -> dict[str, Any]:
        """Return the levels as JSON values."""
        return {"relations": self.relations, "channels": list(self.channels), "linked": list(self.linked)}

    @property
    def n_features(self) -> int:
        """How many numbers an item has: a level a relation, and three for each whose links are counted."""
        return len(self.relations) + 3 * len(self.linked)

    def on(self, catalogue: CatalogueGraph) -> GraphLevels:
        """Return the same with links counted in the graph of ``catalogue``; ConfigError where a relation is missing."""
        return replace(self, links=history_links(catalogue, self.linked)) if self.linked else self

    def told(self, stacked: StackedLists) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: the queries that a channel of the graph answers."""
        own = [name in self.channels for name in stacked.channels]
        return np.asarray((stacked.lengths[own] > 0).any(axis=0))

    def links_of(
        self,
        histories: ItemLists | None,
        told: npt.NDArray[np.bool_],
        indptr: npt.NDArray[np.int64],
        items: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.float32]:
        """Return (t, 3 * linked) float32: links of t items, ``indptr`` (n + 1,) by query, with the histories.

        Zeros where these are not known, nothing is :meth:`told`, or there is no catalogue.
        """
        if self.links is None or histories is None:
            return np.zeros((len(items), 3 * len(self.linked)), dtype=np.float32)
        return self.links.features(histories, told, indptr, items)


NO_LEVELS = GraphLevels()


def graph_levels(catalogue: CatalogueGraph, counts: npt.NDArray[np.int64], channels: Iterable[str]) -> GraphLevels:
    r"""Return what the graph tells of items: two levels a relation, of their neighbours and of their popularity.

    Neighbours of an item i along a relation are the items of the entities that it is joined to, i among them, once for
    each entity; of an edge between items, those that it leads to. The first level is that of their number, the second
    that of the events which the others have for one of its own,

    .. math:: \sum_{j \in N(i), j \ne i} (1 + c_j) \; / \; (1 + c_i).

    A book of a long series is another candidate than one that stands alone, and the first of a series another than its
    tenth. An item that no edge of the relation starts from has levels of 0. Of the same relations the links with
    histories are counted, in this catalogue.

    Parameters
    ----------
    catalogue : CatalogueGraph
        Of its relations, the eight with the most edges of items count; reverses do not, but those that lead to
        entities.
    counts : ndarray
        (n_items,) events c of each item in what the channels learnt from; items without events may have neighbours.
    channels : iterable of str
        See :class:`GraphLevels`.

    Notes
    -----
    Time and memory O(edges of items). Deterministic.
    """
    graph, n = catalogue.adjacency, catalogue.n_items
    stop = int(graph.indptr[n])
    owners = np.repeat(np.arange(n), np.diff(graph.indptr[: n + 1]))
    tails, numbers = graph.indices[:stop], graph.relations[:stop]
    reverse = reverse_mask(graph)
    known = (tails >= n) | ~reverse[numbers]
    sizes = np.bincount(numbers[known], minlength=len(reverse))
    relations, linked = {}, []
    for number in sorted(np.argsort(-sizes, kind="stable")[:_RELATIONS]):
        if sizes[number]:
            own = known & (numbers == number)
            near, ratio = _neighbourhoods(owners[own], tails[own], counts + 1, graph.n_nodes)
            name = graph.relation_names[number]
            relations[f"{name}: items"] = log_levels(near)
            relations[f"{name}: events"] = log_levels(ratio)
            linked.append(name)
    return GraphLevels(relations, tuple(channels), tuple(linked)).on(catalogue) if relations else NO_LEVELS


def _neighbourhoods(
    owners: npt.NDArray[np.int64], tails: npt.NDArray[np.int32], events: npt.NDArray[np.int64], n_nodes: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return (n_items,) how many neighbours an item has, and the events of the others for one of its own."""
    n = len(events)
    entity = tails >= n

    def reached(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        # An entity is worth what its items are, an item itself.
        worth = np.bincount(tails[entity], weights=values[owners[entity]], minlength=n_nodes)
        worth[:n] = values
        return np.asarray(np.bincount(owners, weights=worth[tails], minlength=n), dtype=np.float64)

    own = np.bincount(owners[entity], minlength=n) * events
    return reached(np.ones_like(events)), (reached(events) - own) / events
