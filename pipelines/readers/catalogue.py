"""What an item is: the ids that the configuration declares, and the events of what is no item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.interactions import Interactions
from graphrec.data.outside import divided, renumbered
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, MissingExtraError

from ..config.build import Config
from ..config.sections import Link, TrainConfig
from .attributes import read_attributes
from .id_lists import read_ids
from .sources import InteractionTable

_EXAMPLES = 5
# More items than so many times those with events are hardly meant.
_FLOOD = 2


@dataclass(frozen=True, slots=True, eq=False)
class EventsOfItems:
    """Events over the catalogue's item rows; those of other items have rows behind them.

    ``inside`` are the events of items; ``all`` those and the events of the ids ``outside``, whose rows begin at the
    number of items.
    """

    inside: Interactions
    all: Interactions
    outside: Vocabulary


def declared_ids(config: Config, events: Vocabulary) -> dict[str, Vocabulary]:
    """Return the ids of every source of ``catalogue.items`` but the template, which the knowledge graph is read for.

    Raises
    ------
    ConfigError, DataError
        If a table or file of ids cannot be read.
    """
    settings, sources = config.settings, config.settings.item_sources
    data, path = settings.data, settings.catalogue.list_file
    parts = {"events": events} if "events" in sources else {}
    if "table" in sources and data.items is not None:
        parts["table"] = read_attributes(config.source(data.items)).items
    if "links" in sources and data.knowledge is not None:
        parts["links"] = _of_links(config, data.knowledge.link)
    if "list" in sources and path is not None:
        parts["list"] = Vocabulary(read_ids(config.resolve(path)))
    return parts


def union(parts: dict[str, Vocabulary], events: Vocabulary) -> Vocabulary:
    """Return the ids of all parts; those with events come first, in the order of the events."""
    every = pa.concat_arrays([pa.array([], pa.large_string()), *(part.ids for part in parts.values())])
    first = events.ids.filter(pc.is_in(events.ids, value_set=every))
    return Vocabulary(first).extend(every)


def events_of_items(source: InteractionTable, items: Vocabulary, known: Vocabulary | None = None) -> EventsOfItems:
    """Return events over the rows of ``items``, and behind them those of the ids ``known`` to be no items.

    Ids that are neither come behind the known ones.
    """
    outside = (known or Vocabulary([])).extend(
        source.items.ids.filter(pc.invert(pc.is_in(source.items.ids, items.ids)))
    )
    rows = items.rows(source.items.ids, missing="mark")
    behind = outside.rows(source.items.ids, missing="mark") + np.int32(len(items))
    everything = renumbered(
        source.interactions, np.where(rows < 0, behind, rows).astype(np.int32), n_items=len(items) + len(outside)
    )
    return EventsOfItems(divided(everything, len(items))[0], everything, outside)


def check_events(events: EventsOfItems, items: Vocabulary, name: str) -> None:
    """Raise DataError where no event is of an item of the catalogue."""
    if not len(events.inside):
        raise DataError(
            f"{name}: none of its {len(events.all):,} events is of one of the {len(items):,} items of the catalogue; "
            f"an event is of {events.outside[0]!r}, an item {items[0] if len(items) else 'missing'!r}; see [catalogue]"
        )


def outside_report(events: EventsOfItems) -> dict[str, Any]:
    """Return how many events are of what is no item."""
    return {
        "items": len(events.outside),
        "events": len(events.all) - len(events.inside),
        "examples": list(events.outside.ids[:_EXAMPLES].to_pylist()),
    }


def catalogue_notices(
    settings: TrainConfig, report: Mapping[str, Any], outside: Interactions | None
) -> tuple[str, ...]:
    """Return what a reader of the figures should know of the catalogue, a sentence each.

    ``report`` is that of the inputs, ``outside`` are the held-out events of what is no item.
    """
    notices = []
    if settings.catalogue.outside == "left-out" and outside is not None and len(outside):
        notices.append(
            f"{len(outside):,} held-out events of {len(np.unique(outside.items)):,} items outside the catalogue are "
            "left out of the truth (catalogue.outside = 'left-out'): every recall is higher for it."
        )
    n, named = report["catalogue"]["items"], report["catalogue"]["sources"].get("events", 0)
    if not settings.catalogue.items and settings.catalogue.of_type is None and n > _FLOOD * named:
        notices.append(
            f"{n - named:,} of the {n:,} items have no events: the link template makes an item of every entity whose "
            "IRI fits. Where they share it with other entities, declare [catalogue]: of_type, or items = [...]."
        )
    return tuple(notices)


def _of_links(config: Config, link: Link) -> Vocabulary:
    """Return the ids of the link table."""
    try:
        from graphrec.kg.linking import ids_by_table
    except ImportError as error:
        raise MissingExtraError("reading a knowledge graph", extra="kg") from error
    return Vocabulary(
        [] if link.table is None else ids_by_table(config.resolve(link.table), item_column=link.item_column)
    )
