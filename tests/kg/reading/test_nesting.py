from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.limits import Limits
from graphrec.errors import DataError
from graphrec.kg.reading.formats import RdfFile
from graphrec.kg.reading.nesting import NestingGuard, is_too_deep
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import write

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"'


def nested(kind: str, n: int) -> str:
    """Return a legal document whose deepest place is ``n`` levels down."""
    opening, inside, closing = {
        "blank nodes.ttl": ("[ <http://p> ", "1", " ]"),
        "lists.ttl": ("( ", "1", " )"),
        "triple terms.ttl": ("<< <http://a> <http://p> ", "<http://b>", " >>"),
        "annotations.ttl": ("{| <http://p> ", "1", " |}"),
        "blank nodes.trig": ("[ <http://p> ", "1", " ]"),
        "objects.jsonld": ('{"http://p":', "1", "}"),
        "arrays.jsonld": ("[", "1", "]"),
        "elements.rdf": ("<e:A>", "", "</e:A>"),
    }[kind]
    if kind == "annotations.ttl":
        return "<http://s> <http://p> <http://o> " + "{| <http://p> <http://o> " * n + "|} " * n + "."
    if kind.endswith(".trig"):
        return "<http://g> { <http://s> <http://p> " + opening * (n - 1) + inside + closing * (n - 1) + " . }"
    if kind.endswith(".ttl"):
        return "<http://s> <http://p> " + opening * n + inside + closing * n + " ."
    if kind == "objects.jsonld":
        return opening * n + inside + closing * n
    if kind == "arrays.jsonld":
        return '{"http://p":' + opening * (n - 1) + inside + closing * (n - 1) + "}"
    literal = opening * (n - 3) + closing * (n - 3)
    return f'<rdf:RDF {RDF}><e:B><e:p rdf:parseType="Literal">{literal}</e:p></e:B></rdf:RDF>'


KINDS = (
    "blank nodes.ttl",
    "lists.ttl",
    "triple terms.ttl",
    "annotations.ttl",
    "blank nodes.trig",
    "objects.jsonld",
    "arrays.jsonld",
    "elements.rdf",
)


@pytest.mark.parametrize("kind", KINDS)
def test_depth_is_judged_before_the_parser_and_to_the_level(tmp_path: Path, kind: str) -> None:
    for n in (20, 50_000):
        path = write(tmp_path / kind.replace(" ", "-"), nested(kind, n))
        with pytest.raises(
            DataError, match=r"line 1, column \d+: 20 levels are nested, and at most 19 are read; .*raise"
        ):
            read_rdf(path, limits=Limits(depth=19))
    path = write(tmp_path / kind.replace(" ", "-"), nested(kind, 20))
    assert read_rdf(path, limits=Limits(depth=20)).report.n_statements


