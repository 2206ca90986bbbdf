"""``graphrec kg``: from a foreign file to a configuration that trains."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import rdflib

from graphrec.pipelines.config.load import load_config
from tests.pipelines.cli.test_cli import Command, command, out
from tests.pipelines.shelf import write_shelf

__all__ = ["command", "out"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_shelf(tmp_path).unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_configuration_that_is_written_trains(folder: Path, command: Command) -> None:
    ran = command("kg", "describe", "books.ttl", "--events", "ratings.csv", "--toml", "new/shelf.toml")
    assert ran.code == 0, ran.err
    assert "Next: graphrec train new/shelf.toml" in ran.out
    text = Path("new/shelf.toml").read_text(encoding="utf-8")
    assert "# Links 100.0% of the items." in text
    config = tomllib.loads(text)
    assert config["data"]["interactions"]["columns"] == {
        "user_id": "reader",
        "item_id": "book",
        "weight": "stars",
        "timestamp": "time",
    }
    assert config["split"]["kind"] == "time"
    assert config["catalogue"] == {"items": ["events", "template"]}  # only books have such IRIs
    trained = command("train", "new/shelf.toml", "--out", "out", "--json")
    assert trained.code == 0, trained.err
    report = json.loads(trained.out)
    assert {"hot", "item-cf", "user-cf", "kg-neighbours"} <= report["channels"].keys()


def test_a_graph_that_holds_the_events_trains_by_itself(folder: Path, command: Command) -> None:
    rows = Path("ratings.csv").read_text(encoding="utf-8").split("\n")[1:-1]
    bought = [
        f"<http://e.org/user/{user}> <http://e.org/bought> <http://books.example/book/{book}> ."
        for user, book, *_ in (row.split(",") for row in rows)
    ]
    Path("all.ttl").write_text(Path("books.ttl").read_text(encoding="utf-8") + "\n".join(bought), encoding="utf-8")
    assert command("kg", "describe", "all.ttl", "--toml", "all.toml").code == 0
    settings = load_config("all.toml").settings
    assert settings.data.interactions.rdf["direct"] == ["http://e.org/bought"]
    assert settings.data.knowledge is not None
    assert settings.data.knowledge.user_template == "http://e.org/user/{id}"
    trained = command("train", "all.toml", "--out", "out", "--json")
    assert trained.code == 0, trained.err


def test_attributes_are_suggested_and_load(folder: Path, command: Command) -> None:
    years = "\n".join(f"b:b{n} s:copyrightYear {1990 + n % 9} ." for n in range(31))
    Path("books.ttl").write_text(Path("books.ttl").read_text(encoding="utf-8") + "\n" + years, encoding="utf-8")
    text = command("kg", "describe", "books.ttl", "--events", "ratings.csv", "--toml", "-").out
    line = next(line for line in text.splitlines() if line.startswith("# attributes"))
    assert line.startswith('# attributes = ["copyrightYear"]  # ')
    Path("a.toml").write_text(text.replace("# attributes", "attributes"), encoding="utf-8")
    trained = command("train", "a.toml", "--out", "out", "--json")
    assert trained.code == 0, trained.err


def test_without_events_the_configuration_loads_and_says_what_is_missing(folder: Path, command: Command) -> None:
    ran = command("kg", "describe", "books.ttl", "--toml", "-")
    assert ran.code == 0
    assert "name yours here (or with --events)" in ran.out
    Path("a.toml").write_text(ran.out, encoding="utf-8")
    assert load_config("a.toml").settings.data.interactions.path == Path("events.csv")


def test_the_class_of_items_is_asked_for_where_others_share_their_iris(folder: Path, command: Command) -> None:
    turtle = Path("books.ttl").read_text(encoding="utf-8")
    mixed = turtle.replace("http://books.example/author/", "http://books.example/book/a")
    assert mixed != turtle
    Path("mixed.ttl").write_text(mixed, encoding="utf-8")
    text = command("kg", "describe", "mixed.ttl", "--events", "ratings.csv", "--toml", "-").out
    assert "# Entities of 2 classes have such IRIs (Book, Person)" in text
    assert '# of_type = "https://schema.org/Book"' in text
    alone = tomllib.loads(command("kg", "describe", "books.ttl", "--toml", "-").out)
    assert alone["catalogue"] == {"items": ["events", "template"], "of_type": "https://schema.org/Book"}


def test_a_table_of_items_gives_ways_to_link(folder: Path, command: Command) -> None:
    rows = ["nr,title,pages", *(f'b{n},"Book {n}",{100 + n}' for n in range(31))]
    Path("items.csv").write_text("\n".join(rows), encoding="utf-8")
    ran = command("kg", "describe", "books.ttl", "--items", "items.csv", "--column", "item_id=nr", "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert [rule["linked"] for rule in document["use"]["links"]] == [1.0, 1.0]
    config = tomllib.loads(document["toml"])
    assert config["data"]["items"]["columns"] == {"item_id": "nr", "label": "title"}
    assert config["data"]["knowledge"]["link"] == {"template": "http://books.example/book/{id}"}
    # With events the column of the ids is known by what it holds.
    events = command("kg", "describe", "books.ttl", "--items", "items.csv", "--events", "ratings.csv", "--json")
    assert tomllib.loads(json.loads(events.out)["toml"])["data"]["items"]["columns"]["item_id"] == "nr"


def test_items_linked_by_a_column_of_iris_and_by_a_title_train(folder: Path, command: Command) -> None:
    graph = Path("books.ttl").read_text(encoding="utf-8").replace("b:b", "b:work-of-")
    Path("books.ttl").write_text(graph, encoding="utf-8")
    for column, cells in (("page", "http://books.example/book/work-of-{}"), ("name", "BOOK {}")):
        rows = [f"book,{column}", *(f"b{n},{cells.format(n)}" for n in range(30))]
        Path("items.csv").write_text("\n".join(rows), encoding="utf-8")
        ran = command("kg", "describe", "books.ttl", "--items", "items.csv", "--events", "ratings.csv",
                      "--toml", f"{column}.toml")  # fmt: skip
        assert ran.code == 0, ran.err
        settings = load_config(f"{column}.toml").settings
        assert settings.data.knowledge is not None
        assert settings.data.knowledge.link.template is None
        trained = command("evaluate", f"{column}.toml", "--json")
        assert trained.code == 0, trained.err


@pytest.mark.parametrize("name", ["a.svg", "a.png", "a.mmd", "a.dot"])
def test_the_schema_is_drawn(folder: Path, command: Command, name: str) -> None:
    assert command("kg", "describe", "books.ttl", "--draw", name, "--toml", "-").code == 0
    first = Path(name).read_bytes()
    assert command("kg", "describe", "books.ttl", "--draw", name, "--toml", "-").code == 0
    assert Path(name).read_bytes() == first
    if name != "a.png":
        assert b"Book (31)" in first
        assert b"author (31)" in first


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.ttl",), "none.ttl does not exist"),
        (("books.ttl", "--draw", "a.gif"), "legal: .svg, .png, .pdf, .mmd, .dot"),
        (("books.ttl", "--events", "ratings.csv", "--column", "item_id=nr"), "no table that was given has the column"),
        (("books.ttl", "--events", "ratings.csv", "--column", "item=book"), "'item' is no role; nearest: 'item_id'"),
        (("books.ttl", "--column", "item_id"), "is no NAME=COLUMN"),
        (
            ("books.ttl", "--events", "strange.csv"),
            "no column looks like user_id; name it with --column user_id=COLUMN",
        ),
        (("books.ttl", "--items", "strange.csv"), "no column looks like item_id"),
        (("ratings.csv",), "has the unknown extension '.csv'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    folder: Path,
    command: Command,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    Path("strange.csv").write_text("x,y\n1,2\n", encoding="utf-8")
    ran = command("kg", "describe", *arguments)
    assert ran.code == 2
    assert sentence in ran.err


def test_hostile_names_stay_text(folder: Path, command: Command) -> None:
    Path("bad.ttl").write_text(
        r"""@prefix s: <https://schema.org/> .
        <http://e.org/x%22%3Cscript%3E> a <http://e.org/C%22%5D%0A> ; s:name "e\u202Evil\u001B[31m\"quote" ;
            <http://e.org/p\u202E> <http://e.org/y> .
        <http://e.org/C%22%5D%0A> s:name "C\u202E" .""",
        encoding="utf-8",
    )
    for name in ("a.mmd", "a.dot", "a.svg"):
        ran = command("kg", "describe", "bad.ttl", "--draw", name)
        assert ran.code == 0, ran.err
        assert "\u202e" not in ran.out
        assert "\u001b" not in ran.out
        assert "\u202e" not in Path(name).read_text(encoding="utf-8")
    assert tomllib.loads(command("kg", "describe", "bad.ttl", "--toml", "-").out)


