"""What the benchmarks of learned channels read: four catalogues with features, each split in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config

HERE = Path(__file__).parent.parent
SEED = 0
BY_TIME = {"kind": "time", "test_share": 0.2}

# Folder below the data, the tables, and the split.
DATA: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "completejourney": (
        "completejourney",
        {
            "interactions": {
                "path": "transactions.parquet",
                "columns": {
                    "user_id": "household_id",
                    "item_id": "product_id",
                    "timestamp": "transaction_timestamp",
                },
            },
            "items": {
                "path": "products.parquet",
                "columns": {"item_id": "product_id"},
                "labels": ["department", "brand", "product_category", "product_type"],
            },
        },
        BY_TIME,
    ),
    "ml-latest-small": (
        "ml-latest-small",
        {
            "interactions": {
                "path": "ratings.csv",
                "columns": {"user_id": "userId", "item_id": "movieId", "weight": "rating"},
            },
            "items": {"path": "movies.csv", "columns": {"item_id": "movieId", "label": "title", "tags": "genres"}},
        },
        BY_TIME,
    ),
    "colakg-ml-1m": (
        "colakg-ml-1m",
        {
            "interactions": {"path": "train.txt", "test_path": "test.txt", "format": "lists"},
            "items": {"path": "item_links.tsv", "columns": {"item_id": "item", "label": "title", "tags": "genres"}},
        },
        {"kind": "given"},
    ),
}


def configuration(name: str, root: Path, channels: Mapping[str, Mapping[str, Any]], k: list[int]) -> Config:
    """Return a run over one of the data sets, below ``root``, as a configuration."""
    folder, tables, split = DATA[name]
    raw = {
        "name": name,
        "seed": SEED,
        "data": tables,
        "split": split,
        "channels": {channel: dict(settings) for channel, settings in channels.items()},
        "evaluate": {"k": k},
    }
    return check_config(raw, directory=root / folder, name=name)