QUIET = {
    "turtle": [
        *('"[[[[" ', "'((((' ", '"""[[" [[ "" [[""" ', "'''((' \\' '' [ (('''", '"\\"[[[["', '"\\\\" ', '"" ', "'' "),
        *('"""""" ', "<http://e/((((> ", "# [[[[ (((( <<<<\n", "e:\\(\\(\\(\\( ", '"""\\""" [[["""', "<http://e/'> "),
        *('"<" ', "'<<' ", "_:b "),
    ],
    "json-ld": ['"[[[["', '"{{{{"', '"\\"[[[["', '"\\\\"', '""', "12", "null"],
    "rdf-xml": [
        *("<!-- <a><a><a> -->", "<!-- - -- <a> -->", "<?x <a><a><a> ?>", "<![CDATA[<a><a><a>]]>", "<![CDATA[]]]]>"),
        *("<b/>", '<b c="<a><a>" />', "<b c='>' d=\"/\"/>", "<b c='/'></b>", "> ", "<b\n c = '1'\n/>"),
    ],
}
OPENING = {"turtle": ("[", "]"), "json-ld": ("[", "]"), "rdf-xml": ("<a>", "</a>")}


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_what_stands_in_strings_and_comments_is_no_level(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(sorted(QUIET)))
    parts, depth, deepest = [], 0, 0
    for step in data.draw(st.lists(st.sampled_from(["open", "close", "quiet"]), max_size=30)):
        if step == "open":
            depth += 1
            deepest = max(deepest, depth)
            parts.append(OPENING[syntax][0])
        elif step == "close" and depth:
            depth -= 1
            parts.append(OPENING[syntax][1])
        else:
            parts.append(data.draw(st.sampled_from(QUIET[syntax])))
            deepest = max(deepest, depth + (syntax == "rdf-xml" and parts[-1] == "<b c='/'></b>"))
            parts.append("," if syntax == "json-ld" else "")
    text = "".join(parts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    blocks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def feed(limit: int) -> None:
        guard = NestingGuard(RdfFile(Path("a"), syntax), Limits(depth=limit))
        for block in blocks:
            guard.feed(block)

    feed(max(deepest, 1))
    if deepest > 1:
        with pytest.raises(DataError, match=f"{deepest} levels are nested"):
            feed(deepest - 1)


def json_depth(value: Any) -> int:
    """Return the levels of a JSON value (the slow, obvious way)."""
    if isinstance(value, dict):
        return 1 + max(map(json_depth, value.values()), default=0)
    return 1 + max(map(json_depth, value), default=0) if isinstance(value, list) else 0


TEXT = st.text(st.sampled_from('[]{}",:\\ab@'), max_size=6) | st.just("@context")
JSON = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=20,
)


@given(value=JSON, spaced=st.booleans())
@settings(max_examples=200, deadline=None)
def test_levels_of_json_are_those_of_its_values(*, value: Any, spaced: bool) -> None:
    text = json.dumps(value, indent=1 if spaced else None).encode()
    deepest = json_depth(value)
    NestingGuard(RdfFile(Path("a"), "json-ld"), Limits(depth=max(deepest, 1))).feed(text)
    if deepest > 1:
        with pytest.raises(DataError, match="levels are nested"):
            NestingGuard(RdfFile(Path("a"), "json-ld"), Limits(depth=deepest - 1)).feed(text)


def xml_depth(element: ET.Element) -> int:
    return 1 + max(map(xml_depth, element), default=0)


def xml_tree(shape: list[Any], words: list[str]) -> ET.Element:
    element = ET.Element("a", dict(zip("bc", words, strict=False)))
    element.text = words[0]
    element.extend(xml_tree(inner, words[::-1]) for inner in shape)
    return element


SHAPES: st.SearchStrategy[list[Any]] = st.recursive(
    st.just([]), lambda inner: st.lists(inner, max_size=2), max_leaves=6
)


@given(shape=SHAPES, words=st.permutations(["x > y", "<", "'", '"/', "&"]), short=st.booleans())
@settings(max_examples=60, deadline=None)
def test_levels_of_xml_are_those_of_its_tree(*, shape: list[Any], words: list[str], short: bool) -> None:
    tree = xml_tree(shape, words)
    text, deepest = ET.tostring(tree, short_empty_elements=short), xml_depth(tree)
    NestingGuard(RdfFile(Path("a"), "rdf-xml"), Limits(depth=deepest)).feed(text)
    # An element that closes itself is no level: nothing can stand in it.
    if deepest > 1 and not short:
        with pytest.raises(DataError, match="levels are nested"):
            NestingGuard(RdfFile(Path("a"), "rdf-xml"), Limits(depth=deepest - 1)).feed(text)


def declared(n: int) -> str:
    return " ".join(f'xmlns:n{i}="http://e/{i}"' for i in range(n - 2))


def given_values(n: int) -> str:
    return " ".join(f'e:n{i}="{i}"' for i in range(n))


