"""The tuned configuration: the file that was searched for, comments and all, with the best settings written in."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from graphrec.errors import MissingExtraError

from ..config.build import Config

try:
    import tomlkit
    from tomlkit.items import InlineTable, Item, Table
except ImportError as error:
    raise MissingExtraError("tuning", extra="tune") from error

_HEAD = "# Written by graphrec tune:"

Place = tuple[str | int, ...]
# Channel -> field -> (present value, best value), for settings that differ.
Changes = Mapping[str, Mapping[str, tuple[Any, Any]]]


def tuned_text(original: str, config: Config, changes: Changes, *, directory: Path, remark: str) -> str:
    """Return ``original`` with the best settings in place of the present ones.

    Parameters
    ----------
    original : str
        The text that ``config`` was read from.
    config : Config
        The checked configuration.
    changes : mapping
        What to write; each new value has the old one in a comment behind it, unless a comment stands there already.
    directory : Path
        Where the text will lie: relative paths are written as seen from there.
    remark : str
        What the first line says of the search.
    """
    document = tomlkit.parse(original)
    for place, path in _relative_paths(config):
        _at(document, place[:-1])[place[-1]] = _seen_from(directory, config.resolve(path))
    for channel, fields in changes.items():
        table = _at(document, ("channels", channel))
        for field, (present, best) in fields.items():
            _set(table, field, best, present)
    text = tomlkit.dumps(document)
    first, _, rest = text.partition("\n")
    return f"{_HEAD} {remark}\n" + (rest if first.startswith(_HEAD) else text)


def _set(table: Any, field: str, value: Any, present: Any) -> None:
    """Write one setting, a new one behind the last of the table and before the comments that follow it."""
    body = table.value.body if isinstance(table, Table) else []
    after = []
    while field not in table and body and body[-1][0] is None:
        after.append(body.pop())
    table[field] = value
    body.extend(reversed(after))
    written = table.item(field) if isinstance(table, Table) else None
    # Within braces a comment would swallow the rest of the line.
    if isinstance(written, Item) and not isinstance(written, InlineTable | Table) and not written.trivia.comment:
        written.comment(f"was {tomlkit.item(present).as_string()}")
        written.trivia.comment_ws = "  "


def _at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def _relative_paths(config: Config) -> Iterator[tuple[Place, Path]]:
    """Yield every relative path that the file names, and its place in the file."""
    paths = list(_paths(config.settings, ()))
    for channel, table in config.settings.channels.items():
        recipe: Any = config.recipes[channel]
        values = {field.name: getattr(recipe, field.name) for field in dataclasses.fields(recipe)}
        paths += _paths({field: values[field] for field in table if field in values}, ("channels", channel))
    yield from ((place, path) for place, path in paths if not path.is_absolute())


def _paths(value: Any, place: Place) -> Iterator[tuple[Place, Path]]:
    """Yield the paths below a value; of a section, those that were given."""
    if isinstance(value, Path):
        yield place, value
    elif isinstance(value, BaseModel):
        for name in sorted(value.model_fields_set):
            yield from _paths(getattr(value, name), (*place, name))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _paths(entry, (*place, key))
    elif isinstance(value, list | tuple):
        for position, entry in enumerate(value):
            yield from _paths(entry, (*place, position))


def _seen_from(directory: Path, path: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), directory.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
