"""The four scores beside their formulas and PyG's own, and filtered ranks beside counting."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.errors import ConfigError
from graphrec.models.kg_embeddings.kge_ranks import LinkRanks, filtered_ranks, link_ranks
from graphrec.models.kg_embeddings.kge_scores import ModelName, TripleScorer
from graphrec.models.kg_embeddings.kge_training import KgeTask, searched_by
from graphrec.models.kg_embeddings.kge_triples import Triples
from graphrec.models.training.loop import TrainingSettings, seeded, train

MODELS = get_args(ModelName)
N_NODES, N_RELATIONS, DIM = 7, 3, 6


def scorer(name: ModelName, norm: int = 2) -> TripleScorer:
    with seeded(4):
        made = TripleScorer(name, N_NODES, N_RELATIONS, DIM, norm=norm)
        for weights in made.parameters():
            torch.nn.init.normal_(weights)
    return made


def plain_score(name: ModelName, made: TripleScorer, head: int, relation: int, tail: int) -> float:
    """The formula of the paper, from the weights of PyG's model."""
    weights = {key: value.detach().double().numpy() for key, value in made.model.named_parameters()}
    nodes, relations = weights["node_emb.weight"], weights["rel_emb.weight"]
    if name == "transe":
        left, right = (vector / np.linalg.norm(vector) for vector in (nodes[head], nodes[tail]))
        return -float(np.linalg.norm(left + relations[relation] - right, made.norm))
    if name == "distmult":
        return float((nodes[head] * relations[relation] * nodes[tail]).sum())
    numbers = nodes + 1j * weights["node_emb_im.weight"]
    if name == "rotate":
        return -float(np.linalg.norm(numbers[head] * np.exp(1j * relations[relation]) - numbers[tail]))
    both = relations + 1j * weights["rel_emb_im.weight"]
    return float((numbers[head] * both[relation] * numbers[tail].conj()).sum().real)


@pytest.mark.parametrize(("name", "norm"), [*((name, 2) for name in MODELS), ("transe", 1)])
def test_scores_are_those_of_the_formula_and_of_pyg(name: ModelName, norm: int) -> None:
    made = scorer(name, norm)
    heads, relations, tails = (torch.tensor(rows) for rows in ([0, 3, 6, 2], [1, 0, 2, 2], [5, 3, 1, 0]))
    triples = list(zip(heads.tolist(), relations.tolist(), tails.tolist(), strict=True))
    expected = [plain_score(name, made, *triple) for triple in triples]
    with torch.no_grad():
        theirs = made.model(heads, relations, tails).numpy()
        vectors, ties = made.nodes(torch.arange(N_NODES)), made.relations(relations)
        for_tails = made.tail_queries(vectors[heads], ties)
        for_heads = made.head_queries(vectors[tails], ties)
        if norm == 2:  # of norm 1 PyG makes the lengths 1 by that norm, too
            np.testing.assert_allclose(theirs, expected, rtol=1e-4, atol=1e-5)
        for queries, ends in ((for_tails, tails), (for_heads, heads)):
            pairs = made.pair_scores(queries, vectors[ends])
            np.testing.assert_allclose(pairs, expected, rtol=1e-4, atol=1e-5)
            every = made.all_scores(queries, vectors)
            np.testing.assert_allclose(every[torch.arange(4), ends], expected, rtol=1e-3, atol=1e-3)


def test_products_stand_in_for_distances() -> None:
    rng = np.random.default_rng(2)
    queries, candidates = (torch.from_numpy(rng.normal(size=(n, 4))) for n in (3, 9))
    products = searched_by(queries, queries=True) @ searched_by(candidates, queries=False).T
    distances = torch.cdist(queries, candidates)
    np.testing.assert_allclose(2 * products, queries.square().sum(1, keepdim=True) - distances.square(), atol=1e-9)


@pytest.mark.parametrize("name", ["complex", "rotate"])
def test_an_odd_width_of_complex_vectors_is_refused(name: ModelName) -> None:
    with pytest.raises(ConfigError, match=rf"dim is 5; vectors of {name} have as many real as imaginary parts"):
        TripleScorer(name, 3, 1, 5)


