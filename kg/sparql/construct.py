"""What a CONSTRUCT query may hold, and its pages."""

from __future__ import annotations

import re

from graphrec.errors import DataError

from ..rdflib_bridge import QUIET, parsed_query

_LIMIT = re.compile(r"\b(?:limit|offset)\b", re.IGNORECASE)
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


def check_construct(query: str) -> None:
    """Raise DataError unless ``query`` is a CONSTRUCT that asks one graph alone: no SERVICE, no FROM, no update."""
    parsed_query(query, ("ConstructQuery",))


def has_limit(query: str) -> bool:
    """Return whether a CONSTRUCT has a LIMIT or an OFFSET of its own, outside its subqueries."""
    return bool(_LIMIT.search(_behind_last_brace(query)))


def has_order(query: str) -> bool:
    """Return whether a CONSTRUCT says in which order its solutions come."""
    return bool(_ORDER.search(_behind_last_brace(query)))


def page_of(query: str, limit: int, offset: int) -> str:
    """Return the query for ``limit`` solutions behind the first ``offset`` ones.

    Raises
    ------
    DataError
        If the query cannot end in LIMIT and OFFSET: VALUES may stand behind it only inside the braces.
    """
    text = f"{query.rstrip()}\nLIMIT {limit} OFFSET {offset}"
    try:
        check_construct(text)
    except DataError as error:
        raise DataError(
            "the query cannot be read by pages: what follows its last brace must be legal before LIMIT and OFFSET; put "
            "VALUES inside WHERE, or give page=None for one request"
        ) from error
    return text


def _behind_last_brace(query: str) -> str:
    """Return what follows the query's pattern, without strings and comments."""
    return QUIET.sub(" ", query).rpartition("}")[2]
