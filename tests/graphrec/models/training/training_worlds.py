"""A small task that learns quickly, with dense and sparse parameters: products of vectors that are to equal numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graphrec.models.training.loop import Batch, Task, seeded

N_USERS, N_ITEMS, DIM = 7, 5, 3


class Factors(nn.Module):
    def __init__(self, *, sparse: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.users = nn.Embedding(N_USERS, DIM, sparse=sparse)
        self.items = nn.Linear(N_ITEMS, DIM)
        self.dropout = nn.Dropout(dropout)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        taken: Tensor = self.items(nn.functional.one_hot(items, N_ITEMS).float())
        given: Tensor = self.dropout(self.users(users))
        return (given * taken).sum(dim=1)


@dataclass
class FactorTask(Task):
    """35 ratings of rank 2, in batches of 8: the last of an epoch has 3."""

    seed: int = 0
    dropout: float = 0.0
    sparse: bool = True
    batch: int = 8

    def __post_init__(self) -> None:
        rng = np.random.default_rng(5)
        truth = rng.standard_normal((N_USERS, 2)) @ rng.standard_normal((2, N_ITEMS))
        self.users, self.items = (rows.ravel() for rows in np.indices(truth.shape))
        self.ratings = truth.ravel().astype(np.float32)
        self.calls = 0
        with seeded(self.seed):
            self.model = Factors(sparse=self.sparse, dropout=self.dropout)

    @property
    def n_batches(self) -> int:
        return -(-len(self.ratings) // self.batch)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterator[Batch]:
        order = rng.permutation(len(self.ratings))
        for start in range(0, len(order), self.batch):
            rows = order[start : start + self.batch]
            yield Batch({"users": self.users[rows], "items": self.items[rows], "ratings": self.ratings[rows]})

    def loss(self, batch: Batch, rng: np.random.Generator) -> Tensor:
        self.calls += 1
        users, items, ratings = (torch.from_numpy(batch.examples[name]) for name in ("users", "items", "ratings"))
        products: Tensor = self.model(users, items)
        return ((products - ratings) ** 2).mean()

    def error(self) -> float:
        """Return the mean square error over all ratings."""
        with torch.no_grad():
            products = self.model(torch.from_numpy(self.users), torch.from_numpy(self.items))
            return float(((products - torch.from_numpy(self.ratings)) ** 2).mean())
