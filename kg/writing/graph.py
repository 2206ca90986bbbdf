"""A knowledge graph as RDF, as a table of triples, and as a networkx graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyoxigraph as ox

from graphrec.checks import as_path, typed
from graphrec.data.scratch import written_whole
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from ..knowledge_graph import KnowledgeGraph, entity_label
from ..linking_report import Linking
from ..rdflib_bridge import literal_term
from ..terms import DCT
from .statements import write_statements

IDENTIFIER = DCT + "identifier"
_SLICE = 1 << 16


@typed
def write_rdf(kg: KnowledgeGraph, path: str | Path, *, format: str | None = None) -> Path:  # noqa: A002
    """Write a graph as RDF; :func:`graphrec.kg.reading.rdf.read_rdf` makes the same graph of it again.

    Parameters
    ----------
    path : path
        Its extension names the syntax, with ``.gz`` behind it where it is to be packed.
    format : str, optional
        ``turtle``, ``n-triples``, ``n-quads``, ``trig``, ``rdf-xml``, ``json-ld``.

    Returns
    -------
    Path
        The file, written whole or not at all.

    Raises
    ------
    ConfigError
        If the syntax is unknown.
    DataError
        If the syntax cannot hold a statement (RDF/XML: a predicate whose end is no name, a control character).

    Notes
    -----
    Subjects in order, of each the predicates in order, edges before literals: the same graph gives the same bytes.
    Blank nodes are IRIs here and stay so. A text with a direction (RDF 1.2) keeps its language alone. O(m), streamed.
    """
    return write_statements(triples_of(kg), path, format=format)


def triples_of(kg: KnowledgeGraph) -> Iterator[ox.Triple]:
    """Yield every statement, sorted by subject, predicate and value, entities before literals."""
    facts, n = kg.literals.statements, len(kg.entities)
    rows = np.concatenate([kg.triples.astype(np.int64), facts + np.asarray([0, 0, n], dtype=np.int64)])
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    relations = [ox.NamedNode(iri) for iri in kg.relations]
    for start in range(0, len(rows), _SLICE):
        part = rows[start : start + _SLICE]
        entities = {row: ox.NamedNode(kg.entities[row]) for row in np.unique(part[:, [0, 2]]).tolist() if row < n}
        values = _literals(kg, np.unique(part[part[:, 2] >= n, 2]) - n)
        for head, relation, value in part.tolist():
            yield ox.Triple(entities[head], relations[relation], entities[value] if value < n else values[value - n])


def _literals(kg: KnowledgeGraph, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[int, ox.Literal]:
    columns = (kg.literals.texts, kg.literals.languages, kg.literals.datatypes)
    texts, languages, datatypes = (column.take(pa.array(rows)).to_pylist() for column in columns)
    return {
        row: literal_term(text, language, datatype)
        for row, text, language, datatype in zip(rows.tolist(), texts, languages, datatypes, strict=True)
    }


@typed
def write_triples(kg: KnowledgeGraph, path: str | Path) -> Path:
    """Write a graph as a Parquet table: ``head``, ``relation``, ``tail``, ``datatype``, ``language``, all text.

    ``tail`` is an IRI where ``datatype`` is null, else the text of a literal. Rows are in the order of
    :func:`write_rdf`.
    """
    target = as_path(path, name="path")
    if target.suffix.lower() != ".parquet":
        raise DataError(f"{target} has the extension {target.suffix!r}; triples are written as .parquet")
    facts, entities = kg.literals.statements, kg.entities.ids
    rows = np.concatenate([kg.triples, facts])
    is_literal = np.repeat([False, True], [len(kg.triples), len(facts)])
    order = np.lexsort((rows[:, 2], is_literal, rows[:, 1], rows[:, 0]))
    edge_tails, values = entities.take(pa.array(kg.triples[:, 2])), pa.array(facts[:, 2])
    nothing = pa.nulls(len(kg.triples), pa.large_string())

    def joined(edges: pa.Array, literals: pa.Array) -> pa.Array:
        return pa.concat_arrays([edges, literals.cast(pa.large_string())]).take(pa.array(order))

    table = pa.table(
        {
            "head": entities.take(pa.array(rows[order, 0])),
            "relation": kg.relations.ids.take(pa.array(rows[order, 1])),
            "tail": joined(edge_tails, kg.literals.texts.take(values)),
            "datatype": joined(nothing, kg.literals.datatypes.take(values).dictionary_decode()),
            "language": joined(nothing, kg.literals.languages.take(values).dictionary_decode()),
        }
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as part:
        pq.write_table(table, part)
    return target


@typed
def graph_to_networkx(kg: KnowledgeGraph, *, max_edges: int = 1_000_000) -> nx.MultiDiGraph:
    """Return the edges of a graph between IRIs, the IRI of the relation as key; nodes have ``label``.

    Literals are left out. For a catalogue, or what is near a node of it, see :func:`graphrec.kg.export.to_networkx`.

    Raises
    ------
    DataError
        If there are more than ``max_edges``: networkx takes about a kilobyte an edge.
    """
    if len(kg.triples) > max_edges:
        raise DataError(
            f"the graph has {len(kg.triples):,} edges, networkx would take about {len(kg.triples) / 1e6:.1f} GB; "
            "raise max_edges if that is meant"
        )
    graph = nx.MultiDiGraph()
    graph.add_nodes_from((kg.entities[row], {"label": entity_label(kg, row)}) for row in range(len(kg.entities)))
    for head, relation, tail in kg.triples.tolist():
        graph.add_edge(kg.entities[head], kg.entities[tail], key=kg.relations[relation])
    return graph


@typed
def write_links(
    linking: Linking,
    items: Vocabulary,
    kg: KnowledgeGraph,
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
) -> Path:
    """Write which entity each item is, as ``<entity> dcterms:identifier "item id"``, in order of items.

    :func:`graphrec.kg.linking.link_by_literal` with the predicate ``identifier`` reads them back.

    Raises
    ------
    DataError
        If the linking is of other items.
    ConfigError
        If the syntax is unknown.
    """
    if len(linking.entities) != len(items):
        raise DataError(f"the linking is of {len(linking.entities)} items, the vocabulary has {len(items)}")
    predicate = ox.NamedNode(IDENTIFIER)
    linked = np.flatnonzero(linking.entities >= 0).tolist()
    return write_statements(
        (
            ox.Triple(ox.NamedNode(kg.entities[int(linking.entities[row])]), predicate, ox.Literal(items[row]))
            for row in linked
        ),
        path,
        format=format,
    )
