"""Public functions that read and link: an argument of a wrong type ends in one sentence that names it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import graphrec as gr
from graphrec.errors import GraphRecError

FRAME = pl.DataFrame({"user_id": ["u"], "item_id": ["a"], "tag": ["t"], "converted": [1]})
ITEMS, USERS = gr.Vocabulary(["a", "b"]), gr.Vocabulary(["u"])
TURTLE = "@prefix : <http://e/> . :a :p :b ; :q 'x' ; <https://graphrec.org/ns#interacted> :b ."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return a knowledge graph, its links and its catalogue."""
    path = tmp_path_factory.mktemp("rdf") / "a.ttl"
    path.write_text(TURTLE)
    kg = gr.read_rdf(path)
    linking = gr.link_by_template(ITEMS, kg, "http://e/{id}")
    catalogue = gr.catalogue_graph(kg, linking, ITEMS)
    events = gr.read_interactions(FRAME, items=ITEMS).interactions
    return {
        "kg": kg, "linking": linking, "catalogue": catalogue, "graph": gr.to_rdflib(kg), "interactions": events,
        "path": path, "data": gr.to_hetero(catalogue),
    }  # fmt: skip


# A function and arguments that it takes; a word stands for an object of the world.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "read_interactions": (gr.read_interactions, {"source": FRAME, "users": USERS, "items": ITEMS, "rejects": None}),
    "read_attributes": (gr.read_attributes, {"source": FRAME, "items": ITEMS, "rejects": None}),
    "read_users": (gr.read_users, {"source": FRAME, "users": USERS, "rejects": None}),
    "read_exposures": (gr.read_exposures, {"source": FRAME, "users": USERS, "items": ITEMS, "rejects": None}),
    "read_user_tags": (gr.read_user_tags, {"source": FRAME, "users": USERS, "items": ITEMS, "min_users": 1}),
    "read_rdf": (gr.read_rdf, {"paths": "@path", "on_error": "reject", "max_reject_share": 0.1, "languages": ["en"]}),
    "link_by_template": (gr.link_by_template, {"items": ITEMS, "kg": "@kg", "template": "{id}", "ambiguous": "drop"}),
    "link_by_table": (
        gr.link_by_table,
        {"path": pl.DataFrame({"item_id": ["a"], "iri": ["http://e/a"]}), "items": ITEMS, "kg": "@kg",
         "item_column": "item_id"},
    ),
    "link_by_literal": (
        gr.link_by_literal,
        {"items": ITEMS, "kg": "@kg", "predicate": "q", "values": ["x", None], "normalise": "label"},
    ),
    "catalogue_graph": (
        gr.catalogue_graph,
        {"kg": "@kg", "linking": "@linking", "items": ITEMS, "relations": ["p"], "exclude": ["p"],
         "literal_nodes": ["q"], "labels": [None, "B"], "max_types": 3},
    ),
    "item_attributes": (
        gr.item_attributes, {"kg": "@kg", "linking": "@linking", "predicates": ["q"], "languages": ["en"]}
    ),
    "item_tags": (gr.item_tags, {"kg": "@kg", "linking": "@linking", "predicates": ["p"]}),
    "to_networkx": (gr.to_networkx, {"catalogue": "@catalogue", "node": 0, "hops": 1, "max_nodes": 5}),
    "interactions_from_rdf": (gr.interactions_from_rdf, {"kg": "@kg", "mapping": gr.InteractionMapping()}),
    "to_rdflib": (gr.to_rdflib, {"source": "@path"}),
    "from_rdflib": (gr.from_rdflib, {"graph": "@graph"}),
    "select": (gr.select, {"graph": "@graph", "query": "SELECT * WHERE { ?s ?p ?o }"}),
    "to_hetero": (gr.to_hetero, {"catalogue": "@catalogue", "interactions": "@interactions", "weighted": True}),
    "adjacency_from_hetero": (gr.adjacency_from_hetero, {"data": "@data"}),
    "items_only": (gr.items_only, {"items": ITEMS}),
    "with_users": (gr.with_users, {"graph": "@catalogue", "interactions": "@interactions", "weighted": True}),
}  # fmt: skip


def arguments(name: str, world: dict[str, Any]) -> dict[str, Any]:
    given = CALLS[name][1]
    return {
        key: world[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for key, value in given.items()
    }


@pytest.mark.parametrize(("name", "argument"), [(name, key) for name, (_, given) in CALLS.items() for key in given])
@pytest.mark.parametrize("wrong", [object(), 5.5j, print])
def test_an_argument_of_a_wrong_type(name: str, argument: str, wrong: object, world: dict[str, Any]) -> None:
    function = CALLS[name][0]
    assert argument in inspect.signature(function).parameters or argument == "min_users"
    with pytest.raises(GraphRecError) as caught:
        function(**(arguments(name, world) | {argument: wrong}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_of_these_tests_are_legal(name: str, world: dict[str, Any]) -> None:
    CALLS[name][0](**arguments(name, world))
