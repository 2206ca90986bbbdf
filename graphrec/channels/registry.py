"""Which recipe a channel's name stands for: one line a channel."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphrec.errors import ConfigError, nearest_names

# Name -> "module:Class"; imported when asked for, so that nobody pays for a channel he does not use.
RECIPES: Mapping[str, str] = MappingProxyType(
    {
        "hot": "graphrec.channels.hot:Hot",
        "high-efficiency": "graphrec.channels.high_efficiency:HighEfficiency",
        "operations": "graphrec.channels.operations:Operations",
        "user-cf": "graphrec.channels.user_cf:UserCF",
        "item-cf": "graphrec.channels.item_cf:ItemCF",
        "rp3beta": "graphrec.channels.rp3beta:RP3beta",
        "swing": "graphrec.channels.swing:Swing",
        "ease": "graphrec.channels.ease:Ease",
        "tag": "graphrec.channels.tag:Tag",
        "kg-neighbours": "graphrec.channels.kg_neighbours:KgNeighbours",
        "node2vec": "graphrec.models.node2vec:Node2Vec",
    }
)


def recipe_class(name: str) -> type[Any]:
    """Return the recipe class of a channel, a frozen dataclass with ``fit(data, *, seed)``.

    Raises
    ------
    ConfigError
        If there is no such channel, with the nearest names.
    MissingExtraError
        If the channel learns with a library that is not installed.
    """
    if name not in RECIPES:
        raise ConfigError(f"channel {name!r} is not among {', '.join(RECIPES)}{nearest_names(name, RECIPES)}")
    module, attribute = RECIPES[name].split(":")
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found
