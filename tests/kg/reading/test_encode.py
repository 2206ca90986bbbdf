"""Plain lines encoded straight from the bytes are what oxigraph would have made of them; the others are left to it."""

from __future__ import annotations

import numpy as np
import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import DataError
from graphrec.kg.reading.canonical import parted
from graphrec.kg.reading.encode import Encoded, TermTable
from graphrec.kg.reading.tokens import tokenise
from tests.kg.reading.test_canonical import (
    BYTES,
    FOR_THE_PARSER,
    FORMS,
    IN_A_GRAPH,
    NO_UTF8,
    ORDINARY,
    RESPELLED,
    lines_of,
)

SEEDS = [f"{line}\n".encode() for line in (*ORDINARY, *IN_A_GRAPH, *FOR_THE_PARSER)]


def decoded(table: TermTable, encoded: Encoded) -> list[bytes]:
    """Return encoded statements as lines of canonical N-Quads."""

    def term(number: int) -> bytes:
        return table.arena[table.offsets[number] : table.offsets[number + 1]].tobytes()

    rows = np.column_stack([encoded.triples, encoded.graphs]).tolist()
    return [b" ".join([term(number) for number in row if number >= 0] + [b".\n"]) for row in rows]


def check_as_oxigraph(block: bytes, *, graphs: bool, table: TermTable | None = None) -> int:
    """Check that what is taken of ``block`` is legal and means what oxigraph says; return how many lines that are."""
    table = table or TermTable()
    tokens = tokenise(block, graphs=graphs)
    encoded = table.encode_plain(tokens)
    parts, lines = tokens.without_plain(), block.splitlines(keepends=True)
    assert parts.n == len(lines)
    assert parts.others == b"".join(lines[number] for number in parts.numbers)
    left = set(parts.numbers.tolist())
    taken = b"".join(line for number, line in enumerate(lines) if number not in left)
    written = ox.serialize(ox.parse(taken, FORMS[graphs]), format=ox.RdfFormat.N_QUADS) or b""
    assert b"".join(decoded(table, encoded)) == written
    assert len(encoded.triples) == parts.n - len(left)
    return len(encoded.triples)


@pytest.mark.parametrize("graphs", [True, False])
def test_plain_lines_are_taken_and_the_others_left(*, graphs: bool) -> None:
    left = [line for line in FOR_THE_PARSER if line not in RESPELLED]
    block = lines_of(ORDINARY + left + IN_A_GRAPH + RESPELLED + ORDINARY)
    n = check_as_oxigraph(block, graphs=graphs)
    assert n == 2 * len(ORDINARY) + len(RESPELLED) + len(IN_A_GRAPH) * graphs
    assert tokenise(block, graphs=graphs).without_plain().n == parted(block, graphs=graphs).n


SUBTAGS = ["a", "x", "1", "ab", "abc", "abcd", "abcde", "abcdefghi", "12", "123", "1234", "A1b2c3", "", "é", "ltr"]
TAGS = st.one_of(
    st.lists(st.sampled_from(SUBTAGS), min_size=1, max_size=6).map("-".join),
    st.tuples(st.sampled_from(["en", "de", "zh-Hant"]), st.lists(st.sampled_from(SUBTAGS), max_size=4)).map(
        lambda parts: "-".join([parts[0], *parts[1]])
    ),
)
LANGUAGES = st.tuples(TAGS, st.sampled_from(["", "", "--ltr", "--rtl", "--LTR", "--"])).map("".join)
LABELS = st.text("aZ0_-.:·é\xd7\u0300\u203f\u2040\u037e\ufdd0\U00010000\U000effff\U000f0000", max_size=6)
ESCAPES = [
    "\\u0041",
    "\\u00e9",
    "\\u00E9",
    "\\U0001F600",
    "\\u0022",
    "\\u005C",
    "\\u000A",
    "\\u007F",
    "\\uD83D",
    "\\uFFFE",
]
ESCAPES += [
    "\\U00110000",
    "\\u12",
    "\\'",
    '\\"',
    "\\n",
    "\\t",
    "\\x",
    "\\",
    "é",
    "x",
    " ",
    "\t",
    "@en",
    "^^",
    "_:a",
    "\x7f",
    "\x80",
]
TEXTS = st.lists(st.sampled_from(ESCAPES), max_size=6).map("".join)
XSD = "^^<http://www.w3.org/2001/XMLSchema#string>"
RDF, NAMES = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", ("XMLLiteral", "langString", "dirLangString", "langStringX")
SUFFIXES = st.sampled_from(["", "@en-US", XSD, "^^<http://t>", "^^<t>", "^^", *(f"^^<{RDF}{name}>" for name in NAMES)])
VALUES = st.one_of(
    LANGUAGES.map('"x"@{}'.format),
    LABELS.map("_:{}".format),
    st.tuples(TEXTS, SUFFIXES).map(lambda parts: f'"{parts[0]}"{parts[1]}'),
)
SPACES = st.sampled_from([" ", " ", "", "\t", "  ", " \t "])


