"""What a file holds is kept, rejected or blank."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.limits import Limits
from graphrec.errors import ConfigError, DataError
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import write

GOOD = "<http://s> <http://p> <http://o> ."
KINDS = {
    "statement": [GOOD, '_:b <http://p> "x # y\\n"@en . # said', '\t<http://s> <http://p> "\\u000A" .'],
    "other graph": ["<http://s> <http://p> <http://o> <http://g> ."],
    "blank": ["", "  \t", "# a comment", " #", "#<http://s> <http://p> <http://o> ."],
    "bad": [
        "nonsense",
        GOOD + " " + GOOD,
        "<s> <http://p> <http://o> .",
        '"a" <http://p> "b" .',
        "\x0b",
        "\ufeff" + GOOD,
    ],
    "triple term": ["<http://a> <http://p> <<( <http://a> <http://p> <http://o> )>> ."],
    "deep": ["<http://a> <http://p> " + "<<( <http://a> <http://p> " * 4 + "<http://o>" + " )>>" * 4 + " ."],
    "long": ['<http://s> <http://p> "' + "x" * 500 + '" .'],
    "long comment": ["# " + "x" * 500],
}


@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
    seed=st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_every_line_is_kept_rejected_or_blank(
    tmp_path_factory: pytest.TempPathFactory, *, kinds: list[str], end: str, last: bool, seed: int
) -> None:
    kinds = ["statement", *kinds, "statement"]
    lines = [KINDS[kind][(seed + i) % len(KINDS[kind])] for i, kind in enumerate(kinds)]
    folder = tmp_path_factory.mktemp("lines")
    path = write(folder / "a.nq", end.join(lines) + (end if last else ""))
    limits = Limits(depth=3, text_bytes=400)
    report = read_rdf(path, rejects=folder / "r.jsonl", max_reject_share=1.0, graphs=[""], limits=limits).report
    counts = {kind: kinds.count(kind) for kind in KINDS}
    assert report.n_lines == len(lines)
    assert report.n_statements == counts["statement"]
    assert report.n_other_graphs == counts["other graph"]
    assert report.n_blank == counts["blank"] + counts["long comment"]
    assert report.n_rejected == counts["bad"] + counts["deep"] + counts["long"]
    assert report.n_triple_terms == counts["triple term"]
    rejected = [i + 1 for i, kind in enumerate(kinds) if kind in ("bad", "deep", "long")]
    rows = folder / "r.jsonl"
    kept = [json.loads(row)["line"] for row in rows.read_text(encoding="utf-8").splitlines()] if rejected else []
    assert kept == rejected
    assert rows.exists() == bool(rejected)


GEOMETRY = {
    ".nt": ('<http://e/s> <http://e/p> "{}" .\n', ""),
    ".nq": ('<http://e/s> <http://e/p> "{}" <http://g> .\n', ""),
    ".ttl": (
        '<http://e/s> <http://e/p> """{}""" .\n',
        r"a\.ttl\.gz, line 41, column \d+: a value.* 16,711,680",
    ),
    ".trig": ("<http://e/s> <http://e/p> '{}' .\n", r"a\.trig\.gz, line 41, column \d+: a value.* 16,711,680"),
    ".jsonld": (
        '[{{"@id":"http://e/s","http://e/p":"{}"}}]',
        r"a\.jsonld\.gz, line 1, column \d+: a value.* 8,323,072",
    ),
}


@pytest.mark.parametrize("extension", GEOMETRY)
def test_a_literal_longer_than_the_parsers_buffer(tmp_path: Path, extension: str) -> None:
    template, sentence = GEOMETRY[extension]
    plain = (
        "" if extension == ".jsonld" else "".join(f"<http://e/{i}> <http://e/p> <http://e/o> .\n" for i in range(40))
    )
    path = tmp_path / f"a{extension}.gz"
    path.write_bytes(gzip.compress((plain + template.format("1.5 2.5 " * (17 << 17))).encode(), 1))
    if sentence:
        with pytest.raises(DataError, match=sentence):
            read_rdf(path)
        return
    report = read_rdf(path, rejects=tmp_path / "r.jsonl").report
    assert (report.n_statements, report.n_rejected) == (40, 1)
    row = json.loads((tmp_path / "r.jsonl").read_text(encoding="utf-8"))
    assert row["line"] == 41
    assert row["reason"].startswith("the line has 17,825,8")
    assert len(row["text"]) == 4096
    with pytest.raises(DataError, match="line 41: the line has"):
        read_rdf(path, on_error="raise")


def test_rdf_xml_has_no_such_buffer(tmp_path: Path) -> None:
    names = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"'
    text = f"<rdf:RDF {names}><e:A><e:p>{'1.5 2.5 ' * (17 << 17)}</e:p></e:A></rdf:RDF>"
    path = write(tmp_path / "a.rdf.gz", text)
    assert max(map(len, read_rdf(path).literals.texts.to_pylist())) == 17 << 20
    with pytest.raises(DataError, match=r"a value, name, comment or tag is too many bytes.*raise limits\.text_bytes"):
        read_rdf(path, limits=Limits(text_bytes=1 << 20))


RELATIVE = {
    "subject": {"@id": "x", "http://p": "1"},
    "object": {"@id": "http://s", "http://p": {"@id": "../y"}},
    "type": {"@id": "http://s", "@type": "Book"},
    "datatype": {"@id": "http://s", "http://p": {"@value": "1", "@type": "number"}},
    "graph": {"@id": "g", "@graph": {"@id": "http://s", "http://p": 1}},
    "base taken away": {"@context": {"@base": None}, "@id": "x", "http://p": 1},
    "space": {"@id": "http://a b", "http://p": 1},
    "line end": {"@id": "http://a> <http://b> <http://c> .\n<http://d", "http://p": 1},
    "language": {"@id": "http://s", "http://p": {"@value": "x", "@language": "no language"}},
}


@pytest.mark.parametrize("case", RELATIVE)
def test_json_ld_without_an_absolute_iri_is_counted(tmp_path: Path, case: str) -> None:
    nodes = [{"@id": f"http://e/{i}", "http://p": "x"} for i in range(40)]
    path = write(tmp_path / "a.jsonld", json.dumps([*nodes[:20], RELATIVE[case], *nodes[20:]]))
    report = read_rdf(path, rejects=tmp_path / "r.jsonl").report
    assert (report.n_statements, report.n_rejected) == (40, 1)
    assert report.first_reject.startswith(f"{path}, statement 21: ")
    assert json.loads((tmp_path / "r.jsonl").read_text(encoding="utf-8"))["statement"] == 21
    with pytest.raises(DataError, match=r"a\.jsonld, statement 21: .*; correct the statement"):
        read_rdf(path, on_error="raise")
    alone = write(tmp_path / "b.jsonld", json.dumps(RELATIVE[case]))
    with pytest.raises(DataError, match=r"statement 1: .*1 of 1 statements of .* cannot be used"):
        read_rdf(alone)
    if case not in ("base taken away", "space", "line end", "language"):
        assert read_rdf(path, base="http://base/").report.n_statements == 41


def test_keys_without_an_iri_say_nothing_and_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonld", json.dumps({"@id": "http://a", "name": "x", "n": [1, 2], "http://p": 1}))
    report = read_rdf(path, on_error="raise").report
    assert (report.n_statements, report.n_unmapped, report.n_rejected) == (1, 3, 0)


@pytest.mark.parametrize("base", ["", "x", "../y", 5, "http://a b"])
def test_a_base_is_an_absolute_iri(tmp_path: Path, base: object) -> None:
    with pytest.raises(ConfigError, match=r"base is .*; it must be an absolute IRI"):
        read_rdf(write(tmp_path / "a.nt", GOOD), base=base)  # type: ignore[arg-type]


def test_rejects_take_their_place_at_the_end_and_old_ones_go(tmp_path: Path) -> None:
    rejects = tmp_path / "fresh" / "rejects" / "r.jsonl"
    bad = write(tmp_path / "bad.nt", "nonsense\n" + f"{GOOD}\n" * 40)
    read_rdf(bad, rejects=rejects)
    assert rejects.read_text(encoding="utf-8").count("\n") == 1
    read_rdf(write(tmp_path / "good.nt", GOOD), rejects=rejects)
    assert list(rejects.parent.iterdir()) == []
    broken = write(tmp_path / "broken.nt", "nonsense\n" * 3)
    with pytest.raises(DataError, match="cannot be used"):
        read_rdf(broken, rejects=rejects)
    assert list(rejects.parent.iterdir()) == [rejects]
