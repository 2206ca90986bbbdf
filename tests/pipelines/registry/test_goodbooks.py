import csv
import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.errors import DataError
from graphrec.pipelines.registry.goodbooks.__main__ import main
from graphrec.pipelines.registry.goodbooks.build import authors_of, build, genre_label
from graphrec.pipelines.registry.goodbooks.genres import genre_key, genres_of
from graphrec.pipelines.registry.goodbooks.isbn import isbn10, isbn13_from_float, isbn13_of
from graphrec.pipelines.registry.goodbooks.series import places, series_of_books
from graphrec.pipelines.registry.goodbooks.titles import parse_titles
from graphrec.pipelines.registry.goodbooks.turtle import literal, slug, slugs, subject, year
from graphrec.pipelines.registry.registry import datasets_directory

TITLES = {
    "The Hunger Games (The Hunger Games, #1)": ("The Hunger Games", [("The Hunger Games", "1")]),
    "Dune (Dune Chronicles #1)": ("Dune", [("Dune Chronicles", "1")]),
    "Harry Potter Boxset (Harry Potter, #1-7)": ("Harry Potter Boxset", [("Harry Potter", "1-7")]),
    "Carpe Jugulum (Discworld #23; Witches #6)": ("Carpe Jugulum", [("Discworld", "23"), ("Witches", "6")]),
    "Night Play (Dark-Hunter #5, Were-Hunter #1)": ("Night Play", [("Dark-Hunter", "5"), ("Were-Hunter", "1")]),
    "Raising Steam (Discworld, #40, Moist von Lipwig #3 )": (
        "Raising Steam",
        [("Discworld", "40"), ("Moist von Lipwig", "3")],
    ),
    "Sabriel (Abhorsen,  #1)": ("Sabriel", [("Abhorsen", "1")]),
    "Judy Moody (Judy Moody, # 1)": ("Judy Moody", [("Judy Moody", "1")]),
    "Moonlight Mile (Kenzie & Gennaro,#6)": ("Moonlight Mile", [("Kenzie & Gennaro", "6")]),
    "Hidden (Bone Secrets. #1)": ("Hidden", [("Bone Secrets", "1")]),
    "Amelia Bedelia  (Amelia Bedelia #1)": ("Amelia Bedelia", [("Amelia Bedelia", "1")]),
    "I, Robot (Robot #0.1)": ("I, Robot", [("Robot", "0.1")]),
    "Four (Divergent, #0.1 - 0.4)": ("Four", [("Divergent", "0.1-0.4")]),
    "The Theban Plays (Thebes, #1\u20133)": ("The Theban Plays", [("Thebes", "1-3")]),
    "Saga  (Twilight, #1-4 + 3.5)": ("Saga", [("Twilight", "1-4, 3.5")]),
    "Happily Ever After (The Selection, #0.4, 0.5, 2.5, 2.6)": (
        "Happily Ever After",
        [("The Selection", "0.4, 0.5, 2.5, 2.6")],
    ),
    "Steel and Snow (A Song of Ice and Fire, #3: Part 1 of 2)": ("Steel and Snow", [("A Song of Ice and Fire", "3")]),
    "Tower, Part 2 (Memory, Sorrow, and Thorn, #3; Part 2)": (
        "Tower, Part 2",
        [("Memory, Sorrow, and Thorn", "3")],
    ),
    "A Dance (A Song of Ice and Fire #5, Part 1 of 2)": ("A Dance", [("A Song of Ice and Fire", "5")]),
    "Ranma ½, Vol. 1 (Ranma ½ (US 2nd), #1)": ("Ranma ½, Vol. 1", [("Ranma ½ (US 2nd)", "1")]),
    "Beyond the Grave (The 39 Clues #4)": ("Beyond the Grave", [("The 39 Clues", "4")]),
    "1Q84 #1-2 (1Q84, #1-2)": ("1Q84 #1-2", [("1Q84", "1-2")]),
    "Nickel and Dimed: On (Not) Getting By in America": ("Nickel and Dimed: On (Not) Getting By in America", []),
    "I Am America (And So Can You!)": ("I Am America (And So Can You!)", []),
    "The Talisman (Volume 1): The Road of Trials": ("The Talisman (Volume 1): The Road of Trials", []),
    "(unbalanced #1)) (": ("(unbalanced #1)) (", []),
}


@pytest.mark.parametrize("title", TITLES)
def test_titles(title: str) -> None:
    name, series = TITLES[title]
    [found] = parse_titles([title])
    assert found.name == name
    assert [(one.series, one.position) for one in found.memberships] == series


