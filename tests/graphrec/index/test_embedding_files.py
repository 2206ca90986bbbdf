"""Files of vectors: what is written is read back, other programs read it, and what is no such file gets a sentence."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrec.data.limits import Limits
from graphrec.errors import DataError
from graphrec.index.embedding_files import EXTENSIONS, Format
from graphrec.index.embeddings import EmbeddingTable

N, DIM = 7, 3
PLAIN = EmbeddingTable([f"n{i}" for i in range(N)], np.random.default_rng(2).normal(size=(N, DIM)))
# One id in two kinds is for the formats that keep kinds by the row.
NAMED = EmbeddingTable(
    [f"n{i}" for i in range(N)],
    PLAIN.matrix,
    kinds=["item"] * 4 + ["user"] * 2 + ["author"],
    labels=["A title", None, "Zürich ☃", "d", None, None, "g"],
)
SAME = EmbeddingTable(["1", "2", "1"], PLAIN.matrix[:3], kinds=["item", "item", "user"])


def assert_same(read: EmbeddingTable, written: EmbeddingTable) -> None:
    assert (read.ids, read.kinds) == (written.ids, written.kinds)
    np.testing.assert_array_equal(read.matrix, written.matrix)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("table", [PLAIN, NAMED], ids=["plain", "named"])
def test_a_table_comes_back_as_it_was_written(tmp_path: Path, extension: str, table: EmbeddingTable) -> None:
    files = table.write(tmp_path / f"v{extension}")
    assert all(file.is_file() for file in files)
    assert sorted(files) == sorted(tmp_path.iterdir())
    read = EmbeddingTable.read(files[0])
    assert_same(read, table)
    if extension != ".tsv" or table is NAMED:
        expected = table.labels
        if expected and extension == ".tsv":
            expected = [label or None for label in expected]
        assert read.labels == expected


@pytest.mark.parametrize("form", [form for form in get_args(Format) if form not in ("word2vec", "keyedvectors")])
def test_formats_that_keep_kinds_hold_one_id_in_two_kinds(tmp_path: Path, form: Format) -> None:
    SAME.write(tmp_path / "vectors", form)
    read = EmbeddingTable.read(tmp_path / "vectors", form)
    assert_same(read, SAME)
    np.testing.assert_array_equal(read[("user", "1")], SAME.matrix[2])


@pytest.mark.parametrize("form", ["word2vec", "keyedvectors"])
def test_formats_of_words_refuse_one_id_in_two_kinds(tmp_path: Path, form: Format) -> None:
    with pytest.raises(DataError, match=r"'1' stands 2 times; .*take one kind: item, user"):
        SAME.write(tmp_path / "vectors", form)
    assert not list(tmp_path.iterdir())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
def test_any_id_comes_back_or_is_refused(tmp_path: Path, ids: list[str]) -> None:
    table = EmbeddingTable(ids, np.arange(2.0 * len(ids)).reshape(-1, 2))
    for extension in EXTENSIONS:
        path = tmp_path / f"v{extension}"
        if extension in (".txt", ".vec", ".bin") and any(external.split() != [external] for external in ids):
            with pytest.raises(DataError, match="cannot stand in word2vec"):
                table.write(path)
        elif extension == ".tsv" and any(external.splitlines() != [external] or "\t" in external for external in ids):
            with pytest.raises(DataError, match="a tab or an end of line"):
                table.write(path)
        else:
            table.write(path)
            assert EmbeddingTable.read(path).ids == ids, extension


def test_gensim_reads_and_writes_the_binary_format(tmp_path: Path) -> None:
    models = pytest.importorskip("gensim.models")
    PLAIN.write(tmp_path / "ours.bin")
    vectors = models.KeyedVectors.load_word2vec_format(str(tmp_path / "ours.bin"), binary=True)
    assert vectors.index_to_key == PLAIN.ids
    np.testing.assert_array_equal(vectors.vectors, PLAIN.matrix)
    for binary, name in ((True, "theirs.bin"), (False, "theirs.txt")):
        vectors.save_word2vec_format(str(tmp_path / name), binary=binary)
        read = EmbeddingTable.read(tmp_path / name)
        assert read.ids == PLAIN.ids
        np.testing.assert_allclose(read.matrix, PLAIN.matrix, rtol=1e-6)


def test_safetensors_and_arrow_readers_read_what_is_written(tmp_path: Path) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy")
    NAMED.write(tmp_path / "v.safetensors")
    np.testing.assert_array_equal(numpy_files.load_file(tmp_path / "v.safetensors")["vectors"], NAMED.matrix)
    NAMED.write(tmp_path / "v.parquet")
    assert pq.read_table(tmp_path / "v.parquet").column_names == ["id", "kind", "label", "vector"]


def test_the_original_word2vec_ends_each_vector_with_a_line(tmp_path: Path) -> None:
    rows = b"".join(f"w{i} ".encode() + struct.pack("<2f", i, -i) + b"\n" for i in range(3))
    (tmp_path / "v.bin").write_bytes(b"3 2\n" + rows)
    read = EmbeddingTable.read(tmp_path / "v.bin")
    assert (read.ids, read.matrix.tolist()) == (["w0", "w1", "w2"], [[0, 0], [1, -1], [2, -2]])


def test_lists_of_other_widths_of_numbers_are_read(tmp_path: Path) -> None:
    for number, kind in enumerate((pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float16(), 2))):
        values = pa.array(np.arange(4).reshape(2, 2).astype(np.float16).tolist(), kind)
        pq.write_table(pa.table({"vector": values, "id": ["a", "b"]}), tmp_path / f"{number}.parquet")
        assert EmbeddingTable.read(tmp_path / f"{number}.parquet").matrix.tolist() == [[0, 1], [2, 3]]


def parquet(**columns: Any) -> Callable[[Path], None]:
    return lambda path: pq.write_table(pa.table(columns), path)


def text(content: str) -> Callable[[Path], None]:
    return binary(content.encode())


def binary(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def saved(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what writes the plain table and then changes the bytes of one file."""

    def write(path: Path) -> None:
        PLAIN.write(path)
        file = path if name == "" else path.with_suffix(name)
        file.write_bytes(change(file.read_bytes()))

    return write


