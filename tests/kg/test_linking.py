from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.kg.catalogue import catalogue_graph
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.linking import ids_by_template, link_by_literal, link_by_table, link_by_template
from graphrec.kg.linking_report import Linking, LinkingReport
from graphrec.kg.normalisers import isbn13, levelled_label
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import write

BOOKS = """
@prefix : <http://e/book/> . @prefix s: <http://schema.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:1 a s:Book ; s:isbn "0-306-40615-2" ; rdfs:label "The  Hobbit" .
:2 a s:Book ; s:isbn "9780306406157" ; rdfs:label "Dune" .
:3 a s:Book ; s:isbn "978-3-16-148410-0", "080442957X" ; rdfs:label "DUNE" .
<http://e/book/a%20b> a s:Book . <http://e/book/caf\u00e9> a s:Book . <http://e/book/x%2Fy> a s:Book .
<http://e/book/p+q> a s:Book ; s:author <http://e/ann> .
"""


@pytest.fixture
def kg(tmp_path: Path) -> KnowledgeGraph:
    return read_rdf(write(tmp_path / "books.ttl", BOOKS))


def iris_of(kg: KnowledgeGraph, linking: Linking) -> list[str | None]:
    return [kg.entities[row] if row >= 0 else None for row in linking.entities.tolist()]


def test_template_encodes_ids(kg: KnowledgeGraph) -> None:
    items = Vocabulary(["2", "a b", "x/y", "caf\u00e9", "p+q", "99"])
    linking = link_by_template(items, kg, "http://e/book/{id}")
    ends = [iri and iri.removeprefix("http://e/book/") for iri in iris_of(kg, linking)]
    assert ends == ["2", "a%20b", "x%2Fy", "caf\u00e9", "p+q", None]
    assert linking.entities.dtype == np.int32
    report = linking.report
    assert (report.matched, report.without_edges, report.missing, report.ambiguous, report.shared) == (1, 4, 1, 0, 0)
    assert report.linked == 5
    assert report.examples["missing"] == ("99",)


def test_matched_is_what_has_edges(tmp_path: Path) -> None:
    text = """@prefix : <http://e/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
    @prefix gr: <https://graphrec.org/ns#> .
    :edges :author :x . :object rdfs:label "o" . :y :about :object . :label rdfs:label "l" . :class a :Book .
    :classes rdfs:subClassOf :Book . :ann gr:interacted :taken ."""
    kg = read_rdf(write(tmp_path / "a.ttl", text))
    items = Vocabulary(["edges", "object", "label", "class", "classes", "taken", "absent"])
    report = link_by_template(items, kg, "http://e/{id}").report
    assert (report.matched, report.without_edges, report.missing) == (2, 4, 1)
    assert report.examples["without_edges"][0] == "label -> http://e/label"
    catalogue = catalogue_graph(kg, link_by_template(items, kg, "http://e/{id}"), items)
    assert np.flatnonzero(catalogue.adjacency.degrees[: len(items)]).tolist() == [0, 1]


# Letters as they are, their encodings in upper and lower case, and bytes that are no UTF-8.
ENCODED = ["%61", "%2F", "%2f", "%25", "%252F", "%C3%A9", "%c3%a9", "%FF", "%ff", "%20", "%", "%2"]
SPELLINGS = [*ENCODED, "a", "b", "/", "\u00e9", "+"]
PLACES = st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=4).map("".join)


@given(places=st.lists(PLACES, min_size=1, max_size=30))
@settings(max_examples=300, deadline=None)
def test_iris_and_ids_are_one_to_one(places: list[str]) -> None:
    before, after = "http://e/book/", "/page"
    iris = sorted({f"{before}{place}{after}" for place in places} | {"http://e/other", before + after})
    kg = KnowledgeGraph(np.empty((0, 3), np.int32), Vocabulary(iris), Vocabulary([]))
    ids = ids_by_template(kg, before + "{id}" + after)
    usable = [
        iri for iri in iris if iri.startswith(before) and len(iri) > len(before + after) and "/" not in iri[14:-5]
    ]
    assert len(set(ids)) == len(ids) == len(usable)
    # Each id leads back to the entity that it came from.
    assert iris_of(kg, link_by_template(Vocabulary(ids), kg, before + "{id}" + after)) == usable
    for name, iri in zip(ids, usable, strict=True):
        assert name in (iri[14:-5], unquote(iri[14:-5]))


def test_an_id_finds_its_iri_however_that_is_encoded(tmp_path: Path) -> None:
    for spelling in ("a%2Fb%C3%A9", "a%2fb%c3%a9", "%61%2Fb\u00e9", "a%2f%62%c3%A9"):
        kg = read_rdf(write(tmp_path / "a.ttl", f"<http://e/{spelling}> <http://e/p> <http://e/o> ."))
        linking = link_by_template(Vocabulary(["a/b\u00e9"]), kg, "http://e/{id}")
        assert iris_of(kg, linking) == [f"http://e/{spelling}"]
        assert ids_by_template(kg, "http://e/{id}") == ["a/b\u00e9", "o"]


def test_template_of_whole_iris(kg: KnowledgeGraph) -> None:
    linking = link_by_template(Vocabulary(["http://e/book/3", "http://e/none"]), kg, "{id}")
    assert iris_of(kg, linking) == ["http://e/book/3", None]


def test_items_that_only_the_graph_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.nt"
    names = ("b2", "b%201", "b2/cover", "b2#me", "")
    path.write_text(
        "".join(f"<http://e/book/{name}> <http://e/p> <http://e/x> .\n" for name in names), encoding="utf-8"
    )
    graph = read_rdf(path)
    assert ids_by_template(graph, "http://e/book/{id}") == ["b 1", "b2"]
    assert ids_by_template(graph, "{id}") == []
    with pytest.raises(ConfigError, match="exactly once"):
        ids_by_template(graph, "http://e/book/")


