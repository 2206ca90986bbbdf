"""Which recipe a channel's name stands for: one line a channel, and those that other distributions declare."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from graphrec.contracts import extensions
from graphrec.errors import ConfigError, nearest_names

# Name -> "module:Class"; imported when it is needed, so that unused channels cost nothing.
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
        "kg-paths": "graphrec.channels.content.kg_paths:KgPaths",
        "preference-walk": "graphrec.channels.content.preference_walk:PreferenceWalk",
        "pixie": "graphrec.channels.content.pixie:Pixie",
        "text": "graphrec.models.content.text:Text",
        "text-ease": "graphrec.models.content.text_ease:TextEase",
        "semantic-ids": "graphrec.models.content.semantic_ids:SemanticIds",
        "image": "graphrec.models.content.image:Image",
        "video": "graphrec.models.content.video:Video",
        "vectors": "graphrec.channels.content.vectors:VectorChannel",
        "node2vec": "graphrec.models.node_embeddings.node2vec:Node2Vec",
        "lightgcn": "graphrec.models.graph_networks.lightgcn:LightGCN",
        "two-tower": "graphrec.models.deep.two_tower:TwoTower",
        "esam": "graphrec.models.deep.esam:ESAM",
        "mobius": "graphrec.models.deep.mobius:Mobius",
        "tdm": "graphrec.models.deep.tdm:TDM",
        "fm": "graphrec.models.deep.fm:FM",
        "ffm": "graphrec.models.deep.ffm:FFM",
        "sasrec": "graphrec.models.deep.sasrec:SASRec",
        "bert4rec": "graphrec.models.deep.bert4rec:BERT4Rec",
        "youtube-dnn": "graphrec.models.deep.youtube_dnn:YouTubeDNN",
        "gru4rec": "graphrec.models.deep.gru4rec:GRU4Rec",
        "comirec": "graphrec.models.deep.comirec:ComiRec",
        "din": "graphrec.models.deep.din:DIN",
        "pinsage": "graphrec.models.graph_networks.pinsage:PinSage",
        "kge": "graphrec.models.kg_embeddings.kge:Kge",
        "entity2rec": "graphrec.models.node_embeddings.entity2rec:Entity2Rec",
    }
)


def recipe_names() -> list[str]:
    """Return the names of all channels: those of this table, then those that installed distributions declare."""
    return [*RECIPES, *(name for name in extensions.declared(extensions.RECIPES) if name not in RECIPES)]


def recipe_class(name: str) -> type[Any]:
    """Return the recipe class of a channel, a frozen dataclass with ``fit(data, context)``.

    Parameters
    ----------
    name : str
        A name of this table, one that an installed distribution declares (:mod:`graphrec.contracts.extensions`), or
        ``package.module:Class``.

    Raises
    ------
    ConfigError
        If there is no such channel, with the nearest names, or what the name stands for is no recipe.
    MissingExtraError
        If the channel learns with a library that is not installed.
    """
    if not isinstance(name, str):
        raise ConfigError(f"the recipe is {name!r}; it must be the name of a channel, or package.module:Class")
    if name in RECIPES:
        module, _, attribute = RECIPES[name].partition(":")
        house: type[Any] = getattr(importlib.import_module(module), attribute)
        return house
    place = name if ":" in name else _declared_place(name)
    made = extensions.imported(place)
    # Not dataclasses.is_dataclass: the face imports this module, and dataclasses takes half of its time.
    if not (isinstance(made, type) and hasattr(made, "__dataclass_fields__") and callable(getattr(made, "fit", None))):
        raise ConfigError(f"{place!r} is no recipe: a frozen dataclass of settings with fit(data, context)")
    return made


def _declared_place(name: str) -> str:
    """Return ``package.module:Class`` of a channel that a distribution declares."""
    entry = extensions.declared(extensions.RECIPES).get(name)
    if entry is None:
        names = recipe_names()
        raise ConfigError(f"channel {name!r} is not among {', '.join(names)}{nearest_names(name, names)}")
    return entry.value