def tensors(**about: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        pytest.importorskip("safetensors.numpy").save_file({"x": PLAIN.matrix}, path, metadata=about or None)

    return write


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    (".txt", text("3 2\na 1 2\nb 3 4\n"), "3 vectors of 2 dimensions, which .* bytes cannot hold|ends after 2 vectors"),
    (".txt", text("3 1\naaaa 1\nbbbb 1\n"), "ends after 2 vectors; its first line says 3"),
    (".txt", text("1 2\na 1 2\nb 3 4\n"), "line 3: its first line says 1 vectors; there are more"),
    (".txt", text("2 2\na 1 2\nbbb 3\n"), "line 3: 1 numbers follow the id; there must be 2"),
    (".txt", text("2 2\na 1 2\na 3 4\n"), "'a' stands 2 times"),
    (".txt", text("2 2\na 1 nan\nb 3 4\n"), r"matrix\[0, 1\] is nan"),
    (".txt", text("2 2\na 1 1e39\nb 3 4\n"), "is inf"),
    (".txt", text("2 2\na 1 x\nb 3 4\n"), "line 2: could not convert string to float: 'x'"),
    (".txt", text("a 1 2\nb 3 4\n"), "its first line is b'a 1 2.*; it must be the numbers"),
    (".txt", text("9999999999 300\na 1\n"), "9,999,999,999 vectors of 300 dimensions, which 4 bytes cannot hold"),
    (".txt", text("0 4\n"), "0 vectors of 4 dimensions; both are 1 or more"),
    (".txt", text("2 0\na\nb\n"), "2 vectors of 0 dimensions"),
    (".txt", text(""), "its first line is b''"),
    (".txt", binary(b"1 1\n\xff 1\n"), "line 2 is no UTF-8"),
    (".bin", binary(b"9999999999 300\na "), "which 2 bytes cannot hold"),
    (".bin", binary(b"2 1\naaa " + struct.pack("<f", 1) + b"b 00"), "ends within vector 1"),
    (".bin", binary(b"1 1\na " + struct.pack("<f", 1) + b"b 0000"), "6 bytes follow the 1 vectors"),
    (".bin", binary(b"1 1\n\xff " + struct.pack("<f", 1)), "the id of vector 0 is no UTF-8"),
    (".bin", binary(b"1 1\na " + struct.pack("<f", float("inf"))), "is inf"),
    (".parquet", parquet(id=["a"], v=[[1.0]]), "it must have 'id' and 'vector'"),
    (".parquet", parquet(id=["a"], vector=["x"]), "holds string; it must hold lists of numbers"),
    (".parquet", parquet(id=["a"], vector=[[1]]), "it must hold lists of numbers"),
    (".parquet", parquet(id=["a", "b"], vector=[[1.0], [1.0, 2.0]]), r"widths \[1, 2\]"),
    (".parquet", parquet(id=["a", "b"], vector=pa.array([[1.0], None])), r"widths \[-1, 1\]"),
    (".parquet", parquet(id=["a"], vector=pa.array([[None]], pa.list_(pa.float32()))), "a vector holds a null"),
    (".parquet", parquet(id=["a"], vector=pa.array([[]], pa.list_(pa.float32()))), r"widths \[0\]"),
    (".parquet", parquet(id=pa.array([], pa.string()), vector=pa.array([], pa.list_(pa.float32()))), "no vector"),
    (".parquet", parquet(id=["a", "a"], vector=[[1.0], [2.0]]), "'a' stands 2 times"),
    (".parquet", parquet(id=["a", None], vector=[[1.0], [2.0]]), "id at row 1 is null"),
    (".parquet", parquet(id=["a"], vector=[[float("nan")]]), "is nan"),
    (".parquet", parquet(id=["a"], vector=[[1e300]]), "holds 1e\\+300; float32 holds up to"),
    (".parquet", binary(b"PAR1nothingPAR1"), "is not a sound file of the format 'parquet'"),
    (".arrow", binary(b"ARROW1\0\0nothing"), "is not a sound file of the format 'arrow'"),
    (".arrow", saved("", lambda data: data[:-200]), "is not a sound file of the format 'arrow'"),
    (".npy", saved(".ids", lambda data: data[3:]), "6 ids for 7 vectors"),
    (".npy", saved(".ids", lambda data: data.replace(b"n1", b"n2")), "'n2' stands 2 times"),
    (".npy", saved("", lambda data: data[:-4]), "has 80 bytes of data, its header says 84"),
    (".npy", binary(b"\x93NUMPY"), "does not begin as a .npy file"),
    (".npy", lambda path: np.save(path, np.array([{}]), allow_pickle=True), "it must hold plain numbers"),
    (".safetensors", saved("", lambda data: data[:-4]), "is not a sound file of the format 'safetensors'"),
    (".safetensors", binary(struct.pack("<Q", 1 << 62)), "is not a sound file of the format 'safetensors'"),
    (".safetensors", tensors(), "has the tensors x and the metadata none; it must have a tensor 'vectors'"),
    (".safetensors", tensors(ids='{"a": 1}'), "the metadata 'ids' hold .*; they must hold a JSON list"),
    (".safetensors", tensors(ids='["a"]'), "1 ids for 7 vectors"),
    (".safetensors", tensors(ids="[" * 999), "nested 999 deep"),
    (".safetensors", tensors(ids=json.dumps([1] * N)), "ids hold 1 .int"),
    (".tsv", text("1\t2\n3\n"), "line 2: 1 numbers; the first line has 2"),
    (".tsv", text("1\t2\n"), "cannot be read: No such file or directory; it must hold the ids"),
    (".tsv", saved(".metadata.tsv", lambda data: data + b"x\n"), "line 9: it has another number of cells"),
    (".tsv", text(""), "holds no vector"),
    (".kv", binary(b"\x80\x04"), "that of a pickle, which is neither loaded nor written"),
]


