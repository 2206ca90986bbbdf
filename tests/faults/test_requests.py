"""Random requests, legal and not: an answer that keeps every promise, or one sentence of the house."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from graphrec.errors import GraphRecError
from graphrec.serve import Answer, Engine
from tests.faults.figures import report
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import skewed

LONGEST = 300
STRANGE: tuple[Any, ...] = (
    None, True, 0, -1, 2, 2.5, 1e300, math.nan, math.inf, 10**30, 10**400, "", "r0", "[/]", "\x1b[1m\n", "\ud800",
    "x" * 10_000, b"r0", 1j, np.complex64(1j), np.datetime64("now"), [],
    [[]], (), {}, {"country": "DE"}, {"country": 3},
    {3: "DE"}, [None], ["i0", None], [("i0", math.nan)],
    [("i0", 1e39)],
    [("i0", 10**400)], [("i0", -1.0)], [("i0",)], [("i0", "5")], object(), np.int64(3), np.float32(2.5),
    np.array(["i0"]),
    np.str_("u0"), range(3), iter(["i0"]), {"i0"}, lambda: None,
)  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    data = skewed()
    return Engine.open(write(tmp_path_factory.mktemp("requests") / "bundle", data, fit(data)))


def legal(engine: Engine, draw: random.Random) -> dict[str, Any]:
    """Return the arguments of a request of which most are legal."""
    items = [*engine.bundle.items, "nothing", "i\u202e"]
    users = [*engine.bundle.users, "somebody new", None]

    def some(most: int) -> list[str]:
        return [draw.choice(items) for _ in range(draw.randint(0, most))]

    optional: Mapping[str, Callable[[], object]] = {
        "user": lambda: draw.choice(users),
        "history": lambda: draw.choice([some(5), [(item, draw.uniform(0.1, 5)) for item in some(5)]]),
        "k": lambda: draw.choice([1, 2, 10, 44, 45, 1000]),
        "channels": lambda: draw.sample(list(RECIPES), draw.randint(1, 3)),
        "exclude": lambda: some(10),
        "only": lambda: some(20),
        "explain": lambda: draw.random() < 0.5,
        "context": lambda: {"country": draw.choice(["DE", "FR", "?"])},
        "now": lambda: draw.choice([0.0, 1.7e9, 1_900_000_000]),
    }
    return {name: value() for name, value in optional.items() if draw.random() < 0.5}


def spoilt(arguments: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """Return the arguments with a strange value in place of one or two."""
    names = ["user", "history", "k", "channels", "exclude", "only", "explain", "deadline_ms", "context", "now"]
    return arguments | {name: draw.choice(STRANGE) for name in draw.sample(names, draw.randint(1, 2))}


def broken_promises(engine: Engine, answer: Answer, arguments: Mapping[str, Any]) -> list[str]:
    """Return what an answer to a legal request does that :meth:`Engine.recall` says it never does."""
    bundle, ids = engine.bundle, answer.ids
    known = bundle.items
    user = arguments.get("user")
    seen = {item if isinstance(item, str) else item[0] for item in arguments.get("history") or ()}
    if user is not None and user in bundle.users:
        rows = bundle.history.items[slice(*bundle.history.indptr[bundle.users.row(user) :][:2])]
        seen |= {known[int(row)] for row in rows}
    allowed = {known[int(row)] for row in np.flatnonzero(bundle.pool)} - seen - set(arguments.get("exclude", ()))
    if arguments.get("only") is not None:
        allowed &= set(arguments["only"])
    k, scores = arguments.get("k", 100), [item.score for item in answer.items]
    promises = {
        "repeats an item": len(set(ids)) == len(ids),
        "returns what it must not": set(ids) <= allowed,
        "is longer than k": len(ids) <= k,
        "is short while items remain": len(ids) == min(k, len(allowed)) or "channels" in arguments,
        "is empty without a reason": bool(ids) or bool(answer.empty_because),
        "has a score that is no number": all(map(math.isfinite, scores)),
        "leaves a channel out": not answer.left_out,
        "does not know whom it knows": answer.user_known == (user is not None and user in bundle.users),
        "cannot be written": bool(json.dumps(answer.to_dict(), allow_nan=False)),
    }
    return [name for name, kept in promises.items() if not kept]


def fuzzed(engine: Engine, n: int, *, seed: int) -> tuple[int, int, list[str]]:
    """Make n requests; return how many were answered and refused, and what was wrong."""
    draw, answered, refused, wrong = random.Random(seed), 0, 0, []
    for number in range(n):
        arguments = legal(engine, draw)
        good = draw.random() < 0.6
        arguments = arguments if good else spoilt(arguments, draw)
        try:
            answer = engine.recall(**arguments)
        except GraphRecError as error:
            refused += 1
            if good or len(str(error)) > LONGEST or "\n" in str(error):
                wrong.append(f"request {number}, {arguments!r}: {error}")
        except Exception as error:
            wrong.append(f"request {number}, {arguments!r}: raised {error!r}")
        else:
            answered += 1
            if good:
                broken = broken_promises(engine, answer, arguments)
                wrong += [f"request {number}, {arguments!r}: {name}" for name in broken]
                again = engine.recall(**arguments)
                if again.items != answer.items:
                    wrong.append(f"request {number}, {arguments!r}: answered in another way the second time")
    return answered, refused, [text[:1000] for text in wrong]


def test_random_requests(engine: Engine) -> None:
    answered, refused, wrong = fuzzed(engine, 150, seed=0)
    assert not wrong
    assert min(answered, refused) > 30


@pytest.mark.slow
def test_three_thousand_random_requests(engine: Engine) -> None:
    answered, refused, wrong = fuzzed(engine, 3000, seed=1)
    report("requests", requests=3000, answered=answered, refused=refused, wrong=len(wrong))
    assert not wrong


def test_the_probe_sees_a_broken_promise(engine: Engine) -> None:
    answer = engine.recall("u0", k=5)
    assert broken_promises(engine, answer, {"user": "u0", "k": 5}) == []
    assert "returns what it must not" in broken_promises(engine, answer, {"user": "u0", "k": 5, "exclude": answer.ids})
    assert "is longer than k" in broken_promises(engine, answer, {"user": "u0", "k": 4})
