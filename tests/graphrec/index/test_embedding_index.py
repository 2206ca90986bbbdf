"""Tables with kinds, indexes that are searched by id, maps, and what moved between two trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import BundleError, ConfigError, DataError, UnknownIdError
from graphrec.index.build import suitable_kind
from graphrec.index.embedding_drift import drift
from graphrec.index.embedding_index import EmbeddingIndex
from graphrec.index.embedding_map import frequent
from graphrec.index.embeddings import EmbeddingTable

N, DIM = 60, 5
KINDS = ("exact", "quantised", "hnsw", "auto")


def vectors(n: int = N, dim: int = DIM, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def world() -> EmbeddingTable:
    """Return 60 nodes: 25 users, 25 items of the same ids, 10 authors."""
    ids = [str(i) for i in range(25)] * 2 + [f"author {i}" for i in range(10)]
    kinds = ["user"] * 25 + ["item"] * 25 + ["author"] * 10
    return EmbeddingTable(ids, vectors(), kinds=kinds, labels=[f"{kind} no. {i}" for i, kind in enumerate(kinds)])


def test_an_id_that_stands_in_two_kinds_is_named_with_its_kind() -> None:
    table = world()
    np.testing.assert_array_equal(table[("item", "3")], table.matrix[28])
    np.testing.assert_array_equal(table["author 2"], table.matrix[52])
    assert ("user", "3") in table
    assert ("author", "3") not in table
    with pytest.raises(ConfigError, match=r"'3' stands in 2 kinds; say which: \('user', '3'\) and \('item', '3'\)"):
        table["3"]
    with pytest.raises(ConfigError, match=r"kind is 'items'; legal: 'user', 'item', 'author'"):
        table[("items", "3")]
    with pytest.raises(UnknownIdError, match="'author 77' is not among the 60 known ids; nearest: 'author 7'"):
        table["author 77"]
    with pytest.raises(DataError, match="take one kind: user, item, author"):
        _ = table.vocabulary


def test_one_kind_is_a_table_of_its_own() -> None:
    items = world().of_kind("item")
    assert items.ids == [str(i) for i in range(25)]
    assert items.kinds is None
    assert items.labels is not None
    assert items.labels[3] == "item no. 28"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_an_index_answers_as_the_table_does(kind: Any, metric: Any) -> None:
    table = world()
    index = table.index(kind, metric=metric)
    for query in (("item", "3"), "author 2", vectors(1, seed=8)[0]):
        for options in (
            {},
            {"kind": "item"},
            {"only": [("user", "2"), "9", "author 1", "nobody"]},
            {"skip": ["4", "author 2"]},
        ):
            here, there = index.nearest(query, 4, **options), table.nearest(query, 4, metric=metric, **options)
            assert [near[0] for near in here] == [near[0] for near in there]
            np.testing.assert_allclose([near.score for near in here], [near.score for near in there], atol=1e-5)


def test_filters_by_id_leave_what_they_say() -> None:
    index = world().index("exact")
    assert {near.kind for near in index.nearest(("user", "3"), 99, kind="item")} == {"item"}
    assert len(index.nearest(("user", "3"), 99, kind="item")) == 25
    assert len(index.nearest(("item", "3"), 99, kind="item")) == 24  # itself is left out
    assert len(index.nearest(("item", "3"), 99, skip=["7"])) == N - 3  # user 7 and item 7
    assert [near[0] for near in index.nearest("author 0", 9, only=[("item", "7"), "unknown"])] == ["7"]
    assert index.nearest("author 0", 9, only=[]) == []


def test_many_queries_get_the_lists_that_each_gets() -> None:
    index = world().index("exact")
    queries = [("item", "3"), "author 2", vectors(1, seed=8)[0].tolist()]
    for together, query in zip(index.nearest_many(queries, 5), queries, strict=True):
        alone = index.nearest(query, 5)
        assert [(near.kind, near.id, near.label) for near in together] == [(n.kind, n.id, n.label) for n in alone]
        # A BLAS may round a row of a product otherwise than the row alone.
        assert [near.score for near in together] == pytest.approx([near.score for near in alone], rel=1e-5)
    assert index.nearest_many([], 5) == []
    assert len(index.nearest_many(vectors(4), 2)) == 4


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda index: index.nearest("nobody"), UnknownIdError, "'nobody' is not among"),
        (lambda index: index.nearest([1.0]), DataError, "the query has 1 dimensions, the index 5"),
        (lambda index: index.nearest([np.nan] * DIM), DataError, "nan"),
        (lambda index: index.nearest(("item",)), DataError, "the query holds"),
        (lambda index: index.nearest("author 1", 0), ConfigError, "k is 0"),
        (lambda index: index.nearest("author 1", kind="book"), ConfigError, "kind is 'book'"),
        (lambda index: index.nearest("author 1", only="5"), ConfigError, "only is '5'; it must be a list of ids"),
        (lambda index: index.nearest("author 1", skip=5), ConfigError, "skip is 5"),
        (lambda index: index.nearest("author 1", skip=[5]), DataError, "id 5 is no string"),
    ],
)
def test_a_query_that_cannot_be_answered_gets_a_sentence(call: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        call(world().index("exact"))


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_an_index_is_saved_and_loaded(tmp_path: Path, kind: Any) -> None:
    index = world().index(kind, metric="l2")
    index.save(tmp_path / "index")
    again = EmbeddingIndex.load(tmp_path / "index")
    assert (again.kind, repr(again)) == (kind, f"EmbeddingIndex({kind} by l2, 60 vectors of 5)")
    assert again.nearest("author 2", 7, kind="item") == index.nearest("author 2", 7, kind="item")
    with pytest.raises(DataError, match="is not empty"):
        index.save(tmp_path / "index")


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("embeddings.json", lambda data: b"{}", "not of the format 'embedding-index/1'"),
        ("embeddings.json", lambda data: b"[", "holds no sound embedding index"),
        ("nodes.arrow", lambda data: data[:-9], "nodes.arrow has sha256"),
        ("nodes.arrow", None, "holds no sound embedding index .No such file"),
        ("vectors.npy", lambda data: data[:-4], "its header says"),
        ("vectors.npy", lambda data: data[:-4] + b"\0\0\0\0", "built from other vectors"),
        ("index.hnsw", lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:], "index.json says"),
        ("index.json", None, "index.json cannot be read"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, file: str, change: Any, sentence: str) -> None:
    world().index("hnsw").save(tmp_path)
    path = tmp_path / file
    path.unlink() if change is None else path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BundleError, match=sentence):
        EmbeddingIndex.load(tmp_path)


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_auto_goes_by_size(metric: str) -> None:
    kinds = [suitable_kind(n, 64, metric) for n in (10, 1_000, 30_000, 10_000_000)]
    assert kinds == sorted(kinds, key=["exact", "quantised", "hnsw"].index)
    assert (kinds[0], kinds[-1]) == ("exact", "hnsw")
    assert world().index().kind == "exact"


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4), named=st.booleans())
def test_concat_puts_the_rows_one_after_the_other(sizes: list[int], named: bool) -> None:
    parts = {
        f"kind{j}": EmbeddingTable([f"{j * (not named)}-{i}" for i in range(n)], vectors(max(n, 1), seed=j)[:n])
        for j, n in enumerate(sizes)
    }
    whole = EmbeddingTable.concat(parts if named else list(parts.values()))
    assert len(whole) == sum(sizes)
    assert (whole.kinds is not None) == named
    for kind, part in parts.items():
        for external in part.ids:
            np.testing.assert_array_equal(whole[(kind, external) if named else external], part[external])


def test_what_cannot_stand_in_one_table_is_refused() -> None:
    narrow = EmbeddingTable(["a"], [[1.0]])
    with pytest.raises(DataError, match=r"widths \[1, 5\]"):
        EmbeddingTable.concat([narrow, world()])
    with pytest.raises(DataError, match="there is no table"):
        EmbeddingTable.concat({})
    with pytest.raises(DataError, match="'a' stands 2 times"):
        EmbeddingTable.concat([narrow, narrow])
    with pytest.raises(DataError, match="some of the tables have kinds"):
        EmbeddingTable.concat([EmbeddingTable(["a"], vectors(1)), world()])
    with pytest.raises(DataError, match="there are 1 kinds for 2 ids"):
        EmbeddingTable(["a", "b"], vectors(2), kinds=["x"])
    with pytest.raises(DataError, match="kind 'x': id 'a' stands 2 times"):
        EmbeddingTable(["a", "a"], vectors(2), kinds=["x", "x"])
    with pytest.raises(DataError, match="'b' has no kind"):
        EmbeddingTable(["a", "b"], vectors(2), kinds=["x", None])  # type: ignore[list-item]


def test_join_puts_the_vectors_of_one_node_side_by_side() -> None:
    left = EmbeddingTable(["a", "b", "c"], [[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    right = EmbeddingTable(["c", "a", "d"], [[5.0], [-2.0], [1.0]])
    both = left.join(right)
    assert both.ids == ["a", "c"]
    np.testing.assert_allclose(both.matrix, [[0.6, 0.8, -1.0], [0.0, 0.0, 1.0]])
    assert left.join(right, unit=False).matrix.tolist() == [[3.0, 4.0, -2.0], [0.0, 0.0, 5.0]]
    with pytest.raises(DataError, match="share no id"):
        left.join(EmbeddingTable(["z"], [[1.0]]))


def test_labels_are_given_by_id() -> None:
    table = EmbeddingTable(["a", "b"], np.eye(2), labels=["A", "B"]).with_labels({"b": "new", "z": "nothing"})
    assert table.labels == ["A", "new"]


def test_the_map_shows_the_plane_that_the_vectors_lie_on() -> None:
    turn = np.linalg.qr(vectors(6, 6))[0][:2]
    angles = np.random.default_rng(1).uniform(0, 2 * np.pi, 80)
    flat = np.column_stack([np.cos(angles), 0.5 * np.sin(angles)]) @ turn
    shown = EmbeddingTable([str(i) for i in range(80)], flat * 7).map_2d()
    assert shown.explained == pytest.approx(1, abs=1e-6)
    unit = flat / np.linalg.norm(flat, axis=1)[:, None]
    gaps = np.linalg.norm(unit[:, None] - unit[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(shown.points[:, None] - shown.points[None], axis=2), gaps, atol=1e-5)


def test_a_map_is_a_sample_coloured_by_an_attribute() -> None:
    table = world()
    shown = table.map_2d(colours=[None, *["x"] * (N - 1)], most=20, seed=3)
    again = table.map_2d(colours=[None, *["x"] * (N - 1)], most=20, seed=3)
    assert (len(shown), shown.points.shape, set(shown.colours or ())) <= (20, (20, 2), {"x", "unknown"})
    np.testing.assert_array_equal(shown.points, again.points)
    assert table.map_2d().colours == tuple(table.kinds or ())
    assert shown.to_arrow().column_names == ["id", "kind", "label", "colour", "x", "y"]
    assert frequent(["a", "b", "b", "c", "c"], 2) == ["other", "b", "b", "c", "c"]


@pytest.mark.parametrize(
    ("n", "options", "error", "sentence"),
    [
        (2, {}, DataError, "there are 2 vectors; a map needs 3"),
        (9, {"colours": ["x"]}, DataError, "1 colours for 9 vectors"),
        (9, {"method": "tsne"}, ConfigError, "method is 'tsne'; it must be one of 'pca', 'umap'"),
        (9, {"most": 2}, ConfigError, "most is 2"),
    ],
)
def test_a_map_that_cannot_be_drawn_gets_a_sentence(
    n: int, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        EmbeddingTable([str(i) for i in range(n)], vectors(n)).map_2d(**options)


def test_vectors_of_any_length_and_zero_have_a_place_on_the_map() -> None:
    far = vectors(20) * np.float32(10.0) ** np.arange(-19, 21, 2, dtype=np.float32)[:, None]
    far[3] = 0
    assert np.isfinite(EmbeddingTable([str(i) for i in range(20)], far).map_2d().points).all()
    line = EmbeddingTable(["a", "b", "c"], [[1.0], [2.0], [-1.0]]).map_2d()
    assert line.points[:, 1].tolist() == [0, 0, 0]


def ids(n: int) -> list[str]:
    return [f"n{i}" for i in range(n)]


@pytest.mark.parametrize("dim", [DIM, DIM + 3])
def test_a_turned_table_has_not_moved(dim: int) -> None:
    turn = np.linalg.qr(vectors(dim, dim))[0][:DIM]
    old = EmbeddingTable(ids(N), vectors())
    new = EmbeddingTable(ids(N)[::-1], (vectors() @ turn)[::-1] * 3)
    for before, after in ((old, new), (new, old)):
        found = drift(before, after, k=5)
        assert found.kept == pytest.approx(1)
        assert max(abs(moved.displacement) for moved in found.moved) < 1e-5


def test_drift_names_the_nodes_that_moved() -> None:
    turn = np.linalg.qr(vectors(DIM, DIM))[0]
    moved = vectors() @ turn
    moved[[7, 11]] *= -1
    labels = [f"label {i}" for i in range(N + 2)]
    old = EmbeddingTable([*ids(N), "gone"], np.vstack([vectors(), np.ones(DIM)]))
    new = EmbeddingTable([*ids(N), "new", "newer"], np.vstack([moved, np.ones((2, DIM))]), labels=labels)
    found = drift(old, new, k=4, most_moved=2)
    assert (found.shared, found.only_old, found.only_new, found.zero) == (N, 1, 2, 0)
    assert {near.id for near in found.moved} == {"n7", "n11"}
    assert {near.label for near in found.moved} == {"label 7", "label 11"}
    assert found.moved[0].displacement > 1.5
    assert 0.5 < found.kept < 1
    assert found.kept_by_chance == pytest.approx(4 / (N - 1))


def test_neighbours_kept_are_those_of_both_lists() -> None:
    old, new = EmbeddingTable(ids(N), vectors()), EmbeddingTable(ids(N), vectors(seed=9))
    shares = []
    for name in ids(N):
        lists = [{near.id for near in table.nearest(name, 6)} for table in (old, new)]
        shares.append(len(lists[0] & lists[1]) / 6)
    found = drift(old, new, k=6)
    assert found.kept == pytest.approx(np.mean(shares))
    assert found.kept_quantiles["p50"] == pytest.approx(np.median(shares))


def test_tables_that_cannot_be_compared_get_a_sentence() -> None:
    table = EmbeddingTable(ids(9), vectors(9))
    with pytest.raises(DataError, match="the tables share 9 nodes that have vectors; for k = 10 more are needed"):
        drift(table, table)
    zero = EmbeddingTable(ids(9), np.zeros((9, DIM)))
    with pytest.raises(DataError, match="the tables share 0 nodes"):
        drift(table, zero, k=1)
    with pytest.raises(DataError, match="one table has kinds and the other none"):
        drift(table, world())
    with pytest.raises(ConfigError, match="k is 0"):
        drift(table, table, k=0)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
def test_cosines_of_tiny_and_huge_vectors_are_those_of_their_directions(scale: float) -> None:
    plain = EmbeddingTable(ids(N), vectors())
    stretched = EmbeddingTable(ids(N), vectors().astype(np.float64) * scale)
    for name in ids(3):
        here, there = stretched.nearest(name, 5), plain.nearest(name, 5)
        assert [near.id for near in here] == [near.id for near in there]
        np.testing.assert_allclose([near.score for near in here], [near.score for near in there], rtol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the library's own, at import
def test_umap_keeps_groups_apart_and_is_the_same_for_a_seed() -> None:
    pytest.importorskip("umap")
    rng, group = np.random.default_rng(0), np.arange(120) % 3
    near = 4 * rng.normal(size=(3, 8))[group] + 0.3 * rng.normal(size=(120, 8))
    table = EmbeddingTable(ids(120), near)
    shown = table.map_2d("umap")
    gaps = np.linalg.norm(shown.points[:, None] - shown.points[None], axis=2)
    assert gaps[group[:, None] == group].mean() < 0.5 * gaps[group[:, None] != group].mean()
    assert (shown.method, shown.explained) == ("umap", None)
    np.testing.assert_array_equal(table.map_2d("umap").points, shown.points)
