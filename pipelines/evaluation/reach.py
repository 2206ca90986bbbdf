"""What is known of the items of a catalogue, and which channels reach those that nobody has taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.evaluation.held_out import sample_users
from graphrec.recallers.filtering import recall_allowed

# Enough to see whether a channel returns such items at all.
USERS, DEPTH = 100, 200
Mask = npt.NDArray[np.bool_]


def composition(data: RecallData) -> dict[str, int]:
    """Return how many items have events, edges to entities or items, tags, and none of them."""
    known = _known(data)
    return {
        "items": len(data.items),
        **{f"with_{name}": int(mask.sum()) for name, mask in known.items()},
        "with_neither": int((~np.logical_or.reduce(list(known.values()))).sum()),
    }


def groups(data: RecallData) -> dict[str, Mask]:
    """Return (n_items,) masks of the pool by what is known of an item; a group may be empty.

    The items with events, and of those without any: the ones with edges, the ones with tags, the ones with neither.
    """
    events, edges, tags = (_known(data)[name] & data.pool for name in ("events", "edges", "tags"))
    cold = data.pool & ~events
    return {
        "with events": events,
        "edges alone": cold & edges,
        "tags alone": cold & tags,
        "nothing": cold & ~edges & ~tags,
    }


def reach(channels: Mapping[str, Recaller], data: RecallData, panel: Panel, *, seed: int) -> dict[str, Any]:
    """Return by channel and group how many items of the group it returns when asked for nothing but the group.

    Up to ``USERS`` users of the panel, drawn with the seed, ask for ``DEPTH`` items each: no count is above the
    product of the two.

    Parameters
    ----------
    channels : mapping of str to Recaller
        Fitted on ``data``.
    panel : Panel
        Users with their histories.

    Returns
    -------
    dict
        ``groups`` (the size of each), ``channels`` (a count for each channel and group that is not empty), ``users``
        and ``depth``.
    """
    rows = sample_users(np.arange(len(panel), dtype=np.int32), USERS, seed=seed)
    asked = take_panel(panel, rows)
    masks = {name: mask for name, mask in groups(data).items() if mask.any()}
    return {
        "users": len(asked),
        "depth": DEPTH,
        "groups": {name: int(mask.sum()) for name, mask in masks.items()},
        "channels": {
            channel_name: {name: _reached(channel, asked, mask) for name, mask in masks.items()}
            for channel_name, channel in channels.items()
        },
    }


def _reached(channel: Recaller, panel: Panel, allowed: Mask) -> int:
    """Return how many of the allowed items stand in the list of any user."""
    lists = recall_allowed(channel, panel.queries, DEPTH, exclude=panel.history, allowed=allowed)
    return len(np.unique(lists.items))


def _known(data: RecallData) -> dict[str, Mask]:
    n = len(data.items)
    tags = np.zeros(n, dtype=np.bool_) if data.item_tags is None else np.diff(data.item_tags.table.indptr) > 0
    return {
        "events": np.bincount(data.interactions.items, minlength=n) > 0,
        "edges": data.catalogue.adjacency.degrees[:n] > 0,
        "tags": tags,
    }
