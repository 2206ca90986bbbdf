"""A value of a wrong type gets a sentence that says what is legal, whichever method is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphrec.errors import BundleError, ConfigError, GraphRecError
from graphrec.serve import Engine

open_engine: Any = Engine.open
Call = Callable[[Any], object]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda e: e.recall(user=58), r"user is 58 \(int\); ids are strings: '58'"),
        (lambda e: e.recall(user=["r0"]), r"user is \['r0'\] \(list\)"),
        (lambda e: e.recall(history={"b0": 5.0}), r"history is a mapping; give its pairs, oldest first: list\(history"),
        (lambda e: e.recall(history=[["b0", 5.0]]), r"history holds \['b0', 5.0\] \(list\)"),
        (lambda e: e.recall(history=b"b0"), "history is b'b0'; it must be a sequence of ids"),
        (lambda e: e.recall(history=7), "history is 7; it must be a sequence of ids"),
        (lambda e: e.recall(k="10"), "k is '10'; it must be a whole number of 1 or more"),
        (lambda e: e.recall(k=None), "k is None"),
        (lambda e: e.recall(channels=3), "channels is 3; it must be a sequence of ids"),
        (lambda e: e.recall(channels=[None]), r"channels holds None \(NoneType\)"),
        (lambda e: e.recall(exclude=None), "exclude is None; it must be a sequence of ids"),
        (lambda e: e.recall(exclude=[2]), r"exclude holds 2 \(int\); ids are strings: '2'"),
        (lambda e: e.recall(only=[None]), r"only holds None \(NoneType\)"),
        (lambda e: e.recall(explain="yes"), "explain is 'yes'; it must be True or False"),
        (lambda e: e.recall(deadline_ms="5"), "deadline_ms is '5'; it must be above 0, or None for no deadline"),
        (lambda e: e.recall(deadline_ms=True), "deadline_ms is True"),
        (lambda e: e.recall(context=["DE"]), r"context is \['DE'\]; it must be a mapping"),
        (lambda e: e.recall(context={"country": 49}), r"context 'country' holds 49 \(int\)"),
        (lambda e: e.recall(now="now"), "now is 'now'; it must be a moment in seconds UTC"),
        (lambda e: e.recall(now=float("inf")), "now is inf"),
        (lambda e: e.similar(2, channel="tag"), r"item is 2 \(int\); ids are strings: '2'"),
        (lambda e: e.similar("b0", channel=None), r"channels holds None \(NoneType\)"),
        (lambda e: e.neighbours(item=2), r"item is 2 \(int\); ids are strings: '2'"),
        (lambda e: e.neighbours("b0", relation=1), r"relation is 1 \(int\)"),
        (lambda e: e.neighbours("b0", k="3"), "k is '3'; it must be a whole number of 1 or more"),
        (lambda e: e.neighbours("b0", k=0), "k is 0; it must be a whole number of 1 or more"),
        (lambda e: e.take_down("b0"), "ids is 'b0'; it must be a sequence of ids"),
        (lambda e: e.take_down([0]), r"ids holds 0 \(int\); ids are strings: '0'"),
        (lambda e: e.put_back(None), "ids is None; it must be a sequence of ids"),
        (lambda e: open_engine(e.bundle.path, threads="2"), "threads is '2'; it must be a whole number of 1 or more"),
        (lambda e: open_engine(e.bundle.path, warm=None), "warm is None; it must be True or False"),
        (lambda e: open_engine(e.bundle.path, verify="no"), "verify is 'no'; it must be True or False"),
    ],
)
def test_engines_methods(engine: Engine, call: Call, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        call(engine)
    assert "\n" not in str(caught.value)


SETTINGS = {
    "threads": ("2", 0, -1, 1.5, True, None, [], float("nan")),
    "list_depth": ("200", 0, 2.0, None, {}),
    "channel_timeout_s": ("1", 0, -1.0, float("inf"), float("nan"), None, 1e9, True),
    "verify": ("no", None, 1),
    "in_memory": ("yes", None, 0),
    "path": (None, 3, "", b"x", ["b"], "a\0b"),
    "state": (None, "state", {}, object()),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values])
def test_an_engine_made_directly_checks_what_open_checks(engine: Engine, name: str, value: Any) -> None:
    settings: dict[str, Any] = {"path": engine.bundle.path, "state": engine._state, name: value}
    with pytest.raises(ConfigError, match=f"^{'the bundle' if name == 'path' else name} is ") as caught:
        Engine(**settings)
    assert "\n" not in str(caught.value)
    if name != "state":
        with pytest.raises(ConfigError, match=str(re.escape(str(caught.value)))):
            open_engine(**{key: given for key, given in settings.items() if key != "state"})


@pytest.mark.parametrize(
    ("path", "kind"),
    [(None, ConfigError), (3, ConfigError), (b"out", ConfigError), (["out"], ConfigError), ("", ConfigError),
     (Path("/nowhere"), BundleError), ("/nowhere\0", GraphRecError)],
)  # fmt: skip
def test_what_is_no_bundle(path: object, kind: type[GraphRecError]) -> None:
    with pytest.raises(kind) as caught:
        open_engine(path)
    assert "\n" not in str(caught.value)
