"""One entity a series: namesakes by different authors are told apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from .titles import ParsedTitle, series_key

_RANGE = re.compile(r"(\d+)-(\d+)")


def places(position: str | None) -> set[str]:
    """Return the single places that a position covers: "1-3" is 1, 2, 3; "0.5, 2.5" is 0.5, 2.5."""
    covered: set[str] = set()
    for part in (position or "").split(", "):
        span = _RANGE.fullmatch(part)
        covered.update([part] if span is None else (str(n) for n in range(int(span[1]), int(span[2]) + 1)))
    return covered - {""}


def _circles(books: Iterable[int], authors: Sequence[Sequence[str]]) -> list[list[int]]:
    """Return ``books`` in groups connected by shared authors; groups and books in the order met."""
    groups: list[tuple[set[str], list[int]]] = []
    for book in books:
        people, members = set(authors[book]), [book]
        apart = []
        for other_people, other_members in groups:
            if people & other_people:
                people, members = people | other_people, other_members + members
            else:
                apart.append((other_people, other_members))
        groups = [*apart, (people, sorted(members))]
    return sorted(members for _, members in groups)


def series_of_books(
    parsed: Sequence[ParsedTitle], authors: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[tuple[int, str | None]]]]:
    """Return the names of the series (in the order met), and for each book its (series, position) pairs.

    Books under one name are one series, unless groups of books that share no author claim the same place in it
    ("Fallen #1" by two people): then each group is a series of its own. Series by many hands, whose books each
    have their own place, stay whole. A series is named by its commonest spelling (ties: the first met).
    """
    under: dict[str, dict[int, str | None]] = defaultdict(dict)
    spelled: dict[tuple[str, int], str] = {}
    for book, title in enumerate(parsed):
        for one in title.memberships:
            under[series_key(one.series)].setdefault(book, one.position)
            spelled.setdefault((series_key(one.series), book), one.series)
    found: list[str] = []
    books: list[list[tuple[int, str | None]]] = [[] for _ in parsed]
    entity: dict[tuple[str, int], int] = {}
    for key, positions in under.items():
        circles = _circles(positions, authors)
        claimed = [set().union(*(places(positions[book]) for book in circle)) for circle in circles]
        clash = len(circles) > 1 and sum(map(len, claimed)) > len(set().union(*claimed))
        for circle in circles if clash else [list(positions)]:
            entity.update({(key, book): len(found) for book in circle})
            found.append(Counter(spelled[key, book] for book in circle).most_common(1)[0][0])
    for book, title in enumerate(parsed):
        books[book] = [(entity[series_key(one.series), book], one.position) for one in title.memberships]
    return found, books
