"""Worker processes of neighbour loaders: their number changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch_geometric.data import Data  # type: ignore[import-untyped]

from graphrec.models.loaders.neighbour_loaders import LinkNeighborLoader, NeighborLoader

# Newer Pythons remark on forks of a process that has threads; these children start none.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def graph() -> Data:
    generator = torch.Generator().manual_seed(0)
    return Data(x=torch.arange(120.0).view(60, 2), edge_index=torch.randint(0, 60, (2, 500), generator=generator))


def epochs(loader: Any) -> list[Any]:
    return [[(b.n_id.tolist(), b.e_id.tolist(), b.x.sum().item()) for b in loader] for _ in range(3)]


@pytest.mark.parametrize("kind", [NeighborLoader, LinkNeighborLoader])
def test_batches_do_not_depend_on_the_number_of_workers(kind: Any) -> None:
    arguments: dict[str, Any] = {"batch_size": 9, "shuffle": False, "seed": 4}
    if kind is LinkNeighborLoader:
        arguments |= {"neg_sampling_ratio": 1.0, "batch_size": 100}
    alone = epochs(kind(graph(), [3, 3], **arguments))
    assert alone[0] != alone[1]
    assert epochs(kind(graph(), [3, 3], num_workers=2, **arguments)) == alone
    assert epochs(kind(graph(), [3, 3], num_workers=2, persistent_workers=True, **arguments)) == alone
