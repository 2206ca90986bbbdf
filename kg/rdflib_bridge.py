"""To and from rdflib, with Oxigraph underneath, and SPARQL that never leaves the graph."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyoxigraph as ox
import rdflib
import rdflib.plugins.sparql
from oxrdflib import OxigraphStore
from rdflib.graph import DATASET_DEFAULT_GRAPH_ID
from rdflib.plugins.sparql.parser import expandUnicodeEscapes, parseQuery, parseUpdate
from rdflib.plugins.sparql.parserutils import CompValue

from graphrec.checks import typed
from graphrec.errors import DataError, first_line

from .knowledge_graph import KnowledgeGraph
from .reading.formats import RdfFile, rdf_file
from .reading.no_network import no_network
from .reading.rdf import Encoder
from .reading.statements import CHUNK_TRIPLES, quads

# rdflib's own engine would otherwise load what FROM names.
rdflib.plugins.sparql.SPARQL_LOAD_GRAPHS = False

_FORBIDDEN = {
    "ServiceGraphPattern": "SERVICE, which would ask another server",
    "DatasetClause": "FROM or FROM NAMED, which would load another document",
}
# Strings, IRIs and comments, in which a keyword is no keyword.
QUIET = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*\'\'\''
    r'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|<[^<>"{}|^`\\\x00-\x20]*>|#[^\n]*',
    re.DOTALL,
)
# The parser recurses: deeper text would end in its own limit, or in that of the process.
MAX_QUERY, MAX_DEPTH = 200_000, 32
_SERVICE = re.compile(r"(?<![\w:?$-])service(?![\w:-])", re.IGNORECASE)


def to_rdflib(source: KnowledgeGraph | str | Path, *, format: str | None = None) -> rdflib.Graph:  # noqa: A002
    """Return an rdflib Graph on an in-memory Oxigraph store.

    Parameters
    ----------
    source : KnowledgeGraph or path
        A path is parsed strictly, as :func:`graphrec.kg.reading.rdf.read_rdf` guards it (no DOCTYPE, nothing fetched),
        all graphs merged, blank nodes kept. A KnowledgeGraph has IRIs for blank nodes already.

    Raises
    ------
    DataError
        On the first fault of the file, or where it holds no triples.
    """
    store = ox.Store()
    if isinstance(source, KnowledgeGraph):
        store.bulk_extend(quads_of(source))
    else:
        file = rdf_file(source, format)
        store.bulk_extend(ox.Quad(q.subject, q.predicate, q.object) for q in quads(file))
        if not len(store):
            raise DataError(f"{file.path} holds no triples; give a {file.format} file that does")
    with no_network():
        return rdflib.Graph(store=OxigraphStore(store=store), identifier=DATASET_DEFAULT_GRAPH_ID)


def quads_of(kg: KnowledgeGraph) -> Iterator[ox.Quad]:
    """Yield every statement of a graph."""
    entities = [ox.NamedNode(iri) for iri in kg.entities]
    relations = [ox.NamedNode(iri) for iri in kg.relations]
    for head, relation, tail in kg.triples.tolist():
        yield ox.Quad(entities[head], relations[relation], entities[tail])
    values = [
        literal_term(text, language, datatype)
        for text, language, datatype in zip(
            kg.literals.texts.to_pylist(),
            kg.literals.languages.to_pylist(),
            kg.literals.datatypes.to_pylist(),
            strict=True,
        )
    ]
    for head, relation, value in kg.literals.statements.tolist():
        yield ox.Quad(entities[head], relations[relation], values[value])


def literal_term(text: str, language: str | None, datatype: str) -> ox.Literal:
    """Return a literal as Oxigraph has it; of a text with a direction the language alone."""
    return ox.Literal(text, language=language) if language else ox.Literal(text, datatype=ox.NamedNode(datatype))


@typed
def from_rdflib(graph: rdflib.Graph) -> KnowledgeGraph:
    """Return the KnowledgeGraph of any rdflib Graph.

    rdflib gives blank nodes new labels at each parse, so the ids of blank nodes differ from run to run here; read the
    file with :func:`graphrec.kg.reading.rdf.read_rdf` where they must not.

    Raises
    ------
    DataError
        If the graph is empty or holds an illegal IRI or language tag.
    """
    encoder = Encoder()
    with no_network():
        encoder.add(RdfFile(Path("<rdflib graph>"), "n-triples"), _chunks(graph))
    return encoder.finish(files=("<rdflib graph>",))


def _chunks(graph: rdflib.Graph) -> Iterator[bytes]:
    triples = iter(graph)
    while part := list(itertools.islice(triples, CHUNK_TRIPLES)):
        yield ox.serialize([_triple(*triple) for triple in part], format=ox.RdfFormat.N_QUADS) or b""


def _triple(subject: Any, predicate: Any, value: Any) -> ox.Quad:
    try:
        return ox.Quad(_term(subject), _term(predicate), _term(value))  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the rdflib graph holds ({subject}, {predicate}, {value}), which is no RDF: {error}"
        ) from error


def _term(term: Any) -> ox.NamedNode | ox.BlankNode | ox.Literal:
    if isinstance(term, rdflib.URIRef):
        return ox.NamedNode(str(term))
    if isinstance(term, rdflib.BNode):
        return ox.BlankNode(str(term))
    if isinstance(term, rdflib.Literal):
        return literal_term(str(term), term.language, str(term.datatype or rdflib.XSD.string))
    raise TypeError(f"{type(term).__name__} is no RDF term")


@typed
def select(graph: rdflib.Graph, query: str) -> pl.DataFrame:
    """Return the answers of a SPARQL SELECT (or ASK: one column ``ask``) as a table of strings, null where unbound.

    Terms become their IRI, lexical form or label; ask for datatypes and languages with ``DATATYPE`` and ``LANG``.

    Raises
    ------
    DataError
        If the query does not parse; is an update, CONSTRUCT or DESCRIBE; or holds SERVICE, FROM or FROM NAMED, in a
        subquery or filter too. Nothing is evaluated then.
    """
    check_query(query)
    with no_network():
        try:
            result = graph.query(query)
            if result.type == "ASK":
                return pl.DataFrame({"ask": [bool(result.askAnswer)]})
            names = [str(name) for name in result.vars or []]
            rows = [tuple(None if term is None else str(term) for term in row) for row in result]  # type: ignore[union-attr]
        except (ValueError, SyntaxError, OSError, NotImplementedError) as error:
            raise error if isinstance(error, DataError) else DataError(f"the query fails: {error}") from error
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()), orient="row")


def check_query(query: str) -> None:
    """Raise DataError unless ``query`` is a SELECT or ASK that stays inside its graph."""
    parsed_query(query, ("SelectQuery", "AskQuery"))


def parsed_query(query: str, kinds: Sequence[str]) -> Any:
    """Return the parse tree of a query of one of ``kinds`` that stays inside its graph.

    Raises
    ------
    DataError
        If it is longer or nested deeper than is parsed here, does not parse, is of another kind or an update, or holds
        SERVICE, FROM or FROM NAMED anywhere.
    """
    legal = " and ".join(kind.removesuffix("Query").upper() for kind in kinds)
    legal += " is" if len(kinds) == 1 else " are"
    _check_size(query)
    with no_network():
        try:
            tree = parseQuery(query)
        except Exception as error:
            raise DataError(_refusal(query, error, legal)) from error
    kind = tree[1].name if len(tree) > 1 and isinstance(tree[1], CompValue) else "?"
    if kind not in kinds:
        raise DataError(f"the query is a {kind.removesuffix('Query').upper()}; only {legal} answered here")
    for name in _names(tree):
        if name in _FORBIDDEN:
            raise DataError(f"the query holds {_FORBIDDEN[name]}; take it out: only the given graph is queried")
    # Two parsers may disagree about one text; this line does not depend on either.
    if _SERVICE.search(QUIET.sub(" ", expandUnicodeEscapes(query))):
        raise DataError(
            f"the query holds {_FORBIDDEN['ServiceGraphPattern']}; take it out: only the given graph is queried"
        )
    return tree


def _check_size(query: str) -> None:
    """Raise DataError where a query is too long or too deep for a parser that recurses."""
    if len(query) > MAX_QUERY:
        raise DataError(f"the query has {len(query):,} characters; at most {MAX_QUERY:,} are read")
    depth = deepest = 0
    for sign in re.findall(r"[({\[\])}]", QUIET.sub(" ", query)):
        depth += 1 if sign in "({[" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise DataError(f"the query nests {deepest} brackets; at most {MAX_DEPTH} are read")


def _refusal(query: str, error: Exception, legal: str) -> str:
    try:
        parseUpdate(query)
    except Exception:
        return f"the query is no SPARQL that can be read: {first_line(error)}"
    return f"the text is a SPARQL update (INSERT, DELETE, LOAD, CLEAR, …); only {legal} answered here"


def _names(node: object) -> Iterator[str]:
    """Yield the name of every part of a parse tree, however deep, without recursion."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, CompValue):
            yield node.name
            waiting.extend(node.values())
        elif isinstance(node, list | tuple) or type(node).__name__ == "ParseResults":
            waiting.extend(node)  # type: ignore[arg-type]
