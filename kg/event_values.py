"""Weights and times of event nodes, read by the datatype of their literals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from graphrec.errors import DataError

from .knowledge_graph import KnowledgeGraph
from .literal_values import literal_table, moments, numbers, shown


def event_weights(kg: KnowledgeGraph, relations: npt.NDArray[np.int32], nodes: npt.NDArray[np.int32]) -> pl.DataFrame:
    """Return (node, weight) of those ``nodes`` that have a weight, float64, finite as float32.

    Raises
    ------
    DataError
        If a node has an IRI for a weight, a literal that is no finite number, or several weights.
    """
    legal = 'a literal that is a finite number, such as 4.5 or "4"^^xsd:integer'
    return _values(kg, relations, nodes, _weights, "weight", legal)


def event_times(kg: KnowledgeGraph, relations: npt.NDArray[np.int32], nodes: npt.NDArray[np.int32]) -> pl.DataFrame:
    """Return (node, timestamp) of those ``nodes`` that have a time, int64 seconds UTC.

    A day, a month (``xsd:gYearMonth``) and a year (``xsd:gYear``) begin with their first second in their zone; without
    a zone that is UTC. Numbers are seconds since 1970.

    Raises
    ------
    DataError
        If a node has an IRI for a time, a literal that is no moment of the years 1 to 9999, or several times.
    """
    legal = "an xsd:dateTime, xsd:date, xsd:gYearMonth, xsd:gYear or seconds since 1970"
    return _values(kg, relations, nodes, moments, "timestamp", legal)


def _values(
    kg: KnowledgeGraph,
    relations: npt.NDArray[np.int32],
    nodes: npt.NDArray[np.int32],
    parsed: Callable[[pl.DataFrame], pl.Series],
    name: str,
    legal: str,
) -> pl.DataFrame:
    """Return (node, ``name``): the value of each node that has one."""
    of_node = np.zeros(len(kg.entities), dtype=np.bool_)
    of_node[nodes] = True
    is_relation = np.zeros(len(kg.relations), dtype=np.bool_)
    is_relation[relations] = True
    triples = kg.triples[is_relation[kg.triples[:, 1]] & of_node[kg.triples[:, 0]]]
    if len(triples):
        head, _, tail = triples[0].tolist()
        raise DataError(f"interaction {kg.entities[head]} has the {name} <{kg.entities[tail]}>; it must be {legal}")
    facts = kg.literals.statements
    facts = facts[is_relation[facts[:, 1]] & of_node[facts[:, 0]]]
    distinct, places = np.unique(facts[:, 2], return_inverse=True)
    literals = literal_table(kg, distinct)
    table = pl.DataFrame({"node": facts[:, 0], name: parsed(literals).gather(places), "place": places})
    bad = table.filter(pl.col(name).is_null())
    if bad.height:
        node, place = kg.entities[int(bad["node"][0])], int(bad["place"][0])
        value = shown(literals, place)
        raise DataError(f"interaction {node} has the {name} {value}; it must be {legal}")
    several = table.filter(pl.col(name).n_unique().over("node") > 1).sort("node", "place")
    if several.height:
        first = several.filter(pl.col("node") == several["node"][0])
        values = " and ".join(shown(literals, place) for place in first["place"][:2].to_list())
        node = kg.entities[int(several["node"][0])]
        raise DataError(f"interaction {node} has more than one {name}: {values}; give each event a node of its own")
    return table.unique("node", keep="any").select("node", name)


def _weights(literals: pl.DataFrame) -> pl.Series:
    most = float(np.finfo(np.float32).max)
    return pl.DataFrame({"x": numbers(literals)}).select(pl.when(pl.col("x").abs() <= most).then("x"))["x"]
