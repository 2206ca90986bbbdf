"""Each row of the table of hnswlib's traps is a test here."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import graphrec
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex, HnswIndex, build_hnsw, load_index
from tests.close import assert_same_lists
from tests.contracts.index import IndexContract, clustered_world, random_world

HEADER_BYTES = 96


def make(matrix: npt.NDArray[np.float32], metric: str) -> HnswIndex:
    return build_hnsw(matrix, metric=metric, m=12, ef_construction=120, ef_search=60, seed=11)


class TestHnsw(IndexContract):
    make = staticmethod(make)
    least_recall = 0.97


class TestHnswWhereTheGraphAlwaysPays(IndexContract):
    """The worlds are so small that filtered searches are exact: here the graph is asked all the same."""

    make = staticmethod(make)
    least_recall = 0.97

    @pytest.fixture(autouse=True)
    def _slow_scan(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("graphrec.index.hnsw._SCORED_NS", 1e9)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("costs", ["as they are", "the graph pays"])
def test_a_filtered_search_fills_its_list_and_finds_the_nearest(
    share: float, costs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if costs == "the graph pays":
        monkeypatch.setattr("graphrec.index.hnsw._SCORED_NS", 1e9)
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(60, 12))
    matrix = (centres[rng.integers(0, 60, 4000)] + 0.7 * rng.normal(size=(4000, 12))).astype(np.float32)
    index, queries = build_hnsw(matrix, seed=0), matrix[:80] + np.float32(0.01)
    allow = np.zeros(4000, dtype=np.bool_)
    allow[rng.permutation(4000)[: round(share * 4000)]] = True
    answer, truth = (way.search(queries, 100, allow=allow) for way in (index, ExactIndex(matrix)))
    assert answer.lengths.tolist() == truth.lengths.tolist() == [min(100, round(share * 4000))] * 80
    shares = [len(np.intersect1d(a[0], b[0])) / len(b[0]) for a, b in zip(answer, truth, strict=True)]
    assert np.mean(shares) >= 0.98


def test_under_a_filter_the_graph_answers_few_queries_and_exact_search_a_batch() -> None:
    rng = np.random.default_rng(2)
    matrix, allow = rng.normal(size=(3000, 64)).astype(np.float32), rng.random(3000) < 0.9
    index, queries = build_hnsw(matrix, m=4, ef_construction=4, ef_search=4, seed=0), matrix[:1000] + np.float32(0.5)
    exact = ExactIndex(matrix).search(queries, 5, allow=allow)
    assert_same_lists(index.search(queries, 5, allow=allow), exact)
    # So poor a graph gives itself away.
    alone = [index.search(queries[[place]], 5, allow=allow).items.tolist() for place in range(20)]
    assert alone != [exact[place][0].tolist() for place in range(20)]


def test_a_last_place_that_several_share_goes_to_the_lower_row() -> None:
    index = build_hnsw(np.eye(64, dtype=np.float32), seed=0)
    rows, scores = index.search(np.ones((1, 64), np.float32), 5)[0]
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert scores.tolist() == [0.125] * 5


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, npt.NDArray[np.float32]]:
    matrix = random_world()
    make(matrix, "cosine").save(tmp_path)
    return tmp_path, matrix


def sign(directory: Path, **changes: Any) -> None:
    """Write the sidecar anew, with the hash of the file as it is now: what somebody who means harm would do."""
    path = directory / "index.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["file_sha256"] = hashlib.sha256((directory / "index.hnsw").read_bytes()).hexdigest()
    path.write_text(json.dumps({**facts, **changes}), encoding="utf-8")


def patch(directory: Path, offset: int, new: bytes) -> None:
    path = directory / "index.hnsw"
    data = bytearray(path.read_bytes())
    data[offset : offset + len(new)] = new
    path.write_bytes(bytes(data))


# Where the header's fields stand, and a value that each may not have.
HEADER = {
    "offset_level0": (0, "<Q", 8),
    "max_elements": (8, "<Q", 3),
    "n_elements": (16, "<Q", 10**12),
    "element_bytes": (24, "<Q", 4),
    "label_offset": (32, "<Q", 10**9),
    "vector_offset": (40, "<Q", 0),
    "max_m": (56, "<Q", 10**6),
    "max_m0": (64, "<Q", 10**6),
    "m": (72, "<Q", 0),
    "ef_construction": (88, "<Q", 2**63),
}


@pytest.mark.parametrize("field", HEADER)
def test_a_header_that_lies_is_refused_even_when_signed(
    saved: tuple[Path, npt.NDArray[np.float32]], field: str
) -> None:
    directory, matrix = saved
    offset, form, value = HEADER[field]
    patch(directory, offset, struct.pack(form, value))
    with pytest.raises(BundleError, match="sha256"):
        load_index(directory, matrix)
    sign(directory)
    with pytest.raises(BundleError, match=f"says {value} for {field}"):
        load_index(directory, matrix)


@pytest.mark.parametrize(("offset", "form", "value"), [(48, "<i", 40), (52, "<I", 699), (52, "<I", 2**31)])
def test_an_entry_point_that_lies_is_refused(
    saved: tuple[Path, npt.NDArray[np.float32]], offset: int, form: str, value: int
) -> None:
    directory, matrix = saved
    patch(directory, offset, struct.pack(form, value))
    sign(directory)
    with pytest.raises(BundleError, match="entry point"):
        load_index(directory, matrix)


@pytest.mark.parametrize(
    ("offset", "new", "problem"),
    [
        (0, b"\xff\x7f", "longer than it may be"),
        (4, b"\xff\xff\xff\x7f", "points at no element"),
        (4, struct.pack("<I", 700), "points at no element"),
        (2, b"\x01", "marked as deleted"),
    ],
)
def test_garbage_in_a_link_list_is_refused_even_when_signed(
    saved: tuple[Path, npt.NDArray[np.float32]], offset: int, new: bytes, problem: str
) -> None:
    directory, matrix = saved
    element = 4 + 8 * 12 + 4 * 13 + 8
    patch(directory, HEADER_BYTES + 321 * element + offset, new)
    with pytest.raises(BundleError, match="sha256"):
        load_index(directory, matrix)
    sign(directory)
    with pytest.raises(BundleError, match=problem):
        load_index(directory, matrix)


def test_garbage_in_an_upper_link_list_is_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    data = (directory / "index.hnsw").read_bytes()
    place = HEADER_BYTES + 700 * (4 + 8 * 12 + 4 * 13 + 8)
    while struct.unpack_from("<I", data, place)[0] == 0:
        place += 4
    for new, problem in (
        (struct.pack("<I", 7), "impossible size"),
        (struct.pack("<I", 52 * 10**6), "end early"),
        (struct.pack("<IHH", 52, 13, 0), "longer|entry"),
        (struct.pack("<IHHI", 52, 1, 0, 2**32 - 1), "points at no element|entry"),
    ):
        (directory / "index.hnsw").write_bytes(data)
        patch(directory, place, new)
        sign(directory)
        with pytest.raises(BundleError, match=problem):
            load_index(directory, matrix)


def test_a_bit_flip_in_a_vector_is_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    place = HEADER_BYTES + 4 + 8 * 12 + 3
    flipped = (directory / "index.hnsw").read_bytes()[place] ^ 1
    patch(directory, place, bytes([flipped]))
    with pytest.raises(BundleError, match=r"index\.hnsw has sha256"):
        load_index(directory, matrix)


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated in the header": lambda data: data[:50],
    "truncated in the vectors": lambda data: data[:5000],
    "truncated in the links": lambda data: data[:-3],
    "longer": lambda data: data + b"\0\0\0\0\0",
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_truncated_empty_or_random_file_is_refused(saved: tuple[Path, npt.NDArray[np.float32]], how: str) -> None:
    directory, matrix = saved
    path = directory / "index.hnsw"
    path.write_bytes(SPOILED[how](path.read_bytes()))
    with pytest.raises(BundleError, match="sha256"):
        load_index(directory, matrix)
    sign(directory)
    with pytest.raises(BundleError, match="rebuild the index"):
        load_index(directory, matrix)


def test_a_missing_file_is_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    (directory / "index.hnsw").unlink()
    with pytest.raises(BundleError, match=r"index\.hnsw cannot be read"):
        load_index(directory, matrix)
    (directory / "index.json").unlink()
    with pytest.raises(BundleError, match=r"index\.json cannot be read"):
        load_index(directory, matrix)


def test_another_width_is_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    with pytest.raises(BundleError, match="was built for dim 13, the matrix has dim 12"):
        load_index(directory, matrix[:, :12])


@pytest.mark.parametrize("metric", ["ip", "dot"])
def test_another_space_is_refused(saved: tuple[Path, npt.NDArray[np.float32]], metric: str) -> None:
    directory, matrix = saved
    sign(directory, metric=metric)
    with pytest.raises(BundleError, match=r"element_bytes|metric is 'dot'"):
        load_index(directory, matrix)


def test_the_metric_is_kept_and_decides_the_space(tmp_path: Path) -> None:
    matrix = random_world()
    make(matrix, "l2").save(tmp_path)
    rows, scores = load_index(tmp_path, matrix).search(matrix[9:10], 1)[0]
    assert (rows.tolist(), scores.tolist()) == ([9], [0.0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not valid JSON"),
        ("[]", "no JSON object"),
        ("{}", "'format'"),
        ('{"format": "hnsw/2"}', "'dim'"),
    ],
)
def test_a_broken_sidecar_is_refused(saved: tuple[Path, npt.NDArray[np.float32]], text: str, problem: str) -> None:
    directory, matrix = saved
    (directory / "index.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=problem):
        load_index(directory, matrix)


def test_a_newer_format_is_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    sign(directory, format="hnsw/2")
    with pytest.raises(BundleError, match="format 'hnsw/2'; this version reads"):
        load_index(directory, matrix)


def test_the_width_of_the_search_survives_saving(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    again = load_index(directory, matrix)
    assert isinstance(again, HnswIndex)
    assert again.settings.ef_search == 60


def test_a_library_that_finds_too_few_is_replaced_by_exact_search() -> None:
    matrix = random_world()
    index = make(matrix, "cosine")
    allow = np.zeros(700, dtype=np.bool_)
    allow[:5] = True
    assert index.search(matrix[:2], 100, allow=allow).lengths.tolist() == [5, 5]
    assert index.search(matrix[:2], 700).lengths.tolist() == [700, 700]

    class Failing:
        def knn_query(self, *arguments: Any, **settings: Any) -> None:
            raise RuntimeError("Cannot return the results in a contiguous 2D array")

    broken = HnswIndex(Failing(), matrix, "cosine", index.settings, index._same)
    assert_same_lists(broken.search(matrix[:4], 30), ExactIndex(matrix).search(matrix[:4], 30))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad: float) -> None:
    matrix = random_world()
    matrix[3, 1] = bad
    with pytest.raises(DataError, match=r"matrix\[3, 1\]"):
        build_hnsw(matrix, seed=0)


def test_a_zero_vector_scores_zero_under_cosine() -> None:
    matrix = random_world()
    matrix[42] = 0
    rows, scores = make(matrix, "cosine").search(matrix[:1], 700)[0]
    assert scores[rows == 42].tolist() == [0.0]


def test_duplicates_hide_nobody() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(size=(400, 16)).astype(np.float32)
    matrix = np.concatenate([own, np.repeat(own[:1], 1200, axis=0)])
    index = build_hnsw(matrix, m=8, ef_construction=60, ef_search=10, seed=2)
    found = index.search(own[1:], 1).items
    assert (found == np.arange(1, 400)).mean() > 0.99
    assert index.search(own[:1], 300).items.tolist() == [0, *range(400, 699)]


def test_there_is_no_way_to_change_an_index() -> None:
    """So nothing is deleted, replaced, added while searched, resized, or given an id that is no row."""
    public = {name for name in dir(HnswIndex) if not name.startswith("_")}
    assert public == {"dim", "metric", "settings", "search", "save"}
    assert set(inspect.signature(build_hnsw).parameters) == {
        "matrix", "metric", "m", "ef_construction", "ef_search", "seed", "threads",
    }  # fmt: skip


def test_ids_are_rows() -> None:
    matrix = clustered_world()
    found = make(matrix, "l2").search(matrix, 1)
    assert (matrix[found.items] == matrix).all()


def test_labels_that_are_no_rows_are_refused(saved: tuple[Path, npt.NDArray[np.float32]]) -> None:
    directory, matrix = saved
    element = 4 + 8 * 12 + 4 * 13 + 8
    patch(directory, HEADER_BYTES + element - 8, struct.pack("<q", -1))
    sign(directory)
    with pytest.raises(BundleError, match="other labels"):
        load_index(directory, matrix)


def test_duplicates_on_disk_are_checked(tmp_path: Path) -> None:
    matrix = clustered_world()
    make(matrix, "cosine").save(tmp_path)
    path = tmp_path / "duplicates.npy"
    rows, _ = np.load(path)
    np.save(path, np.stack([rows, rows + 1]))
    with pytest.raises(BundleError, match=r"duplicates\.npy has sha256"):
        load_index(tmp_path, matrix)
    sign(tmp_path, duplicates_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(BundleError, match="does not list"):
        load_index(tmp_path, matrix)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_one_thread_and_one_seed_give_the_same_bytes(tmp_path: Path, metric: str) -> None:
    matrix = random_world()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make(matrix, metric).save(tmp_path / name)
    for file in ("index.hnsw", "index.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    (tmp_path / "c").mkdir()
    build_hnsw(matrix, metric=metric, m=12, ef_construction=120, ef_search=60, seed=12).save(tmp_path / "c")
    assert (tmp_path / "a" / "index.hnsw").read_bytes() != (tmp_path / "c" / "index.hnsw").read_bytes()


def test_two_building_threads_are_allowed_and_find_as_much() -> None:
    matrix = random_world()
    index = build_hnsw(matrix, seed=0, threads=2)
    assert (index.search(matrix, 1).items == np.arange(700)).mean() > 0.99


def test_a_wide_search_does_not_widen_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's ef is shared by all threads: it is set where a graph is made or loaded, and never again."""
    index = make(random_world(), "cosine")
    graph = index._graph
    assert graph is not None
    assert graph.ef == index.settings.ef_search
    index.search(random_world()[:3], 150)
    assert graph.ef == index.settings.ef_search
    assert ".set_ef(" not in inspect.getsource(HnswIndex)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"m": 1}, "m is 1"),
        ({"m": 1000}, "m is 1000"),
        ({"ef_construction": 0}, "ef_construction is 0"),
        ({"ef_search": -5}, "ef_search is -5"),
        ({"threads": 0}, "threads is 0"),
        ({"metric": "hamming"}, "metric is 'hamming'"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        build_hnsw(random_world(), seed=0, **settings)


def test_a_building_width_below_m_comes_back(tmp_path: Path) -> None:
    matrix = random_world()
    build_hnsw(matrix, m=16, ef_construction=4, seed=0).save(tmp_path)
    assert len(load_index(tmp_path, matrix)) == 700


def test_one_file_imports_the_library() -> None:
    root = Path(graphrec.__file__).parent
    importers = []
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if "hnswlib" in names:
                importers.append(path.relative_to(root).as_posix())
    assert importers == ["index/hnsw.py"]


def test_a_plain_search_expands_equal_vectors_in_order_of_row() -> None:
    rng = np.random.default_rng(6)
    own = rng.normal(size=(200, 6)).astype(np.float32)
    matrix = own[rng.integers(0, 200, 900)]
    index, exact = build_hnsw(matrix, seed=0), ExactIndex(matrix)
    for k in (1, 2, 7, 60, 200):
        answer, truth = index.search(own, k), exact.search(own, k)
        assert answer.items.tolist() == truth.items.tolist()
        np.testing.assert_allclose(answer.scores, truth.scores, atol=1e-6)
