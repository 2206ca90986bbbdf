from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.described import item_columns, user_columns
from graphrec.data.features import Features
from graphrec.errors import ConfigError
from graphrec.graph.relation_features import relation_tags
from tests.graphrec.data.encoding.columns import tags
from tests.worlds import skewed


def test_relations_are_the_entities_of_each_item() -> None:
    data = skewed()
    graph, n = data.catalogue.adjacency, len(data.items)
    columns = relation_tags(data.catalogue)
    assert columns
    for name, column in columns.items():
        number = graph.relation_names.index(name)
        for item in range(n):
            edges = slice(graph.indptr[item], graph.indptr[item + 1])
            own = graph.indices[edges][graph.relations[edges] == number]
            expected = sorted({data.catalogue.entities[node - n] for node in own.tolist() if node >= n})
            assert sorted(column.tags.take(column.table[item][0])) == expected


def test_columns_come_from_every_source_and_attributes_go_first() -> None:
    data = skewed()
    relation = next(iter(relation_tags(data.catalogue)))
    n = len(data.items)
    rating = Features(n, numbers={relation: np.arange(float(n))}, moments=(relation,))
    described = dataclasses.replace(data, item_features=rating, item_tags=tags([["new"]] * n))
    columns = item_columns(described)
    assert relation in columns.numbers
    assert relation not in columns.tags
    assert columns.moments == (relation,)
    assert columns.tags["tags"] is described.item_tags
    assert user_columns(data).n == len(data.users)
    wrong: Any = None
    with pytest.raises(ConfigError, match="data is of type NoneType; legal: RecallData"):
        item_columns(wrong)
