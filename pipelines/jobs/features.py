"""What a report says of the features: each column of items and users, its coverage, and what the leak check found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from graphrec.contracts.described import item_columns, user_columns
from graphrec.contracts.recall_data import RecallData
from graphrec.data.encoding.encoder import FeatureEncoder
from graphrec.data.encoding.summary import summarise_features
from graphrec.data.features import Features
from graphrec.errors import DataError


def features_report(data: RecallData, checks: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the columns of ``items`` and of ``users`` as JSON values; spaces of which nothing is known are left out.

    Parameters
    ----------
    data : RecallData
        What channels learn from.
    checks : sequence of mapping
        What the leak check found, :class:`graphrec.data.feature_leaks.ColumnCheck` as mappings.
    """
    found = {"items": _columns(item_columns(data)), "users": _columns(user_columns(data))}
    by_column = {(check["space"], check["column"]): check for check in checks}
    for name, columns in found.items():
        for column in columns:
            check = by_column.get((name[:-1], column["name"]), {})
            column |= {"follows": check.get("figure", ""), "follows_by": check.get("correlation")}
    return {name: columns for name, columns in found.items() if columns}


def _columns(features: Features) -> list[dict[str, Any]]:
    try:
        encoder = FeatureEncoder.fit(features)
    except DataError:  # no columns, or nothing to learn from any
        return []
    return [dataclasses.asdict(column) for column in summarise_features(features, encoder)]
