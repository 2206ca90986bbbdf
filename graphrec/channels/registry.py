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
        "hot": "graphrec.channels.popular.hot:Hot",
        "high-efficiency": "graphrec.channels.popular.high_efficiency:HighEfficiency",
        "operations": "graphrec.operations.recipe:Operations",
        "user-cf": "graphrec.channels.behaviour.user_cf:UserCF",
        "item-cf": "graphrec.channels.behaviour.item_cf:ItemCF",
        "rp3beta": "graphrec.channels.behaviour.rp3beta:RP3beta",
        "swing": "graphrec.channels.behaviour.swing:Swing",
        "ease": "graphrec.channels.behaviour.ease:Ease",
        "gf-cf": "graphrec.channels.behaviour.gf_cf:GfCf",
        "turbo-cf": "graphrec.channels.behaviour.turbo_cf:TurboCf",
        "bspm": "graphrec.channels.behaviour.bspm:Bspm",
        "cheby-cf": "graphrec.channels.behaviour.cheby_cf:ChebyCf",
        "als": "graphrec.channels.behaviour.als:Als",
        "tag": "graphrec.channels.content.tag:Tag",
        "kg-neighbours": "graphrec.channels.content.kg_neighbours:KgNeighbours",
        "node2vec": "graphrec.models.node2vec:Node2Vec",
        "lightgcn": "graphrec.models.lightgcn:LightGCN",
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
