"""What is taken without a parser is what oxigraph would have written."""

from __future__ import annotations

import numpy as np
import pyoxigraph as ox
import pytest

from graphrec.kg.reading.canonical import parted

ORDINARY = [
    "<http://www.example.org:8080/a/b%20c?d=e&f#g> <urn:isbn:0195153448> <http://de.dbpedia.org/resource/Café_東> .",
    '_:b0 <http://b> "a \\"text\\" of\\n lines, é 日本 😀" .',
    '<http://a> <http://b> "Buch"@de .',
    '<http://a> <http://b> "book"@en-gb .',
    '<http://a> <http://b> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .',
    "<http://a> <http://b> _:b1 .\r",
]
IN_A_GRAPH = ["<http://a> <http://b> <http://c> <http://g> .", '_:a <http://b> "c"@en _:g .']
FOR_THE_PARSER = [
    "",
    "# a comment",
    "<http://a> <http://b> <http://c> . # and a comment",
    "<http://a>  <http://b> <http://c> .",
    "<http://a> <http://b> <http://c>.",
    "<a> <http://b> <http://c> .",
    "<http://a b> <http://b> <http://c> .",
    "<http://[::1]/a> <http://b> <http://c> .",
    "<http://a/%4> <http://b> <http://c> .",
    "<http://a/#b#c> <http://b> <http://c> .",
    '"a" <http://b> <http://c> .',
    "<http://a> _:b <http://c> .",
    '<http://a> <http://b> "\\u00e9" .',
    '<http://a> <http://b> "a"@EN .',
    '<http://a> <http://b> "a"^^<http://www.w3.org/2001/XMLSchema#string> .',
    '<http://a> <http://b> "a"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> .',
    '<http://a> <http://b> "a"^^_:b .',
    "<http://a> <http://b> <<( <http://a> <http://b> <http://c> )>> .",
    'VERSION "1.2"',
]
# Those of them that are taken where they are numbered (``tokens``), since another spelling of them is canonical.
RESPELLED = [
    "<http://a>  <http://b> <http://c> .",
    "<http://a> <http://b> <http://c>.",
    '<http://a> <http://b> "\\u00e9" .',
    '<http://a> <http://b> "a"@EN .',
    '<http://a> <http://b> "a"^^<http://www.w3.org/2001/XMLSchema#string> .',
]
FORMS = {True: ox.RdfFormat.N_QUADS, False: ox.RdfFormat.N_TRIPLES}
# What mutations put into a line: all that means something, and parts of characters.
BYTES = b"<>\"\\ ._:-@^#%/?[]{}|`\t\r\n'()!$&*+,;=~abzAZ019xug"
BYTES += b"\x00\x1f\x7f\xc2\xa0\x80\xc0\xed\xbf\xef\xfe\xff\xf4\x90\xf0\xe0"


def lines_of(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def check_as_oxigraph_writes(canonical: bytes, *, graphs: bool) -> None:
    written = ox.serialize(ox.parse(canonical, FORMS[graphs]), format=ox.RdfFormat.N_QUADS)
    assert written == canonical.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("graphs", [True, False])
def test_ordinary_lines_need_no_parser(*, graphs: bool) -> None:
    block = lines_of(ORDINARY + IN_A_GRAPH * graphs)
    parts = parted(block, graphs=graphs)
    assert (parts.canonical, parts.others) == (block, b"")
    assert parts.n == len(ORDINARY) + len(IN_A_GRAPH) * graphs
    check_as_oxigraph_writes(block, graphs=graphs)


def test_all_that_leaves_a_question_is_for_the_parser() -> None:
    lines = FOR_THE_PARSER + IN_A_GRAPH
    mixed = [ORDINARY[0]]
    for line in lines:
        mixed += [line, ORDINARY[0]]
    parts = parted(lines_of(mixed), graphs=False)
    assert parts.others == lines_of(lines)
    assert parts.numbers.tolist() == list(range(1, 2 * len(lines), 2))
    assert parts.canonical == lines_of(ORDINARY[:1] * (len(lines) + 1))
    assert parted(lines_of(lines), graphs=False).others == lines_of(lines)


@pytest.mark.parametrize("end", ["", "\r", "\r\n", "\n\r", "x", "x\ry", "\r\r\n"])
def test_lines_are_numbered_as_splitlines_has_them(end: str) -> None:
    block = (ORDINARY[0] + "\n" + "a\rb\r\nc\n\n" + ORDINARY[0] + end).encode()
    lines = block.splitlines(keepends=True)
    parts = parted(block, graphs=False)
    assert parts.n == len(lines)
    assert parts.others == b"".join(lines[number] for number in parts.numbers)
    assert sorted(parts.canonical + parts.others) == sorted(block)


@pytest.mark.parametrize("place", ['"{}"', "<http://a/{}>", "<http://a{}/>", "<a{}:b>", "<{}:b>", "_:a{}", '"a"@{}n'])
def test_every_character_is_taken_as_oxigraph_takes_it(place: str) -> None:
    edges = [*range(0x300), *range(0x7F0, 0x810), *range(0xD7F0, 0xD800), *range(0xE000, 0xE010)]
    edges += [*range(0xFDC0, 0xFE00), *range(0xFFF0, 0x10010), *range(0x10FFF0, 0x110000)]
    characters = [chr(code) for code in edges if chr(code) not in "\r\n"]
    parts = parted(lines_of([f"<http://a> <http://b> {place.format(c)} ." for c in characters]), graphs=False)
    assert 0 < len(parts.numbers) < len(characters)
    check_as_oxigraph_writes(parts.canonical, graphs=False)


NO_UTF8 = [
    b"\x80",
    b"\xc3",
    b"\xc0\xaf",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xff",
]


@pytest.mark.parametrize("bad", NO_UTF8)
@pytest.mark.parametrize("place", [b'"%s"', b"<http://a/%s>"])
def test_what_is_no_utf8_is_for_the_parser(place: bytes, bad: bytes) -> None:
    block = b"<http://a> <http://b> " + place % bad + b" .\n"
    assert parted(block, graphs=False).others == block


@pytest.mark.parametrize("graphs", [True, False])
def test_damaged_lines_are_taken_only_where_they_are_whole(*, graphs: bool) -> None:
    rng = np.random.default_rng(7)
    seeds = [f"{line}\n".encode() for line in (*ORDINARY, *IN_A_GRAPH, *FOR_THE_PARSER)]
    lines = []
    for _ in range(20_000):
        line = bytearray(seeds[rng.integers(len(seeds))])
        at, letter = int(rng.integers(len(line))), BYTES[rng.integers(len(BYTES))]
        other = seeds[rng.integers(len(seeds))]
        part = other[rng.integers(len(other)) :][:12]
        line[at : at + int(rng.integers(2))] = (b"", bytes([letter]), part)[rng.integers(3)]
        lines.append(bytes(line))
    block = b"".join(lines)
    parts = parted(block, graphs=graphs)
    assert parts.n == len(block.splitlines())
    assert parts.n - len(parts.numbers) > 1_000
    check_as_oxigraph_writes(parts.canonical, graphs=graphs)
