"""Eight threads ask while versions are switched under them: no error, no mixed answer, nothing that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from graphrec.bundle import publish
from graphrec.bundle.publish import switch_current
from graphrec.serve import Answer, Engine
from tests.faults.figures import report
from tests.graphrec.bundle.make import fit, write
from tests.worlds import library

USERS = ("r0", "r1", "r7", None)
THREADS, RELOAD_S = 8, 0.1


def published(root: Path) -> tuple[str, str]:
    """Publish two versions that answer differently, and return their names."""
    data = library()
    every = fit(data)
    few = {name: every[name] for name in ("hot", "user-cf")}
    first = publish(root, lambda path: write(path, data, every), keep=2)
    return first.name, publish(root, lambda path: write(path, data, few), keep=2).name


def content(answer: Answer) -> list[tuple[object, ...]]:
    """Return everything that an answer says, with all its places."""
    return [(item.item, item.score, dict(item.channels), item.explanation) for item in answer.items]


@dataclass
class Counts:
    """What the threads saw."""

    answers: int = 0
    reloads: int = 0
    versions: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def disturbed(root: Path, names: tuple[str, str], *, seconds: float) -> Counts:
    """Ask from eight threads and switch versions every 100 ms; return what came of it."""
    expected: Mapping[str, Mapping[str | None, object]] = {}
    for name in names:
        engine = Engine.open(root / name)
        expected = {**expected, name: {user: content(engine.recall(user, k=5, explain=True)) for user in USERS}}
    engine, counts, over, lock = Engine.open(root), Counts(), threading.Event(), threading.Lock()

    def ask(first: int) -> None:
        number = first
        while not over.is_set():
            user = USERS[number % len(USERS)]
            number += 1
            try:
                answer = engine.recall(user, k=5, explain=True)
                right = content(answer) == expected[answer.version][user]
                problem = "" if right else f"{answer.version} answered {user} with {answer.items}"
            except Exception as error:
                answer, problem = None, repr(error)
            with lock:
                counts.answers += 1
                counts.versions |= set() if answer is None else {answer.version}
                counts.wrong += [problem] if problem else []

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        switch_current(root, names[counts.reloads % 2])
        engine.reload()
        counts.reloads += 1
        time.sleep(RELOAD_S)
    over.set()
    for thread in threads:
        thread.join(60)
    counts.wrong += ["a thread hangs" for thread in threads if thread.is_alive()]
    return counts


def test_reloads_under_requests(tmp_path: Path) -> None:
    counts = disturbed(tmp_path, published(tmp_path), seconds=1.0)
    assert not counts.wrong
    assert counts.answers > THREADS
    assert len(counts.versions) == 2


@pytest.mark.slow
def test_a_minute_of_reloads_under_requests(tmp_path: Path) -> None:
    counts = disturbed(tmp_path, published(tmp_path), seconds=60.0)
    report("concurrency", threads=THREADS, requests=counts.answers, reloads=counts.reloads, wrong=len(counts.wrong))
    assert not counts.wrong
