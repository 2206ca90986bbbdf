"""A run ends soon after a signal, in one sentence, and leaves nothing behind that nobody looks after."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from graphrec.data.scratch import remove_scratch, scratch_directory
from graphrec.pipelines.jobs.stopping import SENTENCE, Terminated, stoppable

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
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_in_one_sentence(number: signal.Signals, code: int, blocked: bool) -> None:
    flag = ["--blocked"] if blocked else []
    with subprocess.Popen(
        [sys.executable, "-c", WORK, "work", *flag],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As if started from a terminal, whatever started the tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        assert (directory / "walks.txt").exists()
        process.send_signal(number)
        # The work would take a minute or two.
        _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert errors.strip() == SENTENCE
    assert not directory.exists()


def test_signals_are_exceptions_within_the_context_and_as_before_after_it() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    for number, stop in ((signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)):
        with pytest.raises(stop), stoppable():
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
