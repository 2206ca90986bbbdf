"""From tables that were read to the data that recipes learn from."""

from __future__ import annotations

from typing import Protocol

from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, with_n_items
from graphrec.data.item_tags import ItemTags
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
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
    events: Events, catalogue: CatalogueGraph | None = None, *, item_tags: ItemTags | None = None
) -> RecallData:
    """Return the data that recipes are fitted on.

    Parameters
    ----------
    events : what ``read_interactions`` returned
        Users, items and events.
    catalogue : CatalogueGraph or None
        What is known of the items (``catalogue_graph``): of those of the events, and of others behind them. None for
        no knowledge graph.
    item_tags : ItemTags or None
        Tags of the items.

    Raises
    ------
    ConfigError
        If ``events`` is something else, such as a path or a frame.
    DataError
        If the items of the catalogue do not begin with those of the events, or the tags speak of another number.

    Notes
    -----
    Further parts (attributes, exposures, rules, a pool) are set by ``dataclasses.replace(data, exposures=…)``.
    """
    if not hasattr(events, "interactions"):
        raise ConfigError(f"recall_data takes what read_interactions returned, not a {type(events).__name__}")
    items = events.items if catalogue is None else catalogue.items
    if not items.ids[: len(events.items)].equals(events.items.ids):
        raise DataError(
            f"the catalogue has {items!r}, the events {events.items!r}; link the items of the events, or of "
            "events.items.extend(others)"
        )
    interactions = with_n_items(events.interactions, len(items))
    return RecallData(events.users, items, interactions, catalogue or items_only(items), item_tags)
