"""Hostile tables, each read in a process of its own with bounds on memory and time: rows or a sentence comes out."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import graphrec as gr
from graphrec.errors import ConfigError, DataError, FetchError
from graphrec.pipelines.registry.datasets import unzip
from graphrec.pipelines.registry.registry import Member

from .figures import report

MEMORY_BYTES = 6 << 30
TIMEOUT_S = 120
HEADER = b"user_id,item_id\n"

READ = """
import json, sys
import graphrec as gr
try:
    report = gr.read_interactions(sys.argv[1], format=sys.argv[2], max_reject_share=1.0).report
    print(json.dumps({"kept": report["kept"], "sum": report["rows"] - report["kept"] - report["rejected"]}))
except gr.GraphRecError as error:
    print(json.dumps({"sentence": str(error)}))
"""


def frame(rng: random.Random) -> pl.DataFrame:
    rows = range(3_000)
    return pl.DataFrame({"user_id": [f"u{rng.random()}" for _ in rows], "item_id": [f"i{n % 9}" for n in rows]})


def parquet(rng: random.Random) -> bytes:
    file = io.BytesIO()
    frame(rng).write_parquet(file, compression=rng.choice(["zstd", "snappy", "uncompressed"]))
    return file.getvalue()


def arrow(rng: random.Random) -> bytes:
    file = io.BytesIO()
    frame(rng).write_ipc(file, compression=rng.choice(["uncompressed", "zstd"]))
    return file.getvalue()


def flipped(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with some of them changed."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def rows(rng: random.Random, n: int = 2_000) -> bytes:
    return b"".join(b"u%d,i%d\n" % (rng.randrange(99), rng.randrange(99)) for _ in range(n))


# Kind -> (name of the file, its bytes).
KINDS: dict[str, Callable[[random.Random], tuple[str, bytes]]] = {
    "many columns": lambda r: ("t.csv", b",".join(b"c%d" % n for n in range(10 ** r.choice([5, 6]))) + b"\n" + rows(r)),
    "many cells": lambda r: ("t.csv", HEADER + b"," * 3_000_000 + b"x\n" + rows(r)),
    "a long line": lambda r: ("t.csv", HEADER + b"x" * (70 << 20)),
    "a long cell": lambda r: ("t.csv", HEADER + b"u," + b"x" * (30 << 20) + b"\n" + rows(r)),
    "an open quote": lambda r: ("t.csv", HEADER + b'u,"i\n' + rows(r, 200_000)),
    "open quotes": lambda r: ("t.csv", HEADER + b'u,"i\n' * 200_000),
    "quotes alone": lambda r: ("t.csv", HEADER + b'"' * r.randint(10**6, 10**6 + 1)),
    "joined lines": lambda r: ("t.csv", HEADER + b'"\n' * 500_000),
    "quotes in tsv": lambda r: ("t.tsv", b"user_id\titem_id\n" + b'"u\t"i\n' * 50_000),
    "blank lines": lambda r: ("t.csv", HEADER + b"\n" * 3_000_000 + rows(r)),
    "carriage returns": lambda r: ("t.csv", HEADER.replace(b"\n", b"\r") + rows(r).replace(b"\n", b"\r")),
    "zero bytes": lambda r: ("t.csv", HEADER + b"\0" * 3_000_000),
    "one long gzip": lambda r: ("t.csv.gz", gzip.compress(HEADER + b"u,i\n" * (100 << 20), 1)),
    "gzip in gzip": lambda r: ("t.csv.gz", gzip.compress(gzip.compress(HEADER + rows(r)))),
    "gzip by another name": lambda r: ("t.csv", gzip.compress(HEADER + rows(r))),
    "a cut gzip": lambda r: ("t.csv.gz", gzip.compress(HEADER + rows(r))[: -r.randint(1, 500)]),
    "a flipped gzip": lambda r: ("t.csv.gz", flipped(gzip.compress(HEADER + rows(r)), r)),
    "flipped text": lambda r: ("t.csv", flipped(HEADER + rows(r), r)),
    "any bytes": lambda r: ("t.csv", r.randbytes(100_000)),
    "flipped parquet": lambda r: ("t.parquet", flipped(parquet(r), r)),
    "cut parquet": lambda r: ("t.parquet", parquet(r)[: r.randint(5, 9_000)]),
    "footers of parquet": lambda r: ("t.parquet", b"PAR1" + r.randbytes(500) + b"\xff\xff\xff\x7fPAR1"),
    "flipped arrow": lambda r: ("t.arrow", flipped(arrow(r), r)),
    "cut arrow": lambda r: ("t.arrow", arrow(r)[: r.randint(9, 9_000)]),
    "lists without end": lambda r: ("t.lists", b"u" + b" i" * 3_000_000),
    "lists of marks": lambda r: ("t.lists", b"\xef\xbb\xbfu1 i1\n" * 2 + b"u1 i1\xc2\xa0a\n"),
    "lists in gzip": lambda r: ("t.lists", gzip.compress(b"u" + b" " * (500 << 20))),
}
SAMPLE = ("many columns", "open quotes", "flipped arrow")


def outcome(folder: Path, kind: str, seed: int) -> str:
    """Return what a process made of one table: "rows", "sentence", or what went wrong."""
    name, data = KINDS[kind](random.Random(f"{kind} {seed}"))
    path = folder / name
    path.write_bytes(data)
    try:
        done = subprocess.run(
            [sys.executable, "-c", READ, str(path), "lists" if name.endswith(".lists") else "table"],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES)),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "hung"
    if done.returncode < 0:
        return f"crashed by signal {-done.returncode}"
    if done.returncode or not done.stdout.strip():
        return f"traceback: {done.stderr[-300:]}"
    said = json.loads(done.stdout.splitlines()[-1])
    if "sentence" in said:
        sound = len(said["sentence"]) < 300 + len(str(path)) and "\n" not in said["sentence"]
        return "sentence" if sound else f"long: {said['sentence'][:300]}"
    return "rows" if said["sum"] == 0 else f"rows lost: {said}"


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_hostile_table_ends_in_rows_or_a_sentence(tmp_path: Path, kind: str) -> None:
    assert outcome(tmp_path, kind, 0) in ("rows", "sentence")


@pytest.mark.slow
def test_hostile_tables(tmp_path: Path) -> None:
    cases = [(kind, seed) for kind in KINDS for seed in ((0, 1, 2) if "flipped" in kind or "cut" in kind else (0,))]
    ends = {case: outcome(tmp_path, *case) for case in cases}
    wrong = {case: end for case, end in ends.items() if end not in ("rows", "sentence")}
    report(
        "tables", tables=len(cases), read=list(ends.values()).count("rows"),
        refused=list(ends.values()).count("sentence"), crashed_hung_or_traceback=len(wrong),
    )  # fmt: skip
    assert wrong == {}


class TestPipes:
    def test_a_pipe_is_refused_before_it_is_opened(self, tmp_path: Path) -> None:
        path = tmp_path / "events.csv"
        os.mkfifo(path)
        with pytest.raises(DataError, match="is a pipe or device, which can be read once"):
            gr.read_interactions(path)

    def test_a_device_is_refused(self) -> None:
        with pytest.raises(DataError, match="is a pipe or device"):
            gr.read_interactions("/dev/zero", format="lists")


class TestPacked:
    def test_gzip_is_known_by_its_bytes(self, tmp_path: Path) -> None:
        path = tmp_path / "ratings.csv"
        path.write_bytes(gzip.compress(b"user_id,item_id\nr1,b1\n"))
        assert gr.read_interactions(path).report["kept"] == 1

    @pytest.mark.parametrize(("start", "kind"), [(b"PK\x03\x04", "zip"), (b"BZh9", "bzip2"), (b"PAR1", "Parquet")])
    def test_other_kinds_are_named(self, tmp_path: Path, start: bytes, kind: str) -> None:
        path = tmp_path / "ratings.csv"
        path.write_bytes(start + b"x" * 50)
        with pytest.raises(DataError, match=f"is a {kind} file, and is read as text"):
            gr.read_interactions(path)

    def test_a_packed_table_may_expand_so_far(self, tmp_path: Path) -> None:
        path = tmp_path / "events.csv.gz"
        path.write_bytes(gzip.compress(HEADER + b"u,i\n" * (20 << 20), 1))
        with pytest.raises(DataError, match=r"expands to more than .*raise limits"):
            gr.read_interactions(path)


class TestArchives:
    def test_an_entry_may_expand_so_far(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("big.csv", b"0" * (100 << 20))
        with pytest.raises(FetchError, match=r"entry 'big.csv' expands to more than"):
            unzip(tmp_path / "a.zip", [Member(path="big.csv", name="big.csv")], tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip"]

    def test_an_encrypted_entry(self, tmp_path: Path) -> None:
        archive = tmp_path / "a.zip"
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr("a.csv", HEADER)
        data = bytearray(archive.read_bytes())
        # The flag of encryption, in the entry and in the directory.
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1
        archive.write_bytes(data)
        with pytest.raises(FetchError, match="is encrypted; unpack it"):
            unzip(archive, [Member(path="a.csv", name="a.csv")], tmp_path)


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 100_000, ".".join("a" * 100_000) + " = 1", "a = " + "9" * 9_999, "[" + ".".join("a" * 500) + "]"],
)
def test_hostile_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"nested more than 128 levels|is no TOML") as caught:
        gr.load_config(path)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_times_as_databases_write_them(tmp_path: Path) -> None:
    times = ["2024-05-01 12:00:00+00", "2024-05-01T12:00Z", "2024-05-01 14:00:00.5+02", "2024-05-01 12:00:00 UTC"]
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,timestamp\n" + "".join(f"u,i,{time}\n" for time in times), encoding="utf-8")
    read = gr.read_interactions(path).interactions
    assert read.times is not None
    assert read.times.tolist() == [1714564800] * 4


def test_mixed_objects_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    unused = pandas.DataFrame({"user_id": [1, 2], "item_id": ["x", "y"], "note": [1, "a"]})
    assert gr.read_interactions(unused).report["kept"] == 2
    mixed = pandas.DataFrame({"user_id": [1, "a"], "item_id": ["x", "y"]})
    assert list(gr.read_interactions(mixed).users) == ["1", "a"]
    with pytest.raises(DataError, match="column 'user_id' holds a list in row 2"):
        gr.read_interactions(pandas.DataFrame({"user_id": [1, [2]], "item_id": ["x", "y"]}))
    with pytest.raises(DataError, match="has the column 'user_id' 2 times"):
        gr.read_interactions(pandas.DataFrame([[1, 2]], columns=["user_id", "user_id"]))
    with pytest.raises(ConfigError, match="a table cannot be read from a Series"):
        gr.read_interactions(pandas.Series([1]))