MANY: dict[str, tuple[Callable[[int], str], str]] = {
    "namespaces.rdf": (
        lambda n: f"<rdf:RDF {RDF} {declared(n)}><e:A rdf:about='http://a'/></rdf:RDF>",
        "namespaces or attributes",
    ),
    "attributes.rdf": (lambda n: f"<rdf:RDF {RDF}><e:A {given_values(n)}/></rdf:RDF>", "namespaces or attributes"),
    "terms.jsonld": (
        lambda n: json.dumps({"@context": {f"t{i}": f"http://e/{i}" for i in range(n)}, "@id": "http://a", "t0": 1}),
        "terms",
    ),
    "a-chain-of-terms.jsonld": (
        lambda n: json.dumps(
            {"@context": {f"t{i}": f"t{i + 1}:x" for i in range(n - 1)} | {f"t{n - 1}": "http://e/"}, "t0": 1}
        ),
        "terms",
    ),
    "many-contexts.jsonld": (
        lambda n: json.dumps({"@context": [{f"t{i}": f"http://e/{i}"} for i in range(n)], "@id": "http://a", "t0": 1}),
        "terms",
    ),
    "an-escaped-context.jsonld": (
        lambda n: json.dumps({"@context": {f"t{i}": f"http://e/{i}" for i in range(n)}, "t0": 1}).replace(
            "@context", "\\u0040context"
        ),
        "terms",
    ),
}


@pytest.mark.parametrize("name", MANY)
def test_names_in_scope_are_counted(tmp_path: Path, name: str) -> None:
    make, what = MANY[name]
    assert read_rdf(write(tmp_path / name, make(40)), limits=Limits(names=40)).report.n_statements
    with pytest.raises(DataError, match=rf"line 1, column \d+: there are 41 {what}.*at most 40 .*raise limits\.names"):
        read_rdf(write(tmp_path / name, make(41)), limits=Limits(names=40))
    with pytest.raises(DataError, match=r"there are 3,001 .*at most 3,000"):
        read_rdf(write(tmp_path / name, make(200_000)))


def test_a_name_counts_only_where_it_holds(tmp_path: Path) -> None:
    each = "".join(f'<x:A xmlns:x="http://e/{i}"><x:p xmlns:y="http://y">1</x:p></x:A>' for i in range(50))
    kg = read_rdf(write(tmp_path / "a.rdf", f"<rdf:RDF {RDF}>{each}</rdf:RDF>"), limits=Limits(names=4))
    assert kg.report.n_statements == 100
    nodes = [{"@context": {"t": f"http://e/{i}"}, "@id": "http://a", "t": 1} for i in range(50)]
    assert read_rdf(write(tmp_path / "a.jsonld", json.dumps(nodes)), limits=Limits(names=1)).report.n_statements == 50


def test_contexts_that_copy_contexts_are_bounded_by_the_size_of_the_file(tmp_path: Path) -> None:
    terms = {f"t{i}": f"http://e/{i}" for i in range(2_900)}
    node = {"@context": {"z": "http://z"}, "@id": "http://a", "z": 1}
    scoped = {**terms, "t0": {"@id": "http://e/0", "@context": {"z": "http://z"}}}
    for context, inner in ((terms, node), (scoped, {"@id": "http://a", "t0": {"z": 1}})):
        few = json.dumps({"@context": context, "@graph": [inner] * 100})
        assert read_rdf(write(tmp_path / "few.jsonld", few)).report.n_statements
        many = json.dumps({"@context": context, "@graph": [inner] * 20_000})
        with pytest.raises(DataError, match="contexts inside contexts copy"):
            read_rdf(write(tmp_path / "many.jsonld", many))


def test_triple_terms_of_a_line() -> None:
    line = b"<http://a> <http://p> " + b"<<( <http://a> <http://p> " * 20 + b'"<<( <<("' + b" )>>" * 20 + b" .\n"
    assert is_too_deep(line, Limits(depth=39))  # a parenthesis is a bracket of its own
    assert not is_too_deep(line, Limits(depth=40))
    assert not is_too_deep(b'<http://a> <http://p> "' + b"<<(" * 300 + b'" . # ' + b"<<(" * 300, Limits())
