"""Engines in forked children, engines that are closed while they work, and channels that hang."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists
from graphrec.errors import ClosedError, GraphRecError
from graphrec.recallers.ranked import RankedRecaller
from graphrec.serve import Engine, channel_threads
from tests.serve.conftest import engine, library_bundle
from tests.serve.test_engine import changed, with_channels

__all__ = ["engine", "library_bundle"]

# Nobody waits so long: whatever takes it has hung.
FOR_EVER_S = 60


def calling(work: Callable[[], object]) -> Recaller:
    """Return a channel that does ``work`` before it answers."""

    class Calling(RankedRecaller):
        def recall(self, queries: Queries, k: int) -> ItemLists:
            work()
            return super().recall(queries, k)

    return Calling([11], [1.0])


@contextmanager
def hanging(*, while_: Callable[[], bool] = lambda: True) -> Iterator[Recaller]:
    """Yield a channel that hangs within the block, as long as ``while_`` says so."""
    over = threading.Event()
    try:
        yield calling(lambda: while_() and over.wait(FOR_EVER_S))
    finally:
        over.set()


def in_child(work: Callable[[], bool]) -> bool:
    """Return what ``work`` returns in a forked child; False where it raises or hangs."""
    child = os.fork()
    if child == 0:
        signal.alarm(FOR_EVER_S)
        good = False
        try:
            good = work()
        finally:
            os._exit(0 if good else 1)
    return os.waitpid(child, 0)[1] == 0


# Python warns of every fork of a process that has threads; that it may be done here is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_engine_answers_in_a_forked_child(engine: Engine, threads: int) -> None:
    with changed(engine, threads=threads) as parent:
        expected = parent.recall("r0", k=9).items
        for deadline_ms in (None, 60_000):

            def same(deadline_ms: float | None = deadline_ms) -> bool:
                answers = [parent.recall("r0", k=9, deadline_ms=deadline_ms) for _ in range(3)]
                many = parent.recall_many(["r0"], k=9)["item"].to_pylist()
                parent.take_down(["b5"])
                return (
                    all(answer.items == expected and answer.left_out == {} for answer in answers)
                    and many == [one.item for one in expected]
                    and "b5" not in parent.recall("r0", k=9).ids
                )

            assert in_child(same)
        assert parent.recall("r0", k=9).items == expected  # a child takes nothing from its parent


def test_a_child_forked_in_the_middle_of_requests_answers(engine: Engine) -> None:
    """The parent's locks may be held at that moment, and its requests never end in the child."""
    stop = threading.Event()
    with hanging() as stuck, with_channels(engine, {"stuck": stuck}, threads=3) as parent:
        expected = engine.recall("r0", k=9, channels=["hot", "item-cf"]).ids

        def busy() -> None:
            while not stop.is_set():
                parent.recall("r0", k=9, deadline_ms=5)
                parent.take_down(["b9"])

        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(busy) for _ in range(3)]
            children = [
                in_child(
                    lambda: (
                        parent.put_back(["b9"]) is not None
                        and parent.recall("r0", k=9, channels=["hot", "item-cf"]).ids == expected
                        and parent.close(FOR_EVER_S)
                    )
                )
                for _ in range(8)
            ]
            stop.set()
            for worker in workers:
                worker.result()
        assert children == [True] * 8


@pytest.mark.parametrize("threads", [1, 3])
def test_closing_lets_requests_end_and_refuses_later_ones(engine: Engine, threads: int) -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()

    def wait() -> None:
        begun.release()
        may_end.wait(FOR_EVER_S)

    slow = with_channels(engine, {"slow": calling(wait)}, threads=threads)
    with ThreadPoolExecutor(5) as pool:
        requests = [pool.submit(slow.recall, "r0", k=9) for _ in range(3)]
        requests.append(pool.submit(slow.recall_many, ["r0", "r1"], k=9))
        for _ in range(3 if threads > 1 else 4):
            begun.acquire()
        closing = pool.submit(slow.close)
        while not slow._gate._closed:
            time.sleep(0.001)
        for use in (
            lambda: slow.recall("r0"),
            lambda: slow.recall_many(["r0"]),
            lambda: slow.recall_batches(["r0"]),
            lambda: slow.similar("b0", channel="hot"),
            lambda: slow.neighbours("b0"),
            lambda: slow.take_down(["b0"]),
            lambda: slow.put_back(["b0"]),
            lambda: slow.reload(),
        ):
            with pytest.raises(ClosedError, match=r"the engine of '.*' is closed; open another with Engine\.open"):
                use()
        assert not closing.done()
        may_end.set()
        assert closing.result(FOR_EVER_S)
        for request in requests:
            assert len(request.result(FOR_EVER_S)) > 0
    assert slow.close()
    assert issubclass(ClosedError, GraphRecError)
    assert slow.version == engine.version


