"""Which settings of a channel a search goes through: the configuration's, or those that the house knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from graphrec.contracts.recipe import Recipe
from graphrec.errors import ConfigError, nearest_names

from .domains import Space, fitted_to, parse_domain

# Positions of a history after which an item counts half; 0 means that age does not matter.
_HALF_LIVES = [0.0, 10.0, 25.0, 50.0, 100.0, 200.0, 400.0]
_WEIGHTS = [0.0, 0.5, 1.0]
# Eigenvectors of the item graph: time and memory of a fit and of a query grow with them.
_RANKS = {"int": [32, 1024], "log": True}

# Name in the registry -> field -> what would stand in the field's place in [tune.channels.NAME].
DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "hot": {"half_life_days": {"float": [1.0, 1000.0], "log": True}},
        "user-cf": {
            "neighbours": {"int": [20, 1000], "log": True},
            "user_exponent": {"float": [0.0, 1.0]},
            "item_exponent": {"float": [0.0, 1.2]},
            "target_exponent": {"float": [0.0, 0.6]},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "item-cf": {
            "k": {"int": [50, 1000], "log": True},
            "user_exponent": {"float": [0.0, 1.0]},
            "item_exponent": {"float": [0.0, 1.0]},
            "normalise": [True, False],
            "shrinkage": [0.0, 2.0, 5.0, 10.0, 20.0],
            "similarity": ["cosine", "jaccard", "dice"],
            "weighting": ["none", "tfidf", "bm25"],
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "rp3beta": {
            "k": {"int": [50, 2000], "log": True},
            "alpha": {"float": [0.2, 1.5]},
            "beta": {"float": [0.0, 1.0]},
            "normalise": [True, False],
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "swing": {
            "k": {"int": [50, 1000], "log": True},
            "alpha": {"float": [0.1, 100.0], "log": True},
            "user_shift": {"float": [0.0, 50.0]},
            "beta": {"float": [0.0, 1.0]},
            "item_exponent": {"float": [0.0, 1.2]},
            "min_common_users": {"int": [2, 5]},
            "normalise": [True, False],
            "half_life": _HALF_LIVES,
        },
        "ease": {
            "k": {"int": [100, 2000], "log": True},
            "regularisation": {"float": [10.0, 3000.0], "log": True},
            "remainder": {"float": [0.0, 1.5]},
            "neighbourhood": [0, 50, 100, 200],
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "gf-cf": {
            "rank": _RANKS,
            "low_pass": {"float": [0.0, 1.0]},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "turbo-cf": {
            "k": {"int": [100, 2000], "log": True},
            "user_exponent": {"float": [0.2, 0.9]},
            "power": {"float": [0.3, 2.0], "log": True},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "cheby-cf": {
            "rank": _RANKS,
            "plateau": {"float": [0.5, 20.0], "log": True},
            "low_pass": {"float": [0.0, 1.0]},
            "item_exponent": {"float": [0.0, 0.8]},
            "order": {"int": [4, 12]},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "bspm": {
            "rank": _RANKS,
            "low_pass": {"float": [0.0, 1.0]},
            # Beyond 2.8 the step is unstable.
            "sharpening": {"float": [0.0, 2.8]},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "als": {
            "dim": [64, 128, 256, 512],
            "unobserved_weight": {"float": [0.001, 1.0], "log": True},
            "regularisation": {"float": [0.0003, 0.1], "log": True},
            "frequency_exponent": {"float": [0.0, 1.0]},
            "iterations": {"int": [4, 16]},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "lightgcn": {
            "dim": [32, 64, 128],
            "layers": {"int": [1, 4]},
            "temperature": {"float": [0.05, 0.5], "log": True},
            "length_exponent": {"float": [0.0, 1.0]},
            "steps": {"int": [50, 400], "log": True},
            "lr": {"float": [0.005, 0.1], "log": True},
            "half_life": _HALF_LIVES,
            "weight_exponent": _WEIGHTS,
        },
        "tag": {
            "tags": {"int": [10, 500], "log": True},
            "list_length": {"int": [200, 5000], "log": True},
            "lift": {"float": [0.0, 1.5]},
            "idf_exponent": {"float": [0.0, 6.0]},
            "length_exponent": {"float": [0.0, 1.5]},
            "popularity_exponent": {"float": [0.0, 1.2]},
            "half_life": _HALF_LIVES,
        },
        "kg-neighbours": {
            "k": {"int": [50, 1000], "log": True},
            "degree_exponent": {"float": [0.0, 2.0]},
            "hub_cap": [100, 300, 1000, 3000],
            "popularity_exponent": {"float": [0.0, 1.0]},
            "link_exponent": {"float": [0.0, 1.0]},
            "normalise": [True, False],
            "half_life": _HALF_LIVES,
        },
        "node2vec": {
            "dim": [32, 64, 128],
            "walks_per_node": {"int": [5, 20]},
            "window": {"int": [2, 10]},
            "p": {"float": [0.25, 4.0], "log": True},
            "q": {"float": [0.25, 4.0], "log": True},
            "ns_exponent": {"float": [-0.5, 1.0]},
            "neighbours": {"int": [10, 100], "log": True},
            "power": {"float": [1.0, 8.0]},
            "half_life": [0.0, 10.0, 25.0, 50.0, 100.0],
        },
    }
)


def search_spaces(
    tables: Mapping[str, Mapping[str, Any]], recipes: Mapping[str, Recipe], kinds: Mapping[str, str], *, place: str
) -> dict[str, Space]:
    """Return the space of each channel that has one.

    Parameters
    ----------
    tables : mapping
        Channel -> field -> what TOML says of it: the ``[tune.channels]`` of the configuration. An empty table leaves
        the channel as it is; a channel without a table has the space that :data:`DEFAULTS` knows for its kind.
    recipes, kinds : mapping
        The configuration's channels: their recipes, and their names in the registry.
    place : str
        Where the tables stand, for errors.

    Raises
    ------
    ConfigError
        If a channel or a field is unknown, a range is illegal, or no setting of a range is legal for the recipe.
    """
    for channel in tables:
        if channel not in recipes:
            raise ConfigError(
                f"{place}.{channel} searches a channel that is not among {', '.join(recipes)}"
                f"{nearest_names(channel, recipes)}"
            )
    found = {}
    for channel, recipe in recipes.items():
        table = tables.get(channel, DEFAULTS.get(kinds[channel], {}))
        if table:
            found[channel] = _space(table, recipe, f"{place}.{channel}")
    return found


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe with some of its fields changed, checked as any other."""
    changed: Recipe = dataclasses.replace(recipe, **settings)  # type: ignore[type-var]
    return changed