def test_a_norm_that_a_model_does_not_have_is_refused_and_norm_1_is_not_served() -> None:
    refused: tuple[tuple[ModelName, int], ...] = (("transe", 3), ("rotate", 1))
    for name, norm in refused:
        with pytest.raises(ConfigError, match=f"norm is {norm} for {name}"):
            scorer(name, norm)
    task = KgeTask(world(), "transe", dim=4, batch=10, negatives=3, temperature=1.0, regularisation=0.0, seed=0, norm=1)
    with pytest.raises(ConfigError, match="only distances of norm 2 are served"):
        task.served(0, np.ones(9, bool))


def test_ranks_leave_out_known_ends_and_halve_ties() -> None:
    scores = np.array([[5.0, 4.0, 4.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 2.0, 3.0]])
    known = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    assert filtered_ranks(scores, np.array([1, 2, 0]), known).tolist() == [1.0, 2.5, 1.0]


def world(m: int = 40, seed: int = 0) -> Triples:
    """Distinct random triples over nodes of two types, of 4 and of 5."""
    rng = np.random.default_rng(seed)
    drawn = np.unique(np.stack([rng.integers(0, 9, m), rng.integers(0, 3, m), rng.integers(0, 9, m)]), axis=1)
    return Triples(*drawn, type_offsets=[0, 4, 9], n_relations=3)


def by_counting(
    name: ModelName, made: TripleScorer, test: Triples, known: Triples, *, typed: bool
) -> npt.NDArray[np.float64]:
    """Filtered ranks, a triple and a candidate after the other."""
    true = {
        triple
        for part in (test, known)
        for triple in zip(part.heads.tolist(), part.relations.tolist(), part.tails.tolist(), strict=True)
    }
    ranks = []
    for side in (2, 0):
        for triple in zip(test.heads.tolist(), test.relations.tolist(), test.tails.tolist(), strict=True):
            own, rank = plain_score(name, made, *triple), 1.0
            for node in range(test.n_nodes):
                other = list(triple)
                other[side] = node
                alike = (node < 4) == (triple[side] < 4)
                if tuple(other) in true or (typed and not alike):
                    continue
                score = plain_score(name, made, *other)
                rank += 0.5 if np.isclose(score, own, rtol=0, atol=1e-12) else float(score > own)
            ranks.append(rank)
    return np.array(ranks)


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_ranks_of_a_tiny_graph_are_those_of_counting(name: ModelName, typed: bool) -> None:
    whole = world()
    rows = np.arange(len(whole)) % 3 == 0
    test, known = (
        Triples(whole.heads[part], whole.relations[part], whole.tails[part], type_offsets=[0, 4, 9], n_relations=3)
        for part in (rows, ~rows)
    )
    with seeded(1):
        made = TripleScorer(name, 9, 3, DIM)
    expected = by_counting(name, made, test, known, typed=typed)
    np.testing.assert_array_equal(link_ranks(made, test, [known], typed=typed).ranks, expected)


def test_figures_are_made_of_ranks() -> None:
    ranks = LinkRanks(np.array([1.0, 2.0, 4.0, 10.5]))
    assert ranks.mrr == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 10.5) / 4)
    assert [ranks.hits(k) for k in (1, 3, 10)] == [0.25, 0.5, 0.75]
    assert LinkRanks(np.empty(0)).mrr == 0.0


@pytest.mark.parametrize("name", ["complex", "rotate"])
def test_the_inverse_of_a_relation_is_learnt(name: ModelName) -> None:
    """Relation 0 leads to the next node of a circle, relation 1 to the one before it: held-out ends follow."""
    nodes = np.arange(12)
    onward = np.stack([nodes, 0 * nodes, (nodes + 1) % 12])
    back = np.stack([(nodes + 1) % 12, 0 * nodes + 1, nodes])
    held = np.isin(nodes, [3, 8])
    learn, test = (
        Triples(*part, type_offsets=[0, 12], n_relations=2)
        for part in (np.concatenate([onward, back[:, ~held]], axis=1), back[:, held])
    )
    task = KgeTask(learn, name, dim=24, batch=30, negatives=12, temperature=0.3, regularisation=0.02, seed=0)
    train(task, TrainingSettings(epochs=60, lr=0.1), FitContext(workers=1))
    assert link_ranks(task.model, test, [learn]).mrr > 0.6
