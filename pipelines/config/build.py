"""Tables of the configuration to what they describe: recipes, rules, the fusion, search spaces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from graphrec.channels.registry import recipe_class
from graphrec.contracts.domains import Space
from graphrec.contracts.recipe import Recipe
from graphrec.contracts.settings import Settings
from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.rrf import Rrf
from graphrec.fusion.settings import Fusion, FusionRecipe, fusion_class
from graphrec.pool.rules import RULES, Rule

from ..readers.table_source import TableSource
from ..tuning.search_spaces import search_spaces
from .sections import FusionSection, TrainConfig
from .sentences import complaint

T = TypeVar("T")
Table = TypeVar("Table", bound=TableSource)


@dataclasses.dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration with its recipes and rules made, and the directory that relative paths start from."""

    settings: TrainConfig
    recipes: Mapping[str, Recipe]
    directory: Path
    rules: tuple[Rule, ...] = ()

    def resolve(self, path: Path) -> Path:
        """Return ``path`` seen from the configuration file."""
        return path if path.is_absolute() else self.directory / path

    def source(self, section: Table) -> Table:
        """Return the table of a section: its path seen from the file; ``data.limits`` hold unless it has own."""
        limits = section.limits if "limits" in section.model_fields_set else self.settings.data.limits
        return section.model_copy(update={"path": self.resolve(section.path), "limits": limits})


def make_fusion(section: FusionSection, channels: Sequence[str], *, name: str = "config") -> Fusion | FusionRecipe:
    """Return the fusion that the section describes, or the recipe of one that is to be fitted.

    Raises
    ------
    ConfigError
        If the kind or a key is unknown, a value is illegal, or a channel is named that is not among ``channels``.
    """
    place, kind, values = f"{name}: fusion", section.kind, dict(section.model_extra or {})
    if kind == "rrf" and values.get("weights") == "fit":
        kind = "fitted-rrf"
        del values["weights"]
    if (kind == "calibrated" and "curves" not in values) or (kind == "boosted" and "base" not in values):
        kind = f"fitted-{kind}"
    try:
        made_by = fusion_class(kind)
    except ConfigError as error:
        raise ConfigError(f"{place}.kind: {error}") from error
    # Every table among the settings is by channel, every list of names is of channels.
    for key, value in values.items():
        for channel in value if isinstance(value, dict | list) else ():
            if isinstance(channel, str) and channel not in channels:
                raise ConfigError(
                    f"{place}.{key} names {channel!r}, which is not among the channels "
                    f"{', '.join(channels)}{nearest_names(str(channel), channels)}"
                )
    fusion: Fusion | FusionRecipe = from_table(made_by, values, place=place)
    if isinstance(fusion, Rrf) and not any(fusion.weights.get(channel, 1.0) for channel in channels):
        raise ConfigError(f"{place}.weights are all 0; at least one must be above")
    return fusion


def spaces_of(config: Config, *, name: str = "config") -> dict[str, Space]:
    """Return what ``graphrec tune`` searches of each channel."""
    return search_spaces(config.settings.tune.channels, config.recipes, place=f"{name}: tune.channels")


def make_recipe(channel: str, table: Mapping[str, Any], *, name: str) -> Recipe:
    """Make the recipe of one channel; ``recipe = "item-cf"`` in the table lets a channel have a name of its own."""
    values = dict(table)
    place = f"{name}: channels.{channel}"
    kind = values.pop("recipe", channel)
    try:
        made_by = recipe_class(kind)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    recipe: Recipe = from_table(made_by, values, place=place)
    return recipe


def seen_from(recipe: Recipe, directory: Path) -> Recipe:
    """Return a recipe whose relative paths, where it has any, start at ``directory``."""
    located = getattr(recipe, "seen_from", None)
    return recipe if located is None else located(directory)


def make_rule(table: Mapping[str, Any], place: str) -> Rule:
    """Make one rule of the pool."""
    values = dict(table)
    kind = values.pop("kind", None)
    if kind not in RULES:
        near = nearest_names(str(kind), RULES)
        raise ConfigError(f"{place}.kind is {kind!r}, which is no rule{near}; legal: {', '.join(RULES)}")
    return from_table(RULES[kind], values, place=place)


def from_table(made: type[T], values: Mapping[str, Any], *, place: str) -> T:
    """Make the dataclass ``made`` of a TOML table; ``place`` names the table in errors.

    Raises
    ------
    ConfigError
        If a key is none of its fields, or a value is illegal.
    """
    names = [field.name for field in dataclasses.fields(made)]  # type: ignore[arg-type]
    for key in values:
        if key not in names:
            raise ConfigError(f"{place}.{key} is not a known key{nearest_names(key, names)}; legal: {', '.join(names)}")
    try:
        # Settings check themselves, alike from TOML and from Python: "64" is no number here either.
        return made(**values) if issubclass(made, Settings) else TypeAdapter(made).validate_python(values)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error
    except ValidationError as error:
        raise ConfigError(complaint(error, place)) from error
