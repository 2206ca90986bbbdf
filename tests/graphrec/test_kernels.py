"""Kernels compile when they are called, and call each other as numba's own functions do."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any, cast

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.kernels import Kernel, kernel


@kernel
def doubled(value: int) -> int:
    """Return twice the value."""
    return 2 * value


@kernel(inline="always")
def between(value: int) -> int:
    return doubled(value) + 1


@kernel
def summed(values: npt.NDArray[np.int64]) -> int:
    total = 0
    for value in values:
        total += between(value)
    return total


@kernel
def factorial(n: int) -> int:
    return n * factorial(n - 1) if n > 1 else 1


def quadrupled(value: int) -> int:
    return doubled(doubled(value))


def dispatched(function: object) -> Any:
    """Return a kernel with the attributes that its dispatcher has."""
    assert isinstance(function, Kernel)
    return function


def test_kernels_call_kernels_inlined_or_not_and_themselves() -> None:
    assert summed(np.arange(5)) == sum(2 * value + 1 for value in range(5))
    assert factorial(10) == 3_628_800


def test_a_function_that_numba_compiles_elsewhere_calls_a_kernel() -> None:
    compiled = cast("Any", nb.njit)(quadrupled)
    assert compiled(21) == 84


def test_a_kernel_keeps_name_and_docstring_and_answers_for_its_dispatcher() -> None:
    assert (doubled.__name__, doubled.__doc__) == ("doubled", "Return twice the value.")
    assert doubled(3) == dispatched(doubled).py_func(3) == 6
    assert dispatched(between).targetoptions["inline"] == "always"
    assert all(dispatched(made).targetoptions["nogil"] for made in (doubled, between, summed))


def test_threads_that_call_first_at_once_get_the_same_answer() -> None:
    fresh = kernel(dispatched(factorial).py_func)
    start = threading.Barrier(4)
    answers: list[int] = []

    def call() -> None:
        start.wait()
        answers.append(fresh(5))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [120] * 4


def test_a_declaration_imports_no_compiler() -> None:
    code = "import sys\nfrom graphrec.fusion import sums\nprint('numba' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
