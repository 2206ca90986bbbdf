"""Interactions that stand in an RDF graph -> a table of user_id, item_id, weight, timestamp, event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.checks import typed, typed_fields
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.iris import local_name

from .event_values import event_times, event_weights
from .iri_templates import check_template, ids_of
from .knowledge_graph import KnowledgeGraph, relation_mask, relation_rows
from .terms import EVENT, GRAPHREC, INTERACTED, ITEM, TIME, USER, WEIGHT
from .triple_kernels import triples_of


@typed_fields
@dataclass(frozen=True, slots=True)
class InteractionMapping:
    """Which predicates say who took what. The defaults are our own vocabulary (docs/rdf-interactions.md).

    Parameters
    ----------
    direct : sequence of str
        Predicates from a user straight to an item; the last part of the IRI is the event.
    user, item : str
        Predicates from an event node to its user and to its item.
    weight, time, event : str
        Predicates from an event node to a number, to a time (xsd:dateTime, xsd:date, xsd:gYearMonth, xsd:gYear, or
        seconds since 1970) and to a name (a literal, or an IRI whose last part is taken).
    user_template, item_template : str or None
        Such as ``"http://example.org/user/{id}"``: the id is what stands in the place of ``{id}``, percent-decoded
        where no two entities would then have one id. None keeps the whole IRI as the id, as does an IRI that does not
        fit.
    """

    direct: tuple[str, ...] = (INTERACTED,)
    user: str = USER
    item: str = ITEM
    weight: str = WEIGHT
    time: str = TIME
    event: str = EVENT
    user_template: str | None = None
    item_template: str | None = None

    def __post_init__(self) -> None:
        direct: object = self.direct
        if isinstance(direct, str):
            raise ConfigError(f"direct is {direct!r}; it must be a list of predicates: [{direct!r}]")
        for template in (self.user_template, self.item_template):
            if template is not None:
                check_template(template)


Int32 = npt.NDArray[np.int32]

SCHEMA = {
    "user_id": pl.String(),
    "item_id": pl.String(),
    "weight": pl.Float32(),
    "timestamp": pl.Int64(),
    "event": pl.String(),
}
_ROWS = {"user": pl.Int32(), "item": pl.Int32(), **{name: SCHEMA[name] for name in ("weight", "timestamp", "event")}}


@typed
def interactions_from_rdf(kg: KnowledgeGraph, mapping: InteractionMapping | None = None) -> pl.DataFrame:
    """Return the events of ``kg``: user_id, item_id, weight (1 where none), timestamp (seconds UTC, null), event.

    Event nodes come first, sorted by time, then direct statements; ties go by node. RDF is a set: a direct statement
    that is made twice is one event, so repeated events need nodes of their own.

    Raises
    ------
    DataError
        If there is no interaction at all; if an event node lacks its user or item, has several weights or times, or one
        that cannot be read by its datatype; if two entities would have one id. The sentence names the node.
    """
    chosen = mapping if mapping is not None else InteractionMapping()
    events = _all_events(kg, chosen)
    return pl.DataFrame(
        {
            "user_id": _ids(kg, events["user"].to_numpy(), chosen.user_template),
            "item_id": _ids(kg, events["item"].to_numpy(), chosen.item_template),
            **{name: events[name] for name in ("weight", "timestamp", "event")},
        },
        schema=SCHEMA,
    )


@typed
def encoded_interactions(
    kg: KnowledgeGraph, mapping: InteractionMapping | None = None
) -> tuple[Vocabulary, Vocabulary, Interactions]:
    """Return the users, the items and the events of ``kg`` in rows, without a table of strings on the way.

    Users and items are those of the events, in order of their IRIs. Times are kept where every event has one.

    Raises
    ------
    DataError
        As :func:`interactions_from_rdf`.
    """
    chosen = mapping if mapping is not None else InteractionMapping()
    events, direct = _events(kg, chosen), _direct_triples(kg, chosen)
    _check_some(kg, chosen, events.height + len(direct[0]))
    # A table of all of them, with a name each, would take as much as the graph.
    users, user_rows = _distinct(np.append(events["user"].to_numpy(), direct[0]), len(kg.entities))
    items, item_rows = _distinct(np.append(events["item"].to_numpy(), direct[2]), len(kg.entities))
    weights = np.append(events["weight"].to_numpy(), np.ones(len(direct[0]), dtype=np.float32))
    timed = not len(direct[0]) and not events["timestamp"].null_count()
    interactions = Interactions(
        user_rows,
        item_rows,
        weights,
        events["timestamp"].to_numpy() if timed else None,
        n_users=len(users),
        n_items=len(items),
    )
    user_ids, item_ids = (
        kg.entities.pick(rows) if template is None else Vocabulary(_ids(kg, rows, template).to_arrow())
        for rows, template in ((users, chosen.user_template), (items, chosen.item_template))
    )
    return user_ids, item_ids, interactions


def _all_events(kg: KnowledgeGraph, mapping: InteractionMapping) -> pl.DataFrame:
    """Return all events, users and items still as entity rows."""
    events = pl.concat([_events(kg, mapping), _direct(kg, mapping)])
    _check_some(kg, mapping, events.height)
    return events


def _check_some(kg: KnowledgeGraph, mapping: InteractionMapping, n: int) -> None:
    """Raise DataError where there are no events."""
    if not n:
        wanted = ", ".join((*mapping.direct, mapping.user))
        raise DataError(f"the graph holds no interaction: none of its {len(kg.relations)} predicates is {wanted}")


@typed
def interaction_candidates(kg: KnowledgeGraph, *, n: int = 5) -> pl.DataFrame:
    """Return the ``n`` predicates most like "a user took an item": predicate, statements, subjects, objects.

    Ranked by how many statements there are for each subject-or-object involved: a dense two-sided relation.
    """
    rows = []
    for relation in np.unique(kg.triples[:, 1]).tolist():
        triples = kg.triples[kg.triples[:, 1] == relation]
        n_subjects, n_objects = len(np.unique(triples[:, 0])), len(np.unique(triples[:, 2]))
        # Few objects (a class, a country) or one object a subject (an author) is not an interaction.
        density = len(triples) / n_subjects * min(1.0, n_objects / n_subjects)
        rows.append((kg.relations[relation], len(triples), n_subjects, n_objects, density))
    columns = ["predicate", "statements", "subjects", "objects", "density"]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    return table.sort(["density", "statements", "predicate"], descending=[True, True, False]).head(n).drop("density")


def _direct_triples(kg: KnowledgeGraph, mapping: InteractionMapping) -> tuple[Int32, Int32, Int32]:
    """Return (m,) users, predicates and items of the direct statements."""
    users, kinds, items = triples_of(kg.triples, relation_mask(kg, _known(kg, mapping.direct)))
    return users, kinds, items


def _direct(kg: KnowledgeGraph, mapping: InteractionMapping) -> pl.DataFrame:
    rows = _known(kg, mapping.direct)
    users, kinds, items = _direct_triples(kg, mapping)
    names = pl.Series([local_name(kg.relations[int(row)]) for row in rows], dtype=pl.String)
    return pl.DataFrame(
        {
            "user": users,
            "item": items,
            "weight": pl.repeat(1.0, len(users), dtype=pl.Float32, eager=True),
            "timestamp": pl.repeat(None, len(users), dtype=pl.Int64, eager=True),
            "event": names.gather(np.searchsorted(rows, kinds)),
        },
        schema=_ROWS,
    )


def _known(kg: KnowledgeGraph, names: Sequence[str]) -> Int32:
    """Return the rows of those predicates that the graph holds; an unknown foreign name is an error."""
    present = [name for name in names if name in kg.relations or not name.startswith(GRAPHREC)]
    return relation_rows(kg, present)


def _events(kg: KnowledgeGraph, mapping: InteractionMapping) -> pl.DataFrame:
    users, items = _pairs(kg, mapping.user, "user"), _pairs(kg, mapping.item, "item")
    if not users.height and not items.height:
        return pl.DataFrame(schema=_ROWS)
    joined = users.join(items, on="node", how="full", coalesce=True)
    for column, predicate in (("user", mapping.user), ("item", mapping.item)):
        lacking = joined.filter(pl.col(column).is_null())
        if lacking.height:
            node = kg.entities[int(lacking["node"].sort()[0])]
            raise DataError(f"interaction {node} has no {predicate}; each needs a user and an item")
    nodes = joined["node"].to_numpy()
    weights = event_weights(kg, _known(kg, [mapping.weight]), nodes)
    times = event_times(kg, _known(kg, [mapping.time]), nodes)
    table = joined
    for part in (weights, times, _names(kg, mapping.event)):
        table = table.join(part, on="node", how="left")
    table = table.with_columns(pl.col("weight").fill_null(1.0).cast(pl.Float32))
    table = table.sort(["timestamp", "node", "user", "item"], nulls_last=True)
    return table.select(*_ROWS)


def _pairs(kg: KnowledgeGraph, predicate: str, column: str) -> pl.DataFrame:
    triples = kg.triples[np.isin(kg.triples[:, 1], _known(kg, [predicate]))]
    return pl.DataFrame({"node": triples[:, 0], column: triples[:, 2]})


def _facts(kg: KnowledgeGraph, predicate: str, column: str) -> pl.DataFrame:
    """Return (node, text) of a literal predicate, the first text in order where a node has several."""
    facts = kg.literals.statements[np.isin(kg.literals.statements[:, 1], _known(kg, [predicate]))]
    texts = pl.Series(column, kg.literals.texts.take(facts[:, 2]).cast(pa.large_string()), dtype=pl.String)
    return pl.DataFrame({"node": facts[:, 0], column: texts}).unique("node", keep="first", maintain_order=True)


def _names(kg: KnowledgeGraph, predicate: str) -> pl.DataFrame:
    """Return (node, event) from literals and from IRIs, the literal first."""
    rows = _known(kg, [predicate])
    triples = kg.triples[np.isin(kg.triples[:, 1], rows)]
    kinds, places = np.unique(triples[:, 2], return_inverse=True)
    names = pl.Series("event", [local_name(iri) for iri in kg.entities.take(kinds)], dtype=pl.String)
    from_iris = pl.DataFrame({"node": triples[:, 0], "event": names.gather(places)})
    both = pl.concat([_facts(kg, predicate, "event"), from_iris])
    return both.unique("node", keep="first", maintain_order=True)


def _ids(kg: KnowledgeGraph, entities: npt.NDArray[np.integer], template: str | None) -> pl.Series:
    """Return the external ids of entity rows: their IRIs, or the part that the template marks."""
    distinct, inverse = _distinct(entities, len(kg.entities))
    iris = kg.entities.ids.take(pa.array(distinct))
    names = pl.Series("id", iris, dtype=pl.String)
    if template is not None:
        rows, _, ids = ids_of(kg.entities.ids, template)
        places = pl.DataFrame({"row": distinct}).join(
            pl.DataFrame({"row": rows.astype(distinct.dtype), "id": ids}), on="row", how="left", maintain_order="left"
        )
        names = places["id"].cast(pl.String).fill_null(names)
        _check_distinct(names, iris)
    return names.gather(inverse)


def _distinct(rows: npt.NDArray[np.integer], n: int) -> tuple[npt.NDArray[np.int64], Int32]:
    """Return the distinct ones of ``rows`` below ``n``, ascending, and the place of each row among them. O(m + n)."""
    used = np.zeros(n, dtype=np.bool_)
    used[rows] = True
    places: Int32 = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return np.flatnonzero(used), places[rows]


def _check_distinct(names: pl.Series, iris: pa.Array) -> None:
    """Raise DataError where the id of one IRI is the whole of another, which the template does not fit."""
    repeated = np.flatnonzero(names.is_duplicated().to_numpy())
    if len(repeated):
        same = [iris[row].as_py() for row in repeated.tolist() if names[row] == names[int(repeated[0])]]
        raise DataError(f"{same[0]} and {same[1]} would both have the id {names[int(repeated[0])]!r}; rename either")
