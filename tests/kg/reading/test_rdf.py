from __future__ import annotations

import itertools
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.compare import isomorphic

from graphrec.errors import ConfigError, DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.terms import GENID
from tests.kg.reading.documents import DOCUMENTS, NQ, NT, RDFLIB_NAMES, TURTLE, XML, same_graph, write


def as_rdflib(kg: KnowledgeGraph) -> rdflib.Graph:
    """Return the graph with blank nodes again in the place of their IRIs (the slow, obvious way)."""

    def node(row: int) -> rdflib.URIRef | rdflib.BNode:
        iri = kg.entities[row]
        return rdflib.BNode(iri.rsplit("/", 1)[1]) if iri.startswith(GENID) else rdflib.URIRef(iri)

    graph = rdflib.Graph()
    for h, r, t in kg.triples.tolist():
        graph.add((node(h), rdflib.URIRef(kg.relations[r]), node(t)))
    texts, tags = kg.literals.texts.to_pylist(), kg.literals.languages.to_pylist()
    types = kg.literals.datatypes.to_pylist()
    for h, r, v in kg.literals.statements.tolist():
        plain = tags[v] is not None or types[v].endswith("#string")
        value = rdflib.Literal(texts[v], lang=tags[v], datatype=None if plain else rdflib.URIRef(types[v]))
        graph.add((node(h), rdflib.URIRef(kg.relations[r]), value))
    return graph


@pytest.mark.filterwarnings("ignore:(Dataset|ConjunctiveGraph):DeprecationWarning")  # rdflib 7.6 warns of its own use
@pytest.mark.parametrize("extension", DOCUMENTS)
def test_same_triples_as_rdflib(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"graph{extension}", DOCUMENTS[extension])
    oracle = rdflib.Graph()
    dataset = rdflib.Dataset()
    dataset.parse(data=DOCUMENTS[extension], format=RDFLIB_NAMES[extension])
    for s, p, o, _ in dataset.quads():
        # xsd:string and no datatype are one thing in RDF 1.1, but not in rdflib.
        plain = isinstance(o, rdflib.Literal) and str(o.datatype or "").endswith("#string")
        oracle.add((s, p, rdflib.Literal(str(o)) if plain else o))
    found = as_rdflib(read_rdf(path))
    assert len(found) == len(oracle) >= 5
    assert isomorphic(found, oracle)


@pytest.mark.parametrize("compression", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("extension", DOCUMENTS)
def test_compression_changes_nothing(tmp_path: Path, extension: str, compression: str) -> None:
    plain = write(tmp_path / f"graph{extension}", DOCUMENTS[extension])
    packed = write(tmp_path / f"packed{extension}{compression}", DOCUMENTS[extension])
    assert same_graph(read_rdf(plain), read_rdf(packed))


def test_rows_are_sorted_and_unique(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "a.nt", NT + NT))
    assert kg.entities.ids.to_pylist() == sorted(kg.entities.ids.to_pylist())
    assert [tuple(t) for t in kg.triples.tolist()] == sorted({tuple(t) for t in kg.triples.tolist()})
    assert kg.triples.dtype == np.int32
    assert kg.report.n_statements == 12


def test_values_are_unescaped_and_typed(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "a.ttl", TURTLE))
    rows = zip(
        kg.literals.texts.to_pylist(),
        kg.literals.languages.to_pylist(),
        (d.rsplit("#")[1] for d in kg.literals.datatypes.to_pylist()),
        strict=True,
    )
    assert set(rows) == {
        ("Dune", "en", "langString"),
        ("Der Wüstenplanet", "de", "langString"),
        ('The "Hobbit"\nor there and backé 😀', None, "string"),
        ("Frank Herbert", None, "string"),
        ("1965", None, "integer"),
        ("1937", None, "integer"),
        ("10", None, "integer"),
    }


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2), _TEXTS | st.integers(0, 5)), min_size=1, max_size=30))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, str | int]]) -> None:
    graph = rdflib.Graph()
    for s, p, o in rows:
        value = rdflib.Literal(o) if isinstance(o, str) else rdflib.URIRef(f"http://e/{o}")
        graph.add((rdflib.URIRef(f"http://e/{s}"), rdflib.URIRef(f"http://p/{p}"), value))
    path = tmp_path_factory.mktemp("any") / "a.nt"
    path.write_bytes(graph.serialize(format="nt", encoding="utf-8"))
    assert set(as_rdflib(read_rdf(path))) == set(graph)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_lines_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    lines = [line for line in NT.splitlines() if line.startswith(("<", "_"))]
    lines += [f"_:b{i} <http://p> _:b{i * 7 % 40} ." for i in range(40)] + ['<http://a> <http://l> "x"@de-AT .']
    first = read_rdf(write(tmp_path / "a.nt", "\n".join(lines)))
    random.Random(seed).shuffle(lines)
    assert same_graph(first, read_rdf(write(tmp_path / "b.nt", "\n".join(lines))))


