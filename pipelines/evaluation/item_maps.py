"""Where the items of each channel of vectors lie on a plane, and which attribute colours them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts, Recaller
from graphrec.data.features import Labels
from graphrec.data.item_tags import ItemTags
from graphrec.index.embedding_map import UNKNOWN, frequent
from graphrec.recallers.embeddings import channel_embeddings, has_vectors

from ..report.parts import ItemMap

# Items drawn of a channel, groups with a colour of their own, and the fewest items of which a plane says anything.
_MOST_ITEMS, _MOST_GROUPS, _LEAST_ITEMS = 800, 8, 10


def item_maps(channels: Mapping[str, Recaller], data: RecallData, *, seed: int) -> tuple[ItemMap, ...]:
    """Return a map of each channel that serves vectors: its items on the plane of their two principal components."""
    serving = [name for name, channel in channels.items() if has_vectors(channel)]
    if not serving:
        return ()
    attribute, values = attribute_of(data)
    parts = BundleParts(data.users, data.items, data.catalogue)
    maps = []
    for name in serving:
        table = channel_embeddings(channels[name], parts).of_kind("item")
        if len(table) < _LEAST_ITEMS:
            continue
        own = [values[row] for row in data.items.rows(table.nodes.ids).tolist()]
        shown = table.map_2d(colours=own, most=_MOST_ITEMS, seed=seed)
        groups = frequent(shown.colours or (), _MOST_GROUPS)
        names = sorted({*groups}, key=lambda group: (-groups.count(group), group))
        x, y = shown.points.astype(float).T.tolist()
        group = tuple(names.index(value) for value in groups)
        maps.append(ItemMap(name, attribute, shown.explained or 0.0, tuple(names), tuple(x), tuple(y), group))
    return tuple(maps)


def attribute_of(data: RecallData) -> tuple[str, Sequence[str | None]]:
    """Return the name and the values (n_items,) of what colours items.

    The first label of the items that has more than one value; else the tag of each item that most items have; else how
    popular an item is.
    """
    labels = {} if data.item_features is None else data.item_features.labels
    for name, label in labels.items():
        if len(label.names) > 1:
            return name, _named(label)
    if data.item_tags is not None and len(data.item_tags.tags) > 1:
        return "tag", _leading_tags(data.item_tags)
    return "popularity", _popularity(data)


def _named(labels: Labels) -> list[str | None]:
    names = list(labels.names)
    return [names[code] if code >= 0 else None for code in labels.codes.tolist()]


def _leading_tags(item_tags: ItemTags) -> list[str | None]:
    """Return for each item that of its tags which most items have; ties go to the earlier tag."""
    table, names = item_tags.table, list(item_tags.tags)
    counts = Counter(table.neighbours.tolist())
    leading: list[str | None] = []
    for row in range(len(table)):
        own = table.neighbours[table.indptr[row] : table.indptr[row + 1]].tolist()
        leading.append(names[min(own, key=lambda tag: (-counts[tag], tag))] if own else None)
    return leading


def _popularity(data: RecallData) -> list[str | None]:
    """Return for each item the third of the items by events that it is in; None without events."""
    counts = np.bincount(data.interactions.items, minlength=len(data.items))
    bounds = np.quantile(counts[counts > 0], [1 / 3, 2 / 3]) if counts.any() else [0, 0]
    names = ("rarest third", "middle third", "most popular third")
    return [names[int(np.searchsorted(bounds, count))] if count else UNKNOWN for count in counts.tolist()]
