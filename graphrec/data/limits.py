"""What one input file may cost, judged before a parser of others sees it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from graphrec.checks import check_count
from graphrec.errors import DataError

FREE_BYTES = 1 << 26
"""64 MiB: a file that expands to less than this is never refused for its ratio."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a file that somebody else wrote; a file beyond one of them is refused, or the row at fault rejected.

    Parameters
    ----------
    depth : int, default 128
        Levels of nesting: JSON, XML elements, brackets and triple terms of RDF.
    text_bytes : int, default 64 MiB
        Longest value, line, comment or tag.
    names : int, default 3,000
        Names in scope at a time: namespaces and attributes of XML, terms of a JSON-LD context.
    columns : int, default 10,000
        Columns of a table.
    expansion : int, default 200
        Bytes that may come of each byte of the file, by decompression or by abbreviations (prefixes, a base); judged
        once ``FREE_BYTES`` have come out.
    expanded_bytes : int, default 64 GiB
        Bytes that may come of a file in all.

    Raises
    ------
    ConfigError
        If a limit is no whole number of 1 or more.
    """

    depth: int = 128
    text_bytes: int = 1 << 26
    names: int = 3_000
    columns: int = 10_000
    expansion: int = 200
    expanded_bytes: int = 1 << 36

    # For pydantic, which reads the limits of a configuration: an unknown key is an error.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - a field would be a setting

    def __post_init__(self) -> None:
        for field in fields(self):
            check_count(field.name, getattr(self, field.name), 1)


def beyond_limit(place: object, what: str, limits: Limits, name: str, *, most: int | None = None) -> DataError:
    """Return the error of a file that is beyond the limit ``name``; ``most`` is the bound where a parser's is lower.

    >>> print(beyond_limit("a.csv, line 1", "there are 70,000 columns", Limits(), "columns"))
    a.csv, line 1: there are 70,000 columns, and at most 10,000 are read; correct the file, or raise limits.columns
    """
    bound = getattr(limits, name) if most is None else min(most, getattr(limits, name))
    remedy = "" if bound < getattr(limits, name) else f", or raise limits.{name}"
    return DataError(f"{place}: {what}, and at most {bound:,} are read; correct the file{remedy}")


class Expansion:
    """Counts the bytes that come of one file, and stops at what its size allows.

    Parameters
    ----------
    place : object
        The file, as errors name it.
    packed_bytes : int or None
        Its size; None where it is not known (a pipe): the ratio is not judged then.
    limits : Limits
        ``expansion`` and ``expanded_bytes`` are used.
    """

    __slots__ = ("_limits", "_place", "most", "n_bytes")

    def __init__(self, place: object, packed_bytes: int | None, limits: Limits) -> None:
        self._place, self._limits = place, limits
        by_ratio = limits.expanded_bytes if packed_bytes is None else limits.expansion * packed_bytes
        self.most = min(limits.expanded_bytes, max(by_ratio, FREE_BYTES))
        self.n_bytes = 0

    def add(self, n_bytes: int) -> None:
        """Count the next bytes; raise DataError where they are too many."""
        self.n_bytes += n_bytes
        if self.n_bytes > self.most:
            name = "expanded_bytes" if self.most == self._limits.expanded_bytes else "expansion"
            ratio = f" ({self._limits.expansion:,} for each of its own)" if name == "expansion" else ""
            raise DataError(
                f"{self._place} expands to more than {self.most:,} bytes{ratio}; if that is meant, raise limits.{name}"
            )
