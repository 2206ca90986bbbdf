"""Vectors that were trained elsewhere, served as a channel."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import VectorSettings, history_half_life, history_interests, interest_spread
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, text
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.index.protocol import Metric
from graphrec.recallers.interests import InterestRecaller, interest_channel
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller

# Kinds of nodes that "graphrec export" and trainers write.
ITEM, USER = "item", "user"
QueryKind = Literal["user", "history", "blend", "sum", "interests"]
_REASON = "because you {verb} {source}: its vector is close"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorChannel(VectorSettings):
    """The items whose vectors, trained elsewhere, are nearest to a user's vector or to the mean of the history's.

    Nothing is learnt: vectors are matched by id, those of unknown ids are left out, and items without a vector are
    never returned. Unknown users, and users without a vector, are answered from their history.

    Parameters
    ----------
    path : str
        File of the item vectors, in any format that ``EmbeddingTable.read`` knows; of a file with kinds the items are
        those of the kind "item". A relative path starts at the configuration's directory.
    users : str
        File of user vectors of the same width; without it those of the kind "user" in ``path``, if there are any.
    metric : {"cosine", "ip", "l2"}
        The score: cosine similarity, inner product, or minus the squared distance. That of the training.
    query : {"user", "history", "blend", "sum", "interests"}
        The user's vector, the mean of the history, or both (:class:`graphrec.recallers.query_encoder.UserEncoder`).
        Without user vectors it is the history. With "interests" clusters of the history ask each for itself, by cosine
        whatever the metric (:class:`graphrec.recallers.interests.InterestRecaller`).
    interests, spread : int, float
        For ``query="interests"``: clusters that ask at most, and the height at which Ward's tree is cut.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the nearest vectors are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Examples
    --------
    >>> import graphrec as gr
    >>> recipe = gr.VectorChannel.from_table(gr.EmbeddingTable(["a", "b"], [[1.0, 0.0], [0.0, 1.0]]), metric="ip")
    """

    about: ClassVar[About] = About(
        recalls="near vectors that were trained elsewhere",
        artefact="vectors",
        cold_items="recalled where they have a vector",
    )

    path: str = text("", legal="the path of a file of vectors, as a text")
    users: str = text("", legal="the path of a file of vectors, as a text")
    metric: Metric = choice("cosine", Metric)
    query: QueryKind = choice("user", QueryKind)
    interests: int = history_interests()
    spread: float = interest_spread()
    half_life: float = history_half_life(0.0)

    @staticmethod
    def from_table(items: EmbeddingTable, users: EmbeddingTable | None = None, **settings: object) -> TableChannel:
        """Return the recipe of vectors in memory; ``settings`` are the other fields.

        Raises
        ------
        ConfigError
            If ``items`` or ``users`` is no EmbeddingTable, or a setting is illegal.
        """
        for name, table in (("items", items), ("users", users)):
            if not isinstance(table, EmbeddingTable) and (table is not None or name == "items"):
                raise ConfigError(f"{name} is a {type(table).__name__}; it must be an EmbeddingTable")
        return TableChannel(items=items, user_table=users, **settings)  # type: ignore[arg-type]

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: a kept fit holds as long as these files stay as they are."""
        return tuple(Path(name) for name in (self.path, self.users) if name)

    def seen_from(self, directory: Path) -> Self:
        """Return the recipe with paths that start at ``directory``."""
        path, users = (str(directory / name) if name else "" for name in (self.path, self.users))
        return replace(self, path=path, users=users)

    def tables(self) -> tuple[EmbeddingTable, EmbeddingTable | None]:
        """Return the vectors of items and users, read from their files."""
        if not self.path:
            raise ConfigError("path is missing; name a file of item vectors, or use VectorChannel.from_table")
        return EmbeddingTable.read(self.path), EmbeddingTable.read(self.users) if self.users else None

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller | InterestRecaller:
        """Return the channel: vectors matched by id, and an index. Time is that of building the index.

        Raises
        ------
        DataError
            If a file cannot be read, no id is an item of the data, or users and items have different widths.
        """
        table, user_table = self.tables()
        items = _of(table, ITEM)
        if user_table is None and USER in table.nodes.kind_names:
            user_table = table.of_kind(USER)
        rows, sources = _matched(items, data.items)
        if len(rows) == 0:
            raise DataError(
                f"none of the {len(items):,} ids of the vectors, such as {items.ids[:1]}, is among the "
                f"{len(data.items):,} items, such as {data.items.take(range(min(1, len(data.items))))}"
            )
        _log.info("%d of %d items have a vector; %d vectors are of unknown items",
                  len(rows), len(data.items), len(items) - len(rows))  # fmt: skip
        if self.query == "interests":
            return interest_channel(self, rows, sources, len(data.items), context.seed, reason=_REASON)
        history = HistoryEncoder(rows, sources, len(data.items), self.profile())
        encoder: HistoryEncoder | UserEncoder = history
        if user_table is not None and self.query != "history":
            encoder = UserEncoder(_all_rows(_of(user_table, USER), data.users, items.dim), history, self.query)
        near = self.build_index(sources, self.metric, context.seed, threads=1)
        return VectorRecaller(encoder, sources, near, _REASON)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChannel(VectorChannel):
    """What :meth:`VectorChannel.from_table` makes: vectors in memory in place of files."""

    items: EmbeddingTable
    user_table: EmbeddingTable | None = None

    def tables(self) -> tuple[EmbeddingTable, EmbeddingTable | None]:
        """Return the vectors of items and users."""
        return self.items, self.user_table


def _of(table: EmbeddingTable, kind: str) -> EmbeddingTable:
    """Return the vectors of a kind; all of a table without kinds."""
    return table if table.nodes.kinds is None else table.of_kind(kind)


def _matched(table: EmbeddingTable, known: Vocabulary) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Return the rows (t,) of ``known``, ascending, that have a vector, and the vectors (t, dim)."""
    rows = known.rows(table.nodes.ids, missing="mark")
    places = np.flatnonzero(rows >= 0)
    places = places[np.argsort(rows[places])]
    return rows[places], table.matrix[places]


def _all_rows(users: EmbeddingTable, known: Vocabulary, dim: int) -> FloatArray:
    """Return (n_users, dim): zero where a user has no vector."""
    if users.dim != dim:
        raise DataError(f"user vectors have {users.dim} dimensions, item vectors {dim}; both are of one training")
    rows, vectors = _matched(users, known)
    every = np.zeros((len(known), dim), dtype=np.float32)
    every[rows] = vectors
    return every
