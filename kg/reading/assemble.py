"""Encoded statements -> KnowledgeGraph: canonical rows, literals taken apart, labels chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.vocabulary import Vocabulary

from ..knowledge_graph import KnowledgeGraph, ReadReport
from ..literals import Literals
from ..terms import DIR_LANG_STRING, LABELS, LANG_STRING, STRING
from .encode import TermTable


@nb.njit(nogil=True, cache=True)
def _copy_slices(arena, offsets, terms, skip, out, out_offsets):  # type: ignore[no-untyped-def]
    """Copy the terms one after the other, without ``skip`` bytes at either end."""
    end = 0
    for i in range(len(terms)):
        for position in range(offsets[terms[i]] + skip, offsets[terms[i] + 1] - skip):
            out[end] = arena[position]
            end += 1
        out_offsets[i + 1] = end


@nb.njit(nogil=True, cache=True)
def _put_utf8(code, out, end):  # type: ignore[no-untyped-def]
    if code < 0x80:
        out[end] = code
        return end + 1
    if code < 0x800:
        out[end], out[end + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
        return end + 2
    if code < 0x10000:
        out[end], out[end + 1], out[end + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
        return end + 3
    out[end], out[end + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
    out[end + 2], out[end + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
    return end + 4


@nb.njit(nogil=True, cache=True)
def _hexadecimal(data, start, stop):  # type: ignore[no-untyped-def]
    code = 0
    for position in range(start, stop):
        digit = data[position]
        code = code * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
    return code


@nb.njit(nogil=True, cache=True)
def _split_literals(data, offsets, texts, text_offsets, suffixes, suffix_offsets):  # type: ignore[no-untyped-def]
    """Part each literal token into its unescaped text and what follows the closing quote."""
    end, suffix_end = 0, 0
    for i in range(len(offsets) - 1):
        stop = offsets[i + 1]
        quote = stop - 1
        while data[quote] != 34:
            quote -= 1
        position = offsets[i] + 1
        while position < quote:
            byte = data[position]
            if byte != 92:
                texts[end] = byte
                end += 1
                position += 1
                continue
            kind = data[position + 1]
            if kind == 117 or kind == 85:  # \uXXXX, \UXXXXXXXX
                width = 4 if kind == 117 else 8
                end = _put_utf8(_hexadecimal(data, position + 2, position + 2 + width), texts, end)
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
            suffixes[suffix_end] = data[position]
            suffix_end += 1
        suffix_offsets[i + 1] = suffix_end


@dataclass(frozen=True, slots=True)
class _Strings:
    """Arrow strings and the bytes behind them."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    def arrow(self) -> pa.LargeStringArray:
        """Return them as one Arrow array, without a copy."""
        used = self.data[: self.offsets[-1]]
        return pa.LargeStringArray.from_buffers(len(self.offsets) - 1, pa.py_buffer(self.offsets), pa.py_buffer(used))


def _tokens(table: TermTable, terms: npt.NDArray[np.int64], *, skip: int) -> _Strings:
    lengths = table.offsets[terms + 1] - table.offsets[terms]
    data = np.empty(int(lengths.sum()), dtype=np.uint8)
    offsets = np.zeros(len(terms) + 1, dtype=np.int64)
    _copy_slices(table.arena, table.offsets, terms, skip, data, offsets)
    return _Strings(data, offsets)


@dataclass(frozen=True, slots=True)
class _Terms:
    """Terms of one role: their numbers in the table, and what they say."""

    numbers: npt.NDArray[np.int64]
    strings: pa.LargeStringArray


