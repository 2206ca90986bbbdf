"""Reading RDF files into a KnowledgeGraph."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyoxigraph as ox

from graphrec.data.limits import Limits
from graphrec.errors import ConfigError, DataError
from graphrec.threads import default_threads

from ..knowledge_graph import KnowledgeGraph, ReadReport
from ..terms import GENID
from .assemble import knowledge_graph
from .bad_lines import BadLines, OnError
from .cache import cache_key, cached, keep, states
from .canonical import LineParts
from .deep_stack import deep_thread
from .encode import Encoded, TermTable
from .formats import LINE_FORMATS, RdfFile, rdf_file
from .statements import statements
from .tokens import Tokens, tokenise
from .triple_terms import Reified, TripleTerms, reified

Progress = Callable[[str, int], None]
# Chunks come in bursts, a block of lines at a time; so many may wait before the parser does.
_BEHIND = 6


def read_rdf(
    paths: str | Path | Sequence[str | Path],
    *,
    format: str | None = None,  # noqa: A002
    on_error: OnError = "reject",
    rejects: str | Path | None = None,
    max_reject_share: float = 0.05,
    graphs: Sequence[str] | None = None,
    languages: Sequence[str] = ("en",),
    base: str | None = None,
    limits: Limits | None = None,
    triple_terms: TripleTerms = "count",
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> KnowledgeGraph:
    """Return the knowledge graph of one or more RDF files, merged.

    Parameters
    ----------
    paths : path or sequence of paths
        Turtle, N-Triples, N-Quads, TriG, RDF/XML or JSON-LD, by extension; plain, gzip, xz or zstd, by content. Each
        is opened once and read once: a pipe will do, with ``format``.
    format : str, optional
        Syntax of all files where the extension does not tell: a key of ``graphrec.kg.reading.formats.FORMATS``.
    on_error : {"reject", "raise"}
        In N-Triples and N-Quads a bad line is left out and counted, or raises; in JSON-LD so is a statement without an
        absolute IRI (``x`` where there is no base). Other faults always raise: nothing after them can be trusted.
    rejects : Path, optional
        JSON Lines file for the lines left out; where there are none, there is no such file afterwards.
    max_reject_share : float, default 0.05
        Largest share of a file's lines (in JSON-LD: statements) that may be bad.
    graphs : sequence of str, optional
        Keep only these named graphs ("" is the default graph). By default the triples of all graphs are merged.
    languages : sequence of str, default ("en",)
        Languages of labels, the preferred one first.
    base : str, optional
        Absolute IRI that relative IRIs are resolved against (never a place to read from).
    limits : Limits, optional
        What a file may cost: depth, length of a value, names in scope, expansion.
    triple_terms : {"count", "reify"}
        What becomes of a statement whose object is a triple term (RDF 1.2): it is left out and counted, or kept with an
        ``rdf:Statement`` node in the term's place, whose edges ``rdf:subject``, ``rdf:predicate`` and ``rdf:object``
        say the term. One term is one node within a file.
    cache : path, optional
        Folder in which graphs are kept under a hash of the files' bytes and of all settings, and from which they are
        opened mapped (``graphrec.kg.reading.cache``). Files with rejected lines, and pipes, are read anew each time.
    progress : callable, optional
        Called with (file name, statements read so far) every few tens of thousands.

    Returns
    -------
    KnowledgeGraph
        Its ``report`` says what was left out.

    Raises
    ------
    DataError
        One sentence with file and place: a missing or empty file, a directory, an unknown extension, another
        encoding than UTF-8, a damaged archive, a syntax error, too many bad lines, a DOCTYPE, a remote context, more
        of anything than ``limits`` allow.
    ConfigError
        On an illegal setting.

    Notes
    -----
    Nothing is ever fetched. Blank nodes become IRIs ``…/.well-known/genid/<digest>-<label>``: the digest is a hash over
    the set of the file's triples with blank nodes masked, the label is the file's own in the line formats and the
    number of first appearance elsewhere. So one file always gives the same ids, however its lines are shuffled, and
    two files share blank nodes only if they say the same.
    """
    if not isinstance(max_reject_share, int | float) or not 0 <= max_reject_share <= 1:
        raise ConfigError(f"max_reject_share is {max_reject_share!r}; it must be a number between 0 and 1")
    for name, names in (("languages", languages), ("graphs", () if graphs is None else graphs)):
        if not isinstance(names, list | tuple) or not all(isinstance(entry, str) for entry in names):
            raise ConfigError(f"{name} is {names!r}; it must be a list of texts, such as ['en']")
    if not isinstance(on_error, str) or on_error not in ("reject", "raise"):
        raise ConfigError(f"on_error is {on_error!r}; legal: 'reject', 'raise'")
    if not isinstance(triple_terms, str) or triple_terms not in ("count", "reify"):
        raise ConfigError(f"triple_terms is {triple_terms!r}; legal: 'count', 'reify'")
    if not isinstance(limits, Limits | None):
        raise ConfigError(f"limits is {limits!r}; it must be a graphrec.Limits, such as Limits(depth=500)")
    if not isinstance(cache, str | Path | None):
        raise ConfigError(f"cache is {cache!r}; it must be the path of a folder, or None")
    _check_base(base)
    files = [rdf_file(path, format) for path in ([paths] if isinstance(paths, str | Path) else _listed(paths))]
    bad_lines = BadLines(on_error, None if rejects is None else Path(rejects), max_reject_share)
    settings = {"graphs": graphs, "languages": languages, "base": base, "limits": limits, "triple_terms": triple_terms}
    before = states(files) if cache is not None else []
    key = cache_key(files, {**settings, "on_error": on_error}) if cache is not None else None
    known = cached(Path(cache), key, files) if cache is not None and key is not None else None
    if known is not None:
        bad_lines.close()
        return known
    reader = Encoder(graphs=graphs, triple_terms=triple_terms, limits=limits)
    try:
        for file in files:
            ahead = default_threads() + 1
            chunks = statements(file, bad_lines, base=base, limits=limits, take=reader.take, ahead=ahead)
            reader.add(file, chunks, strict=on_error == "raise", progress=progress)
    finally:
        bad_lines.close()
    graph = reader.finish(languages=languages, files=tuple(str(file.path) for file in files), bad_lines=bad_lines)
    if cache is not None and key is not None and states(files) == before:
        keep(Path(cache), key, graph)
    return graph


def _check_base(base: object) -> None:
    """Raise ConfigError unless ``base`` is None or an absolute IRI."""
    if base is None:
        return
    try:
        if isinstance(base, str) and ox.NamedNode(base):
            return
    except ValueError:
        pass
    raise ConfigError(f"base is {base!r}; it must be an absolute IRI, such as 'http://example.org/'")


def _listed(paths: object) -> Sequence[str | Path]:
    """Return ``paths`` where it is a list of something."""
    if not isinstance(paths, list | tuple):
        raise DataError(f"RDF cannot be read from a {type(paths).__name__}; legal are a path and a list of paths")
    if not paths:
        raise DataError("no RDF file was given; name at least one")
    return paths


class Encoder:
    """Takes the statements of files one after the other and ends in one graph.

    Parameters
    ----------
    graphs : sequence of str, optional
        Keep only these named graphs ("" is the default graph).
    triple_terms : {"count", "reify"}
        Leave statements with triple terms out, or keep them with a node in the term's place.
    limits : Limits, optional
        How deep triple terms may be.
    """

    def __init__(
        self,
        *,
        graphs: Sequence[str] | None = None,
        triple_terms: TripleTerms = "count",
        limits: Limits | None = None,
    ) -> None:
        self._graphs = None if graphs is None else frozenset(graphs)
        self._reify = triple_terms == "reify"
        self._limits = limits or Limits()
        self._table = TermTable()
        self._parts: list[npt.NDArray[np.int32]] = []
        self._blank: dict[int, str] = {}
        self._n = self._n_other = self._n_reified = 0
        self._splitting: ThreadPoolExecutor
        self._numbering: ThreadPoolExecutor

    def add(
        self, file: RdfFile, chunks: Iterator[bytes], *, strict: bool = False, progress: Progress | None = None
    ) -> None:
        """Encode ``chunks`` of canonical N-Quads, and what :meth:`take` is given meanwhile, on other threads."""
        table, before, nested = self._table, len(self._table), self._table.n_nested
        table.begin_file()
        n_before, n_shown = self._n + self._n_other, self._n
        waiting: deque[Future[None]] = deque()
        with ThreadPoolExecutor(default_threads()) as self._splitting, deep_thread(self._limits) as self._numbering:
            # What is worked on at the end is pushed out by empty chunks.
            for chunk in itertools.chain(chunks, itertools.repeat(b"", _BEHIND + 1)):
                waiting.append(self._numbering.submit(self._encode, chunk))
                if len(waiting) > _BEHIND:
                    waiting.popleft().result()
                if strict and table.n_nested > nested:
                    raise DataError(
                        f"{file.path} holds RDF 1.2 triple terms, which have no place here: {table.first_nested}"
                    )
                if progress is not None and self._n > n_shown:
                    n_shown = self._n
                    progress(file.path.name, n_shown)
        if self._n + self._n_other == n_before and table.n_nested == nested:
            raise DataError(f"{file.path} holds no triples; give a {file.format} file that does")
        self._blank.update(_skolem(table, before, keep_labels=file.format in LINE_FORMATS))

    def take(self, block: bytes, graphs: bool) -> Callable[[], LineParts]:
        """Encode the plain lines of ``block`` on other threads; what is returned waits, and gives the other lines.

        Blocks are taken apart side by side, and numbered one after the other.
        """
        tokens = self._splitting.submit(tokenise, block, graphs=graphs)
        return self._numbering.submit(self._encode_plain, tokens).result

    def _encode_plain(self, tokens: Future[Tokens]) -> LineParts:
        split = tokens.result()
        self._keep(self._table.encode_plain(split))
        return split.without_plain()

    def _encode(self, chunk: bytes) -> None:
        if not chunk:
            return
        parts = reified(chunk) if self._reify else Reified(chunk, b"")
        self._keep(self._table.encode(parts.statements))
        if parts.added:
            n, n_other = self._n, self._n_other
            self._keep(self._table.encode(parts.added))
            self._n_reified += self._n - n
            self._n, self._n_other = n, n_other

    def _keep(self, encoded: Encoded) -> None:
        """Keep the statements in the chosen graphs."""
        triples = encoded.triples
        if self._graphs is not None:
            numbers, inverse = np.unique(encoded.graphs, return_inverse=True)
            kept = np.asarray([self._graph(int(g)) in self._graphs for g in numbers], dtype=np.bool_)
            triples = triples[kept[inverse]]
        self._n += len(triples)
        self._n_other += len(encoded.triples) - len(triples)
        self._parts.append(triples)

    def _graph(self, term: int) -> str:
        if term < 0:
            return ""
        start, stop = self._table.offsets[term : term + 2]
        return self._table.arena[start:stop].tobytes().decode().strip("<>")

    def finish(
        self,
        *,
        languages: Sequence[str] = ("en",),
        files: tuple[str, ...] = (),
        bad_lines: BadLines | None = None,
    ) -> KnowledgeGraph:
        """Return the graph of everything added; the encoder is spent."""
        bad = bad_lines or BadLines()
        report = ReadReport(
            files,
            n_statements=self._n,
            n_rejected=bad.n_rejected,
            n_triple_terms=self._table.n_nested,
            n_reified=self._n_reified,
            first_reject=bad.first,
            n_other_graphs=self._n_other,
            n_unmapped=bad.n_unmapped,
            n_lines=bad.n_lines,
            n_blank=bad.n_blank,
        )
        if not any(map(len, self._parts)):
            raise DataError(f"{', '.join(files) or 'the input'} holds no triples that can be used in the chosen graphs")
        return knowledge_graph(self._table, self._parts, self._blank, languages=languages, report=report)


def _skolem(table: TermTable, start: int, *, keep_labels: bool) -> dict[int, str]:
    """Return the IRI of each blank-node term of the file whose terms begin at ``start``."""
    first = table.arena[table.offsets[start : len(table)]] == ord("_")
    scope = f"{GENID}{table.file_digest:016x}-"
    named: dict[int, str] = {}
    for number, term in enumerate(np.flatnonzero(first) + start):
        begin, end = table.offsets[term : term + 2]
        label = table.arena[begin + 2 : end].tobytes().decode() if keep_labels else f"b{number}"
        named[int(term)] = scope + label
    return named