def test_a_series_without_a_number_is_known_from_another_book() -> None:
    alone, numbered = parse_titles(["The Demigod Files (Percy Jackson)", "The Lightning Thief (Percy Jackson, #1)"])
    assert alone.name == "The Demigod Files"
    assert [(m.series, m.position) for m in alone.memberships] == [("Percy Jackson", None)]
    assert numbered.memberships[0].position == "1"


@given(st.lists(st.text(max_size=30), max_size=5))
def test_any_title_is_parsed_and_keeps_a_name(titles: list[str]) -> None:
    for title, found in zip(titles, parse_titles(titles), strict=True):
        assert found.name or not title.strip() or found.memberships == ()


def test_namesakes_are_told_apart_and_many_hands_stay_together() -> None:
    titles = ["A (Fallen, #1)", "B (Fallen, #2)", "C (The Fallen, #1-2)", "D (39 Clues, #1)", "E (39 Clues, #2)"]
    authors = [["kate"], ["kate"], ["tom"], ["rick"], ["gordon"]]
    names, books = series_of_books(parse_titles(titles), authors)
    assert names == ["Fallen", "The Fallen", "39 Clues"]
    assert [[entity for entity, _ in book] for book in books] == [[0], [0], [1], [2], [2]]


def test_places() -> None:
    assert places("1-3") == {"1", "2", "3"}
    assert places("0.5, 2.5") == {"0.5", "2.5"}
    assert places(None) == set()


@pytest.mark.parametrize(
    ("shelves", "same"),
    [
        (["sci-fi", "scifi", "science-fiction", "sciencefiction", "sf"], True),
        (["historical-fiction", "fiction-historical", "historicalfiction", "historic-fiction"], True),
        (["ya", "young-adult", "ya-fiction", "young-adult-books", "ya-lit"], True),
        (["children-s-books", "childrens", "kids", "children-s-literature"], True),
        (["02-fantasy", "fantasy", "genre-fantasy"], True),
        (["world-war-ii", "world-war-2", "world-war-two"], True),
        (["fantasy", "historical-fantasy"], False),
        (["history", "historical"], False),
        (["science-fantasy", "science-fiction"], False),
    ],
)
def test_spellings_of_a_genre(shelves: list[str], same: bool) -> None:
    assert (len({genre_key(shelf) for shelf in shelves}) == 1) is same


def test_junk_unions_and_extent() -> None:
    shelf_of = {
        "fantasy": 40,
        "to-read-fantasy": 40,
        "owned-manga": 40,
        "mystery-thriller": 40,
        "fiction": 90,
        "rare": 5,
    }
    books = [[shelf for shelf, n in shelf_of.items() if book < n] for book in range(100)]
    books[50].append("scifi")
    books[:35] = [[*book, "sci-fi"] for book in books[:35]]
    found = genres_of(books)
    assert found.names == ("fantasy", "sci-fi")
    assert sum(1 in book for book in found.books) == 36  # both spellings count
    assert found.left_out == {
        "to-read-fantasy": "the word 'read'",
        "owned-manga": "the word 'owned'",
        "mystery-thriller": "a union of genres",
        "fiction": "carried by 90 books",
        "rare": "carried by 5 books",
    }


def test_genre_labels() -> None:
    assert genre_label("children-s-picture-books") == "children's picture books"
    assert genre_label("historical-non-fiction") == "historical non-fiction"


def test_isbn() -> None:
    assert isbn10("439023483") == "0439023483"
    assert isbn10("43965548X") == "043965548X"
    assert isbn10("439023484") is None
    assert isbn10("none") is None
    assert isbn13_of("0439023483") == "9780439023481"
    assert isbn13_from_float("9.78043902348e+12") == "9780439023481"
    assert isbn13_from_float("4.39023e+08") is None


def test_authors() -> None:
    assert authors_of("J.K. Rowling, Mary   GrandPré, J.K. Rowling") == ["J.K. Rowling", "Mary GrandPré"]
    assert authors_of("Anonymous, Various") == []


def test_turtle() -> None:
    assert literal('a "b" \\ c\n') == '"a \\"b\\" \\\\ c\\n"'
    assert year(-720) == '"-0720"^^xsd:gYear'
    assert year(8) == '"0008"^^xsd:gYear'
    assert slug("Mary GrandPré") == "mary-grandpre"
    assert slug("村上春樹") == slug("村上春樹") != slug("村上")
    assert slugs(["A B", "a.b", "A-B"]) == ["a-b", "a-b-2", "a-b-3"]
    assert subject("book:1", [("a", "x:B"), ("x:p", "1"), ("x:p", "2")]) == "\nbook:1 a x:B ;\n    x:p 1, 2 .\n"


