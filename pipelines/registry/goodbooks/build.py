"""From the raw goodbooks-10k files to ``ratings.csv.gz`` and ``books.ttl.gz``."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

from graphrec.data.scratch import written_whole
from graphrec.errors import DataError

from . import turtle
from .genres import Genres, genres_of
from .isbn import isbn10, isbn13_from_float, isbn13_of
from .series import series_of_books
from .titles import ParsedTitle, parse_titles, tidy

BOOKS, SHELVES, RATINGS = "books.csv", "book_genres.csv", "ratings_sample.csv"
COMMENT = """The 10,000 books of goodbooks-10k (https://github.com/zygmuntz/goodbooks-10k) by Zygmunt Zając, as RDF.
Licence: CC BY-SA 4.0. What was changed: ATTRIBUTION.md. Written by: python -m graphrec.pipelines.registry.goodbooks"""

# Names that stand where an author is not known: they would tie unrelated books together.
NOBODY = frozenset({"anonymous", "unknown", "unknown author", "various", "various authors", "not a book", "none"})
# The language codes that occur -> BCP 47.
LANGUAGES = {
    "eng": "en",
    "ara": "ar",
    "fre": "fr",
    "ind": "id",
    "spa": "es",
    "ger": "de",
    "jpn": "ja",
    "per": "fa",
    "por": "pt",
    "pol": "pl",
    "nor": "no",
    "dan": "da",
    "ita": "it",
    "vie": "vi",
    "tur": "tr",
    "swe": "sv",
    "rum": "ro",
    "rus": "ru",
}

Row = dict[str, str]


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """Return the rows of a CSV file.

    Raises
    ------
    DataError
        If the file is missing or lacks one of ``columns``.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = sorted(set(columns) - set(reader.fieldnames or ()))
            if missing:
                raise DataError(f"{path} has no column {missing[0]!r}; found: {', '.join(reader.fieldnames or ())}")
            return list(reader)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; --from names the folder of the raw goodbooks-10k files") from error


def authors_of(text: str) -> list[str]:
    """Return the names in an authors column, each once, without the ones that name nobody."""
    names = dict.fromkeys(tidy(name) for name in text.split(","))
    return [name for name in names if name and name.casefold() not in NOBODY]


def isbns_of(row: Row) -> list[str]:
    """Return the ISBN-10 and the ISBN-13 of a book, as far as they are known and sound."""
    ten = isbn10(row["isbn"]) if row["isbn"] else None
    if ten:
        return [ten, isbn13_of(ten)]
    thirteen = isbn13_from_float(row["isbn13"])
    return [thirteen] if thirteen else []


def genre_label(shelf: str) -> str:
    """Return the name of a shelf for people: ``children-s-books`` -> ``children's books``."""
    words = shelf.replace("-s-", "'s-").removesuffix("-s").replace("-", " ")
    for hyphened in ("non fiction", "sci fi"):
        words = words.replace(hyphened, hyphened.replace(" ", "-"))
    return words


def _names(row: Row, title: ParsedTitle) -> list[turtle.Pair]:
    """Return the title, then the full and the original title where they differ."""
    others = dict.fromkeys(tidy(text) for text in (row["title"], row["original_title"]))
    pairs = [("schema:name", turtle.literal(title.name))]
    return pairs + [("schema:alternateName", turtle.literal(t)) for t in others if t and t != title.name]


def _facts(row: Row) -> Iterator[turtle.Pair]:
    """Yield what a row states by itself: year, language, ISBN, address."""
    if row["original_publication_year"]:
        yield "schema:datePublished", turtle.year(int(float(row["original_publication_year"])))
    if code := row["language_code"]:
        yield "schema:inLanguage", turtle.literal(LANGUAGES.get(code, code))
    for isbn in isbns_of(row):
        yield "schema:isbn", turtle.literal(isbn)
    address = f"https://www.goodreads.com/book/show/{row['goodreads_book_id']}"
    yield "schema:url", turtle.literal(address, "xsd:anyURI")


def _entities(prefix: str, kind: str, names: list[str], local: list[str]) -> Iterator[str]:
    for name, place in sorted(zip(names, local, strict=True), key=lambda pair: pair[1]):
        yield turtle.subject(f"{prefix}:{place}", [("a", kind), ("schema:name", turtle.literal(name))])


def document(rows: list[Row], genres: Genres) -> tuple[str, dict[str, int]]:
    """Return the Turtle document of the books, and counts of what it holds."""
    parsed = parse_titles(row["title"] for row in rows)
    authors = [authors_of(row["authors"]) for row in rows]
    series, memberships = series_of_books(parsed, authors)
    people = sorted({name for names in authors for name in names})
    author_slugs = dict(zip(people, turtle.slugs(people), strict=True))
    series_slugs = turtle.slugs(series)
    parts = list(turtle.header(COMMENT))
    counts = dict.fromkeys(("name", "alternateName", "author", "isPartOf", "position", "genre", "isbn"), 0)
    n_triples = 2 * (len(people) + len(series) + len(genres.names))
    for row, title, names, places, shelves in zip(rows, parsed, authors, memberships, genres.books, strict=True):
        pairs = [("a", "schema:Book"), *_names(row, title)]
        pairs += [("schema:author", f"author:{author_slugs[name]}") for name in names]
        pairs += [("schema:isPartOf", f"series:{series_slugs[entity]}") for entity, _ in places]
        # One position a book, that of its first series: two of them could not be told apart.
        pairs += [("schema:position", turtle.literal(place)) for _, place in places[:1] if place]
        pairs += [("schema:genre", f"genre:{turtle.slug(genres.names[genre])}") for genre in shelves]
        pairs += _facts(row)
        parts.append(turtle.subject(f"book:{row['book_id']}", pairs))
        n_triples += len(set(pairs))
        for predicate, _ in pairs:
            key = predicate.removeprefix("schema:")
            counts[key] = counts.get(key, 0) + 1
    parts += _entities("author", "schema:Person", people, [author_slugs[name] for name in people])
    parts += _entities("series", "schema:BookSeries", series, series_slugs)
    labels = [genre_label(name) for name in genres.names]
    parts += _entities("genre", "schema:DefinedTerm", labels, [turtle.slug(name) for name in genres.names])
    counts.pop("a")
    return "".join(parts), {
        "triples": n_triples, "books": len(rows), "authors": len(people), "series": len(series),
        "genres": len(genres.names), **counts,
    }  # fmt: skip


def write_gzip(path: Path, text: str) -> int:
    """Write ``text`` compressed, without name or time in the header, by way of a temporary name; return the bytes."""
    packed = gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)
    with written_whole(path) as part:
        part.write_bytes(packed)
    return len(packed)


