from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError, FetchError
from graphrec.pipelines.cli.answers import inputs_lines
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.progress import Advance, Silent
from graphrec.pipelines.readers.inputs import load_inputs
from tests.kg.sparql.servers import oxigraph_server

PREFIX = "http://books.example/book/"


def books(n: int) -> str:
    """Return ``n`` books, of which the last has a name alone, and their authors."""
    lines = ["@prefix s: <https://schema.org/> ."]
    lines += [f'<{PREFIX}b{i}> s:name "Book {i}" ; s:author <http://books.example/a{i % 5}> .' for i in range(n - 1)]
    return "\n".join([*lines, f'<{PREFIX}b{n - 1}> s:name "Alone" .'])


def config(folder: Path, ids: list[str], turtle: str, **sections: Any) -> Config:
    """Return a configuration of events of ``ids``, two users each, and a knowledge graph."""
    rows = [f"r{user},{item},{i}" for i, item in enumerate(ids) for user in (i % 3, 3)]
    (folder / "ratings.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8")
    (folder / "books.ttl").write_text(turtle, encoding="utf-8")
    data = {
        "interactions": {"path": "ratings.csv"},
        "knowledge": {"paths": ["books.ttl"], "link": {"template": PREFIX + "b{id}"}},
    }
    return check_config({"name": "t", "data": {**data, **sections}, "channels": {"hot": {}}}, directory=folder)


@pytest.mark.parametrize("items", [[f"{i}.0" for i in range(30)], [f"x{i}" for i in range(7)], ["b1"]])
def test_the_guard_counts_before_items_are_appended(tmp_path: Path, items: list[str]) -> None:
    sentence = rf"joins none of the {len(items)} items of the events to the knowledge graph; an item is '{items[0]}'"
    with pytest.raises(DataError, match=sentence):
        load_inputs(config(tmp_path, items, books(30)), rejects=None, steps=Silent())


def test_the_report_tells_items_of_events_from_those_appended(tmp_path: Path) -> None:
    inputs = load_inputs(config(tmp_path, ["0", "1", "29", "x"], books(30)), rejects=None, steps=Silent())
    linking = inputs.report["knowledge"]["linking"]
    assert (linking["n_items"], linking["matched"], linking["without_edges"], linking["missing"]) == (31, 29, 1, 1)
    assert (linking["of_events"], linking["linked_of_events"]) == (4, 3)
    assert inputs_lines(inputs.report)[-1] == (
        "linking: 29 of 31 items matched, 0 ambiguous, 1 missing, 1 with an entity that has no edges; 3 of the 4 items "
        "of the events are linked, such as x"
    )


def test_literals_are_columns_beside_those_of_the_table(tmp_path: Path) -> None:
    turtle = (
        books(6)
        + f"""
        <{PREFIX}b0> s:numberOfPages 320 ; s:stock 1 . <{PREFIX}b1> s:numberOfPages "many", 90 ; s:stock 2 .
        <{PREFIX}b2> s:numberOfPages 7 ; s:abstract "sand" ."""
    )
    (tmp_path / "items.csv").write_text("item_id,stock\n0,10\n3,30\n", encoding="utf-8")
    knowledge = {
        "paths": ["books.ttl"],
        "link": {"template": PREFIX + "b{id}"},
        "attributes": ["numberOfPages", "stock", "abstract"],
    }
    made = config(
        tmp_path,
        ["0", "1", "2", "3"],
        turtle,
        knowledge=knowledge,
        items={"path": "items.csv", "numbers": ["stock"]},
    )
    inputs = load_inputs(made, rejects=tmp_path / "rejects", steps=Silent())
    features = inputs.data.item_features
    assert features is not None
    np.testing.assert_array_equal(features.number("number_of_pages"), [320, 90, 7, *[np.nan] * 3])
    np.testing.assert_array_equal(
        features.number("stock"), [10, np.nan, np.nan, 30, np.nan, np.nan]
    )  # the table goes first
    assert features.texts["abstract"].to_pylist() == [None, None, "sand", *[None] * 3]
    assert inputs.report["knowledge"]["attributes"]["number_of_pages"] == {
        "predicate": "https://schema.org/numberOfPages", "kind": "number", "values": 4, "unusable": 1, "first": "many",
        "items": 3,
    }  # fmt: skip
    rejected = (tmp_path / "rejects" / "knowledge_attributes.csv").read_text(encoding="utf-8").splitlines()
    assert rejected[1:] == [f"1,no number,https://schema.org/numberOfPages,{PREFIX}b1,many"]


