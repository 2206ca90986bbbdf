"""Knowledge graphs from SPARQL endpoints, page by page."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from graphrec.checks import typed
from graphrec.data.limits import Limits
from graphrec.data.scratch import scratch_directory
from graphrec.errors import ConfigError, DataError

from ..knowledge_graph import KnowledgeGraph
from ..reading.bad_lines import BadLines
from ..reading.formats import RdfFile
from ..reading.rdf import Encoder
from ..reading.statements import statements
from .construct import check_construct, has_limit, has_order, page_of
from .http import Answered, Endpoint

Progress = Callable[[str, int], None]
_BLANK = re.compile(rb"_:\S+")
_log = logging.getLogger(__name__)


@typed
def read_sparql(
    endpoint: str,
    query: str,
    *,
    page: int | None = 10_000,
    max_triples: int = 10_000_000,
    timeout_s: float = 60.0,
    retries: int = 3,
    backoff_s: float = 0.5,
    headers: Mapping[str, str] | None = None,
    languages: Sequence[str] = ("en",),
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> KnowledgeGraph:
    """Return the graph that a CONSTRUCT query makes at a SPARQL endpoint, read page by page.

    Parameters
    ----------
    endpoint : str
        Its http or https address.
    query : str
        A CONSTRUCT. End it with ``ORDER BY`` over enough variables to part any two solutions: without an order an
        endpoint may give one solution on two pages and another on none.
    page : int or None, default 10,000
        Solutions a request. A query with a LIMIT of its own, and any with None, is asked once.
    max_triples : int, default 10,000,000
        More statements, repeated ones included, are refused.
    timeout_s : float, default 60
        The longest that one page may take.
    retries, backoff_s : int, float
        How often a request is repeated where the endpoint is busy, out of reach or cuts its answer; the wait before the
        first repetition, doubled for each further one.
    headers : mapping, optional
        Further HTTP headers, such as ``Authorization``.
    languages : sequence of str, default ("en",)
        Languages of labels, the preferred one first.
    limits : Limits, optional
        What one answer may cost.
    progress : callable, optional
        Called with (endpoint, statements read so far) after each page.

    Returns
    -------
    KnowledgeGraph
        As :func:`graphrec.kg.reading.rdf.read_rdf` makes it of files. A blank node is one node within a page and
        another on the next: name nodes with IRIs where they must join.

    Raises
    ------
    DataError
        If the query is no CONSTRUCT, or holds SERVICE or FROM; if the endpoint refuses it, answers with a web page,
        with something else than RDF, with a document that is cut, with nothing, with more than ``max_triples``; or if
        its pages do not fit together: one is like the one before, or the first lacks its last solution.
    FetchError
        If the endpoint cannot be reached, is silent or busy, each time.
    ConfigError
        On an illegal setting.

    Notes
    -----
    Each page lies in a temporary file while it is read; memory is that of the graph and of one page. One request more
    than there are pages asks for the last solution of the first page alone.
    """
    if page is not None and page < 1:
        raise ConfigError(f"page is {page}; it must be 1 or more, or None for one request")
    if max_triples < 1:
        raise ConfigError(f"max_triples is {max_triples}; it must be 1 or more")
    check_construct(query)
    server = Endpoint(endpoint, timeout_s, retries, backoff_s, headers=headers)
    encoder, n = Encoder(), 0
    with scratch_directory("sparql") as directory:
        for number, chunks in enumerate(_pages(server, query, page, directory, limits), 1):
            n += sum(chunk.count(b"\n") for chunk in chunks)
            if n > max_triples:
                raise DataError(
                    f"{endpoint} gave more than {max_triples:,} triples; narrow the query, or raise max_triples"
                )
            encoder.add(RdfFile(Path(f"{endpoint} page {number}"), "turtle"), iter(chunks))
            if progress is not None:
                progress(endpoint, n)
    if not n:
        raise DataError(
            f"{endpoint} made no triple of the query; look at its patterns, and at the prefixes of its IRIs"
        )
    return encoder.finish(languages=languages, files=(endpoint,))


def _pages(
    server: Endpoint, query: str, page: int | None, directory: Path, limits: Limits | None
) -> Iterator[list[bytes]]:
    """Yield the statements of each page that has some, as chunks of canonical N-Quads."""
    if page is None or has_limit(query):
        if chunks := _chunks(server, server.ask(query), directory, limits):
            yield chunks
        return
    before: frozenset[bytes] = frozenset()
    offset = 0
    while True:
        answer = server.ask(page_of(query, page, offset))
        if answer.most is not None and answer.most < page:
            if offset:
                raise DataError(
                    f"{server.url} gives {answer.most:,} solutions at a time now; read it again with page={answer.most}"
                )
            page = answer.most  # the page is whole by the endpoint's own count
        chunks = _chunks(server, answer, directory, limits)
        if not chunks:
            return
        lines = _lines(chunks)
        if lines == before:
            raise DataError(
                f"{server.url} answers OFFSET {offset} like OFFSET {offset - page}: it does not page; "
                "give page=None, or LIMIT in the query"
            )
        if not offset:
            _check_last(server, query, page, lines, directory, limits)
        elif offset == page and not has_order(query):
            _log.warning(
                "%s is read by pages without ORDER BY in the query: solutions may repeat or be left out", server.url
            )
        yield chunks
        before, offset = lines, offset + page


def _check_last(
    server: Endpoint, query: str, page: int, lines: frozenset[bytes], directory: Path, limits: Limits | None
) -> None:
    """Raise DataError where the last solution that the first page should hold is not in it."""
    last = _lines(_chunks(server, server.ask(page_of(query, 1, page - 1)), directory, limits))
    if not last <= lines:
        raise DataError(
            f"{server.url}: the first page of {page:,} solutions lacks its last one: the endpoint gives fewer at "
            "a time, or in another order each time; lower page=, and end the query with ORDER BY"
        )


def _lines(chunks: Sequence[bytes]) -> frozenset[bytes]:
    """Return the distinct statements; blank nodes, whose labels are new in each answer, all look alike."""
    return frozenset(_BLANK.sub(b"_:", line) for chunk in chunks for line in chunk.splitlines())


def _chunks(server: Endpoint, answer: Answered, directory: Path, limits: Limits | None) -> list[bytes]:
    """Return the statements of an answer as canonical N-Quads."""
    if not answer.content.strip():
        return []
    path = directory / "page"
    path.write_bytes(answer.content)
    try:
        return list(statements(RdfFile(path, answer.syntax), BadLines("raise"), limits=limits))
    except DataError as error:
        said = str(error).replace(f"{path}, ", "").replace(str(path), "the answer")
        raise DataError(f"{server.url}: its answer is no whole {answer.syntax} document ({said})") from error
