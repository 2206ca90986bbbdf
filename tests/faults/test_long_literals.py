"""RDF literals longer than a parser holds: kept whole, or one rejected line, or one sentence; never a traceback."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from graphrec.errors import DataError
from graphrec.kg.reading.rdf import read_rdf

# Just beyond what oxigraph's text parsers hold (16 MiB), and well beyond.
LENGTHS = [(1 << 24) + 10, 17_000_000]
HEAD = "".join(f"<http://a/{i}> <http://a/p> <http://a/{i + 1}> .\n" for i in range(39))


def lines(length: int) -> str:
    return f'{HEAD}<http://a/1> <http://a/wkt> "{"x" * length}" .\n'


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", ["a.nt", "a.nt.gz", "a.nq"])
def test_of_lines_it_costs_its_own_at_most(tmp_path: Path, name: str, length: int) -> None:
    path, data = tmp_path / name, lines(length).encode()
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    report = read_rdf(path).report
    assert report.n_statements + report.n_rejected == 40
    assert report.n_statements >= 39


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", ["a.ttl", "a.trig", "a.jsonld"])
def test_of_a_document_it_is_kept_or_one_sentence(tmp_path: Path, name: str, length: int) -> None:
    path = tmp_path / name
    long = {"@id": "http://a/1", "http://a/p": [{"@id": "http://a/2"}, "x" * length]}
    path.write_text(json.dumps(long) if name.endswith("jsonld") else lines(length), encoding="utf-8")
    sentence = ""
    try:
        assert len(read_rdf(path).triples) == (2 if name.endswith("jsonld") else 40)
    except DataError as error:
        sentence = str(error)
    assert not sentence or (str(path) in sentence and "line" in sentence and len(sentence) < 300)