def test_what_the_reader_of_a_graph_leaves_out_is_reported(tmp_path: Path) -> None:
    made = config(tmp_path, ["0"], "")
    nodes = [{"@id": f"b{i}", "https://schema.org/author": {"@id": "http://a"}, "name": "x"} for i in range(30)]
    (tmp_path / "books.jsonld").write_text(json.dumps(nodes), encoding="utf-8")
    link = {"template": PREFIX + "b{id}"}
    knowledge = {"paths": ["books.jsonld"], "link": link}
    with pytest.raises(DataError, match=r"books\.jsonld, statement 1: .*pass base=.*; 30 of 60 statements"):
        load_inputs(config(tmp_path, ["0"], "", knowledge=knowledge), rejects=None, steps=Silent())
    made = config(tmp_path, ["0"], "", knowledge={**knowledge, "base": PREFIX})
    report = load_inputs(made, rejects=None, steps=Silent()).report
    assert report["knowledge"]["read"]["unmapped"] == 30
    assert "30 triples of entities, 0 lines rejected, 30 keys without an IRI" in "\n".join(inputs_lines(report))


def test_limits_of_the_configuration_hold_for_rdf(tmp_path: Path) -> None:
    deep = f"<{PREFIX}b0> <http://p> " + "[ <http://p> " * 9 + "1" + " ]" * 9 + " ."
    load_inputs(config(tmp_path, ["0"], deep), rejects=None, steps=Silent())
    with pytest.raises(DataError, match=r"books\.ttl, line 1, column \d+: 9 levels .*raise limits\.depth"):
        load_inputs(config(tmp_path, ["0"], deep, limits={"depth": 8}), rejects=None, steps=Silent())


def test_bad_lines_of_rdf_events_are_kept_and_counted(tmp_path: Path) -> None:
    events = [f"<http://u/{i % 5}> <https://graphrec.org/ns#interacted> <http://i/{i}> ." for i in range(40)]
    (tmp_path / "events.nt").write_text("\n".join([*events[:9], "nonsense", *events[9:]]), encoding="utf-8")
    data = {"interactions": {"path": "events.nt"}}
    made = check_config({"name": "t", "data": data, "channels": {"hot": {}}}, directory=tmp_path)
    rejects = tmp_path / "fresh" / "rejects"
    report = load_inputs(made, rejects=rejects, steps=Silent()).report
    assert report["interactions"]["rdf"]["rejected"] == 1
    assert "1 lines rejected" in inputs_lines(report)[0]
    (file,) = rejects.glob("*.jsonl")
    assert json.loads(file.read_text(encoding="utf-8"))["line"] == 10


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_configuration_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ttl")
    knowledge = {"paths": ["pipe.ttl"], "link": {"template": PREFIX + "{id}"}}
    for made in (
        config(tmp_path, ["0"], "", knowledge=knowledge),
        check_config(
            {"name": "t", "data": {"interactions": {"path": "pipe.ttl"}}, "channels": {"hot": {}}}, directory=tmp_path
        ),
    ):
        with pytest.raises(DataError, match=r"pipe\.ttl is a pipe or device, which can be read once"):
            load_inputs(made, rejects=None, steps=Silent())


ALL = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } ORDER BY ?s ?p ?o"


class Told(Silent):
    """Keeps the steps, and how far each came."""

    def __init__(self) -> None:
        self.steps: dict[str, list[str]] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[Advance]:
        notes = self.steps.setdefault(title, [])
        yield lambda _done, _total, note="": notes.append(note)


