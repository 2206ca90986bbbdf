"""Tags that items carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.checks import typed_fields
from graphrec.data.lists import lists_of, take_lists
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class ItemTags:
    """Tags that items carry: ``table`` is item row -> tag rows with weights > 0; ``tags`` names the tag rows."""

    tags: Vocabulary
    table: NeighbourTable

    def __post_init__(self) -> None:
        if self.table.n_columns != len(self.tags):
            raise DataError(f"the tag table points at {self.table.n_columns} tags, the vocabulary has {len(self.tags)}")


def merge_item_tags(first: ItemTags, second: ItemTags) -> ItemTags:
    """Return the tags of both, in alphabetical order; a tag that an item has in both weighs what the larger weight is.

    Raises
    ------
    DataError
        If they have different numbers of items.
    """
    if len(first.table) != len(second.table):
        raise DataError(f"tags of {len(first.table)} items cannot be merged with those of {len(second.table)}")
    tags = Vocabulary(sorted({*first.tags, *second.tags}))
    return ItemTags(tags, csr_table(sp.csr_array(tag_weights(first, tags).maximum(tag_weights(second, tags)))))


def tag_weights(item_tags: ItemTags, tags: Vocabulary) -> sp.csr_array:
    """Return the weights as a sparse (n_items, len(tags)) matrix, over a vocabulary that holds all tags."""
    columns = tags.rows(item_tags.tags.ids, kind="tag")[item_tags.table.neighbours]
    shape = (len(item_tags.table), len(tags))
    return sp.csr_array((item_tags.table.scores, columns, item_tags.table.indptr), shape=shape)


def take_item_tags(item_tags: ItemTags, rows: npt.NDArray[np.integer]) -> ItemTags:
    """Return the tags at ``rows`` (n',), in that order, over the same tags."""
    table = item_tags.table
    taken = take_lists(lists_of(table.indptr, table.neighbours, table.scores), rows)
    return ItemTags(item_tags.tags, NeighbourTable(taken.indptr, taken.items, taken.scores, n_columns=table.n_columns))
