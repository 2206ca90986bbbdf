"""Links by title and year alone, on names as DBpedia and MovieLens spell them."""

from __future__ import annotations

import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.title_links import link_by_title, names_and_year, plain_name

DBPEDIA = "http://dbpedia.org/resource/"
FILMS = {
    "The_Matrix": "1999_films",
    "Il_Postino:_The_Postman": "1994_films",
    "The_Postman_(film)": "1997_films",
    "Am%C3%A9lie": "2001_films",
    "Total_Recall_(1990_film)": "Science_fiction",
    "Total_Recall_(2012_film)": "Science_fiction",
    "Heat": "1986_films",
    "Nosferatu": "Vampires",
}


@pytest.fixture(scope="module")
def kg(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    lines = [f"<{DBPEDIA}{film}> <http://p/subject> <{DBPEDIA}Category:{of}> ." for film, of in FILMS.items()]
    # A person called like a film is the subject of nothing.
    lines.append(f"<{DBPEDIA}The_Matrix> <http://p/starring> <{DBPEDIA}Gandhi> .")
    file = tmp_path_factory.mktemp("films") / "films.nt"
    file.write_text("\n".join(lines), encoding="utf-8")
    return read_rdf(file)


@pytest.mark.parametrize(
    ("title", "film"),
    [
        ("Matrix, The (1999)", "The_Matrix"),
        ("The matrix", "The_Matrix"),
        ("MATRIX (2000)", "The_Matrix"),
        ("Matrix, The (1983)", None),
        ("Amelie (Le fabuleux destin) (2001)", "Am%C3%A9lie"),
        ("Total Recall (1990)", "Total_Recall_(1990_film)"),
        ("Total Recall (2012)", "Total_Recall_(2012_film)"),
        ("Total Recall (2001)", None),
        ("Postman, The (1997)", "The_Postman_(film)"),
        ("Postino, Il (The Postman) (1994)", None),
        ("Heat (1995)", None),
        ("Nosferatu (1922)", "Nosferatu"),
        ("Gandhi (1982)", None),
        ("", None),
        (None, None),
    ],
)
def test_a_title_finds_its_film(kg: KnowledgeGraph, title: str | None, film: str | None) -> None:
    linked = int(link_by_title(Vocabulary(["m"]), kg, [title]).entities[0])
    assert (kg.entities[linked] if linked >= 0 else None) == (film and DBPEDIA + film)


def test_films_that_fit_alike_are_ambiguous(kg: KnowledgeGraph) -> None:
    items = Vocabulary(["m"])
    first = link_by_title(items, kg, ["Total Recall"])
    assert kg.entities[int(first.entities[0])] == f"{DBPEDIA}Total_Recall_(1990_film)"
    assert first.report.ambiguous == 1
    assert link_by_title(items, kg, ["Total Recall"], ambiguous="drop").entities.tolist() == [-1]


def test_names_are_plain() -> None:
    assert names_and_year("Cité des enfants perdus, La (City of Lost Children) (1995)") == (
        ["cite des enfants perdus", "city of lost children"],
        1995,
    )
    assert names_and_year("1984 (1984)") == (["1984"], 1984)
    assert plain_name("A") == "a"
    assert plain_name("U.S. Marshals") == "us marshals"


def test_there_is_a_title_for_each_item(kg: KnowledgeGraph) -> None:
    with pytest.raises(DataError, match="2 titles for 1 items"):
        link_by_title(Vocabulary(["m"]), kg, ["a", "b"])