@pytest.mark.parametrize("extension", DOCUMENTS)
def test_blank_nodes_keep_their_ids(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"graph{extension}", DOCUMENTS[extension])
    again = write(tmp_path / f"copy{extension}", DOCUMENTS[extension])
    assert same_graph(read_rdf(path), read_rdf(again))
    assert any(iri.startswith(GENID) for iri in read_rdf(path).entities)


def test_files_merge_and_share_no_blank_nodes(tmp_path: Path) -> None:
    a = write(tmp_path / "a.nt", '_:x <http://p> "1" .\n<http://s> <http://p> <http://t> .')
    b = write(tmp_path / "b.nt", '_:x <http://p> "2" .\n<http://s> <http://p> <http://t> .')
    both = read_rdf([a, b])
    assert len(both.triples) == 1
    assert len(both.literals) == 2
    assert len(both.entities) == 4
    assert same_graph(both, read_rdf([b, a]))
    assert same_graph(read_rdf([a, a]), read_rdf(a))


def test_many_chunks_and_table_growth(tmp_path: Path) -> None:
    lines = [f"<http://s/{i % 9973}> <http://p/{i % 7}> <http://o/{i}> ." for i in range(150_000)]
    kg = read_rdf(write(tmp_path / "a.nt.gz", "\n".join(lines)))
    assert len(kg.triples) == 150_000
    assert len(kg.entities) == 150_000 + 9973
    row = {iri: i for i, iri in enumerate(kg.entities)}
    relation = {iri: i for i, iri in enumerate(kg.relations)}
    wanted = [
        (row[f"http://s/{i % 9973}"], relation[f"http://p/{i % 7}"], row[f"http://o/{i}"]) for i in range(150_000)
    ]
    assert kg.triples.tolist() == sorted(map(list, wanted))


def test_an_iri_may_be_predicate_and_entity(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "a.nt", "<http://p> <http://p> <http://p> ."))
    assert kg.triples.tolist() == [[0, 0, 0]]
    assert (len(kg.entities), len(kg.relations)) == (1, 1)


def test_named_graphs_merge_or_are_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nq", NQ)
    assert read_rdf(path).report.n_statements == 6
    assert read_rdf(path, graphs=["http://example.org/g"]).report.n_statements == 1
    assert read_rdf(path, graphs=[""]).report.n_statements == 5
    with pytest.raises(DataError, match="no triples"):
        read_rdf(path, graphs=["http://example.org/other"])


def test_labels_follow_language_then_predicate(tmp_path: Path) -> None:
    text = """
    @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
    @prefix s: <http://schema.org/> . @prefix t: <https://schema.org/> . @prefix : <http://e/> .
    :a rdfs:label "Hund"@de, "chien"@fr ; skos:prefLabel "dog"@en-GB . :b rdfs:label "x"@fr ; s:name "plain" .
    :c t:name "https" . :d :p :a . :e rdfs:label "two", "one" ."""
    path = write(tmp_path / "a.ttl", text)

    def labels(*languages: str) -> dict[str, str | None]:
        kg = read_rdf(path, languages=languages)
        return {iri[-1]: label for iri, label in zip(kg.entities, kg.labels.to_pylist(), strict=True)}

    assert labels("en") == {"a": "dog", "b": "plain", "c": "https", "d": None, "e": "one"}
    assert labels("de", "en")["a"] == "Hund"
    assert labels("fr")["b"] == "x"


def test_triple_terms_are_counted(tmp_path: Path) -> None:
    line = "<http://a> <http://b> <<( <http://a> <http://b> <http://c> )>> .\n"
    path = write(tmp_path / "a.nt", line + "<http://a> <http://b> <http://c> .\n")
    kg = read_rdf(path)
    assert (len(kg.triples), kg.report.n_triple_terms) == (1, 1)
    with pytest.raises(DataError, match=r"a\.nt holds RDF 1\.2 triple terms"):
        read_rdf(path, on_error="raise")


