"""Encoded statements -> KnowledgeGraph: canonical rows, literals taken apart, labels chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.data.text_buffers import arrow_rows, arrow_texts, row_values, texts_of
from graphrec.data.vocabulary import Vocabulary
from graphrec.kernels import kernel
from graphrec.memory import release_free_memory
from graphrec.threads import default_threads

from ..knowledge_graph import KnowledgeGraph, ReadReport
from ..literals import Literals, language_ranks
from ..terms import DIR_LANG_STRING, LABELS, LANG_STRING, STRING
from .encode import TermTable
from .term_order import repeats, sorted_order
from .words import SLACK_BYTES, hexadecimal, prefetch, put_utf8

_AHEAD = 8


@kernel
def _copy_slices(arena, starts, stops, order, out, out_offsets):  # type: ignore[no-untyped-def]
    """Copy texts one after the other."""
    end = 0
    for i in range(len(order)):
        if i + _AHEAD < len(order):
            prefetch(arena, starts[order[i + _AHEAD]])
        for position in range(starts[order[i]], stops[order[i]]):
            out[end] = arena[position]
            end += 1
        out_offsets[i + 1] = end


@kernel
def _split_literals(arena, starts, stops, order, texts, text_offsets, suffixes, suffix_offsets):  # type: ignore[no-untyped-def]
    """Part each literal token into its unescaped text and what follows the closing quote."""
    end, suffix_end = 0, 0
    for i in range(len(order)):
        if i + _AHEAD < len(order):
            prefetch(arena, starts[order[i + _AHEAD]])
        stop = stops[order[i]]
        quote = stop - 1
        while arena[quote] != 34:
            quote -= 1
        position = starts[order[i]] + 1
        while position < quote:
            byte = arena[position]
            if byte != 92:
                texts[end] = byte
                end += 1
                position += 1
                continue
            kind = arena[position + 1]
            if kind == 117 or kind == 85:  # \uXXXX, \UXXXXXXXX
                width = 4 if kind == 117 else 8
                end = put_utf8(hexadecimal(arena, position + 2, position + 2 + width), texts, end)
                position += 2 + width
                continue
            plain = kind
            if kind == 116:
                plain = 9
            elif kind == 98:
                plain = 8
            elif kind == 110:
                plain = 10
            elif kind == 114:
                plain = 13
            elif kind == 102:
                plain = 12
            texts[end] = plain
            end += 1
            position += 2
        text_offsets[i + 1] = end
        for position in range(quote + 1, stop):
            suffixes[suffix_end] = arena[position]
            suffix_end += 1
        suffix_offsets[i + 1] = suffix_end


@dataclass(frozen=True, slots=True)
class _Terms:
    """Texts of terms of one role: (k,) ``numbers`` in the table, and the slices of ``arena`` that say them."""

    arena: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]

    def n_bytes(self) -> int:
        """Return the bytes of all texts."""
        return int((self.stops - self.starts).sum())


def knowledge_graph(
    table: TermTable,
    parts: list[npt.NDArray[np.int32]],
    blank_iris: Mapping[int, str],
    *,
    languages: Sequence[str],
    report: ReadReport,
) -> KnowledgeGraph:
    """Return the graph of encoded statements, (m_i, 3) int32 each; ``blank_iris`` names each blank-node term.

    The table and ``parts`` are emptied on the way. Time O(m log m); about 40 bytes a statement at the peak, beside the
    texts.
    """
    n = len(table)
    literal = table.arena[table.offsets[:n]] == ord('"')
    used, is_relation = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    for part in parts:
        used[part[:, 0]] = True
        used[part[:, 2]] = True
        is_relation[part[:, 1]] = True
    table.forget_slots()
    release_free_memory()
    with ThreadPoolExecutor(min(2, default_threads())) as pool:
        values = pool.submit(_values, _slices(table, np.flatnonzero(used & literal), skip=0), n)
        named = _named(table, np.flatnonzero(used & ~literal), blank_iris)
        entities, entity_rows = _ranked(named, n, may_repeat=len(blank_iris) > 0)
        relations, relation_rows = _ranked(_slices(table, np.flatnonzero(is_relation), skip=1), n, may_repeat=False)
        texts, tags, types, value_rows = values.result()
        del named, values
        table.clear()  # the largest thing held, and no longer needed
        release_free_memory()
        rows, sizes = (entity_rows, relation_rows), (len(entities), len(relations))
        facts = pool.submit(_sorted_unique, parts, literal, (*rows, value_rows), (*sizes, len(texts)))
        triples = _sorted_unique(parts, ~literal, (*rows, entity_rows), (*sizes, len(entities)))
        literals = Literals(facts.result(), texts, tags, types)
    parts.clear()
    del rows, entity_rows, relation_rows, value_rows, literal, used, facts
    release_free_memory()
    labels = choose_labels(literals, relations, len(entities), languages=languages)
    graph = KnowledgeGraph(triples, entities, relations, labels, literals, report)
    pa.default_memory_pool().release_unused()  # Arrow would keep what it took, as much again as the graph itself
    release_free_memory()
    return graph


def _slices(table: TermTable, terms: npt.NDArray[np.int64], *, skip: int) -> _Terms:
    """Return the texts of ``terms`` without ``skip`` bytes at either end."""
    return _Terms(table.arena, terms, table.offsets[terms] + skip, table.offsets[terms + 1] - skip)


def _named(table: TermTable, terms: npt.NDArray[np.int64], blank_iris: Mapping[int, str]) -> _Terms:
    """Return the IRIs of ``terms``, those of the blank nodes last."""
    blank = np.fromiter(blank_iris, np.int64, len(blank_iris))
    blank = blank[np.isin(blank, terms)]
    iris = _slices(table, terms[~np.isin(terms, blank)] if len(blank) else terms, skip=1)
    if not len(blank):
        return iris
    names = [blank_iris[int(term)].encode() for term in blank]
    stops = len(table.arena) + np.cumsum([len(name) for name in names])
    starts = np.append(len(table.arena), stops[:-1])
    arena = np.concatenate([table.arena, np.frombuffer(b"".join(names) + bytes(SLACK_BYTES), dtype=np.uint8)])
    numbers = np.concatenate([iris.numbers, blank])
    return _Terms(arena, numbers, np.concatenate([iris.starts, starts]), np.concatenate([iris.stops, stops]))


def _ranked(terms: _Terms, n_terms: int, *, may_repeat: bool) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    """Return the sorted vocabulary of ``terms`` and (n_terms,) int32 the row of each."""
    order = sorted_order(terms.arena, terms.starts, terms.stops)
    rows = np.full(n_terms, -1, dtype=np.int32)
    if may_repeat:  # blank nodes of a file that was read twice have one IRI: several terms, one row
        again = repeats(terms.arena, terms.starts, terms.stops, order)
        rows[terms.numbers[order]] = np.cumsum(~again, dtype=np.int32) - 1
        order = order[~again]
    else:
        rows[terms.numbers[order]] = np.arange(len(order), dtype=np.int32)
    release_free_memory()  # the keys of the sort, before as much is taken for the copies
    data, offsets = np.empty(terms.n_bytes(), dtype=np.uint8), np.zeros(len(order) + 1, dtype=np.int64)
    _copy_slices(terms.arena, terms.starts, terms.stops, order, data, offsets)
    return Vocabulary(texts_of(offsets, data)), rows


def _values(
    terms: _Terms, n_terms: int
) -> tuple[pa.LargeStringArray, pa.DictionaryArray, pa.DictionaryArray, npt.NDArray[np.int32]]:
    """Return (texts, languages, datatypes) of literal terms in order of their tokens, and the row of each term."""
    order = sorted_order(terms.arena, terms.starts, terms.stops)
    rows = np.full(n_terms, -1, dtype=np.int32)
    rows[terms.numbers[order]] = np.arange(len(order), dtype=np.int32)
    # As long as the tokens: pages that are never written take no memory.
    texts, suffixes = (np.empty(terms.n_bytes(), dtype=np.uint8) for _ in range(2))
    text_ends, suffix_ends = (np.zeros(len(order) + 1, dtype=np.int64) for _ in range(2))
    slices = (terms.arena, terms.starts, terms.stops, order)
    _split_literals(*slices, texts, text_ends, suffixes, suffix_ends)
    encoded = texts_of(suffix_ends, suffixes).dictionary_encode()
    parts = [_suffix(suffix) for suffix in encoded.dictionary.to_pylist()]
    codes = row_values(encoded.indices, null=-1)
    tags, types = (_by_code([part[side] for part in parts], codes) for side in (0, 1))
    return texts_of(text_ends, texts), tags, types, rows


def _by_code(names: Sequence[str | None], codes: npt.NDArray[np.int32]) -> pa.DictionaryArray:
    """Return ``names[codes]`` as a dictionary array."""
    distinct = list(dict.fromkeys(name for name in names if name is not None))
    of_name: dict[str | None, int] = {name: i for i, name in enumerate(distinct)}
    indices = np.asarray([of_name.get(name, -1) for name in names], dtype=np.int32)[codes]
    return pa.DictionaryArray.from_arrays(arrow_rows(indices), arrow_texts(distinct))


def _suffix(suffix: str) -> tuple[str | None, str]:
    """Return (language, datatype) of what follows a literal's closing quote."""
    if suffix.startswith("@"):
        language, _, direction = suffix[1:].partition("--")
        return language.lower(), DIR_LANG_STRING if direction else LANG_STRING
    return None, suffix[3:-1] if suffix else STRING


