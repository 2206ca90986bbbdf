"""Literals as numbers and moments, by their datatype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from .knowledge_graph import KnowledgeGraph
from .terms import LANG_STRING, SCHEMA, STRING, XSD

_INTEGERS = (
    *("integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger"),
    *("negativeInteger", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte"),
)
_KIND_OF = {
    **dict.fromkeys((XSD + name for name in _INTEGERS), "integer"),
    **dict.fromkeys((root + "Integer" for root in SCHEMA), "integer"),
    XSD + "decimal": "decimal",
    **dict.fromkeys((XSD + "double", XSD + "float"), "double"),
    **dict.fromkeys((root + name for root in SCHEMA for name in ("Float", "Number")), "double"),
    **dict.fromkeys((XSD + "dateTime", XSD + "dateTimeStamp", *(root + "DateTime" for root in SCHEMA)), "moment"),
    **dict.fromkeys((XSD + "date", *(root + "Date" for root in SCHEMA)), "day"),
    XSD + "gYearMonth": "month",
    XSD + "gYear": "year",
    **dict.fromkeys((STRING, LANG_STRING), "text"),
}
_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_FORMS = {"integer": r"^[+-]?[0-9]+$", "decimal": _NUMBER + "$", "double": _NUMBER + r"(?:[eE][+-]?[0-9]+)?$"}
_DATE = r"^(?<year>[0-9]{4})(?:-(?<month>[0-9]{2})(?:-(?<day>[0-9]{2})"
_CLOCK = r"(?:T(?<hour>[0-9]{2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})(?:\.[0-9]+)?)?)?)?"
_ZONE = r"(?:Z|(?<sign>[+-])(?<zone_hour>[0-9]{2}):(?<zone_minute>[0-9]{2}))?$"
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799  # the years 1 to 9999


def literal_table(kg: KnowledgeGraph, rows: npt.NDArray[np.int32]) -> pl.DataFrame:
    """Return (text, datatype, kind) of literal values; the kind is null where the datatype is no number or time."""
    types = pl.Series("datatype", kg.literals.datatypes.take(rows).dictionary_decode(), dtype=pl.String)
    texts = pl.Series("text", kg.literals.texts.take(rows), dtype=pl.String).str.strip_chars(" \t\r\n")
    kinds = types.replace_strict(_KIND_OF, default=None, return_dtype=pl.String).alias("kind")
    return pl.DataFrame([texts, types, kinds])


def shown(literals: pl.DataFrame, place: int) -> str:
    """Return a literal as an error shows it: text in quotes, others with their datatype."""
    text, datatype = literals["text"][place], literals["datatype"][place]
    return repr(text) if datatype in (STRING, LANG_STRING) else f"{text!r}^^<{datatype}>"


def numbers(literals: pl.DataFrame) -> pl.Series:
    """Return the number of each literal, null where it has none; text is read like a double."""
    text, kind = pl.col("text"), pl.col("kind").replace("text", "double")
    is_number = pl.any_horizontal((kind == name) & text.str.contains(form) for name, form in _FORMS.items())
    number = pl.when(is_number.fill_null(value=False)).then(text).cast(pl.Float64, strict=False)
    return literals.select(number=number)["number"]


def moments(literals: pl.DataFrame) -> pl.Series:
    """Return the moment of each literal, int64 seconds UTC, null where it has none; a number is seconds since 1970."""
    groups = literals["text"].str.extract_groups(_DATE + _CLOCK + _ZONE).struct.unnest()
    table = literals.with_columns(groups).with_columns(number=numbers(literals))
    has = {name: pl.col(name).is_not_null() for name in ("year", "month", "day", "hour")}
    fits = pl.coalesce(
        *(
            pl.when(pl.col("kind") == kind).then(present)
            for kind, present in {
                "moment": has["hour"],
                "day": has["day"] & ~has["hour"],
                "month": has["month"] & ~has["day"],
                "year": has["year"] & ~has["month"],
                "text": has["day"],
            }.items()
        ),
        pl.lit(value=False),
    )
    seconds = pl.when(fits).then(_seconds()).otherwise(pl.col("number").floor().cast(pl.Int64, strict=False))
    legal = seconds.is_between(_FIRST_S, _LAST_S)
    return table.select(seconds=pl.when(legal).then(seconds))["seconds"]


def _seconds() -> pl.Expr:
    """Return the seconds since 1970 UTC of the parts of a date, null where there is no such moment."""
    part = {
        name: pl.col(name).cast(pl.Int64).fill_null(0)
        for name in ("hour", "minute", "second", "zone_hour", "zone_minute")
    }
    day = pl.concat_str("year", pl.col("month").fill_null("01"), pl.col("day").fill_null("01"), separator="-")
    days = day.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int32).cast(pl.Int64)
    clock = part["hour"] * 3600 + part["minute"] * 60 + part["second"]
    zone = part["zone_hour"] * 3600 + part["zone_minute"] * 60
    shift = pl.when(pl.col("sign") == "-").then(-zone).otherwise(zone)
    # 24:00:00 is the end of its day; a zone is at most 14 hours away.
    legal = (clock <= 86_400) & (part["minute"] < 60) & (part["second"] < 60) & (zone <= 50_400)
    return pl.when(legal & (part["zone_minute"] < 60)).then(days * 86_400 + clock - shift)