@given(
    lines=st.lists(
        st.tuples(
            SPACES,
            st.one_of(LABELS.map("_:{}".format), st.just("<http://s>")),
            SPACES,
            st.just("<http://p>"),
            SPACES,
            VALUES,
            SPACES,
            st.sampled_from(["", "", "<http://g>", "_:g.h"]),
            SPACES,
            st.sampled_from([".", ".", "..", ""]),
            SPACES,
        ).map("".join),
        max_size=8,
    ),
    graphs=st.booleans(),
)
@settings(max_examples=600)
def test_every_spelling_is_taken_as_oxigraph_takes_it(lines: list[str], *, graphs: bool) -> None:
    check_as_oxigraph("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass"), graphs=graphs)


LEGAL = [
    f'"a"@{tag}' for tag in ("en-US", "zh-Hant-TW", "sr-Latn", "de-1996", "ar-EG--rtl", "en-x-a", "zh-yue", "es-419")
]
LEGAL += ["_:a-b", "_:a.b", "_:genid_1", "_:é", "_:0·", f'"a"{XSD}']
LEGAL += ['"caf\\u00E9\\U0001F600"@FR', '"it\\\'s"', '"a\\u0041\\n"^^<http://t>']


@pytest.mark.parametrize("value", LEGAL)
@pytest.mark.parametrize(
    "line", ["<http://s> <http://p> {} .", "<http://s>\t<http://p>\t{}\t.", "  <http://s><http://p>{}.  "]
)
def test_legal_spellings_need_no_parser(line: str, value: str) -> None:
    assert check_as_oxigraph(lines_of([line.format(value)] * 2), graphs=False) == 2


def test_a_text_that_is_not_closed_changes_nothing_in_the_lines_behind_it() -> None:
    lines = ['<http://s> <http://p> "a .', '<http://s> <http://p> "@EN-US .', '<http://s> <http://p> "\\u0041"@EN .']
    block = lines_of(lines)
    assert check_as_oxigraph(block, graphs=False) == 1
    assert tokenise(block, graphs=False).without_plain().others == lines_of(lines[:2])


@pytest.mark.parametrize("graphs", [True, False])
def test_damaged_lines_are_taken_only_where_they_are_whole(*, graphs: bool) -> None:
    rng, lines, table = np.random.default_rng(11), [], TermTable()
    for _ in range(20_000):
        line = bytearray(SEEDS[rng.integers(len(SEEDS))])
        at, letter = int(rng.integers(len(line))), BYTES[rng.integers(len(BYTES))]
        other = SEEDS[rng.integers(len(SEEDS))]
        part = other[rng.integers(len(other)) :][:12]
        line[at : at + int(rng.integers(2))] = (b"", bytes([letter]), part)[rng.integers(3)]
        lines.append(bytes(line))
    assert check_as_oxigraph(b"".join(lines), graphs=graphs, table=table) > 1_000
    # A second time all terms are known: what was refused must be refused again.
    assert check_as_oxigraph(b"".join(lines), graphs=graphs, table=table) > 1_000


