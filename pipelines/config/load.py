"""The training configuration: one TOML file, checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from graphrec.checks import as_path
from graphrec.errors import ConfigError

from .build import Config, make_fusion, make_recipe, make_rule, seen_from, spaces_of
from .sections import TrainConfig
from .sentences import sentence
from .toml_files import parsed_toml, toml_text


def load_config(source: str | Path | Mapping[str, Any] | Config) -> Config:
    """Return a checked configuration: of a TOML file, of a mapping with the same keys, or one that is checked already.

    Relative paths start at the file's directory; those of a mapping at the current one.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML, a key is unknown (with the nearest known one), a value is illegal, or
        ``source`` is something else.
    """
    if isinstance(source, Config):
        return source
    if isinstance(source, Mapping):
        return check_config(source, directory=Path.cwd())
    if not isinstance(source, str | Path):
        raise ConfigError(
            f"a configuration cannot be read from a {type(source).__name__}; legal are the path of a TOML file, "
            "a mapping with its keys, and a Config"
        )
    path = as_path(source, name="the path of the configuration")
    raw = parsed_toml(toml_text(path, what="configuration file"), path)
    return check_config(raw, directory=path.parent, name=str(path))


def check_config(raw: Mapping[str, Any], *, directory: Path, name: str = "config") -> Config:
    """Check a configuration given as a mapping; see :func:`load_config`."""
    try:
        settings = TrainConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{name}: {sentence(error, TrainConfig)}") from error
    if not settings.channels:
        raise ConfigError(f"{name}: [channels] is empty; name at least one, such as [channels.item-cf]")
    made = {channel: make_recipe(channel, table, name=name) for channel, table in settings.channels.items()}
    recipes = {channel: seen_from(recipe, directory) for channel, recipe in made.items()}
    make_fusion(settings.fusion, list(recipes), name=name)
    rules = tuple(make_rule(table, f"{name}: pool.rules.{place}") for place, table in enumerate(settings.pool.rules))
    config = Config(settings, recipes, directory, rules)
    spaces_of(config, name=name)
    return config
