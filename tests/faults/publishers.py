"""A process that publishes: it is killed, limited and run beside others. It writes what came of it as one line of JSON.

Run as ``python -m tests.faults.publishers MODE ROOT N [LIMIT]``.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from graphrec.bundle import open_bundle, publish
from graphrec.bundle.publish import LOCK, versions
from graphrec.channels.behaviour.als import Als
from graphrec.contracts.recaller import Recaller
from graphrec.errors import BundleError, GraphRecError
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import library

DATA = library()
# Publishers that run beside each other.
CROWD = 3


def channels() -> dict[str, Recaller]:
    """Return two channels, one of which keeps a file that a native library writes."""
    return {**fit(DATA, {"hot": RECIPES["hot"]}), "als": Als(dim=8, iterations=2, index="hnsw").fit(DATA)}


def publish_one(root: Path, made: dict[str, Recaller], name: str, keep: int = 1) -> Path:
    return publish(root, lambda directory: write(directory, DATA, made, config={"name": name}), keep=keep)


def state(root: Path) -> list[str]:
    """Return where ``current`` points and every name below the root, after both were opened."""
    for name in versions(root):
        open_bundle(root / name)
    return [open_bundle(root).path.name, *sorted(path.name for path in root.iterdir() if path.name != LOCK)]


def kill(root: Path, times: int) -> dict[str, object]:
    """Publish in a child and kill it, ``times`` over; every state that is left must be whole."""
    draw, made = np.random.default_rng(11), channels()
    publish_one(root, made, "first")
    started = time.perf_counter()
    publish_one(root, made, "second")
    took = time.perf_counter() - started
    lost = published = 0
    for number in range(times):
        before = open_bundle(root).path
        child = os.fork()
        if child == 0:
            publish_one(root, made, f"{number}")
            os._exit(0)
        time.sleep(float(draw.uniform(0, 1.2 * took)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            published += open_bundle(root).path != before
            for name in versions(root):
                open_bundle(root / name)
        except GraphRecError as error:
            sys.stderr.write(f"{error}\n")
            lost += 1
    publish_one(root, made, "last")
    left = sorted(path.name for path in root.iterdir() if path.name not in (LOCK, "current", *versions(root)))
    return {"kills": times, "lost": lost, "published": published, "left": left, "versions": len(versions(root))}


def limit(root: Path, step: int) -> dict[str, object]:
    """Publish under limits on the size of files, from none at all upwards, until one is wide enough."""
    made, size_bytes = channels(), 0
    sentences: list[str] = []
    publish_one(root, made, "first")
    while True:
        before = state(root)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
        said = _sentence(lambda: publish_one(root, made, f"limited to {size_bytes}"))  # noqa: B023
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if not said:
            return {"sentences": sentences, "changed": False}
        sentences.append(said)
        if state(root) != before:
            return {"sentences": sentences, "changed": True}
        size_bytes += step


def several(root: Path, times: int) -> dict[str, object]:
    """Publish ``times`` over beside other processes that do the same."""
    made, refused = channels(), []
    # Imports take longer than publishing: all begin when the last is ready.
    ready = root.with_name("ready")
    ready.mkdir(exist_ok=True)
    (ready / str(os.getpid())).touch()
    while len(list(ready.iterdir())) < CROWD:
        time.sleep(0.01)
    for number in range(times):
        said = _sentence(
            lambda: publish_one(root, made, f"{os.getpid()} {number}")  # noqa: B023
        )
        refused += [said] if said else []
        try:
            open_bundle(root)
        except BundleError as error:
            refused.append(str(error))
    return {"refused": refused}


def _sentence(action: Callable[[], object]) -> str:
    try:
        action()
    except GraphRecError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    mode = {"kill": kill, "limit": limit, "several": several}[sys.argv[1]]
    sys.stdout.write(json.dumps(mode(Path(sys.argv[2]), int(sys.argv[3]))) + "\n")
