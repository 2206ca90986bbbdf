"""What an item is: the union that [catalogue] declares, and what becomes of the events of other ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.held_out import held_out_panel
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import Inputs, load_inputs

# Films and people share a namespace; a documentary is a film by its class.
GRAPH = """
@prefix : <http://x.example/> .
@prefix r: <http://www.w3.org/2000/01/rdf-schema#> .
:Documentary r:subClassOf :Film .
:f0 a :Film ; :director :p0 .
:f1 a :Film ; :director :p0 .
:f2 a :Film ; :director :p1 .
:f3 a :Documentary ; :director :p1 .
:p0 a :Person . :p1 a :Person .
"""
ROWS = [("u0", "f0"), ("u0", "f1"), ("u0", "gone"), ("u1", "f0"), ("u1", "f2"), ("u2", "f1"), ("u2", "f2")]
Pairs = Sequence[tuple[str, str]]
TEMPLATE = {"paths": ["g.ttl"], "link": {"template": "http://x.example/{id}"}}


def config(folder: Path, catalogue: dict[str, Any], *, rows: Pairs = ROWS, test: Pairs = (), **data: Any) -> Config:
    """Return a configuration of some events, a graph and a table of items."""
    for name, pairs in (("events.csv", rows), ("test.csv", test)):
        lines = [f"{user},{item}" for user, item in pairs]
        (folder / name).write_text("\n".join(["user_id,item_id", *lines]), encoding="utf-8")
    (folder / "g.ttl").write_text(GRAPH, encoding="utf-8")
    (folder / "links.csv").write_text(
        "item_id,iri\nf0,http://x.example/f0\nlinked,http://x.example/f3\nalone,\n", encoding="utf-8"
    )
    (folder / "items.csv").write_text("item_id,label\nf1,One\nshelf,On the shelf\n", encoding="utf-8")
    (folder / "ids.txt").write_text("# mine\nf1\nlisted\n", encoding="utf-8")
    events = {"path": "events.csv", **({"test_path": "test.csv"} if test else {})}
    split = {"kind": "given"} if test else {"kind": "ratio", "test_share": 0.4}
    return check_config(
        {
            "name": "films",
            "data": {"interactions": events, **data},
            "catalogue": catalogue,
            "split": split,
            "channels": {"hot": {}, "item-cf": {}, "kg-neighbours": {}},
            "evaluate": {"k": [2], "bootstrap_rounds": 100},
        },
        directory=folder,
    )


def load(made: Config) -> Inputs:
    return load_inputs(made, rejects=None, steps=Silent())


@pytest.mark.parametrize(
    ("catalogue", "expected"),
    [
        ({}, ["f0", "f1", "gone", "f2", "Documentary", "Film", "Person", "f3", "p0", "p1"]),
        ({"of_type": "Film"}, ["f0", "f1", "gone", "f2", "f3"]),
        ({"of_type": "http://x.example/Documentary"}, ["f0", "f1", "gone", "f2", "f3"]),
        ({"items": ["events"]}, ["f0", "f1", "gone", "f2"]),
        ({"items": ["template"], "of_type": "Film"}, ["f0", "f1", "f2", "f3"]),
        ({"items": ["table"]}, ["f1", "shelf"]),
        ({"items": ["list"], "list_file": "ids.txt"}, ["f1", "listed"]),
        ({"items": ["table", "list"], "list_file": "ids.txt"}, ["f1", "shelf", "listed"]),
    ],
)
def test_a_catalogue_is_the_union_of_its_sources(
    tmp_path: Path, catalogue: dict[str, Any], expected: list[str]
) -> None:
    inputs = load(config(tmp_path, catalogue, knowledge=TEMPLATE, items={"path": "items.csv"}))
    assert list(inputs.data.items) == expected
    assert inputs.data.interactions.n_items == len(expected)
    kept = [item for _, item in ROWS if item in expected]
    assert [inputs.data.items[row] for row in inputs.data.interactions.items.tolist()] == kept
    assert len(inputs.events) == len(ROWS)
    assert inputs.report["catalogue"]["outside"]["events"] == len(ROWS) - len(kept)


def test_items_of_a_link_table_need_no_events_and_no_entity(tmp_path: Path) -> None:
    knowledge = {"paths": ["g.ttl"], "link": {"table": "links.csv"}}
    inputs = load(config(tmp_path, {"items": ["events", "links"]}, knowledge=knowledge))
    assert list(inputs.data.items) == ["f0", "f1", "gone", "f2", "linked", "alone"]
    degrees = dict(zip(inputs.data.items, inputs.data.catalogue.adjacency.degrees.tolist(), strict=False))
    assert degrees["linked"] == 1
    assert degrees["alone"] == 0


@pytest.mark.parametrize(
    ("catalogue", "sentence"),
    [
        ({"items": ["table"]}, r"catalogue.items names 'table', but there is no data\.items"),
        ({"items": ["links"]}, r"names 'links', but there is no data\.knowledge\.link\.table"),
        ({"items": ["list"]}, "'list' among items and list_file go together"),
        ({"items": ["event"]}, "event"),
        ({"items": ["events"], "of_type": "Film"}, "'template' is not among catalogue.items"),
    ],
)
def test_a_source_that_is_not_there_is_refused_by_name(
    tmp_path: Path, catalogue: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        config(tmp_path, catalogue, knowledge=TEMPLATE)


def test_a_class_that_nothing_has_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no entity has a type 'film'.*'Film'"):
        load(config(tmp_path, {"of_type": "film"}, knowledge=TEMPLATE))


def test_a_catalogue_without_any_item_of_the_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"none of its 7 events is of one of the 1 items .*'f0', an item 'nothing'"):
        load(config(tmp_path, {"items": ["list"], "list_file": "other.txt"}))


def test_held_out_events_outside_the_catalogue_are_missed(tmp_path: Path) -> None:
    test = [("u0", "f2"), ("u0", "unheard"), ("u1", "unheard"), ("u1", "gone"), ("u2", "f0")]
    made = config(tmp_path, {"items": ["template"], "of_type": "Film"}, test=test, knowledge=TEMPLATE)
    inputs, split, measured = prepare(made, rejects=None, steps=Silent())
    panel = held_out_panel(measured, split.test, outside=inputs.outside).panel
    assert panel.users.tolist() == [0, 1, 2]
    assert panel.truth.lengths.tolist() == [2, 2, 1]
    assert panel.n_outside == 2
    assert (panel.truth.items >= len(measured.items)).sum() == 3
    left_out = held_out_panel(measured, split.test).panel
    assert left_out.truth.lengths.tolist() == [1, 1]


def test_recall_counts_them_or_says_that_it_does_not(tmp_path: Path) -> None:
    test = [("u0", "f2"), ("u0", "unheard"), ("u2", "f0")]
    declared: dict[str, Any] = {"items": ["events"]}
    missed = evaluate(config(tmp_path, declared, test=test, knowledge=TEMPLATE))
    left_out = evaluate(config(tmp_path, {**declared, "outside": "left-out"}, test=test, knowledge=TEMPLATE))
    # Two items are new to each reader at most: everything in the catalogue is found.
    assert left_out.channels["hot"].recall[2] == pytest.approx(1.0)
    assert missed.channels["hot"].recall[2] == pytest.approx((1 / 2 + 1) / 2)
    assert missed.channels["hot"].strata_recall[2].tail != left_out.channels["hot"].strata_recall[2].tail
    assert missed.users.true_items_outside_catalogue == 1
    assert any("1 true items (33.3% of the truth) are outside" in notice for notice in missed.notices)
    assert any("1 held-out events of 1 items outside" in notice for notice in left_out.notices)


def test_the_split_is_that_of_all_events(tmp_path: Path) -> None:
    rows = [(f"u{user}", f"f{item}") for user in range(6) for item in range(3)] + [
        (f"u{user}", "x") for user in range(6)
    ]
    whole = prepare(config(tmp_path, {}, rows=rows), rejects=None, steps=Silent())[1].test
    inputs, split, _ = prepare(
        config(tmp_path, {"items": ["list"], "list_file": "ids.txt"}, rows=rows), rejects=None, steps=Silent()
    )
    assert inputs.outside is not None
    assert len(split.test) + len(inputs.outside) == len(whole)


def test_cold_items_are_counted_and_reached_by_content_alone(tmp_path: Path) -> None:
    report = evaluate(config(tmp_path, {"of_type": "Film"}, knowledge=TEMPLATE))
    counted = report.catalogue
    assert (counted["items"], counted["with_edges"], counted["with_tags"]) == (5, 4, 0)
    assert counted["reach"]["groups"]["edges alone"] >= 1
    reached = counted["reach"]["channels"]
    assert reached["item-cf"]["edges alone"] == 0
    assert reached["kg-neighbours"]["edges alone"] >= 1


def test_a_template_that_makes_items_of_everything_is_said(tmp_path: Path) -> None:
    few = [("u0", "f0"), ("u0", "f1"), ("u1", "f0"), ("u1", "f1"), ("u2", "f0"), ("u2", "f1")]
    report = evaluate(config(tmp_path, {}, rows=few, knowledge=TEMPLATE))
    assert any("7 of the 9 items have no events" in notice for notice in report.notices)
    declared = evaluate(config(tmp_path, {"of_type": "Film"}, rows=few, knowledge=TEMPLATE))
    assert not any("have no events" in notice for notice in declared.notices)
    assert np.isfinite(declared.fused.recall[2])