RULE = """PREFIX s: <https://schema.org/>
CONSTRUCT { ?a <http://e.org/sameAuthor> ?b } WHERE { ?a s:author ?x . ?b s:author ?x FILTER(?a != ?b) }"""


def test_rules_of_the_configuration_make_relations(folder: Path, command: Command) -> None:
    text = write_shelf(folder).read_text(encoding="utf-8")
    knowledge = f"[data.knowledge]\nrules = ['''{RULE}''']\nrelations = ['sameAuthor']"
    text = text.partition("[channels.node2vec]")[0].replace("[data.knowledge]", knowledge)
    Path("rule.toml").write_text(text, encoding="utf-8")
    ran = command("train", "rule.toml", "--out", "out", "--json")
    assert ran.code == 0, ran.err
    near = json.loads(command("neighbours", "out", "--item", "b0", "--relation", "same_author", "--json").out)
    assert {item["item"] for item in near["items"]} == {"b6", "b12", "b18", "b24", "b30"}
    Path("rule.toml").write_text(text.replace("CONSTRUCT {", "SELECT * {"), encoding="utf-8")
    refused = command("train", "rule.toml", "--out", "out2")
    assert refused.code == 2
    assert "data.knowledge.rules: rule 1: the query" in refused.err


@pytest.mark.parametrize("name", ["out.nt", "out.jsonld", "out.ttl.gz", "out.parquet"])
def test_convert_writes_every_statement(folder: Path, command: Command, name: str) -> None:
    ran = command("kg", "convert", "books.ttl", "--out", name, "--json")
    assert json.loads(ran.out) == {"path": name, "statements": 142}
    assert Path(name).stat().st_size
    refused = command("kg", "convert", "books.ttl", "--out", "out.doc")
    assert refused.code == 2
    assert "unknown extension '.doc'" in refused.err


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")  # rdflib's own reader of JSON-LD
@pytest.mark.parametrize(("name", "given"), [("r.ttl", ()), ("r.txt", ("--format", "ntriples")), ("r.jsonld", ())])
def test_recall_and_its_reasons_as_rdf(
    folder: Path, command: Command, out: Path, name: str, given: tuple[str, ...]
) -> None:
    ran = command("export", out, "--out", name, *given, "--user", "r0", "--user", "a b/c", "-k", "3",
                  "--item-template", "http://books.example/book/{id}", "--json")  # fmt: skip
    assert json.loads(ran.out) == {"path": name, "users": 2}
    graph = rdflib.Graph().parse(name, format="nt" if given else None)
    rows = graph.query(
        "PREFIX g: <https://graphrec.org/ns#> SELECT ?user ?rank ?item ?score ?why { ?r a g:Recommendation ; "
        "g:recommendedTo ?user ; g:rank ?rank ; g:recommendedItem ?item ; g:score ?score . "
        "OPTIONAL { ?r g:explanation ?why } } ORDER BY ?user ?rank"
    )
    read = [tuple(map(str, row)) for row in rows]  # type: ignore[arg-type]
    answered = json.loads(command("recall", out, "--user", "r0", "-k", "3", "--explain", "--json").out)
    own = [row[1:] for row in read if row[0] == "urn:graphrec:user:r0"]
    assert [(int(rank), item, why) for rank, item, _, why in own] == [
        (rank, f"http://books.example/book/{entry['item']}", entry["explanation"])
        for rank, entry in enumerate(answered["items"], 1)
    ]
    assert [float(score) for _, _, score, _ in own] == pytest.approx([entry["score"] for entry in answered["items"]])
    assert len([row for row in read if row[0] == "urn:graphrec:user:a%20b%2Fc"]) == 3
