"""Recall by pushing a history through one neighbour table, or through a chain of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_length, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import (
    BundleParts,
    Contributions,
    Evidence,
    contributions_of,
    evidence_of,
    no_evidence,
)
from graphrec.data.files import read_json
from graphrec.data.lists import ItemLists, lists_of, slice_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, DataError
from graphrec.recallers.attribution import amounts_between, strongest
from graphrec.recallers.files import (
    counts_setting,
    load_saved,
    read_array,
    read_table,
    setting,
    write_array,
    write_settings,
    write_table,
)
from graphrec.recallers.profile import Profile, evidence_weights, question_weights
from graphrec.sparse.signed import push_signed
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, chunk_rows, join, one_each, push
from graphrec.threads import map_chunks


def _readonly(table: NeighbourTable) -> NeighbourTable:
    """Return the table with arrays that nobody may write: kernels then need one compilation, fitted or loaded."""
    indptr, neighbours, scores = table.indptr.view(), table.neighbours.view(), table.scores.view()
    for flags in (indptr.flags, neighbours.flags, scores.flags):
        flags.writeable = False
    return NeighbourTable(indptr, neighbours, scores, n_columns=table.n_columns)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class NeighbourRecaller:
    r"""A history pushed through tables: :math:`s = P(P(w\,T_1)\,T_2)\dots`, with P keeping the best entries.

    One table items -> items is Item-CF or a knowledge graph's neighbours; items -> tags -> items is tag recall;
    items -> users -> items is User-CF.

    Parameters
    ----------
    tables : sequence of NeighbourTable
        At least one; each takes the columns of the one before. The first takes items, the last gives items.
    keep : sequence of int
        Entries kept after each table but the last; 0 keeps all.
    profile : Profile
        Which items of a history count, and how much.
    reason : str
        Template of the sentence for people.
    via : Vocabulary or None
        Names of the middle rows, where they may be named (tags; never users).
    background : ndarray or None
        (first table's n_columns,) float32: what a column of the first table gets from the average unit of history;
        it is subtracted, and columns left with 0 or less go.
    middle_is_users : bool, default False
        The first table's columns are user rows: the querying user's own row has no vote.

    Raises
    ------
    DataError
        If the tables do not fit each other, or ``keep``, ``via`` or ``background`` do not fit the tables.
    """

    kind: ClassVar[str] = "neighbours"

    tables: tuple[NeighbourTable, ...]
    keep: tuple[int, ...]
    profile: Profile
    reason: str
    via: Vocabulary | None
    background: FloatArray | None
    middle_is_users: bool

    def __init__(
        self,
        tables: Sequence[NeighbourTable],
        keep: Sequence[int] = (),
        *,
        profile: Profile | None = None,
        reason: str = "because you {verb} {source}",
        via: Vocabulary | None = None,
        background: npt.ArrayLike | None = None,
        middle_is_users: bool = False,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "tables", tuple(_readonly(table) for table in tables))
        set_field(self, "keep", tuple(int(count) for count in keep))
        set_field(self, "profile", profile or Profile())
        set_field(self, "reason", reason)
        set_field(self, "via", via)
        expected = None if background is None else as_array(background, np.float32, name="background")
        set_field(self, "background", expected)
        set_field(self, "middle_is_users", bool(middle_is_users))
        _check_chain(self.tables, self.keep)
        middle = self.tables[-1]
        if via is not None and (len(self.tables) < 2 or len(via) != len(middle)):
            raise DataError(f"via names {len(via)} middle rows, the last table has {len(middle)}")
        if expected is not None:
            check_length(expected, self.tables[0].n_columns, name="background")
            check_finite(expected, name="background")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.tables[0])

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the k best items of each query; an empty list where no item of the history has neighbours.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        DataError
            If a history holds a row that is no item.
        """
        return self.recall_allowed(queries, k)

    def recall_allowed(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: ItemLists | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> ItemLists:
        """Return the k best items of each query that are neither in its list of ``exclude`` nor disallowed.

        What :meth:`recall` would give with them left out, in one go: they are never candidates. ``exclude`` holds n
        lists, ``allowed`` is (n_items,) bool; None leaves out nothing. Raises as :meth:`recall` does.
        """
        weights = question_weights(queries, k, self.profile, n_items=self.n_items)
        widths = [count or table.n_columns for table, count in zip(self.tables, (*self.keep, k), strict=True)]
        chunk = chunk_rows(max(min(width, t.n_columns) for width, t in zip(widths, self.tables, strict=True)))

        def work(start: int, stop: int) -> Pushed:
            skip = None if exclude is None else slice_lists(exclude, start, stop)
            before = self._kept(queries, weights) if len(queries) == 1 else []
            keep = (*self.keep, k)
            return self._chain(queries, weights, start, stop, keep, before=before, skip=skip, allowed=allowed)[-1]

        return lists_of(*join(list(map_chunks(work, len(queries), chunk=chunk))))

    def _kept(self, query: Queries, weights: npt.NDArray[np.float64]) -> list[Pushed]:
        """Return what each table but the last keeps of a single query, once for its answer and for its explanation."""
        return query.once((self, "kept"), lambda: self._chain(query, weights, 0, 1, self.keep))

    def _chain(
        self,
        queries: Queries,
        weights: npt.NDArray[np.float64],
        start: int,
        stop: int,
        keep: Sequence[int],
        *,
        before: Sequence[Pushed] = (),
        skip: ItemLists | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> list[Pushed]:
        """Push the queries ``start:stop`` through the first ``len(keep)`` tables; return what each step kept.

        ``before`` is what the first of them kept, where that is known. ``skip`` and ``allowed`` hold for the columns of
        the last table, which are items.
        """
        bounds = queries.history.indptr[start : stop + 1]
        first, last = bounds[0], bounds[-1]
        indptr, rows, amounts = bounds - first, queries.history.items[first:last], weights[first:last]
        steps = list(before)
        if steps:
            indptr, rows, amounts = _onwards(steps[-1])
        for number, (table, count) in enumerate(zip(self.tables, keep, strict=False)):
            if number < len(before):
                continue
            ends = number == len(self.tables) - 1
            left_out = skip if ends else None
            if number == 0 and self.middle_is_users:
                left_out = one_each(queries.users[start:stop])
            background = self.background if number == 0 else None
            within = allowed if ends else None
            by_sign = push_signed if number == 0 and self.profile.dislike > 0 and (amounts < 0).any() else push
            pushed = by_sign(indptr, rows, amounts, table, count, skip=left_out, allowed=within, background=background)
            steps.append(pushed)
            indptr, rows, amounts = _onwards(pushed)
        return steps

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the history item that gave it most, and the middle row it went through.

        Only middle rows that :meth:`recall` would keep count. Memory O(history * kept + kept * m).
        """
        targets, weights, used = evidence_weights(query, items, self.profile, n_items=self.n_items)
        if len(used) == 0 or len(targets) == 0:
            return no_evidence(len(targets))
        sources = query.history.items[used]
        kept = [np.sort(rows) for _, rows, _ in self._kept(query, weights)]
        best, through, amounts = strongest(self.tables, [sources, *kept, targets], weights[used])
        known = best >= 0
        via = np.full(len(targets), -1, dtype=np.int32)
        if self.via is not None:
            via[known] = kept[-1][through[known]]
        return evidence_of(np.where(known, sources[best], -1).astype(np.int32), amounts, via=via)

    def contributions(self, query: Queries, item: int) -> Contributions:
        """Return what each history item gave ``item``, by each middle row where these have names.

        Entries of 0 are left out; without any liked item that leads to ``item``, and where the sum is 0 or less, there
        are none. Only middle rows that :meth:`recall` would keep count. Memory O(history * kept).

        Raises
        ------
        DataError
            If ``item`` or an item of the history is no row.
        """
        weights = question_weights(query, 1, self.profile, n_items=self.n_items)
        check_rows(np.array([item]), self.n_items, name="item")
        kept = [np.sort(rows) for _, rows, _ in self._kept(query, weights)]
        used = np.flatnonzero(weights)
        sources, which = np.unique(query.history.items[used], return_inverse=True)
        spaces = [*kept, np.array([item], dtype=np.int32)]
        given, liked = amounts_between(self.tables, query.history.items[used], weights[used], spaces, self.background)
        if not liked or given.sum() <= 0:
            given = np.zeros_like(given)
        named = given if self.via is not None else given.sum(axis=1, keepdims=True)
        by_source = np.zeros((len(sources), named.shape[1]))
        np.add.at(by_source, which, named)
        rows, columns = np.nonzero(by_source)
        via = None if self.via is None else kept[-1][columns]
        return contributions_of(sources[rows], by_source[rows, columns], via=via)

    def save(self, directory: Path) -> None:
        """Write the tables and settings."""
        settings = {
            "reason": self.reason,
            "keep": list(self.keep),
            "profile": asdict(self.profile),
            "n_columns": [table.n_columns for table in self.tables],
            "has_via": self.via is not None,
            "has_background": self.background is not None,
            "middle_is_users": self.middle_is_users,
        }
        write_settings(directory, self.kind, settings)
        for number, table in enumerate(self.tables):
            write_table(directory, f"{{}}-{number}", table)
        if self.via is not None:
            (directory / "via.json").write_text(json.dumps(list(self.via), ensure_ascii=False), encoding="utf-8")
        if self.background is not None:
            write_array(directory, "background", self.background)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or the tables are of another number of items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def _onwards(pushed: Pushed) -> tuple[npt.NDArray[np.int64], RowArray, npt.NDArray[np.float64]]:
    """Return what one table kept as the lists that the next one takes."""
    return pushed[0], pushed[1], pushed[2].astype(np.float64)


def _check_chain(tables: Sequence[NeighbourTable], keep: Sequence[int]) -> None:
    """Raise DataError unless the tables fit one after the other and lead from items to items."""
    if not tables:
        raise DataError("a neighbour recaller has no table; it needs at least one")
    if len(keep) != len(tables) - 1 or any(count < 0 for count in keep):
        raise DataError(f"keep is {tuple(keep)}; {len(tables)} tables need {len(tables) - 1} counts of 0 or more")
    for number, (left, right) in enumerate(pairwise(tables)):
        if left.n_columns != len(right):
            raise DataError(f"table {number} has {left.n_columns} columns, table {number + 1} has {len(right)} rows")
    if len(tables[0]) != tables[-1].n_columns:
        raise DataError(f"the first table takes {len(tables[0])} items, the last gives {tables[-1].n_columns}")


def _read(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    widths = counts_setting(settings, "n_columns", directory=directory)
    tables = [read_table(directory, f"{{}}-{number}", n_columns=width) for number, width in enumerate(widths)]
    via = background = None
    if setting(settings, "has_via", bool, directory=directory):
        try:
            via = Vocabulary(read_json(directory / "via.json"))
        except (OSError, ValueError, TypeError) as error:
            raise BundleError(f"{directory / 'via.json'} cannot be read ({error}); train the channel again") from error
    if setting(settings, "has_background", bool, directory=directory):
        background = read_array(directory, "background", np.float32)
    return {
        "tables": tables,
        "keep": counts_setting(settings, "keep", directory=directory),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
        "reason": setting(settings, "reason", str, directory=directory),
        "via": via,
        "background": background,
        "middle_is_users": setting(settings, "middle_is_users", bool, directory=directory),
    }
