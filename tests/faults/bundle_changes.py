"""Changes of a bundle by seed: one thing each, of a kind that a stranger who knows the format would try."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.bundle.manifest import CHECKSUM, MANIFEST
from graphrec.data.files import map_array
from tests.faults.bundle_seals import reseal

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
        {
            "kind": "boosted",
            "base": {"curves": {"hot": {}}},
            "popularity": "",
            "trees": {"roots": [0], "features": [6, -1, -1], "values": [1, 2, 3], "rights": [2, 0, 0]},
            "graph": {"relations": {"a: items": "z", "a: events": "0"}, "channels": ["hot"]},
        },
        {
            "kind": "boosted",
            "base": {"curves": {"hot": {}}},
            "popularity": "",
            "trees": {"roots": [], "features": [], "values": [], "rights": []},
            "graph": {"relations": {"a: items": "z", "b": 7}, "channels": "hot", "depth": 3},
        },
        {
            "kind": "boosted",
            "base": {"curves": {"hot": {}}},
            "popularity": "",
            "trees": {"roots": [], "features": [], "values": [], "rights": []},
            "network": {"centres": [0] * 5, "scales": [1] * 4, "weights": [[0.5] * 5, [1e39]], "biases": [[0, 1], []]},
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
