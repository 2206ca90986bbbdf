"""What TOML says of the values that a setting may take in a search, checked."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from graphrec.contracts.domains import Choices, Domain, Range
from graphrec.errors import ConfigError, nearest_names

_KEYS = ("int", "float", "log", "step")
_FORMS = "write { int = [50, 1000], log = true }, { float = [0.0, 1.0] } or a list of values"


def parse_domain(raw: Any, *, place: str) -> Domain:
    """Return the domain that a TOML value describes; ``place`` names it in errors.

    Raises
    ------
    ConfigError
        If it is neither a list of values nor a legal range.
    """
    if isinstance(raw, Mapping):
        return _range(raw, place)
    if not isinstance(raw, list):
        raise ConfigError(f"{place} is {raw!r}; {_FORMS}")
    if len(raw) < 2 or len({repr(value) for value in raw}) < len(raw):
        raise ConfigError(f"{place} is {raw!r}; a list to choose from holds two values or more, each once")
    return Choices(tuple(raw))


def _range(raw: Mapping[str, Any], place: str) -> Range:
    for key in raw:
        if key not in _KEYS:
            raise ConfigError(f"{place}.{key} is not a known key{nearest_names(key, _KEYS)}; legal: {', '.join(_KEYS)}")
    kinds = [kind for kind in ("int", "float") if kind in raw]
    if len(kinds) != 1:
        raise ConfigError(f"{place} has {' and '.join(kinds) or 'neither int nor float'}; {_FORMS}")
    whole = kinds == ["int"]
    low, high = _bounds(raw[kinds[0]], whole, f"{place}.{kinds[0]}")
    log, step = raw.get("log", False), raw.get("step")
    if not isinstance(log, bool):
        raise ConfigError(f"{place}.log is {log!r}; it must be true or false")
    if log and low <= 0:
        raise ConfigError(f"{place} starts at {low}; a range with log = true must start above 0")
    if step is None:
        return Range(low, high, whole, log)
    if log:
        raise ConfigError(f"{place} has log = true and step = {step!r}; a range takes one of the two")
    if not _is_number(step, whole) or not 0 < step <= high - low:
        kind = "whole number" if whole else "number"
        raise ConfigError(f"{place}.step is {step!r}; it must be a {kind} above 0 and at most {high - low}")
    last = low + step * math.floor((high - low) / step + 1e-9)
    return Range(low, last if whole else min(high, round(last, 12)), whole, False, step)


def _bounds(raw: Any, whole: bool, place: str) -> tuple[float, float]:
    kind = "whole numbers" if whole else "finite numbers"
    if not isinstance(raw, Sequence) or len(raw) != 2 or not all(_is_number(end, whole) for end in raw):
        raise ConfigError(f"{place} is {raw!r}; it must hold two {kind}, the lowest and the highest value")
    low, high = raw if whole else (float(end) for end in raw)
    if low >= high:
        raise ConfigError(f"{place} runs from {low} to {high}; the first bound must lie below the second")
    return low, high


def _is_number(value: Any, whole: bool) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)


def fitted_to(domain: Domain, made: type[Any], field: str, *, place: str) -> Domain:
    """Return the domain with its values as the recipe ``made`` holds them in ``field``.

    Raises
    ------
    ConfigError
        If a value is of a kind that the field cannot hold.
    """
    kind = TypeAdapter(typing.get_type_hints(made)[field])

    def held(value: Any) -> Any:
        try:
            return kind.validate_python(value, strict=True)
        except ValidationError as error:
            why = error.errors()[0]["msg"]
            raise ConfigError(f"{place} takes {value!r}: {why[:1].lower()}{why[1:]}") from error

    if isinstance(domain, Choices):
        return Choices(tuple(held(value) for value in domain.values))
    for end in domain.ends:
        held(end)
    return domain
