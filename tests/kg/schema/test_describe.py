"""The schema of graphs whose answer is known: counted by hand, counted again the slow way, and read from real data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import polars as pl
import pytest

from graphrec.errors import DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.schema.describe import describe
from graphrec.kg.schema.templates import common_template, templates_of
from tests.pipelines.shelf import write_shelf

SCHEMA = "https://schema.org/"


def graph_of(directory: Path, text: str) -> KnowledgeGraph:
    path = directory / "graph.ttl"
    path.write_text(f"@prefix : <http://e.org/> .\n@prefix s: <{SCHEMA}> .\n{text}", encoding="utf-8")
    return read_rdf(path)


@pytest.fixture
def shelf(tmp_path: Path) -> KnowledgeGraph:
    write_shelf(tmp_path)
    return read_rdf(tmp_path / "books.ttl")


def test_the_shelf_is_counted(shelf: KnowledgeGraph) -> None:
    schema = describe(shelf)
    assert [(entry.name, entry.n_members, entry.labelled) for entry in schema.classes] == [
        ("Book", 31, 1.0),
        ("Person", 6, 1.0),
        ("DefinedTerm", 3, 1.0),
    ]
    author = schema.predicate("author")
    assert (author.kind, author.n_statements, author.n_subjects, author.n_values) == ("entity", 31, 31, 6)
    assert author.domain == ((SCHEMA + "Book", 1.0),)
    assert author.range == ((SCHEMA + "Person", 1.0),)
    assert author.out_degrees == (1.0, 1.0, 1.0, 1)
    assert (author.in_degrees.median, author.in_degrees.most) == (5.0, 6)
    assert author.flags == ("functional",)
    name = schema.predicate("name")
    assert name.kind == "literal"
    assert [(kind.name.rpartition("#")[2], kind.share) for kind in name.datatypes] == [("string", 1.0)]
    assert (schema.n_components, schema.n_dangling) == (3, 0)
    assert schema.use.items == SCHEMA + "Book"
    assert set(schema.use.relations) == {SCHEMA + "author", SCHEMA + "genre"}
    assert schema.use.item_template == "http://books.example/book/{id}"


def slow_degrees(pairs: list[tuple[int, str]]) -> tuple[float, float, float, int]:
    counts = list(Counter(end for end, _ in pairs).values())
    return float(np.mean(counts)), float(np.median(counts)), float(np.quantile(counts, 0.9)), max(counts)


@pytest.mark.parametrize("seed", range(5))
def test_random_graphs_are_counted_as_the_slow_way_counts_them(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = {
        f":e{rng.integers(30)} :p{rng.integers(4)} {value} ."
        for value in [f":e{rng.integers(40)}" for _ in range(60)] + [f'"v{rng.integers(9)}"' for _ in range(40)]
    }
    schema = describe(graph_of(tmp_path, "\n".join(sorted(lines))))
    statements = [line.removesuffix(" .").split(" ") for line in lines]
    assert sum(entry.n_statements for entry in schema.predicates) == len(statements)
    for entry in schema.predicates:
        own = [(head, tail) for head, name, tail in statements if name == f":{entry.name}"]
        assert entry.n_statements == len(own)
        assert entry.out_degrees == pytest.approx(slow_degrees(own))  # type: ignore[arg-type]
        assert entry.in_degrees == pytest.approx(slow_degrees([(tail, head) for head, tail in own]))  # type: ignore[misc]
        assert entry.top_share == max(Counter(tail for _, tail in own).values()) / len(own)
        assert (entry.kind == "mixed") == (len({tail[0] for _, tail in own}) == 2)
    edges = nx.Graph((head, tail) for head, _, tail in statements if tail[0] == ":")
    parts = list(nx.connected_components(edges))
    assert schema.n_components == len(parts)
    assert schema.largest_component == pytest.approx(max(map(len, parts)) / len(edges))
    says = {head for head, _, _ in statements}
    assert schema.n_dangling == len({tail for _, _, tail in statements if tail[0] == ":"} - says)


def test_what_is_odd_is_flagged(tmp_path: Path) -> None:
    rows = [f":b{n} :image :i{n} ; :kind :paper ; :year {1990 + n % 4} ; :maker :m{n % 5} ." for n in range(20)]
    rows += [f':b{n} :note "text {n}" .' for n in range(10)] + [f":b{n} :note :n{n % 3} ." for n in range(10, 20)]
    schema = describe(graph_of(tmp_path, "\n".join(rows)))
    flags = {entry.name: entry.suspicious for entry in schema.predicates}
    assert flags == {
        "image": ("near-unique",),
        "kind": ("near-constant",),
        "note": ("mixed",),
        "year": (),
        "maker": (),
    }
    assert schema.use.relations == ("http://e.org/maker", "http://e.org/note")
    assert schema.use.literal_nodes == ("http://e.org/year",)


def test_literals_that_say_something_of_items_are_attributes(tmp_path: Path) -> None:
    said = "A long way round, told by people who were there"
    rows = [
        f':b{n} a :Book ; s:name "Book {n}" ; :pages {300 + n % 7} ; :price "{n}.5" ; :rating {1 + n / 100:.2f} ; '
        f':isbn "{9780000000000 + n}" ; :nr {n} ; :out "1990-01-{1 + n:02}" ; :kind "paper" ; :code "x{n}" ; '
        f':about "{said}, {n}" ; :note :n{n % 3} .'
        for n in range(25)
    ]
    rows += [":b0 :rare 5 .", ":n0 :height 12 , 13 ."]  # of one item in 25, and of what is no item
    use = describe(graph_of(tmp_path, "\n".join(rows))).use
    assert {iri.rpartition("/")[2] for iri in use.attributes} == {"pages", "price", "rating", "out", "about"}


def test_a_hub_is_flagged(tmp_path: Path) -> None:
    rows = [f":b{n} :genre :g{n} , :g{n + 1} , {':fiction' if n % 2 else ':fact'} ." for n in range(300)]
    assert "hub-like" in describe(graph_of(tmp_path, "\n".join(rows))).predicate("genre").flags


def with_users(n_users: int = 40) -> str:
    rows = [f":book{b} s:author :a{b % 7} ; s:genre :g{b % 3} , :h{b % 4} ." for b in range(30)]
    rows += [f":user{u} :bought :book{b} ." for u in range(n_users) for b in range(u % 4, 30, 5)]
    return "\n".join(rows)


def test_interactions_are_known_by_their_shape(tmp_path: Path) -> None:
    schema = describe(graph_of(tmp_path, with_users()))
    assert schema.use.interactions == ("http://e.org/bought",)
    assert schema.use.user_template == "http://e.org/{id}"
    assert "http://e.org/bought" not in schema.use.relations
    assert schema.suspicious == {"http://e.org/bought": ("interactions",)}


def test_genres_of_bare_books_are_no_interactions(tmp_path: Path) -> None:
    rows = [f":book{b} s:genre :g{b % 3} , :g{b % 4 + 3} ." for b in range(30)]
    assert describe(graph_of(tmp_path, "\n".join(rows))).use.interactions == ()


def test_interactions_are_known_by_the_events(tmp_path: Path) -> None:
    # Users with an address and friends are no bare users: only the events tell.
    rows = [
        f":u/{u} :knows :u/{(u + 1) % 20} , :u/{(u + 2) % 20} ; :likes :b/{u % 15} , :b/{(u * 7 + 1) % 15} ."
        for u in range(20)
    ]
    rows += [f":b/{b} s:author :a{b % 4} ." for b in range(15)]
    text = "\n".join(rows).replace(":u/", "<http://e.org/u/").replace(":b/", "<http://e.org/b/")
    text = "\n".join(
        " ".join(f"{word}>" if word.startswith("<") else word for word in row.split(" ")) for row in text.split("\n")
    )
    kg = graph_of(tmp_path, text)
    pairs = [(str(u), str(b)) for u in range(20) for b in {u % 15, (u * 7 + 1) % 15}]
    events = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")
    items = pl.DataFrame({"item_id": [str(b) for b in range(15)]})
    assert describe(kg).use.interactions == ()
    assert describe(kg, items=items, events=events).use.interactions == ("http://e.org/likes",)
    other = events.with_columns(pl.Series("item_id", [str((int(item) + 3) % 15) for item in events["item_id"]]))
    few = other.filter(
        ~pl.struct("user_id", "item_id").is_in(events.select(pl.struct("user_id", "item_id")).to_series().implode())
    )
    assert describe(kg, items=items, events=few).use.interactions == ()


def test_links_are_tried_and_ranked(shelf: KnowledgeGraph) -> None:
    items = pl.DataFrame(
        {
            "item_id": [f"b{n}" for n in range(30)],
            "label": [f"BOOK {n} " for n in range(30)],
            "page": [f"http://books.example/book/b{n}" if n < 15 else "" for n in range(30)],
        }
    )
    links = describe(shelf, items=items).use.links
    assert [(dict(rule.settings), rule.column, rule.linked) for rule in links] == [
        ({"template": "http://books.example/book/{id}"}, "item_id", 1.0),
        ({"predicate": SCHEMA + "name", "normalise": "label"}, "label", 1.0),
        ({"iri_column": "page"}, "page", 0.5),
    ]
    assert [rule.titles_agree for rule in links] == [1.0, 1.0, 1.0]


def test_a_template_to_the_wrong_things_is_told_by_the_titles(tmp_path: Path) -> None:
    rows = [f'<http://e.org/person/{n}> s:name "Person {n}" .' for n in range(20)]
    rows += [
        f'<http://e.org/work/x{n}> s:name "Work {n}" ; s:author <http://e.org/person/{n % 20}> .' for n in range(20)
    ]
    items = pl.DataFrame({"item_id": [str(n) for n in range(20)], "label": [f"Work {n}" for n in range(20)]})
    best, *_ = describe(graph_of(tmp_path, "\n".join(rows)), items=items).use.links
    assert (dict(best.settings), best.titles_agree) == ({"predicate": SCHEMA + "name", "normalise": "exact"}, 1.0)


def test_isbns_link_in_whatever_form(tmp_path: Path) -> None:
    rows = [':b1 :isbn "978-0-306-40615-7" .', ':b2 :isbn "0-19-852663-6" .']
    items = pl.DataFrame({"item_id": ["x", "y"], "isbn": ["0306406152", "9780198526636"]})
    (rule,) = describe(graph_of(tmp_path, "\n".join(rows)), items=items).use.links
    assert (dict(rule.settings), rule.linked) == ({"predicate": "http://e.org/isbn", "normalise": "isbn"}, 1.0)


def test_templates_are_found_before_and_behind_an_id(tmp_path: Path) -> None:
    kg = graph_of(tmp_path, "\n".join(f"<http://e.org/film/m{n}/about#it> :p :q{n} ." for n in range(5)))
    assert templates_of([f"m{n}" for n in range(5)], kg.entities.ids)[0] == "http://e.org/film/{id}/about#it"
    assert templates_of(["a b"], read(tmp_path, "<http://e.org/a%20b> :p :q .")) == ["http://e.org/{id}"]
    assert templates_of(["nothing"], kg.entities.ids) == []


def read(directory: Path, text: str) -> object:
    return graph_of(directory, text).entities.ids


def test_a_common_template_holds_for_half(tmp_path: Path) -> None:
    kg = graph_of(tmp_path, "<http://e.org/x/1> <http://e.org/x/2> <http://e.org/x/3> .")
    assert common_template(kg.entities.ids) == "http://e.org/x/{id}"
    mixed = graph_of(tmp_path, "<http://e.org/x/1> :p <http://e.org/y/1> . <http://e.org/z/1> :p <http://e.org/w/1> .")
    assert common_template(mixed.entities.ids) is None


def test_a_graph_of_literals_alone_and_one_of_classes_alone(tmp_path: Path) -> None:
    literals = describe(graph_of(tmp_path, ':a :p "x" .'))
    assert (literals.n_components, literals.largest_component, literals.use.relations) == (0, 0.0, ())
    classes = describe(graph_of(tmp_path, ":a a :C . :b a :C . :C a :D ."))
    assert [entry.n_members for entry in classes.classes] == [2, 1]
    assert classes.n_components == 0


def test_the_order_of_statements_changes_nothing(tmp_path: Path) -> None:
    rows = with_users().split("\n")
    first = describe(graph_of(tmp_path, "\n".join(rows))).to_dict()
    assert describe(graph_of(tmp_path, "\n".join(reversed(rows)))).to_dict() == first


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"items": pl.DataFrame({"item": ["b1"]})}, "items has no column 'item_id'; it has item"),
        ({"events": pl.DataFrame({"item_id": ["b1"]})}, "events has no column 'user_id'; it has item_id"),
        ({"items": pl.DataFrame({"item_id": [None]}, schema={"item_id": pl.String})}, "has no row with an id"),
    ],
)
def test_tables_that_cannot_be_used(shelf: KnowledgeGraph, tables: dict[str, pl.DataFrame], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        describe(shelf, **tables)


def test_an_unknown_predicate_is_named_with_the_nearest(shelf: KnowledgeGraph) -> None:
    with pytest.raises(DataError, match=r"'autor' is not among the 4 of this graph; nearest: 'author'"):
        describe(shelf).predicate("autor")
