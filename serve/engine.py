"""The engine: a bundle in memory that answers recall requests on external ids."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from graphrec.bundle import Bundle, find_bundle
from graphrec.errors import ConfigError
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.settings import Rrf
from graphrec.lists import empty_lists
from serve.answer import Answer, Neighbour, Neighbours, Place, Recalled, Shared
from serve.ask import Asked, ask_channels
from serve.explain import explain, explain_fallback
from serve.paths import Link, edges_of, find_relation, links, near, path_words
from serve.request import History, Request, read_request
from serve.state import POPULARITY, State, load_state

# Channels are asked for at least so many, so that a short answer is the head of a longer one.
_DEPTH = 200
# Items that the fallback looks at in one step.
_STEP = 4096
# Shared entities that the sentence of a neighbour names.
_TOLD = 3


class Engine:
    """Answers recall requests from one bundle. Safe to use from several threads.

    All that a request reads is one immutable object; :meth:`reload` swaps it whole. Make one with :meth:`open`.
    """

    def __init__(self, path: Path, state: State, *, threads: int = 1, verify: bool = True) -> None:
        self._path = path
        self._state = state
        self._verify = verify
        self._reloading = threading.Lock()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="recall") if threads > 1 else None

    @classmethod
    def open(cls, path: str | Path, *, threads: int = 1, warm: bool = True, verify: bool = True) -> Self:
        """Open a bundle, or the version that ``path/current`` points at.

        Parameters
        ----------
        threads : int, default 1
            Channels that run side by side. With 1 they take turns, which is the quickest for a small catalogue.
        warm : bool, default True
            Ask every channel once, so that compiled code is loaded before the first request.
        verify : bool, default True
            Compare the sha256 of every file.

        Raises
        ------
        BundleError
            If the bundle cannot be used; the sentence names the file.
        ConfigError
            If ``threads < 1``.
        """
        if threads < 1:
            raise ConfigError(f"threads is {threads}; it must be 1 or more")
        state = load_state(path, verify=verify)
        engine = cls(Path(path), state, threads=threads, verify=verify)
        if warm:
            engine._warm(state)
        return engine

    @property
    def bundle(self) -> Bundle:
        """The bundle in service."""
        return self._state.bundle

    @property
    def version(self) -> str:
        """Name of the bundle in service."""
        return self._state.version

    def recall(
        self,
        user: str | None = None,
        history: History | None = None,
        k: int = 100,
        *,
        channels: Sequence[str] | None = None,
        exclude: Iterable[str] = (),
        only: Iterable[str] | None = None,
        explain: bool = False,
        deadline_ms: float | None = None,
    ) -> Answer:
        """Return at most ``k`` items for a user, a history, both, or nobody in particular.

        Items that the user has seen (stored or in ``history``), that are not in the pool, excluded or not among
        ``only`` never come back, whichever channel found them. Where the channels together have fewer than ``k``, the
        most popular items follow and ``fallback`` says so; with ``channels`` given, only if they find nothing at all.

        Parameters
        ----------
        user : str or None
            An id; one that is unknown is no error.
        history : sequence of str or of (str, float), optional
            Items, oldest first, with weights where given (1 otherwise). For a known user it comes behind the stored
            history. Unknown ids are ignored and counted.
        k : int, default 100
            Items wanted, >= 1.
        channels : sequence of str, optional
            Channels to ask; all by default.
        exclude : iterable of str
            Items that must not come back.
        only : iterable of str, optional
            Items that may come back.
        explain : bool, default False
            Say why each item is there.
        deadline_ms : float, optional
            Channels that have not answered by then are left out and named in ``left_out``.

        Raises
        ------
        ConfigError
            On an illegal value or an unknown channel, with the nearest names.
        """
        started = time.perf_counter()
        return self._answer(
            self._state,
            started,
            explained=explain,
            user=user,
            history=history,
            k=k,
            channels=channels,
            exclude=exclude,
            only=only,
            deadline_ms=deadline_ms,
        )

    def similar(self, item: str, *, channel: str, k: int = 20) -> Answer:
        """Return the ``k`` items that one channel finds for somebody who knows ``item`` alone.

        Raises
        ------
        UnknownIdError
            If the item is unknown, with the nearest ids.
        ConfigError
            On an illegal ``k`` or an unknown channel.
        """
        self._state.bundle.items.row(item, kind="item")
        return self.recall(history=[item], k=k, channels=[channel])

    def neighbours(self, item: str, relation: str | None = None, k: int = 20) -> Neighbours:
        """Return the ``k`` items of the pool that share most with ``item`` in the catalogue graph, and what they share.

        An entity counts for the less the more items it is joined to (:func:`serve.paths.near`).

        Parameters
        ----------
        relation : str, optional
            Only entities that this relation leads to: its name, or the last part of its IRI.

        Raises
        ------
        UnknownIdError
            If the item is unknown, with the nearest ids.
        DataError
            If no item has such a relation, with the nearest names.
        ConfigError
            If ``k < 1``.
        """
        started = time.perf_counter()
        state = self._state
        if k < 1:
            raise ConfigError(f"k is {k}; it must be 1 or more")
        bundle = state.bundle
        row = bundle.items.row(item, kind="item")
        number = None if relation is None else find_relation(bundle.catalogue, relation)
        rows, scores = near(bundle.catalogue, row, bundle.pool, k, relation=number)
        found = _neighbours(state, row, rows, scores, number)
        took_ms = (time.perf_counter() - started) * 1e3
        return Neighbours(item, bundle.catalogue.label(row), relation, found, state.version, took_ms)

    def reload(self) -> bool:
        """Open the version that is current now; return whether it is another than the one in service.

        Requests under way end on the version on which they began.

        Raises
        ------
        BundleError
            If the new version cannot be used; the engine keeps the one that it has.
        """
        with self._reloading:
            if find_bundle(self._path) == self._state.bundle.path:
                return False
            state = load_state(self._path, verify=self._verify)
            self._warm(state)
            self._state = state
            return True

    def close(self) -> None:
        """Let go of the threads, where there are any."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _warm(self, state: State) -> None:
        """Send one request of each sort, so that code is compiled and files are in memory."""
        known = state.bundle.users[0] if len(state.bundle.users) else None
        first = state.bundle.items[0] if len(state.bundle.items) else None
        for user, history in ((known, None), (None, None if first is None else [first]), (None, None)):
            self._answer(state, time.perf_counter(), explained=True, user=user, history=history)

    def _answer(
        self,
        state: State,
        started: float,
        *,
        explained: bool,
        user: str | None,
        history: History | None,
        k: int = _DEPTH,
        channels: Sequence[str] | None = None,
        exclude: Iterable[str] = (),
        only: Iterable[str] | None = None,
        deadline_ms: float | None = None,
    ) -> Answer:
        """Answer one request from ``state``."""
        request = read_request(
            state,
            user=user,
            history=history,
            k=k,
            channels=channels,
            exclude=exclude,
            only=only,
            deadline_ms=deadline_ms,
        )
        asked = ask_channels(state, request, _depth(state, request.k), started=started, executor=self._executor)
        fused = _merge(state, asked, request.k)
        fill, fallback = _fill(state, request, fused.lists.items)
        rows = np.concatenate([fused.lists.items, fill])
        return Answer(
            items=_recalled(state, request, fused, rows, explained=explained),
            user_known=request.user_known,
            fallback=fallback,
            left_out=asked.left_out,
            unknown=request.unknown,
            empty_because=None if len(rows) else _why_empty(state, request, only=only is not None),
            version=state.version,
            took_ms=(time.perf_counter() - started) * 1e3,
        )


