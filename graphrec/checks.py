"""Checks of arguments: arrays, paths, settings, types."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, DataError, GraphRecError, brief, nearest_names

P = ParamSpec("P")
T = TypeVar("T")

# What stands in a path for a byte that is no UTF-8.
_surrogate = re.compile("[\ud800-\udfff]")
# Float32 holds the sum of the squares of a hundred million such weights.
MOST_WEIGHT = 1e15
# Values looked at together.
_CHECKED = 1 << 22


def as_array(values: npt.ArrayLike, dtype: npt.DTypeLike, *, name: str, ndim: int = 1) -> npt.NDArray[Any]:
    """Return ``values`` as a C-contiguous array of ``dtype``, without a copy where it is such an array already.

    Raises
    ------
    DataError
        If the number of dimensions differs, the values are no numbers, or an integer array would lose information.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # lists of different lengths
        raise DataError(f"{name} is no array: {error}") from error
    if array.ndim != ndim:
        raise DataError(f"{name} has {array.ndim} dimensions (shape {array.shape}); it must have {ndim}")
    target = np.dtype(dtype)
    if array.dtype != target:
        if array.dtype.kind not in "iufb" and array.size:
            raise DataError(f"{name} holds {array.dtype}; it must hold numbers ({target})")
        if target.kind in "iu" and array.dtype.kind not in "iub" and array.size:
            raise DataError(f"{name} holds {array.dtype}; it must hold integers ({target})")
        if target.kind in "iu" and array.size:
            low, high = int(array.min()), int(array.max())
            limits = np.iinfo(target)
            if low < limits.min or high > limits.max:
                raise DataError(
                    f"{name} holds values from {low} to {high}; {target} holds {limits.min} to {limits.max}"
                )
        array = _cast(array, target, name=name)
    return np.ascontiguousarray(array)


def _cast(array: npt.NDArray[Any], target: np.dtype[Any], *, name: str) -> npt.NDArray[Any]:
    """Return the array in another dtype; raise DataError where a finite number would become infinite."""
    with np.errstate(over="ignore"):
        cast: npt.NDArray[Any] = array.astype(target)
    if array.dtype.kind == target.kind == "f" and array.dtype.itemsize > target.itemsize:
        lost = np.isinf(cast) & np.isfinite(array)
        if lost.any():
            raise DataError(f"{name} holds {array[lost][0]:g}; {target} holds up to {np.finfo(target).max:.3g}")
    return cast


def as_path(value: object, *, name: str, also: str = "") -> Path:
    """Return ``value`` as a path; ``also`` says what else the caller takes.

    Raises
    ------
    ConfigError
        If it is neither text nor a path, empty, or no UTF-8 text, which libraries beneath us need.
    """
    if not isinstance(value, str | PathLike) or not str(value):
        legal = f"a path or {also}" if also else "a path"
        raise ConfigError(f"{name} is {brief(value, 120)} ({type(value).__name__}); it must be {legal}")
    path = Path(value)
    whole = str(path.absolute())
    if "\0" in whole or _surrogate.search(whole):
        raise ConfigError(f"{name} is {whole!r}; a path must be UTF-8 text without a null character")
    return path


def check_choice(name: str, value: object, legal: Sequence[str]) -> None:
    """Raise ConfigError unless ``value`` is among the ``legal`` texts, with the nearest of them."""
    if not isinstance(value, str) or value not in legal:
        near = nearest_names(value, legal) if isinstance(value, str) else ""
        raise ConfigError(f"{name} is {brief(value, 120)}; it must be one of {', '.join(map(repr, legal))}{near}")


def check_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Raise ConfigError unless ``value`` is a whole number from ``least`` to ``most``."""
    number = int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else None
    if number is None or not least <= number <= (number if most is None else most):
        legal = f"of {least:,} or more" if most is None else f"from {least:,} to {most:,}"
        raise ConfigError(f"{name} is {brief(value, 120)}; it must be a whole number {legal}")


def check_at_least(name: str, value: float, least: float) -> None:
    """Raise ConfigError unless ``value`` is a finite number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
        raise ConfigError(f"{name} is {brief(value, 120)}; it must be a number of {least} or more")


