"""Cells to values, column by column: each gives the values and why a cell has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.errors import DataError

LATEST_S = 4_102_444_800
"""2100-01-01: anything later was most likely written in another unit."""

_EARLY_S = 631_152_000  # 1990-01-01
# Numbers within these, taken as moments, were most likely meant as years.
_YEARS = (1000, 2200)
UNITS: Mapping[str, int] = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_WRITTEN = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds", "s": "seconds"}
# ISO 8601 as people and databases write it: PostgreSQL leaves the minutes of a zone away, BigQuery writes " UTC".
_ISO = (
    r"^(?<date>\d{4}-\d{2}-\d{2})(?:[Tt ](?<hour>\d{2})(?::?(?<minute>\d{2})(?::?(?<second>\d{2})(?:[.,]\d+)?)?)?"
    r" ?(?:[Zz]|UTC|(?<sign>[+-])(?<zone_hour>\d{2})(?::?(?<zone_minute>\d{2})(?::?(?<zone_second>\d{2}))?)?)?)?$"
)
_MOST: Mapping[str, int] = {
    "hour": 24,
    "minute": 59,
    "second": 60,
    "zone_hour": 23,
    "zone_minute": 59,
    "zone_second": 59,
}
_WEIGHT: Mapping[str, int] = {"hour": 3600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True)
class Cells:
    """(n,) values of a column, and the faults: pairs of a reason and the (n,) mask of cells it holds for."""

    values: Any
    faults: tuple[tuple[str, npt.NDArray[np.bool_]], ...]


def _mask(array: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def id_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return ids as strings: text as it stands, integers by their digits, whole floats as integers.

    Raises
    ------
    DataError
        If the column holds something that is no id (times, lists, truth values).
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    null = _mask(column.is_null())
    kind = column.type
    broken: npt.NDArray[np.bool_] = np.zeros(len(column), dtype=np.bool_)
    if pa.types.is_floating(kind):
        numbers = np.asarray(pc.fill_null(column, 0).to_numpy(zero_copy_only=False), dtype=np.float64)
        null |= np.isnan(numbers)
        # Beyond 2^53 neighbouring integers are one float.
        broken = ~null & ~((np.trunc(numbers) == numbers) & (np.abs(numbers) <= 2**53))
        column = pa.array(np.where(null | broken, 0, numbers).astype(np.int64))
    elif not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
              or pa.types.is_string_view(kind) or pa.types.is_null(kind)):  # fmt: skip
        raise DataError(f"{where}: column {name!r} holds {kind}; ids are text or integers")
    text = pc.fill_null(column.cast(pa.large_string()), "")
    empty = _mask(pc.equal(text, "")) | null
    return Cells(
        text, ((f"{name} is empty", empty), (f"{name} is a number with a fraction, or beyond 2^53", broken & ~empty))
    )


def text_cells(column: pa.Array, name: str, where: str) -> pa.Array:
    """Return titles and tags as an Arrow array of (n,) text, null where a cell is.

    Raises
    ------
    DataError
        If the column holds something that has no text (lists, structures, bytes that are none).
    """
    try:
        return _plain(column).cast(pa.large_string())
    except (pa.ArrowException, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{where}: column {name!r} holds {column.type}; titles and tags are text") from error


def check_type(column: pa.Array, name: str, where: str, *, what: str, times: bool = False) -> None:
    """Raise DataError unless a column holds numbers or text (or, with ``times``, dates or times)."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    dated = times and (pa.types.is_timestamp(kind) or pa.types.is_date(kind))
    if not (text or number or dated or pa.types.is_null(kind)):
        raise DataError(f"{where}: column {name!r} holds {kind}; {what}")


def _numbers(column: pa.Array) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (n,) float64 values, which cells are empty, and which are no numbers."""
    series = pl.Series(values=column)
    if series.dtype == pl.String:
        text = series.str.strip_chars()
        empty = (series.is_null() | (text == "").fill_null(True)).to_numpy()
        parsed = text.cast(pl.Float64, strict=False)
    else:
        empty = series.is_null().to_numpy()
        parsed = series.cast(pl.Float64, strict=False)
    bad = parsed.is_null().to_numpy() & ~empty
    return parsed.fill_null(0.0).to_numpy().astype(np.float64), empty, bad


def weight_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return weights as (n,) float32.

    Raises
    ------
    DataError
        If the column holds neither numbers nor text.
    """
    check_type(column, name, where, what="weights are numbers")
    values, empty, bad = _numbers(column)
    with np.errstate(over="ignore"):
        small = values.astype(np.float32)
    infinite = ~np.isfinite(small) & ~empty & ~bad
    faults = (
        (f"{name} is empty", empty),
        (f"{name} is no number", bad),
        (f"{name} is not a finite number", infinite),
    )
    return Cells(np.where(empty | bad | infinite, np.float32(1), small), faults)