def knowledge_graph(
    table: TermTable,
    statements: npt.NDArray[np.int32],
    blank_iris: Mapping[int, str],
    *,
    languages: Sequence[str],
    report: ReadReport,
) -> KnowledgeGraph:
    """Return the graph of (m, 3) encoded ``statements``; ``blank_iris`` names each blank-node term.

    The table is emptied on the way. Time O(m log m); about 60 bytes a statement at the peak, beside the texts.
    """
    n = len(table)
    literal = table.arena[table.offsets[:n]] == ord('"')
    to_literal = literal[statements[:, 2]]
    used = np.zeros(n, dtype=np.bool_)
    used[statements[:, 0]] = True
    used[statements[:, 2]] = True
    entity_terms = _named(table, np.flatnonzero(used & ~literal), blank_iris)
    value_terms = np.flatnonzero(used & literal)
    value_tokens = _Terms(value_terms, _tokens(table, value_terms, skip=0).arrow())
    used[:] = False
    used[statements[:, 1]] = True
    relation_terms = _named(table, np.flatnonzero(used), {})
    table.clear()  # the largest thing held, and no longer needed
    relations, relation_rows = _ranked(relation_terms, n, may_repeat=False)
    texts, tags, types, value_rows = _values(value_tokens, n)
    del value_tokens
    entities, entity_rows = _ranked(entity_terms, n, may_repeat=len(blank_iris) > 0)
    del entity_terms
    rows = (entity_rows, relation_rows)
    sizes = (len(entities), len(relations))
    facts = _sorted_unique(statements, to_literal, (*rows, value_rows), (*sizes, len(texts)))
    literals = Literals(facts, texts, tags, types)
    triples = _sorted_unique(statements, ~to_literal, (*rows, entity_rows), (*sizes, len(entities)))
    labels = choose_labels(literals, relations, len(entities), languages=languages)
    del statements, rows, entity_rows, relation_rows, value_rows, to_literal, literal, used
    graph = KnowledgeGraph(triples, entities, relations, labels, literals, report)
    pa.default_memory_pool().release_unused()  # Arrow would keep what sorting took, as much again as the graph itself
    return graph


def _named(table: TermTable, terms: npt.NDArray[np.int64], blank_iris: Mapping[int, str]) -> _Terms:
    """Return the IRIs of ``terms``, those of the blank nodes last."""
    blank = np.fromiter(blank_iris, np.int64, len(blank_iris))
    blank = blank[np.isin(blank, terms)]
    if not len(blank):
        return _Terms(terms, _tokens(table, terms, skip=1).arrow())
    iris = terms[~np.isin(terms, blank)]
    names = pa.array([blank_iris[int(term)] for term in blank], pa.large_string())
    strings = pa.concat_arrays([_tokens(table, iris, skip=1).arrow(), names])
    return _Terms(np.concatenate([iris, blank]), strings)


def _ranked(terms: _Terms, n_terms: int, *, may_repeat: bool) -> tuple[Vocabulary, npt.NDArray[np.int32]]:
    """Return the sorted vocabulary of ``terms`` and (n_terms,) int32 the row of each."""
    # Blank nodes of a file that was read twice have one IRI (several terms, one row); all else is unique already.
    unique = pc.unique(terms.strings) if may_repeat else terms.strings
    order = pc.array_sort_indices(unique)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    rows = np.full(n_terms, -1, dtype=np.int32)
    whole = len(unique) == len(terms.strings)
    rows[terms.numbers] = rank if whole else rank[pc.index_in(terms.strings, value_set=unique).to_numpy()]
    return Vocabulary(unique.take(order)), rows