class TestBundledFiles:
    def test_ratings(self) -> None:
        with gzip.open(datasets_directory() / "goodbooks" / "ratings.csv.gz", "rt", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert rows[0] == ["user_id", "item_id", "rating"]
        assert len(rows) == 298_177
        assert len({row[0] for row in rows[1:]}) == 2_672
        assert {row[2] for row in rows[1:]} == set("12345")

    def test_books(self) -> None:
        parser = pytest.importorskip("pyoxigraph")
        folder = datasets_directory() / "goodbooks"
        triples = list(
            parser.parse(gzip.decompress((folder / "books.ttl.gz").read_bytes()), format=parser.RdfFormat.TURTLE)
        )
        assert len(triples) == len(set(triples)) == 207_664
        kinds = [t.object.value.rpartition("/")[2] for t in triples if t.predicate.value.endswith("#type")]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == {
            "Book": 10_000,
            "Person": 5_830,
            "BookSeries": 1_708,
            "DefinedTerm": 249,
        }
        named = {t.subject for t in triples if t.predicate.value == "https://schema.org/name"}
        linked = {t.object for t in triples if isinstance(t.object, parser.NamedNode) and "graphrec" in t.object.value}
        assert linked <= named  # whatever is pointed at has a name
        dune = parser.NamedNode("https://graphrec.org/goodbooks/book/126")
        facts = {(t.predicate.value.rpartition("/")[2], t.object.value) for t in triples if t.subject == dune}
        assert ("name", "Dune") in facts
        assert ("isPartOf", "https://graphrec.org/goodbooks/series/dune-chronicles") in facts
        assert ("position", "1") in facts
        assert ("datePublished", "1965") in facts

    def test_size_and_licence(self) -> None:
        folder = datasets_directory() / "goodbooks"
        assert sum(file.stat().st_size for file in folder.iterdir()) < 6_000_000
        assert "ShareAlike 4.0" in (folder / "LICENSE").read_text(encoding="utf-8")
        assert "Zygmunt Zając" in (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")

    def test_made_again_they_are_the_same(self, tmp_path: Path) -> None:
        source = Path(os.environ.get("GRAPHREC_DATA", "")) / "goodbooks"
        if not (source / "books.csv").is_file():
            pytest.skip("GRAPHREC_DATA names no folder with the raw goodbooks files")
        build(source, tmp_path)
        for name in ("ratings.csv.gz", "books.ttl.gz"):
            bundled, made = (datasets_directory() / "goodbooks" / name).read_bytes(), (tmp_path / name).read_bytes()
            # The text is the same everywhere; how it is packed is up to the version of zlib.
            assert gzip.decompress(made) == gzip.decompress(bundled)
            assert made[:10] == bundled[:10]


def test_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "books.csv").write_text(
        "book_id,goodreads_book_id,isbn,isbn13,authors,original_publication_year,original_title,title,language_code\n"
        '1,11,439023483,,"A. Author, B. Brush",-17.0,Eins,"One (Numbers, #1)",eng\n'
        "2,12,,9.78043902348e+12,Anonymous,,,Two,\n",
        encoding="utf-8",
    )
    (raw / "book_genres.csv").write_text('book_id,genres\n1,"fantasy,magic"\n', encoding="utf-8")
    assert main(["--from", str(raw), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.endswith("ratings_sample.csv is missing; --from names the folder of the raw goodbooks-10k files\n")
    assert not (tmp_path / "out").exists()
    (raw / "ratings_sample.csv").write_text("user_id,book_id,rating\n5,1,4\n", encoding="utf-8")
    assert main(["--from", str(raw), "--out", str(tmp_path / "out")]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["books"], counts["authors"], counts["series"], counts["ratings"]) == (2, 2, 1, 1)
    text = gzip.decompress((tmp_path / "out" / "books.ttl.gz").read_bytes()).decode()
    assert (
        "book:1 a schema:Book ;\n"
        '    schema:name "One" ;\n'
        '    schema:alternateName "One (Numbers, #1)", "Eins" ;\n'
        "    schema:author author:a-author, author:b-brush ;\n"
        "    schema:isPartOf series:numbers ;\n"
        '    schema:position "1" ;\n'
        '    schema:datePublished "-0017"^^xsd:gYear ;\n'
        '    schema:inLanguage "en" ;\n'
        '    schema:isbn "0439023483", "9780439023481" ;\n'
        '    schema:url "https://www.goodreads.com/book/show/11"^^xsd:anyURI .\n'
    ) in text
    assert 'schema:name "Two" ;\n    schema:isbn "9780439023481"' in text
    (raw / "books.csv").write_text("book_id\n1\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column 'authors'; found: book_id"):
        build(raw, tmp_path / "out")
