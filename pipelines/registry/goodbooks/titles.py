"""Series, and places within them, read from the parenthesis that ends a Goodreads title.

The common form is ``The Hunger Games (The Hunger Games, #1)``. Others that occur: ranges (``#1-3``), several numbers
(``#0.5, 2.5``), a missing comma (``Dune Chronicles #1``), several series (``Discworld, #1; Rincewind #1``, or with a
comma between), nested parentheses, and remarks after the number (``#3: Part 2 of 2``). A closing parenthesis without
a number ("(And Other Concerns)") belongs to the title, unless it names a series that is known from another book.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SPACES = re.compile(r"\s+")
_NUMBER = r"\d+(?:\.\d+)?"
_POSITION = re.compile(rf"#\s*({_NUMBER}(?:\s*(?:[-\u2013+/&]|,(?=\s*\d))\s*{_NUMBER})*)")


@dataclass(frozen=True, slots=True)
class Membership:
    """A series by name, and the place within it as written ("1", "0.5, 2.5", "1-3"); None where none is given."""

    series: str
    position: str | None


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """A title without its series, and the series."""

    name: str
    memberships: tuple[Membership, ...]


def tidy(text: str) -> str:
    """Return ``text`` with runs of white space made one space."""
    return _SPACES.sub(" ", text).strip()


def series_key(name: str) -> str:
    """Return what spellings of one series have in common: case, a leading "the" and punctuation do not count."""
    words = re.findall(r"\w+", name.casefold())
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


def split_parenthesis(title: str) -> tuple[str, str] | None:
    """Return (text before, text inside) of the balanced parenthesis that ends ``title``, or None."""
    if not title.endswith(")"):
        return None
    depth = 0
    for place in range(len(title) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(title[place], 0)
        if depth == 0:
            return title[:place].rstrip(), title[place + 1 : -1].strip()
    return None


def _place(text: str) -> str:
    """Return a place in one spelling: ``1 – 3`` and ``1-4 + 3.5`` become ``1-3`` and ``1-4, 3.5``."""
    ranged = re.sub(r"\s*[-\u2013]\s*", "-", text)
    return re.sub(r"\s*[,+&]\s*", ", ", ranged)


def numbered_series(inside: str) -> tuple[Membership, ...]:
    """Return the series that a parenthesis numbers, in its order; empty where it numbers none."""
    found: dict[str, Membership] = {}
    start = 0
    for match in _POSITION.finditer(inside):
        # What stands between two numbers is a remark ("Part 1"), a separator and the next name.
        name = inside[start : match.start()].split(";")[-1].strip(" ,.:;")
        start = match.end()
        if name:
            found.setdefault(series_key(name), Membership(tidy(name), _place(match.group(1))))
    return tuple(found.values())


def parse_titles(titles: Iterable[str]) -> list[ParsedTitle]:
    """Return the parsed titles, the series spelled as in each title.

    Two passes: the first learns the series that are numbered anywhere, the second also takes a parenthesis that names
    one of them without a number.
    """
    tidied = [tidy(title) for title in titles]
    ends = [split_parenthesis(title) for title in tidied]
    numbered = [numbered_series(end[1]) if end else () for end in ends]
    known = {series_key(one.series) for memberships in numbered for one in memberships}
    parsed = []
    for title, end, memberships in zip(tidied, ends, numbered, strict=True):
        if end and not memberships and series_key(end[1]) in known:
            memberships = (Membership(end[1], None),)
        parsed.append(ParsedTitle(end[0] if end and memberships and end[0] else title, memberships))
    return parsed