GOOD = "".join(f"<http://s/{i}> <http://p> <http://o> .\n" for i in range(99))
BAD_LINES = {
    "space in IRI": ("<http://a b> <http://p> <http://o> .", "code point ' '"),
    "quote in IRI": ('<http://a"b> <http://p> <http://o> .', "IRI"),
    "bad escape": ('<http://a> <http://p> "x\\q" .', "escape"),
    "half an escape": ('<http://a> <http://p> "x\\u12" .', "end"),
    "relative IRI": ("<a> <http://p> <http://o> .", "scheme"),
    "truncated": ('<http://a> <http://p> "x', "end"),
    "literal as subject": ('"a" <http://p> <http://o> .', "subject"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_line_is_counted_kept_and_named(tmp_path: Path, case: str) -> None:
    bad, reason = BAD_LINES[case]
    path = write(tmp_path / "a.nt", GOOD + bad + "\n" + GOOD.replace("/s/", "/t/"))
    kg = read_rdf(path, rejects=tmp_path / "rejects.jsonl")
    assert len(kg.triples) == 198
    assert kg.report.n_rejected == 1
    assert "line 100" in kg.report.first_reject
    kept = (tmp_path / "rejects.jsonl").read_text(encoding="utf-8")
    assert '"line": 100' in kept
    assert kept.count("\n") == 1
    with pytest.raises(DataError, match=r"a\.nt, line 100: .*" + reason):
        read_rdf(path, on_error="raise")


def test_bad_lines_anywhere_cost_themselves_alone(tmp_path: Path) -> None:
    lines = [f"<http://s/{i}> <http://p> <http://o> ." for i in range(3000)]
    bad = random.Random(1).sample(range(3000), 90)
    for i in bad:
        lines[i] = lines[i].replace("/s/", "/s /")
    path = write(tmp_path / "a.nq", "\r\n".join(lines))
    kg = read_rdf(path, rejects=tmp_path / "r.jsonl")
    assert len(kg.triples) == 2910
    text = (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()
    assert [int(row.split('"line": ')[1].split(",")[0]) for row in text] == sorted(i + 1 for i in bad)


def test_too_many_bad_lines_stop_the_run(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.nt", "<http://a b> <http://p> <http://o> .\n" + "<http://a> <http://p> <http://o> .\n" * 9
    )
    with pytest.raises(DataError, match=r"line 1: .*1 of 10 lines .* more than the limit of 5%"):
        read_rdf(path)
    assert read_rdf(path, max_reject_share=0.2).report.n_rejected == 1


@pytest.mark.parametrize("order", list(itertools.permutations(("bad", "clean", "worse"))))
def test_the_first_bad_line_is_that_of_the_first_file_with_one(tmp_path: Path, order: tuple[str, ...]) -> None:
    lines = {"bad": "<http://a b> <http://p> <http://o> .\n", "clean": "", "worse": "no triple\n" * 2}
    paths = [write(tmp_path / f"{name}.nt", GOOD + lines[name]) for name in order]
    report = read_rdf(paths, rejects=tmp_path / "new" / "folder" / "r.jsonl").report
    first = next(name for name in order if name != "clean")
    assert report.first_reject.startswith(f"{tmp_path / first}.nt, line 100: ")
    assert report.n_rejected == 3
    # Where a file has too many, the sentence names that file.
    broken = write(tmp_path / "broken.nt", "nonsense\n" + GOOD[:200].splitlines()[0] + "\n")
    with pytest.raises(DataError, match=r"broken\.nt, line 1: .*; 1 of 2 lines of .*broken\.nt cannot be used"):
        read_rdf([*paths, broken])


def test_good_input_writes_no_rejects_file(tmp_path: Path) -> None:
    read_rdf(write(tmp_path / "a.nt", GOOD), rejects=tmp_path / "r.jsonl")
    assert not (tmp_path / "r.jsonl").exists()


SYNTAX_ERRORS: dict[str, tuple[str, str | bytes, str]] = {
    "bad IRI": ("a.ttl", "@prefix : <http://e/> .\n:a :b <http://x y> .", r"a\.ttl, line 2, column 7: .*IRI"),
    "bad escape": ("a.ttl", '@prefix : <http://e/> .\n:a :b "\\q" .', r"a\.ttl, line 2, column \d+: .*escape"),
    "truncated turtle": ("a.ttl", '@prefix : <http://e/> .\n:a :b "x', r"a\.ttl, line 2.*truncated"),
    "undeclared prefix": ("a.trig", ":a :b :c .", r"a\.trig, line 1.*prefix"),
    "relative IRI": ("a.ttl", "<a> <b> <c> .", r"a\.ttl, line 1.*absolute"),
    "truncated json": (
        "a.jsonld",
        '{"@id": "http://a", "http://p": [1',
        r"a\.jsonld, line 1, column 35: .*Array values",
    ),
    "truncated xml": ("a.rdf", XML[: XML.index("</rdf:RDF>")], r"a\.rdf, line \d+: .*truncated"),
    "cut xml": ("a.rdf", XML[: XML.index("</e:Book>")], r"a\.rdf.*truncated"),
    "xml tag": ("a.rdf", XML.replace("</e:Book>", "</e:Buch>"), r"a\.rdf"),
    "unknown extension": ("a.txt", NT, r"a\.txt has the unknown extension '\.txt'; legal: \.ttl.*\.zst"),
    "unknown packed": ("a.csv.gz", NT, r"a\.csv\.gz has the unknown extension '\.csv'"),
    "empty": ("a.ttl", "", r"a\.ttl holds no triples"),
    "empty nt": ("a.nt", "# nothing\n\n", r"a\.nt holds no triples"),
    "empty xml": ("a.rdf", "", r"a\.rdf"),
    "empty gz": ("a.nt.gz", "", r"a\.nt\.gz holds no triples"),
    "utf-16": ("a.nt", NT.encode("utf-16"), r"a\.nt is in UTF-16"),
    "utf-16 without mark": ("a.ttl", TURTLE.strip().encode("utf-16-le"), r"a\.ttl is in UTF-16"),
    "utf-16 xml": ("a.rdf", XML.encode("utf-16"), r"a\.rdf is in UTF-16"),
    "latin-1": ("a.ttl", TURTLE.encode("latin-1", "replace"), r"a\.ttl, line 5.*UTF-8"),
    "latin-1 nt": ("a.nt", '<http://a> <http://b> "caf\u00e9" .\n'.encode("latin-1"), r"a\.nt, line 1: .*UTF-8"),
    "latin-1 xml": ("a.rdf", XML.replace("Dune", "D\u00fcne").encode("latin-1"), r"a\.rdf.*UTF-8"),
    "remote context": (
        "a.jsonld",
        '{"@context": "http://127.0.0.1:1/x", "@id": "http://a"}',
        r"a\.jsonld names a remote",
    ),
    "file context": ("a.jsonld", '{"@context": "file:///etc/passwd", "@id": "http://a"}', r"a\.jsonld names a remote"),
}


@pytest.mark.parametrize("case", SYNTAX_ERRORS)
def test_broken_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    name, text, sentence = SYNTAX_ERRORS[case]
    path = write(tmp_path / name, text)
    with pytest.raises(DataError, match=sentence) as caught:
        read_rdf(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("kind", ["half", "flipped", "not at all"])
def test_damaged_archive_is_one_sentence(tmp_path: Path, extension: str, kind: str) -> None:
    random.seed(3)
    lines = "".join(f'<http://s/{random.random()}> <http://p> "{random.random()}" .\n' for _ in range(3000))
    path = write(tmp_path / f"a.nt{extension}", lines)
    data = bytearray(path.read_bytes())
    if kind == "flipped":
        data[len(data) // 2] ^= 0xFF
    path.write_bytes(b"plain text" if kind == "not at all" else data[: len(data) // 2] if kind == "half" else data)
    with pytest.raises(
        DataError, match=rf"a\.nt\{extension} cannot be read .*truncated or damaged|a\.nt\{extension}, line"
    ):
        read_rdf(path)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.ttl does not exist"):
        read_rdf(tmp_path / "none.ttl")
    with pytest.raises(DataError, match="is a directory"):
        read_rdf(tmp_path)
    with pytest.raises(DataError, match="no RDF file"):
        read_rdf([])


def test_illegal_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dat", TURTLE)
    assert len(read_rdf(path, format="turtle").triples)
    with pytest.raises(ConfigError, match=r"'tutle' is unknown.*nearest: 'turtle'"):
        read_rdf(path, format="tutle")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        read_rdf(path, max_reject_share=2)
    with pytest.raises(ConfigError, match="on_error"):
        read_rdf(path, on_error="skip")  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, 5, b"a.ttl", pl.DataFrame({"a": ["x"]}), {"a.ttl"}, [5], ["a.ttl", None]])
def test_what_is_no_path(source: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.ttl", TURTLE)
    with pytest.raises(DataError, match=r"RDF cannot be read from a .*; legal are a path and a list of paths"):
        read_rdf(source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"format": 5}, "RDF format 5 is unknown; legal: turtle"),
        ({"max_reject_share": "5%"}, "max_reject_share is '5%'; it must be a number between 0 and 1"),
        ({"languages": "en"}, "languages is 'en'; it must be a list of texts"),
        ({"languages": [None]}, r"languages is \[None\]; it must be a list of texts"),
        ({"graphs": "http://g"}, "graphs is 'http://g'; it must be a list of texts"),
        ({"on_error": 1}, "on_error is 1; legal: 'reject', 'raise'"),
        ({"triple_terms": True}, "triple_terms is True; legal: 'count', 'reify'"),
    ],
)
def test_settings_of_the_wrong_type(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        read_rdf(write(tmp_path / "a.ttl", TURTLE), **settings)


def test_byte_order_mark_and_base(tmp_path: Path) -> None:
    for name in ("a.nt", "a.ttl"):
        assert len(read_rdf(write(tmp_path / name, b"\xef\xbb\xbf" + NT.encode())).triples)
    kg = read_rdf(write(tmp_path / "b.ttl", "<a> <b> <c> ."), base="http://base/")
    assert kg.entities.ids.to_pylist() == ["http://base/a", "http://base/c"]


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    read_rdf(write(tmp_path / "a.nt", NT), progress=lambda name, n: seen.append((name, n)))
    assert seen == [("a.nt", 6)]


@pytest.mark.parametrize(
    "tail", ["\n" * 3000, "<!-- a < b -->\n<?x y?> ", "<!--" + "-\n" * 4000 + "-->", " " * 5000 + "<!-- x -->"]
)
def test_xml_may_end_in_comments_and_space(tmp_path: Path, tail: str) -> None:
    padded = XML.replace("</rdf:RDF>", " " * 3000 + "</rdf:RDF >")
    assert len(read_rdf(write(tmp_path / "a.rdf", padded + tail)).triples) == 3


def test_a_root_that_closes_itself_is_whole(tmp_path: Path) -> None:
    text = """<r:Description xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"
    r:about="http://a" e:name="x > y"/>"""
    assert len(read_rdf(write(tmp_path / "a.rdf", text)).literals) == 1


def test_rejects_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nt", GOOD + "nonsense\n")
    with pytest.raises(DataError, match=r"rejects file .* cannot be written"):
        read_rdf(path, rejects=path / "r.jsonl")


BOMB = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HIDDEN = {
    "plain": BOMB,
    "lower case": BOMB.replace("DOCTYPE", "doctype"),
    "after a comment": "<!-- innocent --><?x y?>\n\n" + BOMB,
    "after a long comment": "<!--" + "x" * 200_000 + "-->" + BOMB,
    "across reads": " " * 65_531 + BOMB,
    "external": '<!DOCTYPE r SYSTEM "file:///etc/passwd">',
}


@pytest.mark.parametrize("case", HIDDEN)
@pytest.mark.parametrize("extension", [".rdf", ".owl.gz", ".xml.xz"])
def test_doctype_is_refused(tmp_path: Path, case: str, extension: str) -> None:
    head, _, body = XML.partition("?>\n")
    path = write(tmp_path / f"a{extension}", f"{head}?>{HIDDEN[case]}{body}")
    with pytest.raises(DataError, match=rf"a\{extension.replace('.', '.')}, line \d+: .*DOCTYPE"):
        read_rdf(path)
    # Inside the root element too, and in UTF-16 with or without a mark.
    inner = write(tmp_path / f"b{extension}", XML.replace("<e:Book", BOMB + "<e:Book"))
    with pytest.raises(DataError, match="DOCTYPE"):
        read_rdf(inner)
    for encoding in ("utf-16", "utf-16-be", "utf-16-le", "utf-32"):
        with pytest.raises(DataError, match="UTF-16"):
            read_rdf(write(tmp_path / f"c{extension}", f"{head}?>{BOMB}{body}".encode(encoding)))


@pytest.mark.skipif(not os.environ.get("GRAPHREC_DATA"), reason="GRAPHREC_DATA does not name the folder of test data")
def test_dbpedia_movies() -> None:
    kg = read_rdf(Path(os.environ["GRAPHREC_DATA"]) / "rdf" / "dbpedia-movies.nt.xz")
    assert (len(kg.triples), len(kg.entities), len(kg.relations)) == (79_620, 23_366, 12)
    assert kg.report.n_rejected == 0
