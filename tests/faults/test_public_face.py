"""Every name of the face called with wrong types and values: a sentence of the house comes out, or Python's own.

Python's own are the built-ins that Python raises before a function runs (a missing or unknown argument), and those that
the docstring names under Raises.
"""

from __future__ import annotations

import builtins
import inspect
import math
import random
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import graphrec as gr
from graphrec.errors import GraphRecError

from .figures import report

LONGEST = 300
ROUNDS = 6
SKIPPED = {"__version__"}


def callables() -> list[str]:
    """Return the names of the face that can be called."""
    names = [name for name in gr.__all__ if name not in SKIPPED and callable(getattr(gr, name))]
    return [name for name in names if not getattr(getattr(gr, name), "_is_protocol", False)]


def wrong_values() -> list[Any]:
    """Return values of every kind, few of which a function can take."""
    frame = pd.DataFrame({"user_id": [1, "a"], "item_id": [None, 2.5]})
    numbers = [True, -1, 0, 2, 1.5, math.nan, math.inf, -1e300, 10**30, np.float32(2), complex(1, 2)]
    texts = ["", "x", "a\0b", "no/such/file.csv", "y" * 5000, b"x", Path("no/such/path"), date(2024, 5, 1)]
    many = [[], ["a"], [1, "a"], (), {}, {"a": 1}, {1: 2}, range(3), iter([1]), {1, 2}, slice(1)]
    arrays = [[1, 2], [[1.5, math.nan]], ["a"], [None], np.array([], np.int32)]
    frames = [pd.Series([1, 2]), frame, pl.DataFrame({"a": [1]}), pl.Series([1])]
    ours = [INTERACTIONS, gr.Vocabulary(["a", "b"]), gr.ItemCF()]
    return [None, object(), int, len, *numbers, *texts, *many, *map(np.array, arrays), *frames, *ours]


INTERACTIONS = gr.Interactions([0, 1], [1, 0], n_users=2, n_items=2)


def documented(function: Callable[..., Any]) -> tuple[type[BaseException], ...]:
    """Return the built-ins that a docstring names under Raises."""
    text = (inspect.getdoc(function) or "").partition("Raises\n------")[2]
    names = re.findall(r"^([A-Z]\w+)(?=\n)", text, re.MULTILINE)
    return tuple(getattr(builtins, name) for name in names if hasattr(builtins, name))


def faults(name: str, seed: int, rounds: int = ROUNDS) -> Iterator[str]:
    """Yield what came of calls of one name that nobody should see."""
    function = getattr(gr, name)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    known = documented(function)
    rng = random.Random(f"{name} {seed}")
    for _ in range(rounds):
        values = wrong_values()
        arguments: dict[str, Any] = {}
        positional: list[Any] = []
        for parameter in signature.parameters.values():
            needed = parameter.default is parameter.empty
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if not needed and rng.random() < 0.6:
                continue
            if parameter.kind is parameter.POSITIONAL_ONLY:
                positional.append(rng.choice(values))
            else:
                arguments[parameter.name] = rng.choice(values)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of numbers that numpy finds large
                function(*positional, **arguments)
        except GraphRecError as error:
            if len(str(error)) >= LONGEST or "\n" in str(error):
                yield f"{name}({shown(arguments)}): {len(str(error))} characters: {str(error)[:400]}"
        except known:
            pass
        except Exception as error:
            yield f"{name}({shown(arguments)}): {type(error).__name__}: {str(error)[:200]}"


def shown(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={repr(value)[:40]}" for key, value in arguments.items())


@pytest.mark.parametrize("name", callables())
def test_wrong_arguments_get_one_sentence(name: str) -> None:
    assert list(faults(name, 0)) == []


@pytest.mark.slow
def test_wrong_arguments_by_many_seeds() -> None:
    names = callables()
    found = [fault for seed in range(1, 40) for name in names for fault in faults(name, seed)]
    report("public face", names=len(names), calls=39 * ROUNDS * len(names), faults=len(found))
    assert found == []
