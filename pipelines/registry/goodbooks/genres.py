"""Genres from readers' shelves: what is junk, and which shelves are one genre under several spellings.

The rule, in order:

1. **Junk**: a shelf is left out where one of its words tells what a reader did with the book or where it stands
   (:data:`JUNK_WORDS`: read, to-read, owned, favorite, my, collection, kindle, ...).
2. **Spelling**: leading numbers and empty words go ("02-fantasy"), words are brought to one form (:data:`PHRASES`,
   :data:`WORDS`: scifi, sf -> science-fiction; kids, childrens -> children), words that only say "book" go
   (:data:`EMPTY_WORDS`), and the order of words does not count ("fiction-historical").
   After an audience (children, young-adult, ...) "fiction" and "literature" say nothing more and go too.
3. **Unions**: a shelf of two or more genres of :data:`BASES` ("mystery-thriller", "sci-fi-fantasy") is left out:
   readers who use it do not tell which of the two a book is, and both stand on their own.
4. **Extent**: a genre carried by more than :data:`MAX_SHARE` of the books says nothing of any ("fiction"), one carried
   by fewer than :data:`MIN_BOOKS` links too few.

A merged genre is carried by every book that is on one of its shelves; it is named by its commonest shelf.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_SHARE = 0.45
MIN_BOOKS = 30


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


JUNK_WORDS = _words(
    """
    to read reads reading currently own owned owns my i ve favorite favorites favourite favourites fav faves best
    good other wishlist wish want library collection shelf default kindle ebook ebooks audiobook audiobooks audio
    paperback hardcover unread finished abandoned dnf reread re punya popular vaginal a na
    """
)
PHRASES: tuple[tuple[str, str], ...] = (
    ("young adults", "young_adult"),
    ("young adult", "young_adult"),
    ("ya", "young_adult"),
    ("science fiction", "science_fiction"),
    ("sci fi", "science_fiction"),
    ("hard sf", "hard science_fiction"),
    ("children s", "children"),
    ("women s", "womens"),
    ("non fiction", "nonfiction"),
    ("auto biography", "autobiography"),
    ("graphic novels", "comics"),
    ("graphic novel", "comics"),
    ("world war two", "world_war_2"),
    ("world war ii", "world_war_2"),
    ("world war ll", "world_war_2"),
    ("world war 2", "world_war_2"),
    ("u s", "american"),
    ("middle grades", "middle_grade"),
    ("middle grade", "middle_grade"),
    ("magic realism", "magical realism"),
)
WORDS: Mapping[str, str] = {
    **dict.fromkeys(("scifi", "sf", "sciencefiction"), "science_fiction"),
    **dict.fromkeys(("childrens", "kids", "childhood", "childrensbooks", "juvenile", "junior", "j"), "children"),
    **dict.fromkeys(("teens", "teenlit", "youth"), "teen"),
    **dict.fromkeys(("bio", "bios", "biographies"), "biography"),
    **dict.fromkeys(("historic", "historicals"), "historical"),
    **dict.fromkeys(("mangas", "manhwa", "manhua", "anime"), "manga"),
    **dict.fromkeys(("para", "supernatural"), "paranormal"),
    **dict.fromkeys(("awards", "winner", "winners", "winning"), "award"),
    "historicalfiction": "historical fiction",
    "christianfiction": "christian fiction",
    "fic": "fiction",
    "lit": "literature",
    "classical": "classic",
    "classics": "classic",
    "comic": "comics",
    "contemp": "contemporary",
    "detectives": "detective",
    "dragons": "dragon",
    "ghosts": "ghost",
    "humour": "humor",
    "magical": "magic",
    "memoirs": "memoir",
    "mysteries": "mystery",
    "alternative": "alternate",
    "alt": "alternate",
    "romances": "romance",
    "royals": "royalty",
    "shoujo": "shojo",
    "thrillers": "thriller",
    "us": "american",
    "wars": "war",
    "warfare": "war",
    "witches": "witch",
    "witchcraft": "witch",
    "wizards": "wizard",
    "wwii": "world_war_2",
}
EMPTY_WORDS = _words(
    """
    book books novel novels story stories series genre general and the for in of chapter
    """
)
AUDIENCES = frozenset({"children", "young_adult", "teen", "middle_grade"})
BASES = _words(
    """
    science_fiction fantasy mystery thriller suspense crime detective horror paranormal biography autobiography
    memoir comics manga history philosophy religion psychology politics economics poetry plays sociology nonfiction
    fiction literature war military romance_erotica
    """
)
# Two bases that together are a genre of their own, not a union.
GENRES_OF_TWO = frozenset(
    frozenset(pair.split())
    for pair in (
        "military history",
        "military fiction",
        "military science_fiction",
        "military fantasy",
        "military thriller",
        "history nonfiction",
        "paranormal fiction",
        "detective fiction",
        "politics philosophy",
    )
)


@dataclass(frozen=True, slots=True)
class Genres:
    """Names of the genres, sorted; for each book the positions of its genres, sorted; and what was left out, why."""

    names: tuple[str, ...]
    books: tuple[tuple[int, ...], ...]
    left_out: Mapping[str, str]


def genre_key(shelf: str) -> frozenset[str]:
    """Return the words that make the genre of a shelf, in their one form; empty where none is left."""
    text = f" {' '.join(word for word in shelf.split('-') if word and not (word.isdigit() and len(word) == 2))} "
    for phrase, form in PHRASES:
        text = text.replace(f" {phrase} ", f" {form} ")
    words = {part for word in text.split() for part in WORDS.get(word, word).split()} - EMPTY_WORDS
    if words & AUDIENCES:
        words -= {"fiction", "literature"}
    return frozenset(words)


def junk_reason(shelf: str, key: frozenset[str]) -> str | None:
    """Return why a shelf names no genre, or None."""
    junk = JUNK_WORDS.intersection(shelf.split("-"))
    if junk:
        return f"the word {min(junk)!r}"
    if not key:
        return "no word left"
    if len(key) > 1 and key <= BASES and key not in GENRES_OF_TWO:
        return "a union of genres"
    return None


def genres_of(shelves: Sequence[Sequence[str]]) -> Genres:
    """Apply the rule to the shelves of each book (n lists) and return the genres."""
    counts = Counter(shelf for book in shelves for shelf in book)
    keys = {shelf: genre_key(shelf) for shelf in counts}
    left_out = {shelf: why for shelf, key in keys.items() if (why := junk_reason(shelf, key))}
    members: dict[frozenset[str], list[str]] = defaultdict(list)
    for shelf in sorted(counts, key=lambda s: (-counts[s], s)):
        if shelf not in left_out:
            members[keys[shelf]].append(shelf)
    carried = [{keys[shelf] for shelf in book if shelf not in left_out} for book in shelves]
    extent = Counter(key for book in carried for key in book)
    kept: dict[frozenset[str], str] = {}
    for key, spelled in members.items():
        too_many = extent[key] > MAX_SHARE * len(shelves)
        if too_many or extent[key] < MIN_BOOKS:
            why = f"carried by {extent[key]} books"
            left_out.update(dict.fromkeys(spelled, why))
        else:
            kept[key] = spelled[0]
    names = tuple(sorted(kept.values()))
    position = {key: names.index(name) for key, name in kept.items()}
    books = tuple(tuple(sorted(position[key] for key in book if key in position)) for book in carried)
    return Genres(names, books, left_out)
