"""Triples of a graph, what completes them, and batches with negatives of the right type."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.errors import DataError
from graphrec.graph.catalogue import with_users
from graphrec.models.kg_embeddings.kge_triples import TripleBatches, Triples, answers_of, triples_of
from tests.worlds import checkerboard, skewed


def test_an_edge_and_its_reverse_are_one_triple() -> None:
    data = checkerboard()
    graph = with_users(data.catalogue, data.interactions)
    triples = triples_of(graph)
    names = [graph.relation_names[number] for number in np.unique(triples.relations)]
    assert names == ["has_colour", "interacts"]
    assert len(triples) * 2 == graph.n_edges
    own = triples.relations == graph.relation_names.index("interacts")
    np.testing.assert_array_equal(triples.heads[own], data.interactions.users)
    np.testing.assert_array_equal(triples.tails[own] - len(data.users), data.interactions.items)


def test_answers_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(3)
    triples = Triples(rng.integers(0, 6, 60), rng.integers(0, 2, 60), rng.integers(0, 50, 60),
                      type_offsets=[0, 50], n_relations=2)  # fmt: skip
    true = set(zip(triples.heads.tolist(), triples.relations.tolist(), triples.tails.tolist(), strict=True))
    for candidates in (np.arange(50, dtype=np.int32), np.array([7, 3], dtype=np.int32)):
        pairs = [(head, relation) for head in range(8) for relation in range(2)]
        heads, relations = (np.array(column, dtype=np.int32) for column in zip(*pairs, strict=True))
        found = answers_of(triples, side="tails").among(heads, relations, candidates)
        assert found.tolist() == [[(h, r, int(c)) in true for c in candidates] for h, r in pairs]
        back = answers_of(triples, side="heads").among(candidates, candidates * 0 + 1, heads[::2])
        assert back.tolist() == [[(int(h), 1, int(c)) in true for h in heads[::2]] for c in candidates]


def test_a_hub_with_many_answers_is_looked_up_by_candidate() -> None:
    tails = np.arange(0, 400, 2)
    triples = Triples(0 * tails, 0 * tails, tails, type_offsets=[0, 400], n_relations=1)
    found = answers_of(triples, side="tails").among(
        np.zeros(1, np.int32), np.zeros(1, np.int32), np.array([0, 1, 398, 399], dtype=np.int32)
    )
    assert found.tolist() == [[True, False, True, False]]


def test_an_epoch_holds_every_triple_once_with_negatives_of_its_types() -> None:
    data = skewed()
    triples = triples_of(with_users(data.catalogue, data.interactions))
    batches = list(TripleBatches(triples, batch=50, negatives=7).epoch(np.random.default_rng(0)))
    assert len(batches) == len(TripleBatches(triples, batch=50, negatives=7))
    np.testing.assert_array_equal(np.sort(np.concatenate([batch.rows for batch in batches])), np.arange(len(triples)))
    for batch in batches:
        for ends, others in ((triples.heads, batch.other_heads), (triples.tails, batch.other_tails)):
            (kind,) = set(triples.types_of(ends[batch.rows]).tolist())
            size = int(np.diff(triples.type_offsets)[kind])
            assert set(triples.types_of(others).tolist()) == {kind}
            assert len(set(others.tolist())) == len(others) == min(7, size)


def test_no_triples_make_no_batches() -> None:
    none = Triples([], [], [], type_offsets=[0, 3], n_relations=1)
    assert len(TripleBatches(none, 5, 5)) == 0
    assert not list(TripleBatches(none, 5, 5).epoch(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        (([0, 1], [0], [1, 2]), "relations has 1 entr"),
        (([9], [0], [1]), "heads.*9"),
        (([0], [4], [1]), "relations.*4"),
    ],
)
def test_triples_that_do_not_fit_are_refused(columns: tuple[list[int], ...], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        Triples(*columns, type_offsets=[0, 3], n_relations=2)
