"""Slow, obvious versions: rules of the pool, item by item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphrec.contracts.recall_data import RecallData


def passes_rule(data: RecallData, kind: str, rule: Mapping[str, Any], item: int, now: int) -> bool:
    """Return whether one item passes one rule of the pool; ``rule`` holds its settings."""
    day = 86_400
    columns = data.item_features
    assert columns is not None
    events = data.interactions
    assert events.times is not None
    rows = [
        (int(user), float(weight), int(time))
        for user, one, weight, time in zip(events.users, events.items, events.weights, events.times, strict=True)
        if one == item and time <= now
    ]
    if kind == "activity":
        lately = [row for row in rows if rule["days"] is None or row[2] > now - rule["days"] * day]
        liked = [row for row in lately if row[1] > 0]
        if rule["released"] is not None and 0 <= now - columns.number(rule["released"])[item] <= rule["new_days"] * day:
            return True
        enough = len(liked) >= rule["events"] and len({row[0] for row in liked}) >= rule["users"]
        return bool(enough and (rule["weight"] == 0 or sum(row[1] for row in lately) >= rule["weight"]))
    if kind == "label":
        labels = columns.label(rule["of"])
        name = None if labels.codes[item] < 0 else labels.names[int(labels.codes[item])]
        if name is None:
            return bool(rule["keep_unknown"])
        return bool(name in rule["one_of"] if rule["one_of"] else name not in rule["none_of"])
    if kind == "tag":
        assert data.item_tags is not None
        start, stop = data.item_tags.table.indptr[item : item + 2]
        tags = {data.item_tags.tags[int(row)] for row in data.item_tags.table.neighbours[start:stop]}
        if not tags:
            return bool(rule["keep_unknown"])
        return bool(tags & set(rule["one_of"])) if rule["one_of"] else not tags & set(rule["none_of"])
    if kind == "rating":
        if len(rows) < rule["events"]:
            return bool(rule["keep_unknown"])
        return bool(sum(row[1] for row in rows) / len(rows) >= rule["min"])
    if kind == "conversion":
        shown = data.exposures
        assert shown is not None
        assert shown.times is not None
        seen = [
            bool(came)
            for one, came, time in zip(shown.items, shown.converted, shown.times, strict=True)
            if one == item and time <= now
        ]
        if len(seen) < rule["exposures"]:
            return bool(rule["keep_unknown"])
        return bool(sum(seen) / len(seen) >= rule["min"])
    value = float(columns.number(rule["of"])[item])
    if np.isnan(value):
        return bool(rule["keep_unknown"])
    low, high = (rule["min"], rule["max"]) if kind == "number" else (rule["min_days"], rule["max_days"])
    value = value if kind == "number" else (now - value) / day
    return (low is None or value >= low) and (high is None or value <= high)