def _sorted_unique(
    parts: Sequence[npt.NDArray[np.int32]],
    wanted: npt.NDArray[np.bool_],
    rows: Sequence[npt.NDArray[np.int32]],
    sizes: Sequence[int],
) -> npt.NDArray[np.int32]:
    """Return (m', 3) int32: statements whose object is ``wanted``, each term replaced by its row, sorted and unique."""
    n_relations, n_tails = max(sizes[1], 1), max(sizes[2], 1)
    if max(sizes[0], 1) * n_relations * n_tails >= 1 << 63:
        chosen = [part[wanted[part[:, 2]]] for part in parts]
        columns = [row_of[np.concatenate([part[:, i] for part in chosen])] for i, row_of in enumerate(rows)]
        return np.unique(np.column_stack(columns), axis=0)
    key = np.empty(sum(int(np.count_nonzero(wanted[part[:, 2]])) for part in parts), dtype=np.int64)
    end, (heads, relations, tails) = 0, rows
    for part in parts:
        end += _put_keys(part, wanted, heads, relations, tails, n_relations, n_tails, key[end:])
    key.sort()
    unique = np.empty((len(key), 3), dtype=np.int32)
    return unique[: _take_keys(key, n_relations, n_tails, unique)]


@kernel
def _put_keys(part, wanted, heads, relations, tails, n_relations, n_tails, out):  # type: ignore[no-untyped-def]
    """Fill in one number for each statement that is wanted, by which they sort; return how many there are."""
    n = 0
    for i in range(len(part)):
        if wanted[part[i, 2]]:
            head, relation = np.int64(heads[part[i, 0]]), np.int64(relations[part[i, 1]])
            out[n] = (head * n_relations + relation) * n_tails + tails[part[i, 2]]
            n += 1
    return n


