"""A signal at any moment of any command ends it soon, in one sentence, and leaves nothing that nobody looks after."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from graphrec.bundle import open_bundle
from graphrec.bundle.publish import LOCK
from graphrec.data.scratch import ABANDONED_AFTER_S, remove_scratch, scratch_directory, sweep, written_whole
from graphrec.pipelines.jobs.stopping import SENTENCE, Terminated, stoppable
from graphrec.pipelines.jobs.train import train
from tests.faults.figures import report
from tests.faults.processes import Stopped, start, stop
from tests.pipelines.shelf import write_shelf

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}

# A command whose work takes a minute or more: a sleep, which a handler interrupts at once, or a factorisation, which
# comes back to Python at its end and not before.
WORK = """
import sys, time
import numpy as np
from graphrec.data.scratch import scratch_directory
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.cli.root import app

@app.command()
def work(blocked: bool = False) -> None:
    with scratch_directory("walks") as directory:
        (directory / "walks.txt").write_text("1 2 3", encoding="utf-8")
        print(directory, flush=True)
        if blocked:
            np.linalg.svd(np.random.default_rng(0).random((5000, 5000)))
        else:
            time.sleep(60)

main()
"""


@pytest.mark.parametrize("blocked", [False, True], ids=["in Python", "in compiled code"])
@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_a_signal_ends_the_command_in_one_sentence(number: signal.Signals, blocked: bool) -> None:
    flag = ["--blocked"] if blocked else []
    process = start(["work", *flag], environment={}, command=(sys.executable, "-c", WORK))
    assert process.stdout is not None
    directory = Path(process.stdout.readline().strip())
    assert (directory / "walks.txt").exists()
    # The work would take a minute or two.
    stopped = stop(process, number)
    assert (stopped.code, stopped.errors.strip()) == (CODES[number], SENTENCE)
    assert not directory.exists()


# What a library may do with an exception that comes while it is imported.
IMPORTS = {
    "is passed on": "sleep(60)",
    "becomes another error": "try:\n    sleep(60)\nexcept BaseException:\n    raise ImportError('broken')",
    "is swallowed": "while True:\n    try:\n        sleep(60)\n    except BaseException:\n        pass",
}


@pytest.mark.parametrize("made_of_it", IMPORTS)
def test_a_signal_while_a_library_is_imported(tmp_path: Path, made_of_it: str) -> None:
    (tmp_path / "typer.py").write_text(
        f"from time import sleep\nprint('importing', flush=True)\n{IMPORTS[made_of_it]}", encoding="utf-8"
    )
    process = start(["doctor"], environment={"PYTHONPATH": str(tmp_path)})
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    stopped = stop(process, signal.SIGTERM)
    assert (stopped.code, stopped.errors.strip()) == (143, SENTENCE)


# Compiled code that calls Python, where Python has no way to hand on what the signal raises, and what it does then.
CALLBACKS = {
    "a callback of C": """
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda first, second: interrupt())
        ctypes.CDLL(None).qsort((ctypes.c_int * 2)(), 2, ctypes.sizeof(ctypes.c_int), compare)
""",
    "a destructor": """
        type("Resource", (), {"__del__": lambda self: interrupt()})()
""",
    "the cache of kernels": """
        import llvmlite.binding as llvm

        use = llvm.ExecutionEngine.set_object_cache
        llvm.ExecutionEngine.set_object_cache = lambda engine, notify, cached: use(
            engine, notify, lambda module: interrupt(cached(module))
        )
        from graphrec.data.interaction_kernels import count_users

        count_users(np.zeros(5, np.int32), 0, np.zeros(3, np.int64))
""",
}
CALLING = """
import ctypes, os, signal, sys
from graphrec.data.scratch import scratch_directory
from graphrec.pipelines.cli.app import main
from graphrec.pipelines.cli.root import app

def interrupt(answer=0):
    if answer is not None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            pass
    return answer

@app.command()
def work() -> None:
    import numpy as np

    with scratch_directory("walks") as directory:
        print(directory, flush=True)
CALLBACK
        print("went on", flush=True)
        os.abort()

