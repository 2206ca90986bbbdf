"""Tags that items carry."""

from __future__ import annotations

from dataclasses import dataclass

from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class ItemTags:
    """Tags that items carry: ``table`` is item row -> tag rows with weights > 0; ``tags`` names the tag rows."""

    tags: Vocabulary
    table: NeighbourTable

    def __post_init__(self) -> None:
        if self.table.n_columns != len(self.tags):
            raise DataError(f"the tag table points at {self.table.n_columns} tags, the vocabulary has {len(self.tags)}")
