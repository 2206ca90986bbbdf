"""Models of PyG train through our loaders as they stand: HGT, SAGE by edge type, GATv2, on the bundled goodbooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]
from torch_geometric.nn import GATv2Conv, HeteroConv, HGTConv, SAGEConv  # type: ignore[import-untyped]

from graphrec.data.interactions import take
from graphrec.graph.catalogue import INTERACTS, ITEM, USER, items_only
from graphrec.models.hetero import to_hetero
from graphrec.models.loaders.neighbour_loaders import LinkNeighborLoader, NeighborLoader
from graphrec.pipelines.readers.sources import read_interactions
from graphrec.pipelines.registry.datasets import datasets_directory

DIM = 16
TAKEN = (USER, INTERACTS, ITEM)


@pytest.fixture(scope="module")
def books() -> HeteroData:
    """Return the first 20,000 ratings of goodbooks."""
    table = read_interactions(datasets_directory() / "goodbooks" / "ratings.csv.gz", columns={"weight": "rating"})
    return to_hetero(items_only(table.items), take(table.interactions, np.arange(20_000)), users=table.users)


class Typed(nn.Module):
    """Learnt vectors of nodes under one convolution by type; scores links by their inner product."""

    def __init__(self, data: HeteroData, kind: str) -> None:
        super().__init__()
        self.vectors = nn.ModuleDict({kind: nn.Embedding(data[kind].num_nodes, DIM) for kind in data.node_types})
        self.conv = (
            HGTConv(DIM, DIM, data.metadata(), heads=2)
            if kind == "hgt"
            else HeteroConv({key: SAGEConv((DIM, DIM), DIM) for key in data.edge_types})
        )

    def forward(self, batch: Any) -> Tensor:
        x = {kind: vectors(batch[kind].n_id) for kind, vectors in self.vectors.items()}
        z = self.conv(x, batch.edge_index_dict)
        users, items = batch[TAKEN].edge_label_index
        scores: Tensor = ((x[USER] + z[USER])[users] * (x[ITEM] + z[ITEM])[items]).sum(1)
        return scores


class Plain(nn.Module):
    """The same with GATv2 over one kind of nodes and edges."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.vectors, self.conv = nn.Embedding(n, DIM), GATv2Conv(DIM, DIM, add_self_loops=False)

    def forward(self, batch: Any) -> Tensor:
        x = self.vectors(batch.n_id)
        z = x + self.conv(x, batch.edge_index)
        scores: Tensor = (z[batch.edge_label_index[0]] * z[batch.edge_label_index[1]]).sum(1)
        return scores


def losses(model: nn.Module, loader: Any, label: Any) -> list[float]:
    """Return the loss of each step over a loader."""
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    steps = []
    for batch in loader:
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(model(batch), label(batch))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        steps.append(float(loss.detach()))
    return steps


@pytest.mark.parametrize("kind", ["hgt", "sage"])
def test_a_model_by_type_learns(books: HeteroData, kind: str) -> None:
    torch.manual_seed(0)
    seeds = books[TAKEN].edge_index[:, ::4]
    loader = LinkNeighborLoader(
        books, [6], edge_label_index=(TAKEN, seeds), edge_label=torch.ones(seeds.shape[1]), neg_sampling_ratio=1.0,
        batch_size=256, shuffle=True, seed=0,
    )  # fmt: skip
    steps = losses(Typed(books, kind), loader, lambda batch: (batch[TAKEN].edge_label > 0).float())
    assert len(steps) == 20
    assert np.mean(steps[-5:]) < 0.8 * np.mean(steps[:5])


def test_gatv2_learns_on_one_kind_of_nodes(books: HeteroData) -> None:
    torch.manual_seed(0)
    data = books.to_homogeneous()
    loader = LinkNeighborLoader(
        data, [6], edge_label_index=data.edge_index[:, :20_000:4], edge_label=torch.ones(5000), neg_sampling_ratio=1.0,
        batch_size=256, shuffle=True, seed=0,
    )  # fmt: skip
    steps = losses(Plain(data.num_nodes), loader, lambda batch: (batch.edge_label > 0).float())
    assert np.mean(steps[-5:]) < 0.8 * np.mean(steps[:5])


def test_batches_of_all_nodes_give_what_the_whole_graph_gives(books: HeteroData) -> None:
    torch.manual_seed(0)
    x = {kind: torch.randn(books[kind].num_nodes, DIM) for kind in books.node_types}
    convs = [HeteroConv({key: SAGEConv((DIM, DIM), DIM) for key in books.edge_types}) for _ in range(2)]
    with torch.no_grad():
        whole = convs[1](convs[0](x, books.edge_index_dict), books.edge_index_dict)[ITEM]
        seeds = torch.arange(0, 300, 3)
        batch = next(iter(NeighborLoader(books, [-1, -1], input_nodes=(ITEM, seeds), batch_size=100)))
        z = {kind: vectors[batch[kind].n_id] for kind, vectors in x.items()}
        z = convs[1](convs[0](z, batch.edge_index_dict), batch.edge_index_dict)[ITEM][:100]
    torch.testing.assert_close(z, whole[seeds], rtol=1e-3, atol=1e-3)
