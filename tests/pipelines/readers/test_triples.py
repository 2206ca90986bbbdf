"""A graph from tables: columns of items, triples, hierarchies, beside RDF or without it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, LeakError
from graphrec.pipelines.cli.answers import inputs_lines
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.config.sections import CatalogueSection
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.attributes import read_attributes
from graphrec.pipelines.readers.inputs import Inputs, load_inputs
from graphrec.pipelines.readers.triples import read_triples
from tests.graphrec.graph.test_derived import TEST, TRAIN, most_taken_together
from tests.graphrec.graph.test_named_edges import both_ways, edges_of

ITEMS = Vocabulary(["f0", "f1", "f2"])
EVENTS = [("u0", "f0"), ("u0", "f1"), ("u1", "f0"), ("u1", "f2"), ("u2", "f1"), ("u2", "f2")]
TABLE = "item_id,category,brand\nf0,Oil|Hair care,Acme\nf1,Hair care, Acme \nf2,,\nf3,Oil,Acme|Bolt\n"


def config(folder: Path, **data: Any) -> Any:
    lines = [f"{user},{item}" for user, item in EVENTS]
    (folder / "events.csv").write_text("\n".join(["user_id,item_id", *lines]), encoding="utf-8")
    (folder / "items.csv").write_text(TABLE, encoding="utf-8")
    (folder / "tree.csv").write_text("child,parent\nOil,Care\nHair care,Care\nCare,Beauty\n", encoding="utf-8")
    (folder / "g.ttl").write_text(
        "@prefix : <http://x/> . @prefix y: <http://y/> . :f0 :by y:p0 . :f2 :by y:p0 .", encoding="utf-8"
    )
    return check_config(
        {
            "name": "films",
            "data": {"interactions": {"path": "events.csv"}, **data},
            "split": {"kind": "ratio", "test_share": 0.4},
            "channels": {"kg-neighbours": {}},
            "evaluate": {"k": [2], "bootstrap_rounds": 100},
        },
        directory=folder,
    )


def load(made: Any) -> Inputs:
    return load_inputs(made, rejects=None, steps=Silent())


COLUMNS = [
    ("f0", "category", "category#Oil"),
    ("f0", "category", "category#Hair%20care"),
    ("f1", "category", "category#Hair%20care"),
    ("f0", "brand", "brand#Acme"),
    ("f1", "brand", "brand#Acme"),
]
TREE = [
    ("category#Oil", "broader", "category#Care"),
    ("category#Hair%20care", "broader", "category#Care"),
    ("category#Care", "broader", "category#Beauty"),
]
HIERARCHY = {
    "path": "tree.csv",
    "columns": {"head": "child", "tail": "parent"},
    "relation": "broader",
    "head_type": "category",
    "tail_type": "category",
}


def test_columns_and_a_hierarchy_become_a_graph(tmp_path: Path) -> None:
    items = {"path": "items.csv", "relations": ["category", "brand"], "labels": ["brand"]}
    inputs = load(config(tmp_path, items=items, triples=[HIERARCHY]))
    graph = inputs.data.catalogue
    assert edges_of(graph) == both_ways([*COLUMNS, *TREE])
    assert graph.adjacency.node_types == ("item", "brand", "category")
    assert graph.label(graph.n_items) == "Acme"
    assert inputs.report["items"]["edges"] == len(COLUMNS)
    assert "tree.csv: 3 of 3 triples, 3 edges: 3 broader" in inputs_lines(inputs.report)


def test_tables_join_the_graph_of_rdf(tmp_path: Path) -> None:
    made = config(
        tmp_path,
        items={"path": "items.csv", "relations": ["brand"]},
        knowledge={"paths": ["g.ttl"], "link": {"template": "http://x/{id}"}},
    )
    graph = load(made).data.catalogue
    brands = [("f0", "brand", "brand#Acme"), ("f1", "brand", "brand#Acme")]
    by = [("f0", "by", "http://y/p0"), ("f2", "by", "http://y/p0")]
    assert edges_of(graph) == both_ways([*brands, *by])


def test_an_item_of_the_table_alone_is_reached_by_its_brand(tmp_path: Path) -> None:
    made = config(tmp_path, items={"path": "items.csv", "relations": ["brand"]})
    settings = made.settings.model_copy(update={"catalogue": CatalogueSection(items=("events", "table"))})
    report = evaluate(dataclasses.replace(made, settings=settings))
    assert report.catalogue["items"] == 4
    assert report.catalogue["reach"]["channels"]["kg-neighbours"]["edges alone"] >= 1


def test_pairs_made_of_interactions_end_the_run_unless_they_are_named(tmp_path: Path) -> None:
    made = config(tmp_path, triples=[{"path": "pairs.csv", "relation": "also_bought"}])
    events = [f"{user},i{item}" for part in (TRAIN, TEST) for user, item in zip(part.users, part.items, strict=True)]
    pairs = [f"{head},{tail}" for head, tail in most_taken_together([TRAIN, TEST], 4)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id", *events]), encoding="utf-8")
    (tmp_path / "pairs.csv").write_text("\n".join(["head,tail", *pairs]), encoding="utf-8")
    with pytest.raises(LeakError, match=r"'also_bought' are taken by the same users .* catalogue\.derived"):
        prepare(made, rejects=None, steps=Silent())
    named = made.settings.model_copy(update={"catalogue": CatalogueSection(derived=("also_bought",))})
    inputs, *_ = prepare(dataclasses.replace(made, settings=named), rejects=None, steps=Silent())
    assert inputs.report["relations"][0]["derived"]
    assert "kept by catalogue.derived" in inputs_lines(inputs.report)[-1]


def test_triples_of_any_columns(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"s": ["f0", "f1", "f0", "m.1"], "p": ["genre", "genre", "genre", "near"], "o": ["m.1", "m.1", "m.1", "f2"]}
    )
    edges, report = read_triples(frame, items=ITEMS, columns={"head": "s", "relation": "p", "tail": "o"})
    assert (report["rows"], report["kept"], report["edges"]) == (4, 4, 3)
    assert report["relations"] == {"genre": 2, "near": 1}
    assert edges.types == [None] * len(edges.nodes)


def test_rows_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    rows = [f"f{i % 3},genre,g{i}" for i in range(60)]
    file.write_text("\n".join(["head,relation,tail", *rows, "f0,genre,", "gone,genre,g1", ""]), encoding="utf-8")
    rejects = tmp_path / "rejects.csv"
    edges, report = read_triples(file, items=ITEMS, head_type="item", tail_type="genre", rejects=rejects)
    assert (report["rows"], report["kept"], report["rejected"], report["unknown"]) == (62, 60, 1, 1)
    assert len(edges.heads) == 60
    assert "gone" in rejects.read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [{}, {"relation": "r", "columns": {"relation": "p"}}])
def test_a_relation_has_a_column_or_a_name(settings: dict[str, Any]) -> None:
    frame = pl.DataFrame({"head": ["f0"], "tail": ["x"], "p": ["q"]})
    with pytest.raises(ConfigError, match=r"give the column of the relation .* or its name"):
        read_triples(frame, items=ITEMS, **settings)


def test_a_table_without_any_use_is_refused() -> None:
    with pytest.raises(DataError, match="none of its 1 rows can be used as a triple"):
        read_triples(pl.DataFrame({"head": ["x"], "tail": ["y"]}), items=ITEMS, relation="r", head_type="item")
    with pytest.raises(DataError, match=r"no column 'brnad'.*brand"):
        read_attributes(pl.DataFrame({"item_id": ["f0"], "brand": ["b"]}), items=ITEMS, relations=["brnad"])