def build(source: Path, out: Path) -> dict[str, int]:
    """Write ``ratings.csv.gz`` and ``books.ttl.gz`` into ``out`` and return counts of what they hold.

    The same raw files give the same text, and with one zlib the same bytes.

    Parameters
    ----------
    source : Path
        Folder with ``books.csv``, ``book_genres.csv`` and ``ratings_sample.csv``.
    out : Path
        Folder to write to; made where it is missing.

    Raises
    ------
    DataError
        If a raw file is missing or lacks a column.
    """
    books = read_rows(source / BOOKS, ("book_id", "isbn", "isbn13", "authors", "title", "language_code"))
    shelves = {row["book_id"]: row["genres"] for row in read_rows(source / SHELVES, ("book_id", "genres"))}
    ratings = read_rows(source / RATINGS, ("user_id", "book_id", "rating"))
    found = [[s for s in shelves.get(row["book_id"], "").split(",") if s] for row in books]
    genres = genres_of(found)
    text, counts = document(books, genres)
    lines = [f"{row['user_id']},{row['book_id']},{row['rating']}\n" for row in ratings]
    out.mkdir(parents=True, exist_ok=True)
    sizes = {
        "ratings.csv.gz bytes": write_gzip(out / "ratings.csv.gz", "user_id,item_id,rating\n" + "".join(lines)),
        "books.ttl.gz bytes": write_gzip(out / "books.ttl.gz", text),
    }
    n_shelves = len({shelf for book in found for shelf in book})
    return {
        "users": len({row["user_id"] for row in ratings}), "ratings": len(ratings), "shelves": n_shelves,
        "shelf pairs": sum(map(len, found)), **counts, **sizes,
    }  # fmt: skip