@pytest.mark.parametrize("template", ["http://e/book/", "{id}/{id}"])
def test_template_needs_one_place(kg: KnowledgeGraph, template: str) -> None:
    with pytest.raises(ConfigError, match="exactly once"):
        link_by_template(Vocabulary(["1"]), kg, template)


@pytest.mark.parametrize("extension", [".csv", ".tsv", ".parquet"])
def test_table(tmp_path: Path, kg: KnowledgeGraph, extension: str) -> None:
    table = pl.DataFrame(
        {
            "book": ["007", "b", "b", "c", "d", "ghost", "e"],
            "uri": ["http://e/book/1", "http://e/book/3", "http://e/book/2", "http://e/none", None, "http://e/book/1",
                    "http://e/book/1"],
        }
    )  # fmt: skip
    path = tmp_path / f"links{extension}"
    if extension == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path, separator="," if extension == ".csv" else "\t")
    items = Vocabulary(["007", "b", "c", "d", "e"])
    linking = link_by_table(path, items, kg, item_column="book", iri_column="uri")
    assert iris_of(kg, linking) == ["http://e/book/1", "http://e/book/2", None, None, "http://e/book/1"]
    report = linking.report
    assert (report.without_edges, report.ambiguous, report.missing, report.shared) == (3, 1, 2, 2)
    assert (report.unknown_items, report.unknown_iris) == (1, 1)
    assert report.examples["unknown_items"] == ("ghost",)
    assert report.examples["unknown_iris"] == ("http://e/none",)
    assert report.examples["ambiguous"] == ("b -> http://e/book/2 | http://e/book/3",)
    dropped = link_by_table(path, items, kg, item_column="book", iri_column="uri", ambiguous="drop")
    assert iris_of(kg, dropped)[1] is None
    assert dropped.report.missing == 3


def test_table_errors(tmp_path: Path, kg: KnowledgeGraph) -> None:
    items = Vocabulary(["1"])
    path = write(tmp_path / "links.csv", "item_id,irl\n1,http://e/book/1\n")
    with pytest.raises(DataError, match=r"links\.csv has no column 'iri'; it has item_id, irl; nearest: 'irl'"):
        link_by_table(path, items, kg)
    with pytest.raises(DataError, match=r"none\.csv cannot be read"):
        link_by_table(tmp_path / "none.csv", items, kg)
    with pytest.raises(DataError, match=r"'\.txt'; a link table is"):
        link_by_table(tmp_path / "links.txt", items, kg)
    with pytest.raises(DataError, match="cannot be read"):
        link_by_table(write(tmp_path / "links.parquet", "no"), items, kg)


def test_isbn_literal(kg: KnowledgeGraph) -> None:
    items = Vocabulary(list("abcde"))
    values = ["0306406152", "ISBN 978-0-306-40615-7", ["0000000001", "0-8044-2957-x"], None, "0306406153"]
    linking = link_by_literal(items, kg, "isbn", values, normalise="isbn")
    # Entities 1 and 2 carry one ISBN in two spellings: ambiguous, the first in order is taken.
    assert iris_of(kg, linking) == ["http://e/book/1", "http://e/book/1", "http://e/book/3", None, None]
    assert linking.report.ambiguous == 2
    assert linking.report.shared == 2


def test_label_literal(kg: KnowledgeGraph) -> None:
    items = Vocabulary(["a", "b", "c"])
    linking = link_by_literal(items, kg, ["label"], ["the hobbit", "\uff24une", "Emma"], normalise="label")
    assert iris_of(kg, linking) == ["http://e/book/1", "http://e/book/2", None]
    exact = link_by_literal(items, kg, "label", ["the hobbit", "DUNE", None])
    assert iris_of(kg, exact) == [None, "http://e/book/3", None]


def test_literal_errors(kg: KnowledgeGraph) -> None:
    with pytest.raises(DataError, match="2 values for 1 items"):
        link_by_literal(Vocabulary(["a"]), kg, "isbn", ["1", "2"])
    with pytest.raises(DataError, match=r"relation 'isbm' is not among .*nearest: 'isbn'"):
        link_by_literal(Vocabulary(["a"]), kg, "isbm", ["1"])
    with pytest.raises(ConfigError, match="legal: isbn, label, exact"):
        link_by_literal(Vocabulary(["a"]), kg, "isbn", ["1"], normalise="x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0-306-40615-2", "9780306406157"),
        ("978 0 306 40615 7", "9780306406157"),
        ("urn:isbn:080442957x", "9780804429573"),
        ("979-10-90636-07-1", "9791090636071"),
        ("9780306406158", None),
        ("0306406153", None),
        ("hello", None),
        ("", None),
    ],
)
def test_isbn13(text: str, wanted: str | None) -> None:
    assert isbn13(text) == wanted


def test_levelled_label() -> None:
    assert levelled_label("  STRASSE\u00a0 \ufb01n ") == levelled_label("stra\u00dfe fin") == "strasse fin"


def test_report_prints_and_serialises(kg: KnowledgeGraph) -> None:
    report = link_by_template(Vocabulary(["1", "x"]), kg, "http://e/book/{id}").report
    assert isinstance(report, LinkingReport)
    assert (report.to_dict()["matched"], report.to_dict()["without_edges"]) == (0, 1)
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(report.table())
    text = console.export_text()
    assert "Linking of 2 items" in text
    assert "50.0%" in text


def test_linking_refuses_rows_below_minus_one(kg: KnowledgeGraph) -> None:
    report = link_by_template(Vocabulary(["1"]), kg, "{id}").report
    with pytest.raises(DataError, match="below -1"):
        Linking(np.asarray([-2], np.int32), report)
