"""Columns of a table to attributes: numbers, labels and moments; cells that cannot be read are kept aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.data.features import Features, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, nearest_names

from .batches import Batch, Table
from .cells import Cells, label_cells, moment_cells, number_cells, text_cells
from .rejects import Rejects
from .table_source import AttributesSource


@dataclass(slots=True)
class Gathered:
    """The attributes that a table gives, gathered batch by batch; ``bad`` takes the cells that cannot be read.

    ``reasons`` are those of the cells.
    """

    source: AttributesSource
    table: Table
    bad: Rejects
    n_rows: int = 0
    _parts: dict[str, list[Any]] = field(default_factory=dict)
    _faults: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in self.source.columns_read:
            if name not in self.table.columns:
                near = nearest_names(name, self.table.columns)
                present = ", ".join(map(repr, self.table.columns))
                raise DataError(f"{self.table.name} has no column {name!r}{near}; found: {present}")

    def add(self, batch: Batch) -> None:
        """Read the columns of one batch."""
        self.n_rows += batch.rows.num_rows
        for name in self.source.columns_read:
            cells = self._read(batch, name)
            self._parts.setdefault(name, []).append(cells.values)
            for reason, mask in cells.faults:
                for at in np.flatnonzero(mask):
                    self._reject(name, reason, batch, int(at))

    def attributes(self, places: npt.NDArray[np.int64]) -> Features:
        """Return the attributes of n rows; ``places`` (n,) int64 says where each stands in the table, -1 for nowhere.

        Raises
        ------
        DataError
            If too many cells of a column cannot be read.
        """
        self._check()
        known = places >= 0
        numbers = {name: self._numbers(name, places, known) for name in (*self.source.numbers, *self.source.times)}
        labels = {name: self._labels(name, places) for name in self.source.labels}
        texts = {name: self.texts(name, places) for name in self.source.texts}
        return Features(len(places), numbers, labels, texts=texts, moments=self.source.times)

    def report(self, attributes: Features) -> dict[str, Any]:
        """Return how many rows have each attribute, and how many cells could not be read."""
        known = {name: int((~np.isnan(column)).sum()) for name, column in attributes.numbers.items()}
        known |= {name: int((column.codes >= 0).sum()) for name, column in attributes.labels.items()}
        known |= {name: len(column) - column.null_count for name, column in attributes.texts.items()}
        return {"known": known, "unreadable": self.n_unreadable}

    @property
    def n_unreadable(self) -> int:
        """Cells that could not be read."""
        return sum(map(len, self._faults.values()))

    def _read(self, batch: Batch, name: str) -> Cells:
        column, where = batch.rows.column(name), self.table.name
        if name in self.source.numbers:
            return number_cells(column, name, where)
        if name in self.source.times:
            return moment_cells(column, name, self.source.time_unit, where, self.table.place, batch.places)
        if name in self.source.texts:
            return Cells(text_cells(column, name, where), ())
        return label_cells(column, name, where)

    def _reject(self, name: str, reason: str, batch: Batch, at: int) -> None:
        row = ["" if cell is None else str(cell) for cell in (column[at].as_py() for column in batch.rows.columns)]
        cell = str(batch.rows.column(name)[at].as_py())
        self.bad.add(reason, int(batch.places[at]), (",".join(row),), value=cell)
        self._faults.setdefault(name, []).append((int(batch.places[at]), cell))
        if reason not in self.reasons:
            self.reasons.append(reason)

    def _check(self) -> None:
        for name, faults in self._faults.items():
            if len(faults) > self.source.max_reject_share * self.n_rows:
                place, cell = faults[0]
                raise DataError(
                    f"{self.table.name}: {len(faults):,} of {self.n_rows:,} cells of column {name!r} cannot be read, "
                    f"more than max_reject_share = {self.source.max_reject_share:g} allows; the first is in "
                    f"{self.table.place} {place}: {cell!r}"
                )

    def _numbers(
        self, name: str, places: npt.NDArray[np.int64], known: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64]:
        values = np.full(len(places), np.nan)
        values[known] = np.concatenate(self._parts.get(name, [np.empty(0)]))[places[known]]
        return values

    def texts(self, name: str, places: npt.NDArray[np.int64]) -> pa.Array:
        """Return the (n,) texts of a column of labels, relations or texts, null where nothing is known."""
        text = pa.chunked_array(self._parts.get(name, []), pa.large_string())
        return text.take(pa.array(places, mask=places < 0)).combine_chunks()

    def _labels(self, name: str, places: npt.NDArray[np.int64]) -> Labels:
        """Return the labels; their names are in alphabetical order."""
        own = self.texts(name, places)
        names = pc.unique(own).drop_null()
        names = names.take(pc.sort_indices(names))
        codes = pc.fill_null(pc.index_in(own, value_set=names, skip_nulls=True), -1).to_numpy()
        return Labels(Vocabulary(names), codes.astype(np.int32, copy=False))