def _depth(state: State, k: int) -> int:
    """Return how many items each channel is asked for."""
    wanted = (state.fusion.depth if isinstance(state.fusion, Rrf) else 0) or _DEPTH
    return min(max(k, wanted), max(len(state.bundle.items), 1))


def _merge(state: State, asked: Asked, k: int) -> FusedLists:
    """Merge what the channels answered; nothing of nothing."""
    if not asked.lists:
        return FusedLists(empty_lists(1), (), np.empty((0, 0), np.int32), np.empty((0, 0), np.float32))
    return state.fusion.merge(asked.lists, k)


def _fill(state: State, request: Request, found: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], str | None]:
    """Return popular items for the places that are still empty, and where they come from."""
    missing = request.k - len(found)
    if missing <= 0 or (request.chosen and len(found)):
        return np.empty(0, dtype=np.int32), None
    free = request.allowed.copy()
    free[request.exclude.items] = False
    free[found] = False
    taken: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(state.popular), _STEP):
        if missing <= 0:
            break
        places = start + np.flatnonzero(free[state.popular[start : start + _STEP]])[:missing]
        taken.append(places)
        missing -= len(places)
    places = np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)
    if len(places) == 0:
        return np.empty(0, dtype=np.int32), None
    sources = ([state.ranked] if places[0] < state.n_ranked else []) + (
        [POPULARITY] if places[-1] >= state.n_ranked else []
    )
    return state.popular[places], ", ".join(dict.fromkeys(sources))