def _values(
    terms: _Terms, n_terms: int
) -> tuple[pa.LargeStringArray, pa.DictionaryArray, pa.DictionaryArray, npt.NDArray[np.int32]]:
    """Return (texts, languages, datatypes) of literal terms in order of their tokens, and the row of each term."""
    order = pc.array_sort_indices(terms.strings)
    rows = np.full(n_terms, -1, dtype=np.int32)
    rows[terms.numbers[order.to_numpy()]] = np.arange(len(order), dtype=np.int32)
    _, offset_buffer, data_buffer = terms.strings.take(order).buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[: len(order) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    texts = _Strings(np.empty(len(data), np.uint8), np.zeros_like(offsets))
    suffixes = _Strings(np.empty(len(data), np.uint8), np.zeros_like(offsets))
    _split_literals(data, offsets, texts.data, texts.offsets, suffixes.data, suffixes.offsets)
    kept = _Strings(texts.data[: texts.offsets[-1]].copy(), texts.offsets)
    encoded = suffixes.arrow().dictionary_encode()
    parts = [_suffix(suffix) for suffix in encoded.dictionary.to_pylist()]
    tags = pa.array([language for language, _ in parts], pa.string())
    types = pa.array([datatype for _, datatype in parts], pa.string())
    codes = encoded.indices
    return kept.arrow(), tags.take(codes).dictionary_encode(), types.take(codes).dictionary_encode(), rows


def _suffix(suffix: str) -> tuple[str | None, str]:
    """Return (language, datatype) of what follows a literal's closing quote."""
    if suffix.startswith("@"):
        language, _, direction = suffix[1:].partition("--")
        return language.lower(), DIR_LANG_STRING if direction else LANG_STRING
    return None, suffix[3:-1] if suffix else STRING


def _sorted_unique(
    statements: npt.NDArray[np.int32],
    chosen: npt.NDArray[np.bool_],
    rows: Sequence[npt.NDArray[np.int32]],
    sizes: Sequence[int],
) -> npt.NDArray[np.int32]:
    """Return (m', 3) int32: the chosen statements with each term replaced by its row, sorted, without duplicates."""
    n_relations, n_tails = max(sizes[1], 1), max(sizes[2], 1)
    columns = [row_of[statements[chosen, column]] for column, row_of in enumerate(rows)]
    if max(sizes[0], 1) * n_relations * n_tails >= 1 << 63:
        return np.unique(np.column_stack(columns), axis=0)
    key = columns[0].astype(np.int64)
    for size, column in ((n_relations, columns[1]), (n_tails, columns[2])):
        key *= size
        key += column
    del columns
    key.sort()
    key = key[np.append(True, key[1:] != key[:-1])] if len(key) else key
    unique = np.empty((len(key), 3), dtype=np.int32)
    unique[:, 2] = key % n_tails
    key //= n_tails
    unique[:, 1] = key % n_relations
    unique[:, 0] = key // n_relations
    return unique


def choose_labels(
    literals: Literals, relations: Vocabulary, n_entities: int, *, languages: Sequence[str]
) -> pa.LargeStringArray:
    """Return (n_entities,) names for people: one literal of a label predicate each, null where there is none.

    The best language wins (those of ``languages`` in turn, each with its regional kinds; then no language; then
    any), then the most trusted predicate (``terms.LABELS``), then the first text in order.
    """
    trust = np.full(len(relations), len(LABELS), dtype=np.int64)
    for rank, iri in enumerate(LABELS):
        if (row := relations.get(iri)) >= 0:
            trust[row] = rank
    rows = literals.statements[trust[literals.statements[:, 1]] < len(LABELS)]
    tags = literals.languages.dictionary.to_pylist()
    by_tag = np.asarray([_language_rank(tag, languages) for tag in tags] + [len(languages)], dtype=np.int64)
    codes = pc.fill_null(literals.languages.indices, len(tags)).to_numpy(zero_copy_only=False)
    order = np.lexsort((rows[:, 2], trust[rows[:, 1]], by_tag[codes[rows[:, 2]]], rows[:, 0]))
    rows = rows[order]
    first = np.append(True, rows[1:, 0] != rows[:-1, 0])[: len(rows)]
    chosen = np.full(n_entities, -1, dtype=np.int64)
    chosen[rows[first, 0]] = rows[first, 2]
    return literals.texts.take(pa.array(chosen, mask=chosen < 0))


def _language_rank(tag: str, languages: Sequence[str]) -> int:
    for rank, wanted in enumerate(languages):
        if tag == wanted.lower() or tag.startswith(wanted.lower() + "-"):
            return rank
    return len(languages) + 1
