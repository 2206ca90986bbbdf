"""Whatever fails inside a command is one sentence and a documented exit code."""

from __future__ import annotations

import errno
import logging
import warnings
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from graphrec.pipelines.cli.failures import describe
from tests.pipelines.cli.test_cli import Command, command

__all__ = ["command"]


def endless(depth: int) -> int:
    return endless(depth + 1)


FAILURES = {
    "memory": (lambda: np.empty(1 << 46), 1, "out of memory (Unable to allocate"),
    "recursion": (lambda: endless(0), 1, "nested too deeply"),
    "package": (lambda: (_ for _ in ()).throw(PackageNotFoundError("torch")), 1, "graphrec is not installed whole"),
    "module": (lambda: __import__("no_such_module"), 1, "No module named 'no_such_module'"),
    "file": (lambda: open("/nowhere/at all", encoding="utf-8"), 1, "/nowhere/at all: No such file or directory"),  # noqa: PTH123, SIM115
    "full": (lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")), 1, "No space left"),
    "fault": (lambda: dict[str, int]()["\x1b[1m"], 1, r"a fault of graphrec, KeyError: '\x1b[1m'; with GRAPHREC_"),
    "long": (lambda: int("x" * 10_000), 1, "a fault of graphrec, ValueError"),
    "pipe": (lambda: (_ for _ in ()).throw(BrokenPipeError()), 141, ""),
    "interrupt": (lambda: (_ for _ in ()).throw(KeyboardInterrupt()), 130, "stopped; "),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_is_one_sentence(command: Command, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    fail, code, sentence = FAILURES[kind]
    monkeypatch.delenv("GRAPHREC_TRACEBACK", raising=False)
    monkeypatch.setattr("graphrec.pipelines.environment.parts", fail)
    ran = command("doctor")
    assert ran.code == code
    assert sentence in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err) < 400
    assert "\x1b" not in ran.err


def test_the_traceback_is_there_for_who_wants_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHREC_TRACEBACK", "1")
    monkeypatch.setattr("graphrec.pipelines.environment.parts", lambda: 1 // 0)
    assert "Traceback (most recent call last)" in command("doctor").err


def test_remarks_of_libraries_are_lines_of_text(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def remark() -> list[object]:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn("a\x1b[1mb", UserWarning, stacklevel=1)
        try:
            raise ValueError("c\x1b[1m")
        except ValueError:
            logging.getLogger("somebody.else").warning("d\x1b[1m\n[red]", exc_info=True)
        return []

    monkeypatch.setattr("graphrec.pipelines.environment.parts", remark)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    ran = command("doctor")
    assert ran.code == 0
    assert r"warning: UserWarning: a\x1b[1mb" in ran.err
    assert r"warning: d\x1b[1m\n[red]" in ran.err
    assert "Traceback" not in ran.err


def test_every_error_has_an_exit_code() -> None:
    for error in (MemoryError(), RecursionError(), OSError(), ImportError(), KeyError(), SystemError("x"), Exception()):
        sentence, code = describe(error)
        assert code == 1
        assert sentence.startswith("error: ")
