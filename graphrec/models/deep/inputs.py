"""What is known of the rows of one space, as vectors: learnt ids and encoded features, field by field or summed up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from graphrec.data.encoding.encoded import MISSING, EncodedFeatures
from graphrec.recallers.query_fields import RowFeatures


class FieldInputs(nn.Module):
    r"""Vectors of n rows, one a field.

    ========== ================================================================================================
    id         one learnt vector a row that was trained; a row without events has none
    category   the mean of the vectors of the row's codes; code 0, nothing known, is a vector of zeros
    number     the number times a vector
    vector     a linear map
    ========== ================================================================================================

    Parameters
    ----------
    n, dim : int
        Rows, and width of a field's vector.
    with_ids : ndarray or None
        (n,) bool: the rows that get an id; None for a model without ids.
    features : RowFeatures or None
        Of the n rows; :attr:`known` (n,) bool are those of which any is known.
    scale : float
        Standard deviation of what is drawn at first.
    """

    def __init__(
        self,
        n: int,
        dim: int,
        *,
        with_ids: npt.NDArray[np.bool_] | None,
        features: RowFeatures | None,
        scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.n, self.dim = n, dim
        self.ids = None if with_ids is None else nn.Embedding(n, dim)
        if with_ids is not None:
            self._keep("seen", with_ids.astype(np.float32)[:, None])
        encoded = None if features is None else features.encoded
        self.known = np.zeros(n, dtype=np.bool_) if features is None else features.known
        fields = () if encoded is None else encoded.fields
        self.category_names = [field.name for field in fields if field.kind == "category"]
        self.vector_names = [field.name for field in fields if field.kind == "vector"]
        sizes = {field.name: field.size for field in fields}
        self.tables = nn.ModuleList(nn.Embedding(sizes[name], dim, padding_idx=MISSING) for name in self.category_names)
        self.maps = nn.ModuleList(nn.Linear(sizes[name], dim, bias=False) for name in self.vector_names)
        width = 0 if encoded is None else encoded.numbers.shape[1]
        self.numbers = nn.Parameter(torch.empty(width, dim)) if width else None
        if encoded is not None:
            self._keep_features(encoded, width)
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(std=scale)
            for table in self.tables:
                table.weight[MISSING] = 0  # type: ignore[operator]

    @property
    def n_fields(self) -> int:
        """Fields, the id among them."""
        numbers = 0 if self.numbers is None else len(self.numbers)
        return (self.ids is not None) + len(self.tables) + numbers + len(self.maps)

    def forward(self, rows: Tensor) -> Tensor:
        """Return (s, dim): the sum of the fields' vectors of ``rows`` (s,) int64; zeros where nothing is known."""
        total = torch.zeros((len(rows), self.dim), device=rows.device)
        if self.ids is not None:
            total = total + self.ids(rows) * self._of("seen", rows)
        for place in range(len(self.tables)):
            total = total + self._category(place, rows)
        if self.numbers is not None:
            total = total + self._of("columns", rows) @ self.numbers
        for place, linear in enumerate(self.maps):
            total = total + linear(self._of(f"vectors_{place}", rows))
        return total

    def fields(self, rows: Tensor) -> Tensor:
        """Return (s, fields, dim): the vectors of each field, in the order id, categories, numbers, vectors."""
        parts: list[Tensor] = []
        if self.ids is not None:
            parts.append((self.ids(rows) * self._of("seen", rows))[:, None])
        parts += [self._category(place, rows)[:, None] for place in range(len(self.tables))]
        if self.numbers is not None:
            parts.append(self._of("columns", rows)[:, :, None] * self.numbers)
        parts += [linear(self._of(f"vectors_{place}", rows))[:, None] for place, linear in enumerate(self.maps)]
        return torch.cat(parts, dim=1) if parts else torch.zeros((len(rows), 0, self.dim), device=rows.device)

    def _category(self, place: int, rows: Tensor) -> Tensor:
        """Return (s, dim): the mean of each row's codes' vectors."""
        indptr: Tensor = getattr(self, f"indptr_{place}")
        lengths = indptr[rows + 1] - indptr[rows]
        starts = torch.cumsum(lengths, 0) - lengths
        places = torch.arange(int(lengths.sum()), device=rows.device)
        codes = self._of(f"codes_{place}", places + torch.repeat_interleave(indptr[rows] - starts, lengths))
        weight: Tensor = self.tables[place].weight  # type: ignore[assignment]
        return embedding_bag(codes, weight, starts, mode="mean", padding_idx=MISSING)

    def _keep_features(self, features: EncodedFeatures, width: int) -> None:
        for place, name in enumerate(self.category_names):
            indptr, codes = features.categories[name]
            self._keep(f"indptr_{place}", indptr)
            self._keep(f"codes_{place}", codes.astype(np.int64))
        if width:
            self._keep("columns", features.numbers)
        for place, name in enumerate(self.vector_names):
            self._keep(f"vectors_{place}", features.vectors[name])

    def _keep(self, name: str, array: npt.NDArray[np.generic]) -> None:
        """Keep a column with the model: it moves to the device, and is no part of a checkpoint."""
        self.register_buffer(name, torch.from_numpy(np.array(array)), persistent=False)

    def _of(self, name: str, rows: Tensor) -> Tensor:
        column: Tensor = getattr(self, name)
        return column[rows]
