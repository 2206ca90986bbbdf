"""From one syntax to another, and what that may not do."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest

from graphrec.errors import DataError
from graphrec.kg.reading.formats import FORMATS, rdf_file
from graphrec.kg.writing.convert import convert

TRIG = """@prefix : <http://e.org/> .
:a :p "x"@en , _:n . _:n :q :b .
:g { :a :p _:m . _:m :q "y" }
"""


def canonical(path: Path) -> ox.Dataset:
    dataset = ox.Dataset(ox.parse(path.read_bytes(), FORMATS[rdf_file(path).format]))
    dataset.canonicalize(ox.CanonicalizationAlgorithm.UNSTABLE)
    return dataset


@pytest.mark.parametrize("extension", [".nq", ".trig", ".jsonld"])
def test_named_graphs_and_blank_nodes_stay(tmp_path: Path, extension: str) -> None:
    source, target = tmp_path / "in.trig", tmp_path / f"out{extension}"
    source.write_text(TRIG, encoding="utf-8")
    assert convert(source, target) == 5
    assert canonical(target) == canonical(source)


@pytest.mark.parametrize("extension", [".ttl", ".nt", ".rdf"])
def test_a_named_graph_has_no_place_in_triples(tmp_path: Path, extension: str) -> None:
    source = tmp_path / "in.trig"
    source.write_text(TRIG, encoding="utf-8")
    target = tmp_path / f"out{extension}"
    target.write_text("before", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"the named graph <http://e.org/g>, which the syntax to write has no place for"
    ):
        convert(source, target)
    assert target.read_text(encoding="utf-8") == "before"


def test_blank_nodes_of_two_files_stay_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.nt").write_text("_:x <http://e.org/p> <http://e.org/o> .\n", encoding="utf-8")
    assert convert([tmp_path / "a.nt", tmp_path / "b.nt"], tmp_path / "out.nt") == 2
    assert len(set((tmp_path / "out.nt").read_text(encoding="utf-8").splitlines())) == 2


def test_a_file_is_not_written_over_itself(tmp_path: Path) -> None:
    source = tmp_path / "in.ttl"
    source.write_text("<http://e.org/a> <http://e.org/p> 1 .", encoding="utf-8")
    with pytest.raises(DataError, match="read and written at once"):
        convert(source, tmp_path / "." / "in.ttl")
    source.write_text("<http://e.org/a> <http://e.org/p> .", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        convert(source, tmp_path / "out.nt")
    assert not (tmp_path / "out.nt").exists()
