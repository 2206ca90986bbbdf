"""PinSage's network beside dense formulas, PyG's edges, and itself layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.models.graph_networks.item_inputs import ItemInputs
from graphrec.models.graph_networks.pinsage_batches import Frontier, block_of, whole
from graphrec.models.graph_networks.pinsage_model import ImportanceConv, ItemTower, PinSageModel, pooled


def table_of(n: int, seed: int, *, isolated: float = 0.3, degree: int = 4) -> NeighbourTable:
    """Return random neighbourhoods of n items, some of which have none."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n, n)) < degree / n, rng.random((n, n)) + 0.01, 0)
    dense[rng.random(n) < isolated] = 0
    np.fill_diagonal(dense, 0)
    return csr_table(sp.csr_array(dense))


def tower_of(n: int, dim: int, layers: int, seed: int = 0, *, residual: bool = True) -> ItemTower:
    torch.manual_seed(seed)
    tower = ItemTower(ItemInputs(n, dim, with_events=np.ones(n, dtype=np.bool_)), layers, residual=residual)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.copy_(torch.randn_like(parameter) / dim**0.5)
    return tower.eval()


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 600), layers=st.integers(0, 3), dim=st.sampled_from([1, 7, 16, 33]), seed=st.integers(0, 999))
def test_layer_by_layer_gives_the_bits_of_a_batch(n: int, layers: int, dim: int, seed: int) -> None:
    table, tower = table_of(n, seed), tower_of(n, dim, layers, seed, residual=seed % 2 == 0)
    everything = tower.embed(table).numpy()
    rng = np.random.default_rng(seed)
    seeds = rng.permutation(n)[: int(rng.integers(1, n + 1))].astype(np.int64)
    with torch.no_grad():
        batch = tower(Frontier(table, layers).blocks(seeds), seeds).numpy()
    np.testing.assert_array_equal(batch, everything[seeds])


def test_the_bits_of_an_item_do_not_depend_on_its_batch() -> None:
    table, tower = table_of(900, 1), tower_of(900, 24, 2)
    frontier, everything = Frontier(table, 2), tower.embed(table).numpy()
    for seeds in (np.array([7]), np.array([899, 7, 0]), np.arange(0, 900, 13)):
        with torch.no_grad():
            np.testing.assert_array_equal(tower(frontier.blocks(seeds), seeds).numpy(), everything[seeds])


@pytest.mark.parametrize("residual", [True, False])
def test_a_layer_is_its_formula(residual: bool) -> None:
    n, dim = 30, 5
    table, tower = table_of(n, 2), tower_of(n, dim, 1, residual=residual)
    conv, h = tower.layers()[0], torch.randn(n, dim)
    q, w = conv.message_map, conv.update_map
    alpha = np.zeros((n, n))
    for row in range(n):
        near, scores = table[row]
        alpha[row, near] = scores / max(scores.sum(), 1e-9)
    messages = h.numpy()
    if q is not None:
        messages = np.maximum(messages @ q.weight.detach().numpy().T + q.bias.detach().numpy(), 0)
    joined = np.concatenate([h.numpy(), alpha @ messages], axis=1)
    z = joined @ w.weight.detach().numpy().T + w.bias.detach().numpy()
    positive = np.maximum(z, 0)
    lengths = np.linalg.norm(positive, axis=1, keepdims=True)
    expected = h.numpy() + z if residual else positive / np.where(lengths > 0, lengths, 1)
    with torch.no_grad():
        np.testing.assert_allclose(conv(h, whole(table)).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("weighted", [True, False])
def test_a_layer_reads_the_edges_that_pyg_has(weighted: bool) -> None:
    table = table_of(40, 3)
    block, conv, h = whole(table), tower_of(40, 6, 1).layers()[0], torch.randn(40, 6)
    pooling = np.repeat(np.arange(40), np.diff(block.indptr))
    edge_index = torch.from_numpy(np.stack([block.neighbours, pooling]))
    weights = torch.from_numpy(block.weights)
    if not weighted:
        block = block_of(block.nodes, block.indptr, block.neighbours, np.ones_like(block.weights))
    with torch.no_grad():
        ours, pyg = conv(h, block), conv(h, edge_index, weights if weighted else None)
    np.testing.assert_allclose(ours.numpy(), pyg.numpy(), atol=1e-6)


@pytest.mark.parametrize("residual", [True, False])
def test_a_layer_works_in_other_precisions(residual: bool) -> None:
    torch.manual_seed(0)
    conv, h, edges = ImportanceConv(6, residual=residual), torch.randn(10, 6), torch.randint(0, 10, (2, 30))
    exact = conv(h, edges)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = conv(h, edges)
    torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.1)
    torch.testing.assert_close(conv.double()(h.double(), edges).float(), exact)


