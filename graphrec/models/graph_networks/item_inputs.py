"""What a model reads of items: learnt ids and features, as one vector an item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from graphrec.data.features import Features, Labels
from graphrec.data.item_tags import ItemTags
from graphrec.errors import ConfigError, DataError

FloatArray = npt.NDArray[np.float32]


class ItemInputs(nn.Module):
    r"""The sum of what is known of an item, each part as a vector of the same width.

    ============ ==================================================================================================
    learnt ids   one vector an item that has events; an item without has none, for nothing was learnt of it
    numbers      standardised over the items whose number is known, then a linear map; a number not known is the mean
    labels       one vector a label
    tags         the weighted sum of the tags' vectors over the root of the squared weights' sum, times ``tag_weight``
    vectors      a linear map of the vector at length 1 (texts, images, a knowledge graph's embeddings)
    ============ ==================================================================================================

    What is not known of an item adds nothing. Many tags say more than few, and their sum grows as its length does where
    vectors are drawn alike; a mean of ten is a third of an id, and taught the books less (docs/pinsage.md).

    Parameters
    ----------
    n : int
        Items.
    dim : int
        Width, >= 1.
    with_events : ndarray or None
        (n,) bool: the items that get an id; None for a model without ids, which serves items that it has not seen.
    features : Features or None
        Numbers, labels, tags and vectors are read; texts are not (make vectors of them first).
    tag_weight : float, default 1.0
        What tags are multiplied by.
    scale : float
        Standard deviation of what is drawn at first.

    Raises
    ------
    ConfigError
        If there are neither ids nor features.
    DataError
        If features are of another number of items.
    """

    def __init__(
        self,
        n: int,
        dim: int,
        *,
        with_events: npt.NDArray[np.bool_] | None,
        features: Features | None = None,
        tag_weight: float = 1.0,
        scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.n, self.dim = n, dim
        if features is not None and features.n != n:
            raise DataError(f"the features are of {features.n} items; there are {n}")
        features = features or Features(n)
        self.ids = None if with_events is None else nn.Embedding(n, dim)
        if self.ids is not None:
            self._all_seen = bool(np.all(with_events))
            self._keep("seen", np.asarray(with_events, dtype=np.float32)[:, None])
        self.numbers = self._numbers(features.numbers)
        self.labels = nn.ModuleList(self._label(i, column) for i, column in enumerate(features.labels.values()))
        self.bags = nn.ModuleList(self._bag(i, column, tag_weight) for i, column in enumerate(features.tags.values()))
        self.vectors = nn.ModuleList(self._vector(i, column) for i, column in enumerate(features.vectors.values()))
        if not any(True for _ in self.parameters()):
            raise ConfigError(
                "there is nothing to tell items apart by: ids are off, and the items have no numbers, labels, tags or "
                "vectors; give them features, or set ids = true"
            )
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(std=scale)
            for label in self.labels:
                cast("nn.Embedding", label).weight[0] = 0  # the label that is not known

    def forward(self, rows: Tensor) -> Tensor:
        """Return (s, dim): what is known of the items ``rows`` (s,) int64."""
        total = self.own(rows)
        if self.numbers is not None:
            total = total + self.numbers(self._of("standardised", rows))
        for i, label in enumerate(self.labels):
            total = total + label(self._of(f"codes_{i}", rows))
        for i, bag in enumerate(self.bags):
            total = total + self._bag_sums(i, cast("nn.Embedding", bag).weight, rows)
        for i, linear in enumerate(self.vectors):
            total = total + linear(self._of(f"vectors_{i}", rows))
        return total

    def own(self, rows: Tensor) -> Tensor:
        """Return (s, dim): the learnt ids of the items ``rows`` (s,); zero for items without."""
        if self.ids is None:
            return torch.zeros((len(rows), self.dim), device=rows.device)
        ids = self.ids.weight.index_select(0, rows)  # its gradient is made faster than an embedding's
        return ids if self._all_seen else ids * self._of("seen", rows)

    def known(self) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: the items of which anything at all is known, beside their ids."""
        known = np.zeros(self.n, dtype=np.bool_)
        for name, column in self.named_buffers(recurse=False):
            array = column.cpu().numpy()
            if name == "standardised" or name.startswith("vectors_"):
                known |= (array != 0).any(axis=1)
            elif name.startswith("codes_"):
                known |= array > 0
            elif name.startswith("bag_indptr_"):
                known |= np.diff(array) > 0
        return known

    def _keep(self, name: str, array: npt.NDArray[np.generic]) -> None:
        """Keep a column with the model: it moves to the device, and is no part of a checkpoint."""
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)), persistent=False)

    def _of(self, name: str, rows: Tensor) -> Tensor:
        column: Tensor = getattr(self, name)
        return column[rows]

    def _numbers(self, numbers: Mapping[str, npt.NDArray[np.float64]]) -> nn.Linear | None:
        if not numbers:
            return None
        columns = np.stack([_standardised(column) for column in numbers.values()], axis=1)  # (n, f)
        self._keep("standardised", columns)
        return nn.Linear(columns.shape[1], self.dim, bias=False)

    def _label(self, i: int, column: Labels) -> nn.Module:
        self._keep(f"codes_{i}", column.codes.astype(np.int64) + 1)
        return nn.Embedding(len(column.names) + 1, self.dim, padding_idx=0)

    def _bag(self, i: int, column: ItemTags, tag_weight: float) -> nn.Module:
        table = column.table
        lengths = np.diff(table.indptr)
        squares = np.bincount(np.repeat(np.arange(len(table)), lengths), weights=table.scores**2, minlength=len(table))
        self._keep(f"bag_indptr_{i}", table.indptr)
        self._keep(f"bag_tags_{i}", table.neighbours.astype(np.int64))
        self._keep(
            f"bag_weights_{i}", (tag_weight * table.scores / np.repeat(np.sqrt(squares), lengths)).astype(np.float32)
        )
        return nn.Embedding(max(table.n_columns, 1), self.dim)

    def _vector(self, i: int, column: FloatArray) -> nn.Module:
        vectors = np.where(np.isnan(column), np.float32(0), column)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._keep(f"vectors_{i}", (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32))
        return nn.Linear(column.shape[1], self.dim, bias=False)

    def _bag_sums(self, i: int, weight: Tensor, rows: Tensor) -> Tensor:
        """Return (s, dim): the weighted sum of each row's tags."""
        indptr: Tensor = getattr(self, f"bag_indptr_{i}")
        lengths = indptr[rows + 1] - indptr[rows]
        starts = torch.cumsum(lengths, 0) - lengths
        places = torch.arange(int(lengths.sum()), device=rows.device)
        places = places + torch.repeat_interleave(indptr[rows] - starts, lengths)
        return embedding_bag(
            self._of(f"bag_tags_{i}", places), weight, starts, mode="sum",
            per_sample_weights=self._of(f"bag_weights_{i}", places),
        )  # fmt: skip


def _standardised(column: npt.NDArray[np.float64]) -> FloatArray:
    """Return a column with mean 0 and deviation 1 over the numbers that are known, and 0 for the others."""
    known = ~np.isnan(column)
    if not known.any():
        return np.zeros(len(column), dtype=np.float32)
    largest = np.abs(column[known]).max()  # of huge numbers the squares overflow
    scaled = column / largest if largest > 0 else column
    deviation = scaled[known].std()
    centred = (scaled - scaled[known].mean()) / (deviation if deviation > 1e-12 else 1.0)
    return np.where(known, centred, 0.0).astype(np.float32)