def _recalled(
    state: State, request: Request, fused: FusedLists, rows: npt.NDArray[np.int32], *, explained: bool
) -> tuple[Recalled, ...]:
    """Return the answer's items; the rows beyond the merged list come from the fallback."""
    bundle, merged = state.bundle, len(fused.lists.items)
    places = _places(fused) + [{} for _ in range(len(rows) - merged)]
    scores = fused.lists.scores.tolist() + [0.0] * (len(rows) - merged)
    sentences: list[str | None] = [None] * len(rows)
    if explained:
        sentences = explain(state, request.queries, fused.lists.items, fused.channels, fused.ranks)
        sentences += explain_fallback(state, rows[merged:])
    return tuple(map(Recalled, bundle.items.take(rows), titles(state, rows), scores, places, sentences))


def _places(fused: FusedLists) -> list[dict[str, Place]]:
    """Return, for each merged item, the place that each channel gave it."""
    result: list[dict[str, Place]] = [{} for _ in range(len(fused.lists.items))]
    for column, name in enumerate(fused.channels):
        ranks, scores = fused.ranks[:, column], fused.scores[:, column]
        present = np.flatnonzero(ranks)
        told = map(Place, ranks[present].tolist(), scores[present].tolist())
        for position, place in zip(present.tolist(), told, strict=True):
            result[position][name] = place
    return result


def titles(state: State, rows: npt.NDArray[np.int32]) -> list[str]:
    """Return the titles of items; the id where there is none."""
    graph = state.bundle.catalogue
    found = graph.labels.take(rows).to_pylist()
    return [graph.label(row) if title is None else title for row, title in zip(rows.tolist(), found, strict=True)]


def _why_empty(state: State, request: Request, *, only: bool) -> str:
    """Return why there is nothing left to recall."""
    pool = int(state.bundle.pool.sum())
    if pool == 0:
        return "the pool is empty: no item of this bundle may be recalled"
    allowed = int(request.allowed.sum())
    if only and allowed == 0:
        return "the filter 'only' names no item of the pool"
    return f"all {allowed:,} items that {'the filter allows' if only else 'are in the pool'} were seen or excluded"


def _neighbours(
    state: State, row: int, rows: npt.NDArray[np.int32], scores: npt.NDArray[np.float64], relation: int | None
) -> tuple[Neighbour, ...]:
    """Return near items with what they share, in words."""
    bundle, graph = state.bundle, state.bundle.catalogue
    here = edges_of(graph.adjacency, row)
    found = []
    for other, external, title, score in zip(
        rows.tolist(), bundle.items.take(rows), titles(state, rows), scores.tolist(), strict=True
    ):
        common = links(graph, here, other, relation=relation)
        told = [path_words(graph, row, other, link, state.words) for link in common[:_TOLD]]
        told += [f"{len(common) - _TOLD} more"] if len(common) > _TOLD else []
        found.append(Neighbour(external, title, score, _shared(state, common), "; ".join(told)))
    return tuple(found)


def _shared(state: State, common: list[Link]) -> tuple[Shared, ...]:
    """Return links as values on external ids."""
    graph = state.bundle.catalogue
    names = graph.adjacency.relation_names
    return tuple(
        Shared(names[number], graph.nodes[link.node], graph.label(link.node))
        if link.node >= 0
        else Shared(names[number], None, None)
        for link in common
        for number in link.relations
        if link.node < 0 or number in link.others
    )
