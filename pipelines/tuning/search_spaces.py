"""Which settings of a channel a search goes through: the configuration's, or those that its recipe declares."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from graphrec.contracts.domains import Space
from graphrec.contracts.recipe import Recipe
from graphrec.contracts.settings import space_of
from graphrec.errors import ConfigError, nearest_names

from .domains import fitted_to, parse_domain


def search_spaces(
    tables: Mapping[str, Mapping[str, Any]], recipes: Mapping[str, Recipe], *, place: str
) -> dict[str, Space]:
    """Return the space of each channel that has one.

    Parameters
    ----------
    tables : mapping
        Channel -> field -> what TOML says of it: the ``[tune.channels]`` of the configuration. An empty table leaves
        the channel as it is; a channel without a table has the space that its recipe's fields declare.
    recipes : mapping
        The configuration's channels.
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
    spaces = {
        channel: _space(tables[channel], recipe, f"{place}.{channel}") if channel in tables else space_of(type(recipe))
        for channel, recipe in recipes.items()
    }
    return {channel: space for channel, space in spaces.items() if space}


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