@pytest.mark.parametrize(("extension", "write", "sentence"), BAD, ids=range(len(BAD)))
def test_a_bad_file_gets_one_sentence(
    tmp_path: Path, extension: str, write: Callable[[Path], None], sentence: str
) -> None:
    path = tmp_path / f"v{extension}"
    write(path)
    with pytest.raises(DataError, match=sentence) as caught:
        EmbeddingTable.read(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"v{extension}"
    NAMED.write(path)
    whole = path.read_bytes()
    for end in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError):
            EmbeddingTable.read(path)


@pytest.mark.parametrize("extension", [".txt", ".bin", ".npy"])
def test_labels_of_other_ids_are_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"v{extension}"
    NAMED.write(path)
    beside = tmp_path / f"v{extension}.metadata.tsv"
    beside.write_text(beside.read_text().replace("n3", "n4"))
    with pytest.raises(DataError, match="names other ids than"):
        EmbeddingTable.read(path)


def test_pages_that_unpack_to_far_more_than_their_file_are_refused(tmp_path: Path) -> None:
    n, dim = 40_000, 500
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n * dim, dtype=np.int32)), pa.array([0.5], pa.float32()))
    vectors = pa.FixedSizeListArray.from_arrays(values.cast(pa.float32()), dim)
    table = pa.table({"id": [str(i) for i in range(n)], "vector": vectors})
    pq.write_table(table, tmp_path / "v.parquet", compression="zstd")
    assert (tmp_path / "v.parquet").stat().st_size < 400_000
    with pytest.raises(DataError, match=r"raise limits\.expansion"):
        EmbeddingTable.read(tmp_path / "v.parquet")
    assert len(EmbeddingTable.read(tmp_path / "v.parquet", limits=Limits(expansion=10_000))) == n


def test_a_line_beyond_the_limits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("1 3\na " + "0" * 500 + " 1 2\n")
    with pytest.raises(DataError, match="line 2: the line is longer, and at most 100 are read"):
        EmbeddingTable.read(tmp_path / "v.txt", limits=Limits(text_bytes=100))
