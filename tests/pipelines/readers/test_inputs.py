"""What a configuration's inputs become together: which source says what of an item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import Inputs, load_inputs

BASE = "http://e/item/"
GRAPH = """
@prefix : <http://e/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
<http://e/item/a> rdfs:label "graph A" ; :genre "crime", "both" ; :author :ann .
<http://e/item/b> rdfs:label "graph B" ; :genre "fantasy" ; :author :ann .
<http://e/item/new> rdfs:label "graph new" ; :genre "crime" ; :author :ann .
"""
TABLE = "item_id,label,tags\na,table A,both|table\nc,table C,\nnew,,late\n"


def load(directory: Path, *, graph: bool, table: str | None, tags: bool = True, **events: Any) -> Inputs:
    """Return the inputs of items a, b, c, with or without a knowledge graph (that knows one more) and a table."""
    (directory / "events.csv").write_text("user_id,item_id\nu,a\nu,b\nv,c\n", encoding="utf-8")
    (directory / "graph.ttl").write_text(GRAPH, encoding="utf-8")
    data: dict[str, Any] = {"interactions": {"path": str(directory / "events.csv")} | events}
    if graph:
        link = {"template": BASE + "{id}"}
        data["knowledge"] = {"paths": [str(directory / "graph.ttl")], "link": link, "tags": ["genre"] if tags else []}
    if table is not None:
        (directory / "items.csv").write_text(table, encoding="utf-8")
        data["items"] = {"path": str(directory / "items.csv")}
    config = load_config({"name": "x", "data": data, "channels": {"hot": {}}})
    return load_inputs(config, rejects=None, steps=Silent())


def titles(inputs: Inputs) -> dict[str, str]:
    return {item: inputs.data.catalogue.label(row) for row, item in enumerate(inputs.data.items)}


def tags(inputs: Inputs) -> dict[str, set[str]] | None:
    carried = inputs.data.item_tags
    if carried is None:
        return None
    return {
        item: {carried.tags[int(tag)] for tag in carried.table[row][0]} for row, item in enumerate(inputs.data.items)
    }


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("table", [None, "item_id\na\n", "item_id,label\na,table A\nc,table C\n", TABLE])
@pytest.mark.parametrize("graph_tags", [False, True])
def test_titles_and_tags_come_from_every_source(
    tmp_path: Path, graph: bool, table: str | None, graph_tags: bool
) -> None:
    inputs = load(tmp_path, graph=graph, table=table, tags=graph_tags)
    titled, tagged = table is not None and "label" in table, table == TABLE
    wanted = {"a": "a", "b": "b", "c": "c"}
    if graph:
        wanted |= {"a": "graph A", "b": "graph B", "new": "graph new"}
    if titled:
        wanted |= {"a": "table A", "c": "table C"}
    assert titles(inputs) == wanted
    carried: dict[str, set[str]] = {item: set() for item in wanted}
    if graph and graph_tags:
        carried |= {"a": {"crime", "both"}, "b": {"fantasy"}, "new": {"crime"}}
    if tagged:
        carried["a"] = carried["a"] | {"both", "table"}
        if graph:
            carried["new"] = carried["new"] | {"late"}
    assert tags(inputs) == (carried if tagged or (graph and graph_tags) else None)


@pytest.mark.parametrize("ids", [["a", "item:a"], ["item:item:a", "item:"], ["http://e/ann", "x y"], ["é", "7"]])
def test_ids_of_items_pass_through_the_graph_unchanged(tmp_path: Path, ids: list[str]) -> None:
    (tmp_path / "ids.csv").write_text("who,what\n" + "".join(f"u,{name}\n" for name in [*ids, "a"]), encoding="utf-8")
    columns = {"user_id": "who", "item_id": "what"}
    inputs = load(tmp_path, graph=True, table=None, path=str(tmp_path / "ids.csv"), columns=columns)
    known = dict.fromkeys([*ids, "a"])
    assert list(inputs.data.items)[: len(known)] == list(known)
    assert inputs.data.catalogue.items is inputs.data.items
    assert list(inputs.data.catalogue.entities) == ["http://e/ann"]
