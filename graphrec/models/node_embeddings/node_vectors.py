"""What Node2Vec learnt of every node, by id, so that training can go on where a graph has grown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.feather as feather

from graphrec.checks import check_choice, typed_fields
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.node_embeddings.skip_gram import FloatArray, Vectors

Kind = Literal["items", "users", "entities"]
Side = Literal["in", "out"]
# The order of their rows.
_ORDER: tuple[Kind, ...] = ("users", "items", "entities")


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class NodeVectors:
    """Two vectors a node: ``in``, by which it asks, and ``out``, by which it answers.

    Parameters
    ----------
    ids : mapping
        The vocabularies of "users", "items" and "entities", whose nodes stand in this order.
    vectors : Vectors
        Two arrays (n_nodes, dim) float32.
    degrees : ndarray
        (n_nodes,) int64: edges of each node in the graph that was walked. Kind without any learnt nothing.

    Raises
    ------
    DataError
        If the numbers of rows differ.
    """

    ids: Mapping[Kind, Vocabulary]
    vectors: Vectors
    degrees: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        n = sum(len(self.ids[of]) for of in _ORDER)
        if not n == len(self.vectors.inputs) == len(self.vectors.outputs) == len(self.degrees):
            raise DataError(
                f"there are {n} ids, {len(self.vectors.inputs)} in and {len(self.vectors.outputs)} out vectors and "
                f"{len(self.degrees)} degrees; give as many of each"
            )

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self.vectors.inputs.shape[1])

    def start(self, of: Kind) -> int:
        """Return the row of the first node of a kind."""
        return sum(len(self.ids[kind]) for kind in _ORDER[: _ORDER.index(of)])

    def rows(self, of: Kind) -> slice:
        """Return where the nodes of a kind stand."""
        return slice(self.start(of), self.start(of) + len(self.ids[of]))

    def table(self, of: Kind = "items", side: Side = "in") -> EmbeddingTable:
        """Return the vectors of a kind by id, without nodes that learnt nothing.

        Raises
        ------
        ConfigError
            If ``of`` or ``side`` is something else.
        """
        check_choice("of", of, get_args(Kind))
        check_choice("side", side, get_args(Side))
        learnt = np.flatnonzero(self.degrees[self.rows(of)] > 0)
        vectors = self.vectors.inputs if side == "in" else self.vectors.outputs
        return EmbeddingTable(self.ids[of].take(learnt), vectors[self.start(of) + learnt])

    def places_in(self, ids: Mapping[Kind, Vocabulary]) -> npt.NDArray[np.int64]:
        """Return the rows that the nodes of another graph have here, (n,) int64; -1 for new ones."""
        parts = [
            np.array([self.ids[of].get(external) for external in ids[of]], dtype=np.int64).reshape(-1) for of in _ORDER
        ]
        return np.concatenate(
            [np.where(part >= 0, part + self.start(of), -1) for of, part in zip(_ORDER, parts, strict=True)]
        )

    def save(self, directory: str | Path) -> None:
        """Write ``vectors.npz`` and ids: ``users.arrow``, ``items.arrow``, ``entities.arrow``."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / "vectors.npz", inputs=self.vectors.inputs, outputs=self.vectors.outputs, degrees=self.degrees)
        for of in _ORDER:
            feather.write_feather(pa.table({"id": self.ids[of].ids}), folder / f"{of}.arrow", compression="lz4")

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Return what :meth:`save` wrote.

        Raises
        ------
        DataError
            If a file is missing or damaged.
        """
        folder = Path(directory)
        try:
            with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
                vectors = Vectors(arrays["inputs"], arrays["outputs"])
                degrees = arrays["degrees"]
            ids = {of: Vocabulary(feather.read_table(folder / f"{of}.arrow")["id"]) for of in _ORDER}
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise DataError(f"{folder} holds no vectors of nodes that NodeVectors.save wrote: {error}") from error
        return cls(ids, vectors, degrees)


def grown(old: NodeVectors, graph: Adjacency, places: npt.NDArray[np.int64], fresh: Vectors) -> Vectors:
    """Return the vectors to go on from: those of old nodes, and of new ones the mean of their old neighbours'.

    ``places`` (n,) are the rows of the graph's nodes among the old ones, -1 for new; ``fresh`` (n, dim) are taken where
    there is neither.
    """
    known = np.flatnonzero(places >= 0)
    has = np.zeros(graph.n_nodes, np.bool_)
    has[known] = old.degrees[places[known]] > 0
    for mine, theirs in zip(fresh, old.vectors, strict=True):
        mine[known] = theirs[places[known]]
        _mean_of_neighbours(graph, has, mine)
    return fresh


def _mean_of_neighbours(graph: Adjacency, has: npt.NDArray[np.bool_], vectors: FloatArray) -> None:
    """Set the vectors of nodes that have none to the mean over those of their neighbours that have, in place."""
    for node in np.flatnonzero(~has & (graph.degrees > 0)):
        near = graph.indices[graph.indptr[node] : graph.indptr[node + 1]]
        near = near[has[near]]
        if len(near):
            vectors[node] = vectors[near].mean(axis=0)


def touched(old: NodeVectors, graph: Adjacency, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the nodes from which walks see what has changed, ascending rows of the graph, all of them with an edge.

    They are new nodes, their neighbours, and nodes with another number of edges than before.
    """
    new = places < 0
    changed = new.copy()
    changed[~new] = old.degrees[places[~new]] != graph.degrees[~new]
    of_new = np.repeat(new, graph.degrees)
    changed[graph.indices[of_new]] = True
    return np.flatnonzero(changed & (graph.degrees > 0))
