"""The links of items to entities, and the report of how linking went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.table import Table
from rich.text import Text

from graphrec.checks import as_array
from graphrec.errors import DataError
from graphrec.escapes import one_line


@dataclass(frozen=True, slots=True)
class LinkingReport:
    """How linking went; every count has up to five examples, in item order.

    Parameters
    ----------
    n_items, matched, without_edges, missing : int
        Items; items linked to an entity that has edges; items linked to an entity of which the graph knows no more
        than literals and a class; items without a link. ``matched + without_edges + missing == n_items``.
    ambiguous : int
        Items that had several entities to choose from; they are counted above too, as ``resolution`` says.
    shared : int
        Items that are linked to an entity that another item is linked to as well (several editions of one work).
    unknown_items, unknown_iris : int
        Rows of a link table that name no item of ours, and rows whose IRI the graph does not hold.
    resolution : str
        "first": an ambiguous item took the entity whose IRI comes first in order; "drop": it was left unlinked.
    examples : mapping
        From the name of a count to examples of it.
    """

    n_items: int
    matched: int
    without_edges: int
    ambiguous: int
    missing: int
    shared: int
    unknown_items: int
    unknown_iris: int
    resolution: str
    examples: Mapping[str, tuple[str, ...]]

    @property
    def linked(self) -> int:
        """Items with an entity, whatever the graph knows of it."""
        return self.matched + self.without_edges

    def to_dict(self) -> dict[str, object]:
        """Return the report as JSON can hold it."""
        counts: dict[str, object] = {"n_items": self.n_items}
        counts.update({name: getattr(self, name) for name in _COUNTS})
        counts["resolution"] = self.resolution
        counts["examples"] = {name: list(shown) for name, shown in self.examples.items()}
        return counts

    def table(self) -> Table:
        """Return the report for rich to print."""
        table = Table("", "count", "share", "examples", title=f"Linking of {self.n_items:,} items")
        for name in _COUNTS:
            count = int(getattr(self, name))
            share = "" if name.startswith("unknown") or not self.n_items else f"{count / self.n_items:.1%}"
            # As they stand: brackets in an id are no markup.
            examples = Text("\n".join(one_line(example) for example in self.examples.get(name, ())))
            table.add_row(name.replace("_", " "), f"{count:,}", share, examples)
        return table


_COUNTS = ("matched", "without_edges", "ambiguous", "missing", "shared", "unknown_items", "unknown_iris")


@dataclass(frozen=True, slots=True, eq=False)
class Linking:
    """The entity of each item: ``entities`` (n_items,) int32 rows, -1 where there is none."""

    entities: npt.NDArray[np.int32]
    report: LinkingReport

    def __post_init__(self) -> None:
        object.__setattr__(self, "entities", as_array(self.entities, np.int32, name="entities"))
        if len(self.entities) and int(self.entities.min()) < -1:
            raise DataError(f"entity row {int(self.entities.min())} is below -1; -1 stands for an item without a link")
