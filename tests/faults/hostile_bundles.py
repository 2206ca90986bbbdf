"""Bundles of a stranger who knows the format: one thing is changed by seed, and every sum made true again.

Run as a program, it opens such bundles seed after seed and writes a line of JSON about each: the test that started it
sees which one it hung or died on.
"""

from __future__ import annotations

import json
import logging
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.bundle import open_bundle, verify_bundle
from graphrec.channels.behaviour.als import Als
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.contracts.recaller import Recaller
from graphrec.errors import BundleError
from graphrec.index import build_hnsw
from graphrec.index.quantised import QuantisedIndex
from graphrec.index.sketch import sketch_rows
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.din import DIN
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.tdm import TDM
from graphrec.models.deep.two_tower import TwoTower
from graphrec.operations.recipe import Operations
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.profile import Profile
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table
from graphrec.serve.engine import Engine
from tests.faults.bundle_changes import mutate
from tests.graphrec.bundle.make import fit, write
from tests.worlds import ruled, skewed


def write_whole(directory: Path) -> Path:
    """Write a bundle that has a file of every kind."""
    data = ruled(skewed())
    channels: dict[str, Recaller] = fit(data)
    channels["als"] = Als(dim=8, iterations=2, index="hnsw").fit(data)
    channels["gf-cf"] = GfCf(rank=8).fit(data)
    channels["efficient"] = HighEfficiency(by_user="country").fit(data)
    channels["rules"] = Operations().fit(data)
    channels["votes"], channels["sketched"] = _votes(len(data.items)), _sketched(channels["als"])
    channels["interests"] = _interests(len(data.items))
    channels |= {recipe.__name__.lower(): recipe(dim=4, epochs=1).fit(data) for recipe in (ComiRec, DIN, SASRec, TDM)}
    channels["tower"] = TwoTower(dim=4, epochs=1, serve="tower").fit(data)
    return write(directory, data, channels, audits={"als": 1.0})


def _votes(n_items: int) -> Recaller:
    rows = np.arange(0, n_items, 2, dtype=np.int32)
    sources = np.random.default_rng(3).normal(size=(len(rows), 6)).astype(np.float32)
    sources[3] = sources[1]
    near = build_hnsw(sources, seed=1)
    return VoteRecaller(rows, sources, near, n_items, Profile(), 5, 2.0, vote_table(near, sources, 5, 2.0))


def _interests(n_items: int) -> Recaller:
    rows = np.arange(1, n_items, 2, dtype=np.int32)
    sources = np.random.default_rng(4).normal(size=(len(rows), 5)).astype(np.float32)
    return InterestRecaller(rows, sources, build_hnsw(sources, seed=1), n_items, Profile(half_life=4.0))


def _sketched(als: Recaller) -> Recaller:
    assert isinstance(als, VectorRecaller)
    sketch = sketch_rows(als.targets, 4, candidates=20, finalists=16, depth=8)
    return VectorRecaller(als.encoder, als.targets, QuantisedIndex(als.targets, "ip", sketch))


def outcome(directory: Path) -> dict[str, Any]:
    """Open a bundle as ``verify`` does and as a server does, and ask it a few questions."""
    result: dict[str, Any] = {"verified": _said(lambda: _verified(directory))}
    engine: list[Engine] = []
    result["opened"] = _said(lambda: engine.append(Engine.open(directory)))
    result["asked"] = _said(lambda: _ask(engine[0])) if engine else ""
    return result


def _verified(directory: Path) -> None:
    for check in verify_bundle(directory):
        if not check.ok:
            raise BundleError(check.problem)
    open_bundle(directory)


def _ask(engine: Engine) -> None:
    for user, history in (("u0", None), (None, ["i1", "i5"]), (None, [("i44", 2.0)]), ("nobody", None)):
        answer = engine.recall(user, history=history, k=20, explain=True)
        assert all(np.isfinite(item.score) for item in answer.items)
        assert len({item.item for item in answer.items}) == len(answer.items)
        for name, reason in answer.left_out.items():
            raise AssertionError(f"{name} left out: {reason}")
    engine.recall_many(["u0", "u1", None], k=10)
    engine.neighbours("i3")


def _said(action: Callable[[], object]) -> str:
    """Return an empty string, or the sentence; whatever is no sentence of ours begins with ``!``."""
    try:
        action()
    except BundleError as error:
        text = str(error)
        fine = len(text) < 700 and "\n" not in text and text.isprintable()
        return text if fine else f"! a long or unprintable sentence: {text!r}"
    except Exception as error:
        return f"! {type(error).__name__}: {error}"
    return ""


def main(pristine: str, first: str, last: str) -> None:
    """Write a line for each seed before it is tried, and one after."""
    logging.disable()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(int(first), int(last)):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "elsewhere").write_bytes(b"secret")
            copy = Path(shutil.copytree(pristine, Path(folder) / "bundle"))
            try:
                what = mutate(copy, np.random.default_rng(seed))
                sys.stdout.write(json.dumps({"seed": seed, "what": what}) + "\n")
                sys.stdout.flush()
                result = outcome(copy)
            except Exception as error:
                what, result = (
                    f"broken mutation {type(error).__name__}: {error}",
                    {"verified": "! mutation", "opened": "! mutation", "asked": "! mutation"},
                )
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            line = {"seed": seed, "what": what, "grown_mb": grown // 1024, **result}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
