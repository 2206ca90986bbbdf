"""Embedding tables: rows by id, nearest ids, indexes, and files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest

from graphrec.data.id_files import ids_of_text
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, UnknownIdError
from graphrec.index.embeddings import EmbeddingTable

IDS = ["a", "b", "c", "d", "e"]


def table(dim: int = 3) -> EmbeddingTable:
    return EmbeddingTable(IDS, np.random.default_rng(5).normal(size=(len(IDS), dim)))


def test_a_table_gives_the_vector_of_an_id() -> None:
    vectors = EmbeddingTable(Vocabulary(["a", "b"]), np.eye(2, 3))
    assert (len(vectors), vectors.dim, "b" in vectors, "c" in vectors) == (2, 3, True, False)
    assert vectors["b"].tolist() == [0, 1, 0]
    with pytest.raises(UnknownIdError):
        vectors["c"]


@pytest.mark.parametrize(
    ("ids", "matrix", "sentence"),
    [
        (["a"], np.eye(2), "the matrix has 2 rows, the vocabulary 1 ids"),
        (["a", "b"], [[0.0], [float("nan")]], r"matrix\[1, 0\] is nan"),
        (["a"], np.empty((1, 0)), "0 columns"),
        (["a", "a"], np.eye(2), "'a' stands 2 times"),
        (["a", "b"], [[0.0, 1.0], [2.0]], "matrix is no array"),
        (["a"], [["x"]], "matrix holds <U1; it must hold numbers"),
    ],
)
def test_what_is_no_table_is_refused(ids: list[str], matrix: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        EmbeddingTable(ids, matrix)


def cosine(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


SCORES: dict[str, Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], float]] = {
    "cosine": cosine,
    "ip": lambda left, right: float(left @ right),
    "l2": lambda left, right: -float(((left - right) ** 2).sum()),
}


@pytest.mark.parametrize("metric", SCORES)
@pytest.mark.parametrize("k", [1, 3, 9])
def test_nearest_is_the_order_of_all_scores_without_the_id_itself(metric: Any, k: int) -> None:
    vectors = table()
    score = {other: SCORES[metric](vectors["b"], vectors[other]) for other in IDS if other != "b"}
    expected = sorted(score, key=lambda other: -score[other])[:k]
    near = vectors.nearest("b", k, metric=metric)
    assert [found.id for found in near] == expected
    np.testing.assert_allclose([found.score for found in near], [score[other] for other in expected], rtol=1e-5)


def test_nearest_to_a_vector_leaves_nothing_out() -> None:
    vectors = table()
    assert vectors.nearest(vectors["d"], 1)[0].id == "d"
    assert len(vectors.nearest(vectors["d"], 99)) == len(IDS)


@pytest.mark.parametrize(
    ("query", "k", "error", "sentence"),
    [
        ("bb", 3, UnknownIdError, "'bb' is not among the 5 known ids; nearest: 'b'"),
        ([1.0, 2.0], 3, DataError, "2"),
        ([1.0, 2.0, float("nan")], 3, DataError, "nan"),
        (["a", "b"], 3, DataError, "the query holds <U1; it must hold numbers"),
        ("b", 0, ConfigError, "k is 0"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(query: Any, k: int, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        table().nearest(query, k)


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_an_index_over_the_table_finds_every_row_by_itself(kind: Any) -> None:
    vectors = table()
    assert vectors.index(kind).search(vectors.matrix, 1).items.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_arrow_files_hold_ids_and_vectors(tmp_path: Path, suffix: str) -> None:
    vectors = table()
    vectors.write(tmp_path / f"vectors{suffix}")
    read: Callable[[Path], pl.DataFrame] = pl.read_parquet if suffix == ".parquet" else pl.read_ipc
    frame = read(tmp_path / f"vectors{suffix}")
    assert frame["id"].to_list() == IDS
    np.testing.assert_array_equal(np.array(frame["vector"].to_list(), dtype=np.float32), vectors.matrix)
    assert vectors.to_arrow().schema.field("vector").type == pa.list_(pa.float32(), 3)


def test_an_npy_file_has_its_ids_beside_it(tmp_path: Path) -> None:
    vectors = EmbeddingTable(["plain", "two\nlines", "#sign"], np.eye(3))
    vectors.write(tmp_path / "vectors.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "vectors.npy"), vectors.matrix)
    assert ids_of_text((tmp_path / "vectors.ids").read_text(encoding="utf-8")) == list(vectors.vocabulary)


def test_gensim_reads_word2vec_text_as_the_same_vectors(tmp_path: Path) -> None:
    models = pytest.importorskip("gensim.models")
    vectors = table(dim=7)
    vectors.write(tmp_path / "vectors.txt")
    read = models.KeyedVectors.load_word2vec_format(str(tmp_path / "vectors.txt"))
    assert read.index_to_key == IDS
    np.testing.assert_array_equal(read.vectors, vectors.matrix)


@pytest.mark.parametrize("external", ["two words", "", "a\u00a0b", "line\n"])
def test_word2vec_text_refuses_ids_that_it_cannot_hold(tmp_path: Path, external: str) -> None:
    with pytest.raises(DataError, match="cannot stand in word2vec text"):
        EmbeddingTable([external], [[1.0]]).write(tmp_path / "vectors.vec")
    assert not (tmp_path / "vectors.vec").exists()


@pytest.mark.parametrize(
    ("path", "error", "sentence"),
    [
        (
            "vectors.csv",
            DataError,
            "extension '.csv'; legal are .parquet, .arrow, .npy, .txt, .vec, .bin, .safetensors",
        ),
        ("vectors.pkl", DataError, "extension '.pkl', that of a pickle, which is neither loaded nor written"),
        ("missing/vectors.npy", DataError, "cannot be written: No such file"),
        (None, ConfigError, "the file is None"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, path: str | None, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        table().write(path if path is None else tmp_path / path)  # type: ignore[arg-type]
