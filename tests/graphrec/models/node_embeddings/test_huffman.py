from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.models.node_embeddings.huffman import HuffmanTree, huffman_tree
from tests.oracles.skip_gram import huffman_cost, sigma

Counts = st.lists(st.integers(0, 1 << 40) | st.integers(0, 3), max_size=60)


def ways(tree: HuffmanTree) -> list[list[tuple[int, float]]]:
    """Return the (inner node, label) of each node's way."""
    steps = list(zip(tree.points.tolist(), tree.labels.tolist(), strict=True))
    return [steps[start:stop] for start, stop in zip(tree.indptr, tree.indptr[1:], strict=False)]


@given(Counts)
def test_the_mean_way_is_the_shortest(counts: list[int]) -> None:
    lengths = np.diff(huffman_tree(np.array(counts, dtype=np.int64)).indptr).tolist()
    assert sum(count * length for count, length in zip(counts, lengths, strict=True)) == huffman_cost(counts)


@given(Counts)
def test_codes_are_free_of_prefixes_and_points_are_the_same_for_the_same_prefix(counts: list[int]) -> None:
    present = [way for way, count in zip(ways(huffman_tree(np.array(counts, np.int64))), counts, strict=True) if count]
    codes = ["".join(str(int(label)) for _, label in way) for way in present]
    assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    assert len(set(codes)) == len(codes)
    inner = {code[:depth]: way[depth][0] for code, way in zip(codes, present, strict=True) for depth in range(len(way))}
    assert all(way[depth][0] == inner[code[:depth]] for code, way in zip(codes, present, strict=True)
               for depth in range(len(way)))  # fmt: skip
    assert sorted(inner.values()) == list(range(max(0, len(present) - 1)))


@given(Counts.filter(any))
def test_probabilities_of_all_nodes_add_up_to_one(counts: list[int]) -> None:
    tree = huffman_tree(np.array(counts, np.int64))
    scores = np.random.default_rng(len(counts)).normal(size=len(counts), scale=2.0)  # of each inner node
    right = [np.prod(sigma(np.array([scores[point] * (2 * label - 1) for point, label in way]))) for way in ways(tree)]
    assert sum(p for p, count in zip(right, counts, strict=True) if count) == pytest.approx(1.0)


def test_a_tree_in_the_head() -> None:
    tree = huffman_tree(np.array([5, 0, 1, 2]))  # 1 and 2 join as 0, with 5 as 1, the root
    assert ways(tree) == [[(1, 0.0)], [], [(1, 1.0), (0, 1.0)], [(1, 1.0), (0, 0.0)]]
    assert tree.depth == 2


def test_counts_like_fibonacci_s_make_the_deepest_tree() -> None:
    counts = [1, 1]
    while len(counts) < 60:
        counts.append(counts[-1] + counts[-2])
    assert huffman_tree(np.array(counts)).depth == 59


def test_gensim_s_codes_are_as_long_in_the_mean() -> None:
    gensim = pytest.importorskip("gensim.models")
    counts = np.random.default_rng(4).zipf(1.4, size=200).clip(max=10**6)
    model = gensim.Word2Vec(hs=1, negative=0, min_count=0, vector_size=2)
    model.build_vocab_from_freq({str(row): int(count) for row, count in enumerate(counts)})
    theirs = sum(int(counts[row]) * len(model.wv.get_vecattr(str(row), "code")) for row in range(len(counts)))
    assert int(counts @ np.diff(huffman_tree(counts).indptr)) == theirs
