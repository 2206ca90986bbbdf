from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading import rdf
from graphrec.kg.reading.cache import SUFFIX, header, keep
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import DOCUMENTS, NT, same_graph, write


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be parsed."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(rdf, "statements", fail)


@pytest.mark.parametrize("extension", DOCUMENTS)
def test_a_graph_kept_is_the_graph_read(tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = write(tmp_path / f"a{extension}", DOCUMENTS[extension]), tmp_path / "cache"
    first = read_rdf(path, cache=folder)
    monkeypatch.setattr(rdf, "statements", None)
    again = read_rdf(path, cache=folder)
    assert same_graph(first, again)
    assert again.report == first.report
    assert again.labels.equals(first.labels)
    with pytest.raises(ValueError, match="read-only"):
        again.triples[0, 0] = 1


@pytest.mark.parametrize(
    "settings", [{"languages": ["de"]}, {"graphs": [""]}, {"triple_terms": "reify"}, {"base": "http://b/"}]
)
def test_other_settings_and_other_bytes_are_other_graphs(tmp_path: Path, settings: dict[str, Any]) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    read_rdf(path, cache=folder)
    read_rdf(path, cache=folder, **settings)
    assert len(entries(folder)) == 2
    write(path, NT + "<http://new> <http://p> <http://o> .\n")
    assert "http://new" in read_rdf(path, cache=folder).entities


@pytest.mark.usefixtures("no_reading")
def test_the_fixture_lets_nothing_be_read(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="read again"):
        read_rdf(write(tmp_path / "a.nt", NT), cache=tmp_path / "cache")


@pytest.mark.parametrize("place", [0, 20, 60, 200, -1])
def test_a_damaged_entry_is_read_anew(tmp_path: Path, place: int) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    first = read_rdf(path, cache=folder)
    entry = entries(folder)[0]
    data = bytearray(entry.read_bytes())
    data[place] ^= 1
    entry.write_bytes(data)
    assert same_graph(first, read_rdf(path, cache=folder))
    assert entry.read_bytes() != data
    entry.write_bytes(data[: len(data) // 2])
    assert same_graph(first, read_rdf(path, cache=folder))


def test_a_whole_file_that_holds_something_else_is_read_anew(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    first = read_rdf(path, cache=folder)
    table = pa.table({"triples": [1, 2]})
    for content in (table, table.slice(0, 0), pa.table({"triples": [[0, 5, 0]], "entities": [["a"]]})):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, content.schema) as writer:
            writer.write_table(content)
        payload = sink.getvalue()
        entries(folder)[0].write_bytes(header(payload) + payload.to_pybytes())
        assert same_graph(first, read_rdf(path, cache=folder))


def test_rejected_lines_are_seen_every_time(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "a.nt", NT + "nonsense\n"), tmp_path / "cache"
    for _ in range(2):
        report = read_rdf(path, cache=folder, rejects=tmp_path / "r.jsonl", max_reject_share=0.5).report
        assert (report.n_rejected, (tmp_path / "r.jsonl").exists()) == (1, True)
    assert entries(folder) == []


def test_what_was_used_least_recently_makes_room(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    graph: KnowledgeGraph = read_rdf(path)
    for age, key in enumerate(("new", "old", "older")):
        keep(folder, key, graph)
        os.utime(folder / f"{key}{SUFFIX}", (1e9 - age, 1e9 - age))
    size = entries(folder)[0].stat().st_size
    keep(folder, "newest", graph, most_bytes=2 * size)
    assert [entry.stem for entry in entries(folder)] == ["new", "newest"]
    keep(folder, "whole", graph, most_bytes=1)
    assert [entry.stem for entry in entries(folder)] == ["whole"]


def test_a_file_that_changes_meanwhile_is_not_kept(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    read_rdf(path, cache=folder, progress=lambda *_: os.utime(path, (1, 1)))
    assert entries(folder) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nt", NT)
    with pytest.raises(DataError, match=r"the cache .* cannot be written"):
        read_rdf(path, cache=path)
    with pytest.raises(ConfigError, match="cache is 5; it must be the path of a folder"):
        read_rdf(path, cache=5)  # type: ignore[arg-type]


def test_rows_stay_int32(tmp_path: Path) -> None:
    path, folder = write(tmp_path / "a.nt", NT), tmp_path / "cache"
    read_rdf(path, cache=folder)
    assert read_rdf(path, cache=folder).triples.dtype == np.int32