def flag_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return yes or no as (n,) bool, from truth values, 1 and 0, or the words true and false.

    Raises
    ------
    DataError
        If the column holds neither numbers, text nor truth values.
    """
    if pa.types.is_boolean(column.type):
        return Cells(_mask(column), ((f"{name} is empty", _mask(column.is_null())),))
    check_type(column, name, where, what="yes and no are 1 and 0, or true and false")
    series = pl.Series(values=column)
    text = series.cast(pl.String).str.strip_chars().str.to_lowercase()
    yes, no = text.is_in(["1", "1.0", "true"]), text.is_in(["0", "0.0", "false"])
    empty = (series.is_null() | (text == "").fill_null(True)).to_numpy()
    known = (yes | no).fill_null(False).to_numpy()
    faults = ((f"{name} is empty", empty), (f"{name} is neither 1 or true nor 0 or false", ~known & ~empty))
    return Cells(yes.fill_null(False).to_numpy(), faults)


def value_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return amounts of 0 or more as (n,) float32; an empty cell is 0.

    Raises
    ------
    DataError
        If the column holds neither numbers nor text.
    """
    check_type(column, name, where, what="values are numbers")
    amounts, empty, bad = _numbers(column)
    with np.errstate(over="ignore"):
        small = np.where(empty | bad, 0, amounts).astype(np.float32)
    infinite, negative = ~np.isfinite(small), small < 0
    faults = (
        (f"{name} is no number", bad),
        (f"{name} is not a finite number", infinite),
        (f"{name} is below 0", negative & ~infinite),
    )
    return Cells(np.where(infinite | negative, np.float32(0), small), faults)


def propensity_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return probabilities above 0 and at most 1 as (n,) float32.

    Raises
    ------
    DataError
        If the column holds neither numbers nor text.
    """
    check_type(column, name, where, what="propensities are numbers")
    amounts, empty, bad = _numbers(column)
    small = np.where(empty | bad, 1, amounts).astype(np.float32)
    illegal = ~((small > 0) & (small <= 1))
    faults = (
        (f"{name} is empty", empty),
        (f"{name} is no number", bad & ~empty),
        (f"{name} is not above 0 and at most 1", illegal),
    )
    return Cells(np.where(illegal, np.float32(1), small), faults)


def time_cells(column: pa.Array, name: str, unit: str, where: str, place: str, places: npt.NDArray[np.int64]) -> Cells:
    """Return times as (n,) int64 seconds UTC, from numbers in ``unit``, ISO 8601 text, or date and time columns.

    Times without a zone are UTC.

    Raises
    ------
    DataError
        If most numbers make sense in another unit only (the sentence names it), or the column holds no times.
    """
    return _in_range(*_seconds(column, name, unit, where, place, places), name)


def moment_cells(
    column: pa.Array, name: str, unit: str, where: str, place: str, places: npt.NDArray[np.int64]
) -> Cells:
    """Return moments that describe something as (n,) float64 seconds UTC, NaN where a cell is empty.

    Read as :func:`time_cells` reads the times of events, but no moment is too early or too late: a film may be of 1931.

    Raises
    ------
    DataError
        As :func:`time_cells`; or if most numbers look like years.
    """
    seconds, empty, bad = _seconds(_plain(column), name, unit, where, place, places)
    values = np.where(empty | bad, np.nan, seconds.astype(np.float64))
    years = (values * UNITS[unit] >= _YEARS[0]) & (values * UNITS[unit] <= _YEARS[1])
    if years.sum() * 2 > (~np.isnan(values)).sum():
        first = int(np.argmax(years))
        raise DataError(
            f"{where} {place} {places[first]}: {name} {values[first] * UNITS[unit]:.0f} looks like a year, and would "
            "be a moment of 1970; name the column under numbers, or write dates such as 1999-01-01"
        )
    return Cells(values, ((f"{name} is neither a number nor an ISO 8601 time", bad),))


def number_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return numbers as (n,) float64, NaN where a cell is empty (or says NaN).

    Raises
    ------
    DataError
        If the column holds neither numbers nor text.
    """
    check_type(column, name, where, what="numbers are numbers, or text that says them")
    values, empty, bad = _numbers(_plain(column))
    infinite = np.isinf(values) & ~empty & ~bad
    values = np.where(empty | bad | infinite, np.nan, values)
    return Cells(values, ((f"{name} is no number", bad), (f"{name} is not a finite number", infinite)))


def label_cells(column: pa.Array, name: str, where: str) -> Cells:
    """Return labels as an Arrow array of (n,) text, stripped of white space, null where a cell is empty.

    Raises
    ------
    DataError
        If the column holds something else than text, whole numbers and truth values.
    """
    column = _plain(column)
    empty = _mask(column.is_null())
    faults: tuple[tuple[str, npt.NDArray[np.bool_]], ...] = ()
    if not pa.types.is_boolean(column.type):
        check_type(column, name, where, what="labels are text, whole numbers or truth values")
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        # Numbers as ids: 7 and 7.0 are one label, 7.5 is none.
        cells = id_cells(column, name, where)
        column, empty, faults = cells.values, cells.faults[0][1], cells.faults[1:]
    text = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
    lost = empty | _mask(pc.equal(text, ""))
    for _, mask in faults:
        lost |= mask
    return Cells(pc.if_else(pa.array(lost), pa.scalar(None, pa.large_string()), text), faults)


