"""The training configuration: one TOML file, checked whole before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from graphrec.errors import ConfigError, nearest_names

from .build import Config, complaint, make_fusion, make_recipe, make_rule, spaces_of
from .sections import TrainConfig


def load_config(path: str | Path) -> Config:
    """Read and check a TOML configuration.

    Raises
    ------
    ConfigError
        If the file is missing or no TOML, a key is unknown (with the nearest known one), or a value is illegal.
    """
    source = Path(path)
    try:
        raw = tomllib.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no configuration file {str(source)!r}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{source}: cannot be read as UTF-8 text ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: is no TOML: {error}") from error
    return check_config(raw, directory=source.parent, name=str(source))


def check_config(raw: Mapping[str, Any], *, directory: Path, name: str = "config") -> Config:
    """Check a configuration given as a mapping; see :func:`load_config`."""
    try:
        settings = TrainConfig.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_sentence(error, TrainConfig)}") from error
    if not settings.channels:
        raise ConfigError(f"{name}: [channels] is empty; name at least one, such as [channels.item-cf]")
    recipes = {channel: make_recipe(channel, table, name=name) for channel, table in settings.channels.items()}
    make_fusion(settings.fusion, list(recipes), name=name)
    rules = tuple(make_rule(table, f"{name}: pool.rules.{place}") for place, table in enumerate(settings.pool.rules))
    config = Config(settings, recipes, directory, rules)
    spaces_of(config, name=name)
    return config


def _sentence(error: ValidationError, model: type[BaseModel]) -> str:
    """Turn pydantic's first complaint into one sentence with the place, the value and the remedy."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, [str(part) for part in first["loc"][:-1]])
        return f"{where} is not a known key{nearest_names(str(first['loc'][-1]), known)}; legal: {', '.join(known)}"
    return complaint(error)


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """Return the field names of the section at ``path`` below ``model``."""
    for part in path:
        annotation = model.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(model.model_fields)
