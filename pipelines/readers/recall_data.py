"""From tables that were read to the data that recipes learn from."""

from __future__ import annotations

from typing import Protocol

from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.item_tags import ItemTags
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError
from graphrec.graph.catalogue import CatalogueGraph, items_only


class Events(Protocol):
    """Interactions and the ids of their rows, as ``read_interactions`` returns them."""

    @property
    def users(self) -> Vocabulary:
        """The users' ids."""
        ...

    @property
    def items(self) -> Vocabulary:
        """The items' ids."""
        ...

    @property
    def interactions(self) -> Interactions:
        """The events."""
        ...


def recall_data(
    events: Events,
    catalogue: CatalogueGraph | None = None,
    *,
    items: Vocabulary | None = None,
    item_tags: ItemTags | None = None,
) -> RecallData:
    """Return the data that recipes are fitted on.

    Parameters
    ----------
    events : what ``read_interactions`` returned
        Users, items and events.
    catalogue : CatalogueGraph or None
        What is known of the items (``catalogue_graph``); None for no knowledge graph.
    items : Vocabulary or None
        The items of the catalogue, where it has more than the events: theirs and others behind them.
    item_tags : ItemTags or None
        Tags of the items.

    Raises
    ------
    ConfigError
        If ``events`` is something else, such as a path or a frame.
    DataError
        If the catalogue or the tags speak of other numbers of items.

    Notes
    -----
    Further parts (attributes, exposures, rules, a pool) are set by ``dataclasses.replace(data, exposures=…)``.
    """
    if not hasattr(events, "interactions"):
        raise ConfigError(f"recall_data takes what read_interactions returned, not a {type(events).__name__}")
    every = events.items if items is None else items
    seen = events.interactions
    interactions = Interactions(
        seen.users, seen.items, seen.weights, seen.times, n_users=seen.n_users, n_items=len(every)
    )
    return RecallData(events.users, every, interactions, catalogue or items_only(every), item_tags)