main()
"""


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_signal_that_compiled_code_swallows(callback: str) -> None:
    from graphrec.data.interaction_kernels import count_users

    count_users(np.zeros(5, np.int32), 0, np.zeros(3, np.int64))  # cached from here on
    command = (sys.executable, "-c", CALLING.replace("CALLBACK", CALLBACKS[callback]))
    ended = subprocess.run([*command, "work"], capture_output=True, encoding="utf-8", check=False)
    directory, *rest = ended.stdout.split()
    assert (ended.returncode, ended.stderr.strip(), rest) == (130, SENTENCE, [])
    assert not Path(directory).exists()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a shelf whose channels import torch, gensim and numba's kernels, and whose fit takes a while."""
    config = write_shelf(tmp_path_factory.mktemp("stopping"))
    text = config.read_text(encoding="utf-8")
    slow = "[channels.hot]\n[channels.lightgcn]\nsteps = 300\n[tune]\ntrials = 3\n"
    config.write_text(text.replace("[channels.hot]\n", slow), encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def silent_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a registry whose data set lies on a server that takes a connection and never answers."""
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/data.bin"
        (folder / "registry.toml").write_text(REGISTRY.replace("ADDRESS", address), encoding="utf-8")
        yield folder


REGISTRY = """
[[dataset]]
name = "tiny"
title = "Tiny"
licence = "CC0"
redistribution = "yes"
home = "https://example.org"
users = 1
items = 1
interactions = 1
[[dataset.file]]
name = "data.bin"
url = "ADDRESS"
role = "train"
"""


def commands(config: Path) -> dict[str, tuple[list[object], float]]:
    """Return the arguments of each command, and about how many seconds it takes."""
    folder, published = config.parent, config.parent / "published"
    return {
        "train": (["train", config, "--out", folder / "out"], 6.0),
        "evaluate": (["evaluate", config, "--no-cache", "--out", folder / "evaluated"], 6.0),
        "tune": (["tune", config, "--out", folder / "tuned", "--restart"], 6.0),
        "demo": (["demo", "--out", folder / "demo"], 20.0),
        "pool": (["pool", config, "--out", folder / "pool.txt"], 2.0),
        "fetch": (["data", "fetch", "tiny", "--into", folder / "cache"], 2.0),
        "recall": (["recall", published, "--user", "r1", "--explain"], 1.5),
        "neighbours": (["neighbours", published, "--item", "b1"], 1.5),
        "inspect": (["inspect", published], 1.0),
        "verify": (["verify", published], 1.0),
        "doctor": (["doctor"], 2.0),
        "list": (["data", "list"], 1.0),
    }


def faults(stopped: Stopped, number: signal.Signals, leavings: list[Path]) -> list[str]:
    """Return what is wrong with the end of a command; a command that was over before the signal is all right."""
    # A step that was over says so, and so does the end of a command that was.
    lines = [line for line in stopped.errors.splitlines() if not line.startswith("✓")]
    wrong = [f"left {path}" for path in leavings]
    if stopped.code not in (0, CODES[number]):
        wrong.append(f"code {stopped.code}")
    if lines != ([] if stopped.code == 0 else [SENTENCE]):
        wrong.append(f"stderr {lines}")
    return wrong


def leavings(config: Path, temporary: Path) -> list[Path]:
    """Return temporary files and directories that are still there; what a download has begun is kept to go on with."""
    part = [path for path in config.parent.rglob("*.part") if path.name != "data.bin.part"]
    # The file of the publishers' lock is no leaving: it stays beside the versions for good.
    own = [path for path in config.parent.rglob(".graphrec-*") if path.name != LOCK]
    return [*temporary.iterdir(), *part, *own]


def stop_at(
    config: Path, registry: Path, name: str, moment: float, number: signal.Signals, temporary: Path
) -> tuple[Stopped, list[str]]:
    """Run a command, stop it at a moment (0 to 1) of its time, and return how it ended and what is wrong with that."""
    arguments, seconds = commands(config)[name]
    temporary.mkdir()
    where = {"GRAPHREC_DATASETS": str(registry)} if name == "fetch" else {}
    process = start(arguments, environment={"TMPDIR": str(temporary), **where})
    time.sleep(moment * seconds)
    stopped = stop(process, number)
    return stopped, faults(stopped, number, leavings(config, temporary))


@pytest.mark.parametrize(("name", "moment"), [("train", 0.02), ("evaluate", 0.3), ("tune", 0.6), ("fetch", 0.9)])
def test_commands_stop(shelf: Path, silent_registry: Path, tmp_path: Path, name: str, moment: float) -> None:
    number = signal.SIGINT if name in ("train", "tune") else signal.SIGTERM
    stopped, wrong = stop_at(shelf, silent_registry, name, moment, number, tmp_path / "temporary")
    assert not wrong, stopped.errors


@pytest.mark.slow
def test_commands_stop_at_any_moment(shelf: Path, silent_registry: Path, tmp_path: Path) -> None:
    published = train(shelf, shelf.parent / "published").bundle
    draw, n, slow, ends = random.Random(10), 60, 0, 0
    bad: list[str] = []
    names = sorted(commands(shelf))
    for trial in range(n):
        name, number = names[trial % len(names)], draw.choice(list(CODES))
        temporary = tmp_path / str(trial)
        stopped, wrong = stop_at(shelf, silent_registry, name, draw.random(), number, temporary)
        slow += stopped.seconds > 2
        ends += stopped.code != 0
        bad += [f"{name}: {fault}\n{stopped.errors}" for fault in wrong]
    report("stopping", signals=n, stopped=ends, slower_than_2_s=slow, wrong=len(bad))
    assert not bad
    assert open_bundle(shelf.parent / "published").path == published


def test_signals_are_exceptions_within_the_context_and_as_before_after_it() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    for number, error in ((signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)):
        with pytest.raises(error), stoppable():
            signal.raise_signal(number)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert not [thread for thread in threading.enumerate() if thread.name == "stop-watcher"]


def test_a_thread_that_is_not_the_main_one_runs_as_ever() -> None:
    results: list[int] = []

    def work() -> None:
        with stoppable():
            results.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [1]


def test_scratch_goes_at_the_end_whatever_happened() -> None:
    with scratch_directory("test") as directory:
        assert directory.name.startswith("graphrec-test-")
    assert not directory.exists()
    with pytest.raises(ZeroDivisionError), scratch_directory("test") as directory:
        raise ZeroDivisionError
    assert not directory.exists()
    with scratch_directory("test") as directory:
        remove_scratch()
        assert not directory.exists()


KILLED = """
import sys, time
from pathlib import Path
from graphrec.data.scratch import scratch_directory, written_whole

with scratch_directory("walks") as directory, written_whole(Path(sys.argv[1]) / "a[b].txt") as part:
    (directory / "walks.txt").write_text("1 2 3", encoding="utf-8")
    part.write_text("half", encoding="utf-8")
    print(directory, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_leaves_goes_at_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        # While its owner lives, another run leaves it alone.
        with scratch_directory("other"), written_whole(tmp_path / "a[b].txt") as part:
            part.write_text("whole", encoding="utf-8")
        assert left.exists()
        halves = len(list(tmp_path.glob("*.part")))
        process.kill()
    assert halves == 1
    assert left.exists()
    with scratch_directory("other"):
        assert not left.exists()
    with written_whole(tmp_path / "a[b].txt") as part:
        part.write_text("again", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["a[b].txt"]
    assert (tmp_path / "a[b].txt").read_text(encoding="utf-8") == "again"


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "graphrec-link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "graphrec-pipe", 0o000)
    assert "graphrec-link" not in sweep(tmp_path, "graphrec-*")
    assert (tmp_path / "elsewhere").exists()


def test_without_locks_age_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_arguments: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", unsupported)
    for name, age in (("graphrec-old", 2 * ABANDONED_AFTER_S), ("graphrec-new", 5.0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    assert sweep(tmp_path, "graphrec-*") == ["graphrec-old"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("before", encoding="utf-8")
    with suppress(ZeroDivisionError), written_whole(target) as part:
        part.write_text("half", encoding="utf-8")
        raise ZeroDivisionError
    assert target.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_device_or_link_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with written_whole(pipe) as part:
        part.write_text("through", encoding="utf-8")
    assert os.read(reading, 100) == b"through"
    os.close(reading)
    assert pipe.is_fifo()
    link.symlink_to(target)
    with written_whole(link) as part:
        part.write_text("behind", encoding="utf-8")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "behind"