def present_settings(recipe: Recipe, space: Space) -> dict[str, Any]:
    """Return what the recipe has in the fields of a space."""
    return {field: getattr(recipe, field) for field in space}


def _space(table: Mapping[str, Any], recipe: Recipe, place: str) -> Space:
    fields = [field.name for field in dataclasses.fields(recipe)]  # type: ignore[arg-type]
    space: dict[str, Any] = {}
    for field, raw in table.items():
        here = f"{place}.{field}"
        if field not in fields:
            raise ConfigError(
                f"{here}: the channel has no such setting{nearest_names(field, fields)}; legal: {', '.join(fields)}"
            )
        space[field] = fitted_to(parse_domain(raw, place=here), type(recipe), field, place=here)
    for field, domain in space.items():
        for value in domain.ends:
            _check_legal(recipe, space, field, value, f"{place}.{field}")
    return space


def _check_legal(recipe: Recipe, space: Space, field: str, value: Any, place: str) -> None:
    """Refuse a value that is illegal beside the present settings and beside the ends of all other ranges."""
    complaint: ConfigError | None = None
    for beside in _neighbourhoods(space):
        try:
            with_settings(recipe, {**beside, field: value})
        except ConfigError as error:
            complaint = complaint or error
        else:
            return
    raise ConfigError(f"{place} takes {value!r}, which is illegal: {complaint}") from complaint


def _neighbourhoods(space: Space) -> Iterator[dict[str, Any]]:
    """Yield settings to try a value beside: none changed, all at their first end, all at their last."""
    yield {}
    for end in (0, -1):
        yield {field: domain.ends[end] for field, domain in space.items()}