def _plain(column: pa.Array) -> pa.Array:
    """Return a column without dictionary, text of any sort as large_string."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column


def _seconds(
    column: pa.Array, name: str, unit: str, where: str, place: str, places: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (n,) int64 seconds, which cells are empty, and which are no times."""
    check_type(column, name, where, what="times are numbers, ISO 8601 text, or dates and times", times=True)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        null = _mask(column.is_null())
        kind = pa.timestamp("us", tz="UTC") if getattr(column.type, "tz", None) else pa.timestamp("us")
        # Nanoseconds are cut, not refused.
        stamped = column.cast(kind, safe=False)
        seconds = pc.fill_null(stamped.cast(pa.int64()), 0).to_numpy() // UNITS["us"]
        return seconds, null, np.zeros_like(null)
    numbers, empty, bad = _numbers(column)
    bad |= ~np.isfinite(numbers)
    _check_unit(numbers, ~(empty | bad), unit, name, where, place, places)
    whole = _whole(column, numbers, empty | bad)
    seconds = whole // UNITS[unit]
    if bad.any() and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        dated = _iso_seconds(pl.Series(values=column.filter(pa.array(bad))))
        seconds[bad] = dated.fill_null(0).to_numpy()
        bad[bad] = dated.is_null().to_numpy()
    return seconds, empty, bad


def _whole(column: pa.Array, numbers: npt.NDArray[np.float64], skip: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the numbers as int64, exactly where they are integers (float64 would round nanoseconds)."""
    exact = pl.Series(values=column).cast(pl.Int64, strict=False)
    rounded = np.floor(np.clip(np.where(skip, 0, numbers), -9e18, 9e18)).astype(np.int64)
    return np.where(exact.is_null().to_numpy(), rounded, exact.fill_null(0).to_numpy())


def _iso_seconds(text: pl.Series) -> pl.Series:
    """Return (n,) int64 seconds UTC of ISO 8601 texts, null where a text is none; fractions are cut."""
    parts = (
        pl.DataFrame({"text": text.str.strip_chars()}).select(pl.col("text").str.extract_groups(_ISO)).unnest("text")
    )
    days = pl.col("date").str.to_date("%Y-%m-%d", strict=False).dt.epoch("d").cast(pl.Int64)
    number = {name: pl.col(name).cast(pl.Int64).fill_null(0) for name in _MOST}
    clock, zone = (
        pl.sum_horizontal(number[start + unit] * seconds for unit, seconds in _WEIGHT.items())
        for start in ("", "zone_")
    )
    legal = pl.all_horizontal(number[name] <= most for name, most in _MOST.items()) & (clock <= 86_400)
    east = pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    return parts.select(pl.when(legal).then(days * 86_400 + clock - east * zone)).to_series()


def _in_range(
    seconds: npt.NDArray[np.int64], empty: npt.NDArray[np.bool_], bad: npt.NDArray[np.bool_], name: str
) -> Cells:
    usable = ~(empty | bad)
    before, after = usable & (seconds < 0), usable & (seconds > LATEST_S)
    faults = (
        (f"{name} is empty", empty),
        (f"{name} is neither a number nor an ISO 8601 time", bad),
        (f"{name} lies before 1970", before),
        (f"{name} lies after 2100", after),
    )
    return Cells(np.where(usable & ~before & ~after, seconds, 0), faults)


def _check_unit(
    numbers: npt.NDArray[np.float64], usable: npt.NDArray[np.bool_], unit: str, name: str, where: str, place: str,
    places: npt.NDArray[np.int64],
) -> None:  # fmt: skip
    """Raise where most numbers lie after 2100 (or all before 1990) in ``unit`` and between 1990 and 2100 in another."""
    values = numbers[usable]
    if not len(values):
        return
    seconds = values / UNITS[unit]
    strange = (seconds > LATEST_S) | ((seconds < _EARLY_S / 10) & (seconds > 0) if unit != "s" else False)
    if strange.sum() * 2 <= len(values):
        return
    for other, size in UNITS.items():
        fits = strange & (values / size >= _EARLY_S) & (values / size <= LATEST_S)
        if other != unit and fits.sum() * 2 > strange.sum():
            first = int(np.argmax(fits))
            at = int(places[usable][first])
            raise DataError(
                f"{where} {place} {at}: {name} {values[first]:.0f} makes no sense in {_WRITTEN[unit]}; it looks like "
                f'{_WRITTEN[other]}: set time_unit = "{other}"'
            )