def test_closing_waits_no_longer_than_it_is_told(engine: Engine) -> None:
    with ThreadPoolExecutor(1) as pool, hanging() as stuck:
        hung = with_channels(engine, {"stuck": stuck})
        request = pool.submit(hung.recall, "r0", k=9)
        while not hung._gate._in_flight:
            time.sleep(0.001)
        assert not hung.close(0.01)
    assert len(request.result()) == 9


def test_an_iterator_of_batches_ends_where_its_engine_is_closed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphrec.serve.engine._CHUNK", 1)
    closed = changed(engine)
    batches = closed.recall_batches(["r0", "r1"], k=3)
    assert next(batches).num_rows == 3
    closed.close()
    with pytest.raises(ClosedError):
        next(batches)


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("deadline_ms", [None, 200])
def test_a_channel_that_hangs_starves_no_other(
    engine: Engine, threads: int, deadline_ms: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request waits for it; later ones do without, named, and have all other channels."""
    expected = engine.recall("r0", k=9).items
    with hanging() as stuck:
        hung = with_channels(engine, {"stuck": stuck, "also stuck": stuck}, threads=threads)
        hung._timeout_s = 0.6
        # The others are asked later: a busy machine could make them late as well.
        first = hung.recall("r0", k=9, channels=["stuck", "also stuck"], deadline_ms=deadline_ms)
        assert first.left_out.keys() == {"stuck", "also stuck"}
        limit = "no answer within 0.6 s" if deadline_ms is None else "the deadline of 200 ms had passed"
        assert first.left_out["stuck"] == f"late: {limit}"
        hung._timeout_s = FOR_EVER_S
        for _ in range(20):
            answer = hung.recall("r0", k=9)
            assert answer.left_out == dict.fromkeys(
                ("stuck", "also stuck"), "late: a call of an earlier request has not come back yet"
            )
            assert answer.items == expected


def test_a_channel_that_came_back_is_asked_again(engine: Engine) -> None:
    calls = 0

    def hang_once() -> bool:
        nonlocal calls
        calls += 1
        return calls == 1

    with hanging(while_=hang_once) as stuck:
        hung = with_channels(engine, {"stuck": stuck}, threads=2)
        assert "stuck" in hung.recall("r0", k=9, deadline_ms=50).left_out
        assert "stuck" in hung.recall("r0", k=9).left_out
        assert calls == 1
    until = time.monotonic() + FOR_EVER_S
    while hung.recall("r0", k=9).left_out:
        assert time.monotonic() < until
    assert hung.recall("r0", k=1, channels=["stuck"]).ids == ["b11"]
    assert hung.close()


def test_a_channel_that_never_comes_back_is_asked_again_after_a_pause(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def hang_twice() -> bool:
        nonlocal calls
        calls += 1
        return calls <= 2

    monkeypatch.setattr(channel_threads, "_FIRST_PAUSE_S", 0.0)
    with hanging(while_=hang_twice) as stuck, with_channels(engine, {"stuck": stuck}, threads=2) as hung:
        assert "stuck" in hung.recall("r0", k=9, deadline_ms=50).left_out
        assert "stuck" in hung.recall("r0", k=9, deadline_ms=50).left_out
        assert calls == 2
        assert hung.recall("r0", k=9).left_out == {}  # the pause is over, and this time it answers


def test_threads_that_hung_end_once_their_call_does(engine: Engine) -> None:
    before = threading.active_count()
    with hanging() as stuck:
        hung = with_channels(engine, {"stuck": stuck}, threads=2)
        hung.recall("r0", k=9, deadline_ms=20)
    assert hung.close()
    until = time.monotonic() + FOR_EVER_S
    while threading.active_count() > before:
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.parametrize("threads", [1, 3])
def test_requests_of_many_threads_agree(engine: Engine, threads: int) -> None:
    with changed(engine, threads=threads) as shared, ThreadPoolExecutor(6) as pool:
        expected = {user: engine.recall(user, k=9).items for user in ("r0", "r4", None)}
        answers = [(user, pool.submit(shared.recall, user, k=9)) for _ in range(20) for user in expected]
        assert all(answer.result().items == expected[user] for user, answer in answers)
