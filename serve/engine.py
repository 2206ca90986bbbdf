"""The engine: a bundle in memory that answers recall requests on external ids."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from graphrec.bundle import Bundle, find_bundle
from graphrec.checks import as_path
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError

from .answer import Answer, Explanation, Neighbours, Recalled, TakeDown
from .ask import ask_channels
from .channel_threads import ChannelThreads
from .gate import Gate
from .item_reasons import explain_item
from .near import NeighbourSearch
from .read_request import (
    Batch,
    History,
    Wanted,
    read_batch,
    read_count,
    read_duration,
    read_flag,
    read_id,
    read_ids,
    read_request,
)
from .request import Request
from .search import search
from .stages.fill import Fill
from .stages.fuse import Fuse
from .stages.head import Head
from .stages.place import CarryOutDecrees
from .stages.present import fallback_name, present, reasons_of, why_empty
from .stages.stage import Candidates, Stage, starting_with
from .stages.table import schema_of, table_of
from .state import State, load_state
from .taken_down import read_taken_down

# Items that the requests which warm an engine up ask for.
_WARM_K = 200
# Users who are recalled for together: it bounds the memory of a batch to about 2 kB a channel, user and 200 items.
_CHUNK = 1024
# Items of the list whose head every shorter answer is. Evaluation measures Recall@20 on the list of 200 likewise.
LIST_DEPTH = 200
# What a channel may take without a deadline; while an engine warms up, compiled code may have to be made first.
TIMEOUT_S, _WARM_TIMEOUT_S = 10.0, 120.0


class Engine:
    """Answers recall requests from one bundle. Safe to use from several threads.

    All that a request reads is one immutable object; :meth:`reload` swaps it whole. Make one with :meth:`open`, which
    says what the settings mean.

    Parameters
    ----------
    path : Path
        Where :meth:`reload` looks for another version.
    state : State
        The version in service, as :func:`graphrec.serve.state.load_state` returns it.

    Raises
    ------
    ConfigError
        On values that :meth:`open` refuses, or a ``state`` that is none.
    """

    def __init__(
        self,
        path: Path,
        state: State,
        *,
        threads: int = 1,
        verify: bool = True,
        list_depth: int = LIST_DEPTH,
        channel_timeout_s: float = TIMEOUT_S,
        in_memory: bool = False,
    ) -> None:
        _check_settings(threads, verify, list_depth, channel_timeout_s, in_memory)
        if not isinstance(state, State):
            raise ConfigError(f"state is of type {type(state).__name__}; open a bundle with Engine.open(path)")
        self._path = as_path(path, name="the bundle")
        self._state = state
        self._verify = verify
        self._in_memory = in_memory
        self._list_depth = list_depth
        self._timeout_s = channel_timeout_s
        self._down_by_call: frozenset[str] = frozenset()
        self._down_by_file: frozenset[str] = frozenset()
        self._gate = Gate(str(path))
        self._threads: ChannelThreads[ItemLists] | None = ChannelThreads(threads) if threads > 1 else None
        self._make_locks()
        if self._threads is not None:
            weakref.finalize(self, self._threads.stop)
        _ENGINES.add(self)

    def _make_locks(self) -> None:
        self._reloading = threading.Lock()
        # Held for moments only: taking an item down never waits for a bundle that is being loaded.
        self._swapping = threading.Lock()

    def _renew(self) -> None:
        """Become the engine of a forked child: its parent's threads are not there, and its locks may be held."""
        self._make_locks()
        self._gate.renew()
        if self._threads is not None:
            self._threads.renew()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        threads: int = 1,
        warm: bool = True,
        verify: bool = True,
        list_depth: int = LIST_DEPTH,
        channel_timeout_s: float = TIMEOUT_S,
        in_memory: bool = False,
    ) -> Self:
        """Open a bundle, or the version that ``path/current`` points at; ``path/taken-down.txt`` is read too.

        Parameters
        ----------
        threads : int, default 1
            Channels that run side by side. With 1 they take turns in the thread that asks, which is the quickest for a
            small catalogue; a channel that hangs then hangs its request. With 2 or more it is left out.
        warm : bool, default True
            Ask every channel once, so that compiled code is loaded before the first request.
        verify : bool, default True
            Compare the sha256 of every file.
        list_depth : int, default 200
            Answers of up to so many items are heads of one list: that of ``k=10`` is where that of ``k=150`` begins,
            so that an answer may be shown in pages. What a short answer costs is what a list of this length costs.
        channel_timeout_s : float, default 10.0
            Seconds after which a channel is left out where a request has no deadline and ``threads`` is 2 or more.
            In a batch each further query adds 0.1 s.
        in_memory : bool, default False
            Copy all arrays into memory, so that nothing done to a file of the bundle reaches this engine. By default
            they are mapped: quicker to open and shared between processes, but a file that is cut short in place ends
            the process, so files of a bundle are replaced, never written into.

        Raises
        ------
        BundleError
            If the bundle, or ``taken-down.txt``, cannot be used; the sentence names the file.
        ConfigError
            If ``path`` is no path, ``threads`` or ``list_depth`` no whole number of 1 or more, ``channel_timeout_s`` no
            number above 0, or another argument no bool.

        Notes
        -----
        A process that does little but serve calls ``gc.collect(); gc.freeze()`` afterwards: Python's full collections
        take tens of milliseconds otherwise (docs/benchmarks.md). It is left to the host, being for the whole process.

        An engine may be opened before a process forks: each child starts threads of its own.
        """
        read_flag("warm", warm)
        _check_settings(threads, verify, list_depth, channel_timeout_s, in_memory)
        state = load_state(path, verify=verify, in_memory=in_memory)
        engine = cls(
            Path(path),
            state,
            threads=threads,
            verify=verify,
            list_depth=list_depth,
            channel_timeout_s=channel_timeout_s,
            in_memory=in_memory,
        )
        engine._read_taken_down()
        if warm:
            engine._warm(engine._state)
        return engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

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
        context: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> Answer:
        """Return at most ``k`` items for a user, a history, both, or nobody in particular.

        Items that the user has seen (stored or in ``history``), that are not in the pool, taken down, excluded or not
        among ``only`` never come back, whichever channel returned them. Where the channels together have fewer than
        ``k``, the most popular items follow and ``fallback`` says so; with ``channels`` given, only if they return
        nothing at all.

        Parameters
        ----------
        user : str or None
            An id; an unknown id is no error.
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
        context : mapping of str to str, optional
            What is known of this request by the name of a user label, such as ``{"country": "DE"}``. It goes before
            what is stored of the user; values that no channel knows are no error.
        now : float, optional
            The moment to answer for, seconds UTC: what a campaign will look like. The present by default.

        Raises
        ------
        ConfigError
            On an illegal value or an unknown channel, with the nearest names.
        """
        started = time.perf_counter()
        with self._gate:
            state = self._state
            read_flag("explain", explain)
            request = read_request(
                state,
                Wanted(k, channels, exclude, only, context, now),
                user=user,
                history=history,
                deadline_ms=deadline_ms,
                list_depth=self._list_depth,
            )
            return self._answer(state, request, started, explained=explain)

    def recall_many(
        self,
        users: Iterable[str | None] | None = None,
        history: Sequence[History | None] | None = None,
        k: int = 100,
        *,
        channels: Sequence[str] | None = None,
        exclude: Iterable[str] = (),
        only: Iterable[str] | None = None,
        context: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> pa.Table:
        """Return what :meth:`recall` would return for each of many users, as one table; all of it at once.

        Channels answer for about a thousand users at a time and the stages work on whole arrays, so that a user costs
        a fraction of a single request. Memory is that of the table and of one such chunk; :meth:`recall_batches` yields
        the chunks instead.

        Parameters
        ----------
        users : iterable of (str or None), optional
            n ids; an unknown id is no error, None is nobody in particular. By default every user of the bundle, or
            nobody n times where ``history`` is given.
        history : sequence of (sequence or None), optional
            n histories, each as :meth:`recall` takes one.
        k : int, default 100
            Items wanted a user, >= 1.
        channels, exclude, only, context, now
            As :meth:`recall` takes them; they hold for all users.

        Returns
        -------
        pyarrow.Table
            ``user`` (string, null for nobody), ``rank`` (int32, from 1), ``item`` (string), ``score`` (float32) and
            ``channels``, a struct with the rank (int32) of the item in each channel, null where the channel did not
            return it. Rows come user by user, in the order of ``users``, best first. The metadata of the schema names
            the ``version`` that answered, and channels that were ``left_out`` because they broke (JSON).

        Raises
        ------
        ConfigError
            On an illegal value, an unknown channel, or histories that are not as many as users.

        Examples
        --------
        >>> engine.recall_many(["42", "58"], k=10).to_pandas()  # doctest: +SKIP
        """
        with self._gate:
            state, wanted = self._state, Wanted(k, channels, exclude, only, context, now)
            batch = read_batch(state, wanted, users=users, history=history, list_depth=self._list_depth)
            parts = [self._part(state, batch, start) for start in range(0, len(batch), _CHUNK)]
            return pa.Table.from_batches(parts) if parts else schema_of(batch.channels).empty_table()

    def recall_batches(
        self,
        users: Iterable[str | None] | None = None,
        history: Sequence[History | None] | None = None,
        k: int = 100,
        *,
        channels: Sequence[str] | None = None,
        exclude: Iterable[str] = (),
        only: Iterable[str] | None = None,
        context: Mapping[str, str] | None = None,
        now: float | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Return the table of :meth:`recall_many` chunk by chunk: an iterator of record batches of one schema.

        All of it comes from the version that is in service now. Values are checked before the first batch.

        Raises
        ------
        ConfigError
            As :meth:`recall_many` does.
        ClosedError
            Also from the iterator, where the engine is closed between two batches.
        """
        with self._gate:
            state, wanted = self._state, Wanted(k, channels, exclude, only, context, now)
            batch = read_batch(state, wanted, users=users, history=history, list_depth=self._list_depth)
        return (self._part_unless_closed(state, batch, start) for start in range(0, len(batch), _CHUNK))

    def similar(self, item: str, *, channel: str, k: int = 20) -> Answer:
        """Return the ``k`` items that one channel returns for a history of ``item`` alone.

        Raises
        ------
        UnknownIdError
            If the item is unknown, with the nearest ids.
        ConfigError
            On an illegal ``k``, an unknown channel, or an id that is no string.
        """
        self._state.bundle.items.row(read_id("item", item), kind="item")
        return self.recall(history=[item], k=k, channels=[channel])

    def search(self, text: str, *, k: int = 20, channel: str | None = None) -> tuple[Recalled, ...]:
        """Return the ``k`` items of the pool whose vectors are nearest to a sentence's, best first; users play no part.

        Parameters
        ----------
        text : str
            A sentence: "a detective in Victorian London".
        channel : str, optional
            The channel of texts to search; needed where a bundle has several.

        Raises
        ------
        ConfigError
            On an illegal value, if no channel reads sentences, or several do and none is named.
        DataError
            If nothing can be read in the sentence: it is empty, or of marks alone.
        MissingExtraError
            If the library of the tokenizer is not installed.
        """
        with self._gate:
            return search(self._state, text, k=k, channel=channel)

    def neighbours(
        self,
        item: str | None = None,
        relation: str | None = None,
        k: int = 20,
        *,
        entity: str | None = None,
        user: str | None = None,
        path: str | None = None,
    ) -> Neighbours:
        """Return the ``k`` nodes nearest to an item, an entity or a user in the catalogue graph, and why.

        Parameters, answers and errors are those of :meth:`graphrec.serve.near.NeighbourSearch.find`. Items that are
        taken down are not among the answers; their own neighbours may still be wanted.
        """
        with self._gate:
            state = self._state
            near = NeighbourSearch.in_service(state).find(item, relation, k, entity=entity, user=user, path=path)
            return replace(near, version=state.version)

    def explain(
        self,
        item: str,
        *,
        user: str | None = None,
        history: History | None = None,
        k: int = 20,
        channels: Sequence[str] | None = None,
    ) -> Explanation:
        """Return why ``item`` fits a user, a history or both: all that gave it its scores, whether recalled or not.

        Every channel that leads to the item says what each part of the history gave of its own score: neighbour tables
        by history item (and tag), ``kg-neighbours`` by every path, ``kg-paths`` by the best path of each kind. These
        contributions add up to the channel's score. Channels of vectors name the nearest item of the history.

        Parameters
        ----------
        item : str
            Any item of the bundle: outside the pool, taken down or in the history as well.
        user : str, optional
            A user of the bundle.
        history : sequence of str or of (str, float), optional
            As :meth:`recall` takes it.
        k : int, default 20
            Reasons wanted, >= 1.
        channels : sequence of str, optional
            Channels to ask; all by default.

        Raises
        ------
        UnknownIdError
            If the item or the user is unknown, with the nearest ids.
        ConfigError
            If neither a user nor a history is given, or on an illegal value or an unknown channel.
        """
        started = time.perf_counter()
        with self._gate:
            state = self._state
            row = state.bundle.items.row(read_id("item", item), kind="item")
            if user is None and history is None:
                raise ConfigError("neither a user nor a history is given; a reason leads from what was taken")
            if user is not None:
                state.bundle.users.row(read_id("user", user), kind="user")
            request = read_request(state, Wanted(k, channels), user=user, history=history)
            explanation = explain_item(state, request, row, k)
            return replace(explanation, took_ms=(time.perf_counter() - started) * 1e3)

    @property
    def taken_down(self) -> frozenset[str]:
        """Ids of the items that are taken down, by :meth:`take_down` or by ``taken-down.txt``."""
        return self._state.taken_down

    def take_down(self, ids: Iterable[str]) -> TakeDown:
        """Let items vanish from every channel, the fallback and ``neighbours``, at once and across :meth:`reload`.

        Every request that begins after this returns is without them; its list is filled up with others. In a history
        they still count, and a reason may still name them: whoever took an item knows it.

        It holds in this engine; ``graphrec take-down DIR ID…`` notes items in ``taken-down.txt`` for all engines and
        for good.

        Parameters
        ----------
        ids : iterable of str
            Ids that the bundle does not know are no error: they are remembered, and named in the result.

        Raises
        ------
        ConfigError
            If ``ids`` holds something that is no string; nothing is taken down then.
        """
        wanted = read_ids(ids)
        with self._gate, self._swapping:
            before = self._state.taken_down
            self._down_by_call |= wanted.keys()
            self._swap(self._state)
            return self._taken(wanted, [item for item in wanted if item not in before])

    def put_back(self, ids: Iterable[str]) -> TakeDown:
        """Let items come back that :meth:`take_down` took; those that ``taken-down.txt`` names stay down, and are told.

        Raises
        ------
        ConfigError
            If ``ids`` holds something that is no string; nothing is put back then.
        """
        wanted = read_ids(ids)
        with self._gate, self._swapping:
            before = self._state.taken_down
            self._down_by_call -= wanted.keys()
            self._swap(self._state)
            return self._taken(
                wanted, [item for item in wanted if item in before and item not in self._state.taken_down]
            )

    def reload(self) -> bool:
        """Read ``taken-down.txt`` and open the version that is current now; return whether it is another one.

        Requests under way end on the version on which they began.

        Raises
        ------
        BundleError
            If the file or the new version cannot be used. The engine keeps the version that it has, without what the
            file names now.
        """
        with self._gate, self._reloading:
            self._read_taken_down()
            if find_bundle(self._path) == self._state.bundle.path:
                return False
            state = load_state(self._path, verify=self._verify, in_memory=self._in_memory)
            self._warm(state)
            with self._swapping:
                self._swap(state)
            return True

    def close(self, timeout_s: float = 60.0) -> bool:
        """Refuse further requests, wait for those in flight, and let go of the threads.

        Whatever is called later raises :class:`ClosedError`; what is only read (``bundle``, ``version``) stays. An
        engine is a context manager that closes itself. Closing twice is no error.

        Parameters
        ----------
        timeout_s : float, default 60.0
            Seconds to wait at most: a channel that hangs may hold a request of an engine of one thread for ever.

        Returns
        -------
        bool
            Whether all requests in flight have ended.
        """
        ended = self._gate.close(read_duration("timeout_s", timeout_s))
        if self._threads is not None:
            self._threads.stop()
        return ended

    def _read_taken_down(self) -> None:
        """Take down what the file names now."""
        named = read_taken_down(self._path)
        with self._swapping:
            self._down_by_file = named
            self._swap(self._state)

    def _swap(self, state: State) -> None:
        """Put ``state`` into service, without what is taken down. The caller holds the lock."""
        down = self._down_by_call | self._down_by_file
        self._state = state if state.taken_down == down else replace(state, taken_down=down)

    def _taken(self, ids: Iterable[str], changed: Iterable[str]) -> TakeDown:
        """Return what became of ``ids``."""
        unknown = tuple(item for item in ids if item not in self._state.bundle.items)
        return TakeDown(tuple(changed), unknown, tuple(item for item in ids if item in self._down_by_file))

    def _warm(self, state: State) -> None:
        """Send one request of each sort, so that code is compiled and files are in memory."""
        known = state.bundle.users[0] if len(state.bundle.users) else None
        first = state.bundle.items[0] if len(state.bundle.items) else None
        for user, history in ((known, None), (None, None if first is None else [first]), (None, None)):
            request = read_request(state, Wanted(_WARM_K), user=user, history=history)
            timeout_s = max(self._timeout_s, _WARM_TIMEOUT_S)
            self._answer(state, request, time.perf_counter(), explained=True, timeout_s=timeout_s)

    def _answer(
        self, state: State, request: Request, started: float, *, explained: bool, timeout_s: float | None = None
    ) -> Answer:
        """Answer one request from ``state``."""
        candidates, left_out = self._candidates(state, request, started, timeout_s or self._timeout_s)
        reasons = reasons_of(state, request, candidates, explained=explained)
        return Answer(
            items=present(state, candidates, reasons.sentences),
            user_known=int(request.queries.users[0]) >= 0,
            fallback=fallback_name(state, candidates),
            left_out=left_out,
            unexplained=reasons.unexplained,
            unknown=request.unknown,
            empty_because=None if len(candidates.merged.lists.items) else why_empty(state, request),
            version=state.version,
            took_ms=(time.perf_counter() - started) * 1e3,
        )

    def _part(self, state: State, batch: Batch, start: int) -> pa.RecordBatch:
        """Answer the users of one chunk of a batch."""
        request = batch.part(start, start + _CHUNK)
        candidates, left_out = self._candidates(state, request, time.perf_counter(), self._timeout_s)
        return table_of(state, candidates, batch.ids.slice(start, _CHUNK), request.channels, left_out)

    def _part_unless_closed(self, state: State, batch: Batch, start: int) -> pa.RecordBatch:
        with self._gate:
            return self._part(state, batch, start)

    def _candidates(
        self, state: State, request: Request, started: float, timeout_s: float
    ) -> tuple[Candidates, Mapping[str, str]]:
        """Ask the channels and send what they answer through the stages; return it, and who was left out and why."""
        depth = _depth(state, request.k)
        answers = ask_channels(state, request, depth, started=started, threads=self._threads, timeout_s=timeout_s)
        candidates = starting_with(answers.lists, len(request))
        for stage in stages_of(state):
            candidates = stage.apply(candidates, request)
        return candidates, answers.left_out


def _check_settings(
    threads: object, verify: object, list_depth: object, channel_timeout_s: object, in_memory: object
) -> None:
    """Raise ConfigError where a setting of an engine is of another type or out of range."""
    read_count("threads", threads)
    read_flag("verify", verify)
    read_count("list_depth", list_depth)
    read_duration("channel_timeout_s", channel_timeout_s)
    read_flag("in_memory", in_memory)


def stages_of(state: State) -> tuple[Stage, ...]:
    """Return what the channels' answers go through, in this order."""
    return Fuse(state.fusion, state.bundle.channels), CarryOutDecrees(), Fill(state.popular), Head()


def _depth(state: State, k: int) -> int:
    """Return how many items each channel is asked for: as many as when the fused list was measured."""
    return min(state.fusion.channel_depth(k), max(len(state.bundle.items), 1))


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


def _renew_engines() -> None:
    for engine in list(_ENGINES):
        engine._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_engines)
