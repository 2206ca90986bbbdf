"""From events that were read to the data of a fit, in one call."""

from __future__ import annotations

import polars as pl
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import items_only
from graphrec.pipelines.readers.recall_data import recall_data
from graphrec.pipelines.readers.sources import read_interactions

EVENTS = pl.DataFrame({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "a"], "weight": [1.0, 2.0, 3.0]})


def test_events_alone_are_data_without_knowledge() -> None:
    events = read_interactions(EVENTS)
    data = recall_data(events)
    assert (data.users, data.items) == (events.users, events.items)
    assert data.interactions.weights.tolist() == [1.0, 2.0, 3.0]
    assert data.catalogue.n_items == 2
    assert data.pool.tolist() == [True, True]


def test_items_that_only_the_catalogue_knows_come_behind_those_of_the_events() -> None:
    events = read_interactions(EVENTS)
    items = events.items.extend(["c"])
    data = recall_data(events, items_only(items))
    assert list(data.items) == ["a", "b", "c"]
    assert data.interactions.n_items == 3


def test_a_catalogue_of_other_items_is_refused() -> None:
    events = read_interactions(EVENTS)
    with pytest.raises(DataError, match=r"the catalogue has Vocabulary.*'b', 'a'.*the events Vocabulary.*'a', 'b'"):
        recall_data(events, items_only(Vocabulary(["b", "a"])))


@pytest.mark.parametrize("wrong", ["ratings.csv", EVENTS, None])
def test_what_was_not_read_yet_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match="takes what read_interactions returned, not a"):
        recall_data(wrong)  # type: ignore[arg-type]