@kernel
def _take_keys(keys, n_relations, n_tails, out):  # type: ignore[no-untyped-def]
    """Write the rows that sorted ``keys`` stand for, each once; return how many there are."""
    n = 0
    for i in range(len(keys)):
        if i > 0 and keys[i] == keys[i - 1]:
            continue
        pair = keys[i] // n_tails
        out[n, 2] = keys[i] - pair * n_tails
        out[n, 0] = pair // n_relations
        out[n, 1] = pair - out[n, 0] * n_relations
        n += 1
    return n


def choose_labels(
    literals: Literals, relations: Vocabulary, n_entities: int, *, languages: Sequence[str]
) -> pa.LargeStringArray:
    """Return (n_entities,) names for people: one literal of a label predicate each, null where there is none.

    The best language wins (those of ``languages`` in turn, each with its regional kinds; then no language; then
    any), then the most trusted predicate (``terms.LABELS``), then the first text in order.
    """
    trust = np.full(len(relations), len(LABELS), dtype=np.int64)
    for place, iri in enumerate(LABELS):
        if (row := relations.get(iri)) >= 0:
            trust[row] = place
    rows = literals.statements[trust[literals.statements[:, 1]] < len(LABELS)]
    by_language = language_ranks(literals, languages)
    chosen = np.full(n_entities, -1, dtype=np.int32)
    if len(rows):  # in order of the entities: the least number of each
        rank = by_language[rows[:, 2]] * (len(LABELS) + 1) + trust[rows[:, 1]]
        begins = np.flatnonzero(np.append(True, rows[1:, 0] != rows[:-1, 0]))
        best = np.minimum.reduceat(rank << 32 | rows[:, 2], begins)
        chosen[rows[begins, 0]] = best & 0xFFFFFFFF
    return literals.texts.take(arrow_rows(chosen))
