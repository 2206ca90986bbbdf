"""Maps of items in the report: their places, what colours them, and the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.content.vectors import VectorChannel
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.pipelines.evaluation.item_maps import attribute_of, item_maps
from graphrec.pipelines.report.page import page
from graphrec.pipelines.report.parts import ItemMap
from graphrec.pipelines.report.report import Report
from tests.pipelines.report.reports import report
from tests.worlds import checkerboard, described, skewed, without_knowledge


def channel(data: RecallData) -> Any:
    vectors = np.random.default_rng(4).normal(size=(len(data.items), 5)) * 0.3
    vectors[:, 0] += np.where(np.arange(len(data.items)) % 2, 2, -2)
    return VectorChannel.from_table(EmbeddingTable(data.items, vectors)).fit(data)


def test_each_channel_of_vectors_has_a_map_of_its_items() -> None:
    data = checkerboard()
    (shown,) = item_maps({"item-cf": ItemCF().fit(data), "mine": channel(data)}, data, seed=0)
    assert (shown.channel, shown.attribute) == ("mine", "tag")
    assert len(shown.x) == len(shown.y) == len(shown.group) == len(data.items)
    assert 0.5 < shown.explained <= 1
    # Odd and even items lie on two sides of the first component.
    sides = np.array(shown.x) > 0
    assert (sides[::2] == sides[0]).all()
    assert (sides[1::2] != sides[0]).all()
    assert item_maps({"item-cf": ItemCF().fit(data)}, data, seed=0) == ()


def test_labels_come_before_tags_and_tags_before_popularity() -> None:
    name, values = attribute_of(described(skewed()))
    assert (name, set(values)) == ("colour", {"black", "white"})
    data = skewed()
    assert data.item_tags is not None
    name, values = attribute_of(data)
    assert name == "tag"
    assert set(values) <= {None, *data.item_tags.tags}
    name, values = attribute_of(without_knowledge(data))
    counts = np.bincount(data.interactions.items, minlength=len(data.items))
    most = [count for count, value in zip(counts, values, strict=True) if value == "most popular third"]
    rarest = [count for count, value in zip(counts, values, strict=True) if value == "rarest third"]
    assert name == "popularity"
    assert min(most) > max(rarest) > 0


MAP = ItemMap("item-cf", "genre", 0.5, ("<b>crime", "other"), (0.0, 1.0, 2.0), (1.0, 0.0, 3.0), (0, 1, 0))


def test_a_map_stands_on_the_page_and_in_the_json() -> None:
    whole = report(maps=(MAP, MAP))
    assert Report.from_json(whole.to_json()).maps == (MAP, MAP)
    text = page(whole)
    assert "Where items lie" in text
    assert text.count("show 50 % of the variance; colours: genre") == 2
    assert "<b>crime" not in text
    ids = [part.split('"')[0] for part in text.split('id="')[1:]]
    assert len(ids) == len(set(ids))
    assert "Where items lie" not in page(report())


@pytest.mark.parametrize(
    "changes", [{"x": (1.0,)}, {"group": (0, 1, 2)}, {"group": (0, 1, -1)}, {"channel": "unknown"}], ids=str
)
def test_a_map_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        Report.from_json(report(maps=(replace(MAP, **changes),)).to_json())
