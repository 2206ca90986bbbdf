"""What is near an item, an entity or a user in the catalogue graph: along one relation, along a path, or by all."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import histories
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import INTERACTS, USER, CatalogueGraph
from graphrec.graph.reach import ANY, Reached, best_of, best_sources, reach, sharers
from graphrec.graph.relations import reverse_number

from .answer import Neighbour, Neighbours, Shared
from .names import NodeTexts, node_ids, node_names
from .paths import (
    Edges,
    Link,
    all_relation_words,
    edges_of,
    edges_to,
    find_relation,
    find_steps,
    item_relations,
    link_words,
    links,
    path_words,
)
from .read_request import read_count, read_id

if TYPE_CHECKING:
    from graphrec.contracts.recall_data import RecallData

    from .state import State

Rows = npt.NDArray[np.int32]

# Shared entities that the sentence of a neighbour names.
_NAMED = 3
# Edges of an item beyond which those that matter are looked up.
_MANY = 200


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourSearch:
    """Neighbours in a catalogue graph, by external ids: of data, :meth:`of`, or of the bundle of an engine.

    Parameters
    ----------
    catalogue : CatalogueGraph
        Items and entities.
    pool : ndarray
        (n_items,) bool: items that may be answered.
    users : Vocabulary
        Ids of users.
    taken : callable
        Returns the items of a user by row, distinct.
    words : sequence of str
        Every relation of the graph in words, by number.
    relations : mapping of str to int
        Numbers of the relations that leave items, by name.
    names, ids : NodeTexts
        Names and ids of nodes.
    """

    catalogue: CatalogueGraph
    pool: npt.NDArray[np.bool_]
    users: Vocabulary
    taken: Callable[[int], Rows]
    words: Sequence[str]
    relations: Mapping[str, int]
    names: NodeTexts = field(repr=False)
    ids: NodeTexts = field(repr=False)

    @classmethod
    def of(cls, data: RecallData, *, wording: Mapping[str, str] | None = None) -> Self:
        """Return the search over what recipes learn from; ``wording`` has words for relations."""
        taken = histories(data.interactions)
        return cls(
            data.catalogue,
            data.pool,
            data.users,
            lambda user: taken[user][0],
            all_relation_words(data.catalogue, wording or {}),
            item_relations(data.catalogue),
            node_names(data.catalogue),
            node_ids(data.catalogue),
        )

    @classmethod
    def in_service(cls, state: State) -> Self:
        """Return the search over a bundle in service, without what is taken down."""
        bundle, history = state.bundle, state.bundle.history

        def taken(user: int) -> Rows:
            return np.unique(history.items[history.indptr[user] : history.indptr[user + 1]])

        words, relations = state.words, state.relations
        return cls(bundle.catalogue, state.pool, bundle.users, taken, words, relations, state.names, state.ids)

    def find(
        self,
        item: str | None = None,
        relation: str | None = None,
        k: int = 20,
        *,
        entity: str | None = None,
        user: str | None = None,
        path: str | None = None,
    ) -> Neighbours:
        """Return the ``k`` nodes nearest to an item, an entity or a user.

        ======================= ========================================================================================
        of, along               what comes back, and its score
        ======================= ========================================================================================
        item                    items of the pool that share entities with it, rare ones first, or that an edge joins to
                                it (:func:`graphrec.graph.reach.sharers`)
        item, relation          the same by the entities that this relation leads to
        entity                  what an edge leads to from it, all alike; with ``relation``, either way along this
                                relation alone
        user                    items near to those that he took, the mean of their scores; with ``relation`` as above
        any of them, ``path``   where a walk along the path most likely ends (:func:`graphrec.graph.reach.reach`), items
                                of the pool or entities; of a user it starts at the items that he took
        ======================= ========================================================================================

        Parameters
        ----------
        item, entity, user : str
            The id of one of them, an entity's IRI.
        relation : str, optional
            Its name, or the last part of its IRI.
        path : str, optional
            Relations with ``/`` between them, ``^`` before those that are walked backwards: ``author/^author``. Of a
            user it may begin with ``interacts/``.

        Raises
        ------
        UnknownIdError
            If the id is unknown, with the nearest.
        DataError
            If a relation is unknown, with the nearest names, or no edge can follow the steps of a path before it.
        ConfigError
            If not just one of ``item``, ``entity`` and ``user`` is given, both ``relation`` and ``path`` are, a value
            is no string, or ``k`` no whole number of 1 or more.
        """
        started = time.perf_counter()
        read_count("k", k)
        kind, external = _one_of(item=item, entity=entity, user=user)
        if relation is not None and path is not None:
            raise ConfigError("both relation and path are given; a path of one step is a relation, so give one of them")
        starts = self._starts(kind, external)
        if path is not None:
            entries = self._along(kind, starts, read_id("path", path), k)
        else:
            number = None if relation is None else find_relation(self.relations, read_id("relation", relation))
            entries = self._joined(starts, number, k) if kind == "entity" else self._sharing(kind, starts, number, k)
        title = external if kind == "user" else self.names.look_up(starts.tolist())[0]
        took_ms = (time.perf_counter() - started) * 1e3
        return Neighbours(external, title, relation, entries, "", took_ms, kind, path)

    def _starts(self, kind: str, external: str) -> Rows:
        """Return the nodes that are started from."""
        if kind == USER:
            return self.taken(self.users.row(external, kind="user")).astype(np.int32)
        if kind == "entity":
            row = self.catalogue.entities.row(external, kind="entity") + self.catalogue.n_items
        else:
            row = self.catalogue.items.row(external, kind="item")
        return np.array([row], dtype=np.int32)

    def _sharing(self, kind: str, starts: Rows, relation: int | None, k: int) -> tuple[Neighbour, ...]:
        """Return the items that share entities with the starts."""
        graph = self.catalogue
        number = ANY if relation is None else relation
        rows, scores = sharers(graph.adjacency, starts, graph.n_items, relation=number)
        best = best_of(rows, scores, k, allowed=self.pool)
        places = best_sources(graph.adjacency, starts, rows[best], graph.n_items, relation=number)
        sources, means = starts[places].tolist(), scores[best] / max(1, len(starts))
        here = {start: self._edges(start, rows[best]) for start in set(sources)}
        return tuple(
            self._sharer(kind, start, here[start], row, score, relation)
            for start, row, score in zip(sources, rows[best].tolist(), means.tolist(), strict=True)
        )

    def _edges(self, start: int, rows: Rows) -> Edges:
        """Return the edges of an item; of one with very many, those to ``rows`` and to what these are joined to."""
        graph = self.catalogue.adjacency
        if graph.indptr[start + 1] - graph.indptr[start] <= _MANY:
            return edges_of(graph, start)
        ends = [graph.indices[slice(*graph.indptr[row : row + 2])] for row in rows.tolist()]
        return edges_to(graph, start, np.unique(np.concatenate([rows, *ends])))

    def _sharer(self, kind: str, start: int, here: Edges, row: int, score: float, relation: int | None) -> Neighbour:
        """Return an item with what it shares with ``start``, in words."""
        common = links(self.catalogue, here, row, relation=relation)
        # A direct edge has no entity: its place is taken by the item.
        nodes = [row if link.node < 0 else link.node for link in common]
        ids, names = self.ids.look_up([start, row, *nodes]), self.names.look_up([start, row, *nodes])
        named = [
            link_words(link, (names[0], names[1]), name, self.catalogue.adjacency.relation_names, self.words)
            for link, name in zip(common[:_NAMED], names[2:], strict=False)
        ]
        named += [f"{len(common) - _NAMED} more"] if len(common) > _NAMED else []
        shared, source = self._shared(common, ids[2:], names[2:]), ids[0] if kind == USER else None
        return Neighbour(ids[1], names[1], score, shared, "; ".join(named), source=source)

    def _shared(self, common: Sequence[Link], ids: Sequence[str], names: Sequence[str]) -> tuple[Shared, ...]:
        """Return links, whose entities have these ids and names, as values on external ids."""
        relations = self.catalogue.adjacency.relation_names
        return tuple(
            Shared(relations[number], None, None) if link.node < 0 else Shared(relations[number], external, name)
            for link, external, name in zip(common, ids, names, strict=True)
            for number in link.relations
            if link.node < 0 or number in link.others
        )

    def _joined(self, starts: Rows, relation: int | None, k: int) -> tuple[Neighbour, ...]:
        """Return what an edge leads to from an entity, by any relation or by either direction of one."""
        step = ANY
        if relation is not None:
            edges = slice(*self.catalogue.adjacency.indptr[starts[0] : starts[0] + 2])
            back = reverse_number(self.catalogue.adjacency, relation)
            forward = (self.catalogue.adjacency.relations[edges] == relation).any()
            step = relation if forward or back is None else back
        return self._entries("entity", self._reach(starts, (step,), k))

    def _along(self, kind: str, starts: Rows, path: str, k: int) -> tuple[Neighbour, ...]:
        """Return where walks along a path end."""
        text = path.removeprefix(f"{INTERACTS}/") if kind == USER else path
        steps = find_steps(self.catalogue, text)
        reached = self._reach(starts, steps, k)
        if not len(reached.nodes) and len(starts):
            self._check_joined(starts, steps, text)
        return self._entries(kind, reached)

    def _reach(self, starts: Rows, steps: Sequence[int], k: int) -> Reached:
        return reach(self.catalogue.adjacency, starts, steps, k, allowed=self.pool, drop=starts)

    def _check_joined(self, starts: Rows, steps: Sequence[int], path: str) -> None:
        """Raise DataError where no node of the types that a step starts from has an edge of its relation."""
        graph = self.catalogue.adjacency
        types = set((np.searchsorted(graph.type_offsets, starts, side="right") - 1).tolist())
        for place, step in enumerate(steps, start=1):
            ends: set[int] = set()
            for number in types:
                edges = slice(*graph.indptr[graph.type_offsets[number : number + 2]])
                nodes = graph.indices[edges][graph.relations[edges] == step]
                ends |= set((np.searchsorted(graph.type_offsets, nodes, side="right") - 1).tolist())
            if not ends:
                kinds = ", ".join(sorted(graph.node_types[number] for number in types))
                raise DataError(
                    f"step {place} of the path {path!r} does not join: no {kinds} has the relation "
                    f"{graph.relation_names[step]!r}"
                )
            types = ends

    def _entries(self, kind: str, reached: Reached) -> tuple[Neighbour, ...]:
        """Return the ends of walks with their best ways, in words and as ids and relations in turns."""
        graph, relation_names = self.catalogue, self.catalogue.adjacency.relation_names
        types = np.searchsorted(graph.adjacency.type_offsets, reached.nodes, side="right") - 1
        entries = []
        for way, numbers, score, node_type in zip(
            reached.ways.tolist(), reached.relations.tolist(), reached.scores.tolist(), types.tolist(), strict=True
        ):
            labels, names = self.names.look_up(way), [relation_names[number] for number in numbers]
            ids = self.ids.look_up(way)
            between = [part for pair in zip(names, ids[1:], strict=True) for part in pair]
            words = path_words(labels, names, [self.words[number] for number in numbers])
            entries.append(
                Neighbour(
                    ids[-1], labels[-1], score, (), words,
                    graph.adjacency.node_types[node_type], (ids[0], *between), ids[0] if kind == USER else None,
                )
            )  # fmt: skip
        return tuple(entries)


def _one_of(**given: object) -> tuple[str, str]:
    """Return the name and the value of the one that is given."""
    named = {name: value for name, value in given.items() if value is not None}
    if len(named) != 1:
        what = f"{', '.join(named)} are all given" if named else "none of item, entity and user is given"
        raise ConfigError(f"{what}; neighbours are of one of them")
    ((name, value),) = named.items()
    return name, read_id(name, value)