def test_items_without_neighbours_pool_nothing() -> None:
    none = NeighbourTable(np.zeros(6, np.int64), [], [], n_columns=5)
    tower = tower_of(5, 4, 2)
    vectors = tower.embed(none)
    assert torch.isfinite(vectors).all()
    assert len(torch.unique(vectors, dim=0)) == 5


def test_a_new_layer_adds_some_of_the_mean_of_the_neighbours() -> None:
    torch.manual_seed(0)
    conv, h = ImportanceConv(3), torch.randn(10, 3)
    block = whole(table_of(10, 4, isolated=0.0, degree=3))
    dense = np.zeros((10, 10))
    dense[np.repeat(np.arange(10), np.diff(block.indptr)), block.neighbours] = block.weights
    with torch.no_grad():
        np.testing.assert_allclose(conv(h, block).numpy(), h.numpy() + 0.3 * dense @ h.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("own", [True, False])
def test_a_user_is_the_weighted_sum_of_what_his_items_say_by_their_ids(own: bool) -> None:
    with_events = np.arange(8) != 1  # an item without events says what its whole vector is
    inputs = ItemInputs(8, 4, with_events=with_events)
    assert inputs.ids is not None
    model = PinSageModel(ItemTower(inputs, 0), 3, own=own, scale=0.1)
    with torch.no_grad():
        model.saying.weight.copy_(torch.randn(4, 4))
    items, rows = torch.randn(8, 4), np.arange(8)[::-1].copy()
    indptr, history = np.array([0, 2, 2]), np.array([5, 6])  # rows 2 and 1
    weights = np.array([0.5, 2.0], dtype=np.float32)
    with torch.no_grad():
        says = model.says(rows, items)
        users = model.users(np.array([2, 0]), indptr, history, weights, says).numpy()
        expected_says = torch.where(torch.from_numpy(with_events[rows])[:, None], inputs.ids.weight[rows], items)
        np.testing.assert_allclose(says.numpy(), (expected_says @ model.saying.weight.T).numpy(), atol=1e-5)
    expected = np.stack([(0.5 * says[5] + 2 * says[6]).numpy(), np.zeros(4)])
    if model.own is not None:
        expected += model.own.weight.detach().numpy()[[2, 0]]
    np.testing.assert_allclose(users, expected, atol=1e-5)


def test_pooling_has_the_gradient_of_a_matrix_product() -> None:
    block = whole(table_of(12, 5))
    dense = np.zeros((12, 12))
    dense[np.repeat(np.arange(12), np.diff(block.indptr)), block.neighbours] = block.weights
    messages, by = torch.randn(12, 3, requires_grad=True), torch.randn(12, 3)
    sums = pooled(messages, block)
    np.testing.assert_allclose(sums.detach().numpy(), dense @ messages.detach().numpy(), atol=1e-5)
    (gradient,) = torch.autograd.grad(sums, messages, by)
    np.testing.assert_allclose(gradient.numpy(), dense.T @ by.numpy(), atol=1e-5)


def test_items_read_the_users_that_took_them() -> None:
    takers = csr_table(sp.csr_array(np.array([[0.5, 0, 0.25], [0, 0, 0], [0, 1.0, 0], [0.1, 0.2, 0.3]])))
    inputs, users = ItemInputs(4, 3, with_events=np.ones(4, dtype=np.bool_)), torch.randn(3, 3)
    tower = ItemTower(inputs, 0, takers=takers).eval()
    dense = np.array([[0.5, 0, 0.25], [0, 0, 0], [0, 1.0, 0], [0.1, 0.2, 0.3]])
    assert inputs.ids is not None
    expected = inputs.ids.weight.detach().numpy() + dense @ users.numpy()
    with torch.no_grad():
        np.testing.assert_allclose(tower([], np.arange(4), users).numpy(), expected, atol=1e-6)
        np.testing.assert_allclose(tower([], np.array([2, 0]), users).numpy(), expected[[2, 0]], atol=1e-6)