PIECES = [
    b"<http://a>",
    b"<http://a/\xc3\xa9>",
    b"_:b0",
    b'"a"',
    b'"a"@en',
    b'"\\""',
    b'"a"^^<http://t>',
    b".",
    b"<",
    b">",
    b'"',
]
PIECES += [
    b" ",
    b" ",
    b" ",
    b" .\n",
    b"\n",
    b"\r",
    b"\r\n",
    b"\\",
    b"#",
    b"<<(",
    b")>>",
    b"@",
    b"^^",
    b"\0",
    b"\x7f",
    *NO_UTF8,
]
TERMS = st.sampled_from(PIECES[:7])


@given(
    lines=st.lists(
        st.one_of(
            st.tuples(TERMS, TERMS, TERMS).map(lambda terms: b" ".join(terms) + b" .\n"),
            st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
            st.binary(max_size=24),
        ),
        max_size=12,
    ),
    graphs=st.booleans(),
)
@settings(max_examples=400)
def test_hostile_bytes_are_never_taken_for_more_than_they_are(lines: list[bytes], *, graphs: bool) -> None:
    check_as_oxigraph(b"".join(lines), graphs=graphs)


@pytest.mark.parametrize("length", range(30))
@pytest.mark.parametrize("term", ["<http://a/{}>", '"{}"', '"{}"@en', "_:a{}"])
def test_terms_of_every_length_are_told_apart(term: str, length: int) -> None:
    values = [term.format("x" * length + end) for end in ("", "y", "z")]
    block = lines_of([f"<http://s> <http://p> {value} ." for value in values * 2])
    table = TermTable()
    encoded = table.encode_plain(tokenise(block, graphs=False))
    assert b"".join(decoded(table, encoded)) == block
    assert len(table) == 2 + 3


def test_a_blank_node_of_another_file_is_another_term() -> None:
    table, block = TermTable(), b"_:a <http://p> _:b .\n"
    first = table.encode_plain(tokenise(block, graphs=False)).triples
    again = table.encode_plain(tokenise(block, graphs=False)).triples
    table.begin_file()
    other = table.encode_plain(tokenise(block, graphs=False)).triples
    assert first.tolist() == again.tolist() == [[0, 1, 2]]
    assert other.tolist() == [[3, 1, 4]]


def test_many_terms_keep_their_numbers_while_the_table_grows() -> None:
    table = TermTable()
    block = lines_of([f'<http://e/{i % 5_000}> <http://p/{i % 7}> "{i}" .' for i in range(30_000)])
    lines, at = block.splitlines(keepends=True), 0
    for size in (1, 10, 500, 9_489, 20_000):
        part = b"".join(lines[at : at + size])
        assert b"".join(decoded(table, table.encode_plain(tokenise(part, graphs=False)))) == part
        at += size
    assert at == 30_000
    assert len(table) == 5_000 + 7 + 30_000


def test_what_the_parser_wrote_is_taken_whole_but_for_triple_terms() -> None:
    text = "".join(
        f"{line}\n"
        for line in [
            *ORDINARY,
            *IN_A_GRAPH,
            "<http://[::1]/a> <http://b> _:a.b-c .",
            "<http://a> <http://b> <<( <http://a> <http://b> <http://c> )>> .",
            '<http://a> <http://b> "x"@en-latn--ltr .',
            '<http://a> <http://b> "\\u001F\\u007F\\u0000" .',
        ]
    )
    written = ox.serialize(ox.parse(text, ox.RdfFormat.N_QUADS), format=ox.RdfFormat.N_QUADS) or b""
    table = TermTable()
    lines = decoded(table, table.encode(written))
    assert lines == [line for line in written.splitlines(keepends=True) if b"<<(" not in line]
    assert (table.n_nested, table.first_nested.count("<<(")) == (1, 1)
    with pytest.raises(DataError, match="which is no canonical statement"):
        table.encode(b"<http://a> <http://b> <http://c> <http://d> <http://e> .\n")
