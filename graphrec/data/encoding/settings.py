"""What may be chosen of an encoding, each setting with its default and what is legal."""

from __future__ import annotations

from dataclasses import dataclass

from graphrec.checks import check_count, typed_fields
from graphrec.errors import ConfigError, brief, nearest_names

TIME_PARTS = ("hour", "weekday", "month", "age")


@typed_fields
@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSettings:
    """How columns of features become fields.

    Parameters
    ----------
    columns : tuple of str, default ()
        The columns that are read; empty for all.
    min_count : int, default 2
        A category that fewer rows of train have is rare: it shares code 1 with unknown ones. >= 1.
    max_vocabulary : int, default 100,000
        A column of more categories than this (rare ones not counted) is hashed instead. >= 1.
    hash_buckets : int, default 65,536
        Buckets of a hashed column; categories that share a bucket share an embedding. >= 1.
    hashed : tuple of str, default ()
        Columns (of categories) and crosses (``"a*b"``) that are hashed in any case.
    text_buckets : int, default 16,384
        Buckets that the words of a text fall into. >= 1.
    max_values : int, default 64
        Categories that a row keeps of a column of many: tags by weight, words from the front. >= 1.
    quantiles : int, default 100
        Intervals of equal mass that the scale of a number has. >= 2.
    time_parts : tuple of {"hour", "weekday", "month", "age"}, default all
        What is made of a moment, in UTC; the age is that at the moment of the encoding.
    crosses : tuple of (str, str), default ()
        Pairs of category fields, such as ``("country", "genre")`` or ``("released:month", "genre")``, whose
        combinations are a field of their own.

    Raises
    ------
    ConfigError
        If a setting is of a wrong type or out of range.
    """

    columns: tuple[str, ...] = ()
    min_count: int = 2
    max_vocabulary: int = 100_000
    hash_buckets: int = 1 << 16
    hashed: tuple[str, ...] = ()
    text_buckets: int = 1 << 14
    max_values: int = 64
    quantiles: int = 100
    time_parts: tuple[str, ...] = TIME_PARTS
    crosses: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name, least in (
            ("min_count", 1), ("max_vocabulary", 1), ("hash_buckets", 1), ("text_buckets", 1), ("max_values", 1),
            ("quantiles", 2),
        ):  # fmt: skip
            check_count(name, getattr(self, name), least, 1 << 30)
        for name in ("columns", "hashed", "time_parts"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        for part in self.time_parts:
            if part not in TIME_PARTS:
                near = nearest_names(part, TIME_PARTS)
                raise ConfigError(f"time_parts has {part!r}; legal are {', '.join(map(repr, TIME_PARTS))}{near}")
        object.__setattr__(self, "crosses", tuple(_pair(pair) for pair in self.crosses))


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not all(isinstance(text, str) for text in value):
        raise ConfigError(f"{name} is {brief(value, 120)}; it must be a list of texts")
    if len(set(value)) < len(value):
        raise ConfigError(f"{name} has {max(value, key=value.count)!r} twice; name it once")
    return tuple(value)


def _pair(pair: object) -> tuple[str, str]:
    names = pair if isinstance(pair, tuple | list) else ()
    if len(names) != 2 or not all(isinstance(name, str) for name in names) or names[0] == names[1]:
        raise ConfigError(f"a cross is {brief(pair, 120)}; it must be two different names of category fields")
    return names[0], names[1]
