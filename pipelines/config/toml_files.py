"""TOML that people write: parsed, and no deeper than what reads it afterwards can bear."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from graphrec.data.limits import Limits
from graphrec.errors import ConfigError

# A document of this size is no configuration.
_MOST_BYTES = 16 << 20
# A key of so many parts: tomllib takes a time that is quadratic in them.
_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:{_PART}[ \t]*\.[ \t]*){{{Limits().depth + 1}}}")


def toml_text(path: Path, *, what: str) -> str:
    """Return the text of a file; ``what`` names it where it is missing.

    Raises
    ------
    ConfigError
        If it is missing, a folder, too long, or no UTF-8.
    """
    try:
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path}: has {path.stat().st_size:,} bytes; at most {_MOST_BYTES:,} are read")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {what} {str(path)!r}") from error
    except (OSError, ValueError) as error:  # a name with a zero byte, bytes that are no text
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def parsed_toml(text: str, place: object) -> dict[str, Any]:
    """Return a TOML document.

    Raises
    ------
    ConfigError
        If the text is no TOML, or nested deeper than ``Limits().depth``.
    """
    depth = Limits().depth
    if _LONG_KEY.search(text):
        raise _too_deep(place, depth)
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep(place, depth) from error
    except ValueError as error:  # of TOML, and of numbers too long for Python
        raise ConfigError(f"{place}: is no TOML: {error}") from error
    level: list[Any] = [document]
    while level := [value for table in level for value in _values(table)]:
        depth -= 1
        if depth < 0:
            raise _too_deep(place, Limits().depth)
    return document


def _values(table: object) -> list[Any]:
    if isinstance(table, dict):
        return list(table.values())
    return table if isinstance(table, list) else []


def _too_deep(place: object, depth: int) -> ConfigError:
    return ConfigError(f"{place}: is nested more than {depth} levels deep; no key of graphrec is")
