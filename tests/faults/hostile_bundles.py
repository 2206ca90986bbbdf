"""Bundles of a stranger who knows the format: one thing is changed by seed, and every sum made true again.

Run as a program, it opens such bundles seed after seed and writes a line of JSON about each: the test that started it
sees which one it hung or died on.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.bundle import open_bundle, verify_bundle
from graphrec.bundle.manifest import CHECKSUM, MANIFEST, _checksum, _dump
from graphrec.channels.behaviour.als import Als
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.contracts.recaller import Recaller
from graphrec.data.files import file_sha256, map_array
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError
from graphrec.index import build_hnsw
from graphrec.index.quantised import QuantisedIndex
from graphrec.index.sidecar import matrix_sha256
from graphrec.index.sketch import sketch_rows
from graphrec.operations.recipe import Operations
from graphrec.recallers.profile import Profile
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller, vote_table
from graphrec.serve.engine import Engine
from tests.graphrec.bundle.make import fit, write
from tests.worlds import ruled, skewed

Draw = np.random.Generator
WEIRD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2,
    7,
    255,
    65_536,
    2**31 - 1,
    2**40,
    2**62,
    2**63,
    10**30,
    -(2**63),
    0.5,
    1.5,
    -0.5,
    1e-40,
    1e38,
    1e308,
    "",
    "x",
    "../../outside",
    "\ud800",
    "a\u0000b",
    "\x1b[31m",
    "x" * 5000,
    [],
    [0],
    [[]],
    {},
    {"a": {}},
    [None],
    ["a", "a"],
    float("nan"),
    float("inf"),
    json.loads("[" * 60 + "]" * 60),
)


def write_whole(directory: Path) -> Path:
    """Write a bundle that has a file of every kind."""
    data = ruled(skewed())
    channels: dict[str, Recaller] = fit(data)
    channels["als"] = Als(dim=8, iterations=2, index="hnsw").fit(data)
    channels["gf-cf"] = GfCf(rank=8).fit(data)
    channels["efficient"] = HighEfficiency(by_user="country").fit(data)
    channels["rules"] = Operations().fit(data)
    channels["votes"], channels["sketched"] = _votes(len(data.items)), _sketched(channels["als"])
    return write(directory, data, channels, audits={"als": 1.0})


def _votes(n_items: int) -> Recaller:
    rows = np.arange(0, n_items, 2, dtype=np.int32)
    sources = np.random.default_rng(3).normal(size=(len(rows), 6)).astype(np.float32)
    sources[3] = sources[1]
    near = build_hnsw(sources, seed=1)
    return VoteRecaller(rows, sources, near, n_items, Profile(), 5, 2.0, vote_table(near, sources, 5, 2.0))


def _sketched(als: Recaller) -> Recaller:
    assert isinstance(als, VectorRecaller)
    sketch = sketch_rows(als.targets, 4, candidates=20, finalists=16, depth=8)
    return VectorRecaller(als.encoder, als.targets, QuantisedIndex(als.targets, "ip", sketch))


def reseal(directory: Path, document: dict[str, Any]) -> None:
    """Make every sum, size, dtype and shape true again, within the indexes and in the manifest."""
    for sidecar in sorted(directory.rglob("index.json")):
        if all(path.is_file() and not path.is_symlink() for path in sidecar.parent.parent.rglob("*.*")):
            _reseal_index(sidecar)
    files = document.get("files")
    if isinstance(files, dict):
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if path.is_file() and not path.is_symlink() and name != MANIFEST:
                files[name] = _entry(path, files.get(name))
    for name in ("users", "items", "entities"):
        _reseal_vocabulary(directory, document, name)
    document.pop(CHECKSUM, None)
    try:
        document[CHECKSUM] = _checksum(document)
        sealed = _dump(document)
    except (ValueError, RecursionError):  # what our writer refuses, another one writes
        sealed = json.dumps(document, ensure_ascii=True, indent=1).encode() + b"\n"
    if not (directory / MANIFEST).exists() or (directory / MANIFEST).is_file():
        (directory / MANIFEST).write_bytes(sealed)


def _entry(path: Path, entry: object) -> dict[str, Any]:
    known = dict(entry) if isinstance(entry, dict) else {"kind": "data"}
    known |= {"sha256": file_sha256(path), "size_bytes": path.stat().st_size}
    if path.suffix == ".npy":
        try:
            array = map_array(path)
            known |= {"dtype": array.dtype.str, "shape": list(array.shape)}
        except BundleError:
            pass
    return known


def _reseal_index(sidecar: Path) -> None:
    try:
        stored = json.loads(sidecar.read_text(encoding="utf-8"))
        graph, same = sidecar.with_name("index.hnsw"), sidecar.with_name("duplicates.npy")
        stored["file_sha256"] = file_sha256(graph) if graph.is_file() else ""
        stored["duplicates_sha256"] = file_sha256(same) if same.is_file() else ""
        channel = sidecar.parent.parent
        targets = channel / "targets.npy"
        matrix = map_array(targets if targets.exists() else channel / "sources.npy")
        stored["matrix_sha256"] = matrix_sha256(np.asarray(matrix).reshape(-1, stored["dim"]))
        sidecar.write_text(json.dumps(stored), encoding="utf-8")
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, BundleError):
        return  # it is what was changed


def _reseal_vocabulary(directory: Path, document: dict[str, Any], name: str) -> None:
    from graphrec.bundle.files import read_strings

    if not all(path.is_file() and not path.is_symlink() for path in (directory / "vocabularies").iterdir()):
        return
    try:
        ids = Vocabulary(read_strings(directory / "vocabularies" / f"{name}.arrow"))
        document["vocabularies"][name] = {"sha256": ids.fingerprint, "size": len(ids)}
    except (BundleError, ValueError, LookupError, TypeError):
        return


def mutate(directory: Path, draw: Draw) -> str:
    """Change one thing of a bundle and seal it again; return what was changed."""
    document = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    kind = CHANGES[int(draw.integers(len(CHANGES)))]
    what = kind(directory, draw, document)
    reseal(directory, document)
    return f"{kind.__name__.removeprefix('_')}: {what}"


def _pick(directory: Path, draw: Draw, suffix: str) -> Path:
    paths = [path for path in sorted(directory.rglob(f"*{suffix}")) if path.name != MANIFEST]
    return paths[int(draw.integers(len(paths)))]


def _name(directory: Path, path: Path) -> str:
    return path.relative_to(directory).as_posix()


def _header(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".npy")
    array = map_array(path)
    data = np.asarray(array).tobytes()
    shapes = [
        "(2305843009213693952, 8)",
        "(-1,)",
        "(1.5,)",
        "()",
        "(0,)",
        f"({array.size + 1},)",
        "(True,)",
        "'a'",
        f"(1, {array.size})",
        "(4294967296, 4294967296)",
        "(" * 90 + ")" * 90,
        f"({array.size}L,)",
    ]
    types = [
        "'|O'",
        "'<U4'",
        "[('a', '<i4')]",
        "'>f4'",
        "'<f8'",
        "'<i8'",
        "'|V4'",
        "'<M8[s]'",
        "('<f4', (2,))",
        "None",
        "'<c8'",
    ]
    descr, shape, order = f"'{array.dtype.str}'", str(array.shape), "False"
    match int(draw.integers(4)):
        case 0:
            shape = shapes[int(draw.integers(len(shapes)))]
        case 1:
            descr = types[int(draw.integers(len(types)))]
        case 2:
            order, shape = "True", f"(1, {array.size})"
        case 3:
            shape += "}, 'more': {" if draw.random() < 0.5 else ""
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    version = [b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"][int(draw.integers(4)) if draw.random() < 0.2 else 0]
    size = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    path.write_bytes(b"\x93NUMPY" + version + size + text + data)
    return f"{_name(directory, path)} {text[:80]!r}"


def _values(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".npy")
    array = np.array(map_array(path))
    kind = array.dtype
    legal: list[Any] = [0, 1] if kind == np.bool_ else [-1, 0, 1, 44, 45, 46, 100]
    if kind.kind == "i":
        legal += [np.iinfo(kind).min, np.iinfo(kind).max]
    if kind.kind == "f":
        legal += [np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-45, 1e20, -1e-20]
    value = np.array(legal[int(draw.integers(len(legal)))]).astype(kind)
    if array.size and draw.random() < 0.8:
        array.reshape(-1)[int(draw.integers(array.size))] = value
    else:
        array[...] = value
    np.save(path, array)
    return f"{_name(directory, path)} = {value}"


def _shape(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".npy")
    array = np.array(map_array(path))
    flat = array.reshape(-1)
    made = [
        flat[:-1],
        np.append(flat, flat[-1:]),
        flat[:0],
        array[None],
        flat[::-1],
        np.tile(flat, 2),
        array.astype(np.float64),
        array.astype(np.int64),
        array.astype(np.float16),
        np.roll(flat, 1),
    ]
    chosen = int(draw.integers(len(made)))
    np.save(path, made[chosen])
    return f"{_name(directory, path)} shape {chosen}"


def _json(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".json")
    value = json.loads(path.read_text(encoding="utf-8"))
    value, what = _changed(value, draw)
    path.write_text(json.dumps(value), encoding="utf-8")
    return f"{_name(directory, path)} {what}"


def _manifest(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    part = [key for key in document if key not in ("files", CHECKSUM)][int(draw.integers(len(document) - 2))]
    if isinstance(document[part], dict) and document[part] and draw.random() < 0.8:
        document[part], what = _changed(document[part], draw)
    else:
        document[part], what = _weird(draw), "= weird"
    return f"{part} {what}"


def _channel_name(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    names = list(document["channels"])
    old = names[int(draw.integers(len(names)))]
    new = ["../../outside", "/etc", "..", ".", "", "hot/../hot", "a\\b", "hot\n", "x" * 300, "\u0430ls"][
        int(draw.integers(10))
    ]
    document["channels"] = {new if name == old else name: entry for name, entry in document["channels"].items()}
    return f"{old} -> {new[:20]!r}"


def _fusion(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    kinds: list[dict[str, Any]] = [
        {"kind": "rrf", "depth": 1.5},
        {"kind": "rrf", "c": "60"},
        {"kind": "rrf", "weights": {"hot": "1"}},
        {"kind": "rrf", "weights": {"hot": 1e308, "tag": 1e308}},
        {"kind": "quota", "quotas": {"hot": 1.5}},
        {"kind": "quota", "quotas": {"hot": 2**62, "tag": 2**62}},
        {"kind": "snake", "order": "hot"},
        {"kind": "snake", "order": ["hot", "hot"]},
        {"kind": "priority", "order": [1]},
        {"kind": "rrf", "depth": 2**62},
        {"kind": "priority", "order": ["hot"], "caps": {"hot": 2.5}},
        {"kind": "calibrated", "curves": {"hot": {"shares": [1, 0]}}},
        {"kind": "calibrated", "curves": {"hot": {"intercept": 1e308, "rank_slope": 1e308}}},
        {"kind": "coverage"},
        {"kind": "calibrated", "curves": {"hot": 5}},
        {"kind": "calibrated", "curves": {}},
        {
            "kind": "boosted",
            "base": {"curves": {"hot": {}}},
            "popularity": "zz",
            "trees": {"roots": [0], "features": [-1], "values": [1e308], "rights": [0]},
        },
        {
            "kind": "boosted",
            "base": {"curves": {"hot": {}}},
            "popularity": "",
            "trees": {"roots": [5], "features": [0], "values": [0], "rights": [-9]},
        },
    ]
    document["fusion"] = kinds[int(draw.integers(len(kinds)))]
    return json.dumps(document["fusion"])[:120]


def _bytes(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, [".arrow", ".hnsw", ".npy", ".json"][int(draw.integers(4))])
    data = bytearray(path.read_bytes())
    match int(draw.integers(4)):
        case 0:
            del data[int(draw.integers(len(data))) :]
        case 1:
            data += bytes(int(draw.integers(1, 5000)))
        case _:
            for _ in range(int(draw.integers(1, 9))):
                data[int(draw.integers(len(data)))] = int(draw.integers(256))
    path.write_bytes(bytes(data))
    return _name(directory, path)


def _links(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".hnsw")
    data = bytearray(path.read_bytes())
    place = int(draw.integers(96, len(data) - 4) if draw.random() < 0.7 else draw.integers(0, 92))
    value = [0, 1, 44, 45, 10**6, 2**31, 2**32 - 1][int(draw.integers(7))]
    data[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(bytes(data))
    return f"{_name(directory, path)} at {place} {value}"


def _swap(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    suffix = [".arrow", ".hnsw", ".npy", ".json"][int(draw.integers(4))]
    first, second = _pick(directory, draw, suffix), _pick(directory, draw, suffix)
    kept, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(kept)
    return f"{_name(directory, first)} with {_name(directory, second)}"


def _plant(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, "." + ["arrow", "npy", "json", "hnsw"][int(draw.integers(4))])
    path = directory / MANIFEST if draw.random() < 0.1 else path
    kind = int(draw.integers(6))
    if kind != 5:
        path.unlink()
    match kind:
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to("/dev/zero")
        case 2:
            path.symlink_to(directory.parent / "elsewhere")
        case 3:
            path.mkdir()
        case 4:
            sock, here = socket.socket(socket.AF_UNIX), Path.cwd()
            os.chdir(path.parent)
            sock.bind(path.name)
            os.chdir(here)
        case _:
            deep = path.parent / "/".join(["d"] * 200)
            deep.mkdir(parents=True)
    return f"{_name(directory, path)} kind {kind}"


def _nested(directory: Path, draw: Draw, document: dict[str, Any]) -> str:
    path = _pick(directory, draw, ".json")
    depth = [100, 5_000, 200_000][int(draw.integers(3))]
    path.write_text('{"kind": ' + "[" * depth + "]" * depth + "}", encoding="utf-8")
    return f"{_name(directory, path)} {depth} deep"


CHANGES: tuple[Callable[[Path, Draw, dict[str, Any]], str], ...] = (
    _header,
    _header,
    _values,
    _values,
    _values,
    _shape,
    _json,
    _json,
    _json,
    _manifest,
    _manifest,
    _channel_name,
    _fusion,
    _bytes,
    _bytes,
    _links,
    _links,
    _swap,
    _plant,
    _nested,
)


def _weird(draw: Draw) -> Any:
    return WEIRD[int(draw.integers(len(WEIRD)))]


def _changed(value: Any, draw: Draw) -> tuple[Any, str]:
    """Return a JSON value with one place of it changed, and where that is."""
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    if not inner or draw.random() < 0.15:
        weird = _weird(draw)
        return weird, f"= {str(weird)[:40]!r}"
    key, old = inner[int(draw.integers(len(inner)))]
    if draw.random() < 0.15:
        if isinstance(value, dict):
            return {name: entry for name, entry in value.items() if name != key}, f"without {key!r:.40}"
        return [entry for place, entry in enumerate(value) if place != key], f"without {key}"
    new, what = _changed(old, draw)
    if isinstance(value, dict):
        return value | {key: new}, f"{key!r:.40} {what}"
    return [new if place == key else entry for place, entry in enumerate(value)], f"[{key}] {what}"


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