def test_a_graph_comes_from_an_endpoint_as_from_its_file(tmp_path: Path) -> None:
    of_file = load_inputs(config(tmp_path, ["0", "1"], books(30)), rejects=None, steps=Silent())
    (tmp_path / "all.rq").write_text(ALL, encoding="utf-8")
    link, told = {"template": PREFIX + "b{id}"}, Told()
    with oxigraph_server(books(30)) as address:
        endpoint = {"url": address, "query_file": "all.rq", "page": 40}
        made = config(tmp_path, ["0", "1"], "", knowledge={"endpoint": endpoint, "link": link})
        asked = load_inputs(made, rejects=None, steps=told)
        wrong = {"endpoint": {"url": address, "query": "SELECT * { ?s ?p ?o }"}, "link": link}
        with pytest.raises(DataError, match=r"data\.knowledge\.endpoint: .*CONSTRUCT"):
            load_inputs(config(tmp_path, ["0"], "", knowledge=wrong), rejects=None, steps=Silent())
    assert told.steps[f"ask {address}"] == ["40 triples", "59 triples"]
    assert asked.report["knowledge"]["linking"] == of_file.report["knowledge"]["linking"]
    gone = {"endpoint": {"url": address, "query": ALL, "retries": 0}, "link": link}
    with pytest.raises(FetchError, match=r"127\.0\.0\.1"):
        load_inputs(config(tmp_path, ["0"], "", knowledge=gone), rejects=None, steps=Silent())


@pytest.mark.parametrize(
    ("knowledge", "sentence"),
    [
        ({}, "give exactly one of paths, endpoint"),
        ({"paths": ["books.ttl"], "endpoint": {"url": "http://e", "query": ALL}}, "exactly one of paths, endpoint"),
        ({"endpoint": {"url": "http://e", "query": ALL}, "cache": "c"}, "cache is of files"),
        ({"endpoint": {"url": "http://e"}}, "give exactly one of query, query_file"),
        ({"paths": ["books.ttl"], "link": {"by_title": True}}, "by_title needs titles"),
        ({"paths": ["books.ttl"], "triple_terms": "keep"}, "triple_terms"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(tmp_path: Path, knowledge: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(tmp_path, ["0"], "", knowledge={"link": {"template": PREFIX + "b{id}"}, **knowledge})


def test_a_graph_is_kept_and_its_triple_terms_are_nodes(tmp_path: Path) -> None:
    said = f"{books(5)}\n<{PREFIX}b0> <http://e/said> <<( <{PREFIX}b1> <http://e/by> <http://e/x> )>> ."
    knowledge = {"paths": ["books.ttl"], "link": {"template": PREFIX + "b{id}"}}
    counted = load_inputs(config(tmp_path, ["0"], said, knowledge=knowledge), rejects=None, steps=Silent())
    assert counted.report["knowledge"]["read"]["triple_terms"] == 1
    knowledge |= {"triple_terms": "reify", "cache": "kept"}
    first = load_inputs(config(tmp_path, ["0"], said, knowledge=knowledge), rejects=None, steps=Silent())
    assert first.report["knowledge"]["read"]["triple_terms"] == 0
    assert any((tmp_path / "kept").iterdir())
    again = load_inputs(config(tmp_path, ["0"], said, knowledge=knowledge), rejects=None, steps=Silent())
    assert again.report["knowledge"] == first.report["knowledge"]


def test_items_are_linked_by_title(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,label\n0,The Book 3\n1,Book 4\n2,Nothing", encoding="utf-8")
    knowledge = {"paths": ["books.ttl"], "link": {"by_title": True}}
    made = config(tmp_path, ["0", "1", "2"], books(30), knowledge=knowledge, items={"path": "items.csv"})
    linked = load_inputs(made, rejects=None, steps=Silent())
    assert linked.report["knowledge"]["linking"]["matched"] == 2
    (tmp_path / "items.csv").write_text("item_id,pages\n0,3", encoding="utf-8")
    with pytest.raises(DataError, match="has a title of none of the 3 items"):
        load_inputs(made, rejects=None, steps=Silent())