def check_flag(name: str, value: bool) -> None:
    """Raise ConfigError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {brief(value, 120)}; it must be true or false")


def check_k(k: int) -> None:
    """Raise ConfigError unless ``k`` is a whole number of 1 or more."""
    check_count("k", k, 1)


def check_length(array: npt.NDArray[Any], length: int, *, name: str) -> None:
    """Raise DataError unless ``array`` has ``length`` entries."""
    if len(array) != length:
        raise DataError(f"{name} has {len(array)} entries; it must have {length}")


def check_rows(rows: npt.NDArray[Any], n: int, *, name: str) -> None:
    """Raise DataError unless every entry of ``rows`` lies in ``0..n-1``."""
    if rows.size:
        low, high = int(rows.min()), int(rows.max())
        if low < 0 or high >= n:
            illegal = low if low < 0 else high
            where = int(np.argmax(rows == illegal))
            raise DataError(f"{name}[{where}] is {illegal}; legal rows are 0 to {n - 1}")


def check_finite(values: npt.NDArray[Any], *, name: str) -> None:
    """Raise DataError unless every entry of ``values`` is finite."""
    # In slices along the first axis, so that a memory-mapped array is not answered with a mask of its size.
    step = max(1, _CHECKED // max(1, values[:1].size))
    for start in range(0, len(values), step):
        finite = np.isfinite(values[start : start + step])
        if finite.all():
            continue
        row, *rest = (int(x) for x in np.argwhere(~finite)[0])
        where = (start + row, *rest)
        place = ", ".join(map(str, where))
        raise DataError(f"{name}[{place}] is {values[where]}; every value must be finite")


def check_weights(weights: npt.NDArray[Any], *, name: str) -> None:
    """Raise DataError unless every weight is finite and at most 1e15 either way: sums of their squares stay finite."""
    check_finite(weights, name=name)
    largest = max(float(weights.max(initial=0)), -float(weights.min(initial=0)))
    if largest > MOST_WEIGHT:
        where = int(np.argmax(np.abs(weights) > MOST_WEIGHT))
        raise DataError(f"{name}[{where}] is {weights[where]:g}; a weight is at most {MOST_WEIGHT:g} either way")


def check_indptr(indptr: npt.NDArray[np.int64], m: int, *, name: str) -> None:
    """Raise DataError unless ``indptr`` starts at 0, never falls and ends at ``m``."""
    if len(indptr) == 0 or indptr[0] != 0:
        raise DataError(
            f"{name} must start with 0; it {'is empty' if len(indptr) == 0 else f'starts with {indptr[0]}'}"
        )
    if indptr[-1] != m:
        raise DataError(f"{name} ends at {indptr[-1]}; it must end at the number of entries, {m}")
    # A single list that starts at 0 and ends at m cannot fall.
    if len(indptr) > 2 and (np.diff(indptr) < 0).any():
        where = int(np.argmax(np.diff(indptr) < 0))
        raise DataError(f"{name} falls from {indptr[where]} to {indptr[where + 1]} at list {where}; it must never fall")


def typed(function: Callable[P, T]) -> Callable[P, T]:
    """Return ``function`` with the types of its arguments checked against its annotations before it runs.

    Classes and unions of classes are checked; ``int`` and ``float`` are any integer and any number, a path may be text.
    A ``Sequence[…]`` is anything to iterate over but a single text. What else an annotation may say (literals, arrays)
    is for the function itself. Costs some microseconds a call.

    Raises
    ------
    ConfigError
        From a call with an argument of another type: its name, its type, and what is legal.
    """
    signature, complaint = inspect.signature(function), _complaints(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # Python's own sentence names the argument
        if wrong := complaint(given):
            raise ConfigError(wrong)
        return function(*args, **kwargs)

    return checked


def typed_late(function: Callable[P, T]) -> Callable[P, T]:
    """Return ``function`` with the types of its arguments checked where it fails: for what is called each request.

    Raises
    ------
    ConfigError
        From a call that fails, if an argument is of another type (see :func:`typed`); else what the function raised.
    """
    signature, complaint = inspect.signature(function), _complaints(function)

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except GraphRecError:
            raise
        except Exception as error:
            try:
                wrong = complaint(signature.bind(*args, **kwargs).arguments)
            except TypeError:
                raise error from None
            if not wrong:
                raise
            raise ConfigError(wrong) from error

    return checked


def typed_fields(cls: type[T]) -> type[T]:
    """Return a dataclass whose values are checked where it cannot be made of them: their types, or what Python says.

    Raises
    ------
    ConfigError
        From the constructor, in place of what Python raises of values of wrong types.
    """
    made = typed_late(cls.__init__)

    @wraps(cls.__init__)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            made(self, *args, **kwargs)
        except GraphRecError:
            raise
        except (TypeError, AttributeError, ValueError, OverflowError, IndexError) as error:
            try:
                inspect.signature(cls).bind(*args, **kwargs)
            except TypeError:
                raise error from None  # Python's own sentence names the argument
            said = " ".join(str(error).split())[:120]
            raise ConfigError(f"{cls.__name__} cannot be made of these values ({said})") from error

    cls.__init__ = checked  # type: ignore[method-assign]
    return cls


def _complaints(function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], str]:
    """Return what says which of a function's arguments is of another type, as a sentence; empty where none is."""

    @cache
    def legal() -> dict[str, tuple[type, ...]]:
        try:
            hints = get_type_hints(function)
        except NameError:  # of a type that is imported for type checkers alone
            return {}
        kinds = {name: _classes(hint) for name, hint in hints.items() if name != "return"}
        return {name: classes for name, classes in kinds.items() if classes}

    def complaint(given: Mapping[str, Any]) -> str:
        for name, classes in legal().items():
            if name in given and not _fits(given[name], classes):
                kinds = [_NAMES.get(kind, kind.__name__) for kind in classes if kind is not NoneType]
                names = ", ".join(dict.fromkeys(kinds))
                return f"{name} is {_shown(given[name])}; legal: {names}"
        return ""

    return complaint


_NAMES: Mapping[type, str] = {
    Real: "number",
    Integral: "whole number",
    PathLike: "path",
    str: "text",
    Iterable: "list",
    Mapping: "mapping",
}


def _shown(value: object) -> str:
    """Return the type of a value, and the value where it is a short one."""
    kind = f"of type {type(value).__name__}"
    return (
        f"{value!r}, {kind}" if isinstance(value, int | float) or (isinstance(value, str) and len(value) < 40) else kind
    )


def _fits(value: object, classes: tuple[type, ...]) -> bool:
    if isinstance(value, str) and str not in classes:
        return False
    return isinstance(value, classes)


def _classes(hint: Any) -> tuple[type, ...]:
    """Return the classes of an annotation; none where it says something else than classes."""
    if get_origin(hint) in (Union, UnionType):
        parts = [_classes(part) for part in get_args(hint)]
        return tuple(kind for part in parts for kind in part) if all(parts) else ()
    if get_origin(hint) in (Sequence, Iterable):
        return (Iterable,)
    if get_origin(hint) in (Mapping, dict, list, tuple):
        return (get_origin(hint),)
    if not isinstance(hint, type) or hint in (object, Any) or getattr(hint, "_is_protocol", False):
        return ()
    return {int: (Integral,), float: (Real,), Path: (PathLike, str)}.get(hint, (hint,))
