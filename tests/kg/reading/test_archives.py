from __future__ import annotations

import bz2
import gzip
import io
import os
import threading
import zipfile
from pathlib import Path

import pytest

from graphrec.data.limits import Limits
from graphrec.errors import DataError
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import DOCUMENTS, NT, TURTLE, same_graph, write


@pytest.mark.parametrize("packed", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("name", ["a.nt", "a.nt.gz", "a.nt.xz", "a.nt.zst"])
def test_the_content_says_how_a_file_is_compressed(tmp_path: Path, name: str, packed: str) -> None:
    data = write(tmp_path / f"b{packed or '.nt'}", NT).read_bytes()
    path = tmp_path / name
    path.write_bytes(data)
    assert same_graph(read_rdf(path), read_rdf(write(tmp_path / "plain.nt", NT)))


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.nt", data)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["a.nt", "a.ttl.gz", "a.rdf"])
@pytest.mark.parametrize(
    ("kind", "make"),
    [("zip", zipped), ("bzip2", bz2.compress), ("7z", lambda _: b"7z\xbc\xaf\x27\x1c\0\4"), ("HDT", lambda _: b"$HDT")],
)
def test_an_archive_of_another_kind_is_named(tmp_path: Path, name: str, kind: str, make: object) -> None:
    path = tmp_path / name
    path.write_bytes(make(NT.encode()))  # type: ignore[operator]
    with pytest.raises(DataError, match=rf"{name} is a {kind} file; unpack it first, or compress it as \.gz"):
        read_rdf(path)


def test_an_archive_inside_an_archive_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.nt\.gz holds a \.gz file inside its compression"):
        read_rdf(write(tmp_path / "a.nt.gz", gzip.compress(NT.encode())))
    with pytest.raises(DataError, match="is a zip file"):
        read_rdf(write(tmp_path / "a.nt.xz", zipped(NT.encode())))


@pytest.mark.parametrize("packed", [".gz", ".xz", ".zst"])
def test_what_a_file_expands_to_is_bounded(tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.data.limits.FREE_BYTES", 1 << 16)
    path = write(tmp_path / f"a.nt{packed}", b"# " + b" " * (1 << 20) + b"\n" + NT.encode())
    with pytest.raises(DataError, match=r"a\.nt\.\w+ expands to more than [\d,]+ bytes \(200 for each.*expansion"):
        read_rdf(path)
    with pytest.raises(DataError, match=r"expands to more than 65,536 bytes; .*raise limits\.expanded_bytes"):
        read_rdf(path, limits=Limits(expansion=1 << 20, expanded_bytes=1 << 16))
    kg = read_rdf(path, limits=Limits(expansion=1 << 20))
    assert (kg.report.n_statements, kg.report.n_blank) == (6, 4)


ABBREVIATED = {
    "prefix.ttl": "@prefix a: <http://e/{long}> .\n{many}",
    "base.ttl": "@base <http://e/{long}/> .\n{many}",
    "base.trig": "@base <http://e/{long}/> .\n{many}",
}


@pytest.mark.parametrize("name", ABBREVIATED)
def test_what_abbreviations_expand_to_is_bounded(tmp_path: Path, name: str) -> None:
    many = "".join(f"a:{i} a:p a:o .\n" if "prefix" in name else f"<{i}> <p> <o> .\n" for i in range(4000))
    path = write(tmp_path / name, ABBREVIATED[name].format(long="x" * 40_000, many=many))
    with pytest.raises(DataError, match=r"says more than [\d,]+ bytes in [\d,]+, by prefixes or a base.*expansion"):
        read_rdf(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("packed", ["", ".gz", ".xz", ".zst"])
@pytest.mark.parametrize("extension", [".nt", ".ttl", ".jsonld", ".rdf"])
def test_a_pipe_is_read_once(tmp_path: Path, extension: str, packed: str) -> None:
    data = write(tmp_path / f"b{extension}{packed}", DOCUMENTS[extension]).read_bytes()
    pipe = tmp_path / f"pipe{extension}"
    os.mkfifo(pipe)

    def pour() -> None:
        with pipe.open("wb", buffering=0) as stream:
            for start in range(0, len(data), 5):  # no block ends where a reader would like it
                stream.write(data[start : start + 5])

    writer = threading.Thread(target=pour)
    writer.start()
    try:
        kg = read_rdf(pipe)
    finally:
        writer.join()
    assert same_graph(kg, read_rdf(tmp_path / f"b{extension}{packed}"))


def test_a_descriptor_is_read_like_a_file(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, TURTLE.encode())
    os.close(write_end)
    try:
        kg = read_rdf(f"/dev/fd/{read_end}", format="turtle")
    finally:
        os.close(read_end)
    assert same_graph(kg, read_rdf(write(tmp_path / "a.ttl", TURTLE)))
