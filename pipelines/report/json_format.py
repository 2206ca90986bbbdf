"""``report.json``: how a typed report becomes JSON values, and how it is read back."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from graphrec.checks import as_path
from graphrec.errors import DataError
from graphrec.escapes import json_text
from graphrec.evaluation.bootstrap import Interval
from graphrec.version import __version__

FILE = "report.json"
# Without these keys a document is no report at all.
_OURS = ("channels", "fused", "k")
_BY_CUTOFF = re.compile(r"(.+)@([1-9][0-9]{0,8})")


class _Whole(Protocol):
    def faults(self) -> Iterator[str]: ...


_R = TypeVar("_R", bound=_Whole)


def plain(value: Any) -> Any:
    """Return JSON values: an interval as a list, numbers by cut-off as a key ``name@K`` each.

    What is None by default has no key where it is None.

    Numbers that are not finite become None: JSON has none.
    """
    if isinstance(value, Interval):
        return [plain(number) for number in value.to_list()]
    if dataclasses.is_dataclass(value):
        return dict(_entries(value))
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _entries(part: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Mapping) and value and all(isinstance(key, int) for key in value):
            yield from ((f"{field.name}@{k}", plain(entry)) for k, entry in value.items())
        elif value is not None or field.default is not None:
            yield field.name, plain(value)


def text(values: Mapping[str, Any]) -> str:
    """Return JSON values as the text of a file."""
    return json_text(values, indent=2) + "\n"


def interval(value: object) -> Interval:
    """Return the interval that ``[estimate, low, high]`` stands for."""
    if isinstance(value, Interval):
        return value
    numbers = value if isinstance(value, list | tuple) else []
    if len(numbers) != 3 or any(isinstance(end, bool) or not isinstance(end, int | float) for end in numbers):
        raise ValueError("it must be [estimate, low, high]")
    if not all(math.isfinite(end) for end in numbers):
        raise ValueError("its numbers must be finite")
    return Interval(*map(float, numbers))


def read_file(path: str | Path) -> tuple[bytes, str]:
    """Return the bytes of a report's file, and its name for errors; of a directory, those of its ``report.json``.

    Raises
    ------
    DataError
        If there is no such file, or it cannot be read.
    """
    file = as_path(path, name="the path of the report")
    try:
        file = file / FILE if stat.S_ISDIR(file.stat().st_mode) else file
        if not stat.S_ISREG(file.stat().st_mode):
            raise DataError(f"{str(file)!r} is a pipe or device; a report is read from a file")
        return file.read_bytes(), repr(str(file))
    except OSError as error:
        raise DataError(f"there is no report at {str(file)[:200]!r}: {error.strerror or error}") from error


def document(json_text: str | bytes, source: str) -> Any:
    """Return the JSON values of a text, or raise DataError."""
    try:
        return json.loads(json_text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is no report of graphrec, or damaged: it is no JSON ({error})") from error


def report_from(kind: Callable[..., _R], values: object, source: str) -> _R:
    """Return the report, of the class ``kind``, that JSON values describe; ``source`` names it in errors.

    Raises
    ------
    DataError
        If it is no report, is damaged, or holds what only a newer graphrec knows.
    """
    if not isinstance(values, Mapping) or not all(key in values for key in _OURS):
        raise DataError(f"{source} is no report of graphrec: it is no JSON object with {', '.join(map(repr, _OURS))}")
    try:
        # As JSON: pydantic then takes lists and objects for tuples and parts, but no text for a number.
        report: _R = _adapter(kind).validate_json(json.dumps(_pivoted(values)))
        fault = next(report.faults(), None)
    except ValidationError as error:
        fault = _reason(error)
    except (TypeError, ValueError, RecursionError) as error:
        fault = str(error)
    if fault is None:
        return report
    writer = values.get("versions")
    version = str(writer.get("graphrec")) if isinstance(writer, Mapping) else ""
    if _numbers(version) > _numbers(__version__):
        raise DataError(
            f"{source} was written by graphrec {version[:20]}, which is newer than this one, {__version__}, and cannot "
            f"be read: {fault}; update graphrec"
        )
    raise DataError(f"{source} is damaged, or no report of graphrec {__version__}: {fault}")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _pivoted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report, its channels and the merged list with ``name@K`` as ``name`` -> K."""
    report: dict[str, Any] = _by_cutoff(values)
    if isinstance(channels := values["channels"], Mapping):
        report["channels"] = {name: _by_cutoff(row) for name, row in channels.items()}
    return report | {"fused": _by_cutoff(values["fused"])}


def _by_cutoff(row: Any) -> Any:
    if not isinstance(row, Mapping):
        return row
    pivoted: dict[str, Any] = {}
    for key, value in row.items():
        parts = _BY_CUTOFF.fullmatch(key) if isinstance(key, str) else None
        if parts is None:
            pivoted[key] = value
        else:
            pivoted.setdefault(parts[1], {})[int(parts[2])] = value
    return pivoted


def _reason(error: ValidationError) -> str:
    """Return the first fault: where it is, and what is wrong."""
    first = error.errors(include_url=False)[0]
    place = _place(first["loc"])
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["type"] == "unexpected_keyword_argument":
        return f"the key {place} is unknown"
    message = first["msg"].removeprefix("Value error, ")
    message = f"{message[:1].lower()}{message[1:]}"
    return f"{place} is {repr(first['input'])[:60]}; {message}" if place else message


def _place(parts: tuple[int | str, ...]) -> str:
    """Return the keys on the way to a value, cut-offs as the file has them: ``channels.als.recall@20``."""
    place = ""
    for before, part in zip(("", *parts), parts, strict=False):
        if isinstance(part, int):
            place += f"[{part}]"
        elif part.isdigit() and before != "channels":
            place += f"@{part}"
        else:
            place += f".{part[:40]}" if place else part[:40]
    return place


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version)[:4])
