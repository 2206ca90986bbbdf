"""Hostile RDF files, each read in a process of its own with bounded memory: kept, or refused in one sentence."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.figures import report
from tests.faults.hostile_rdf import hostile_files

pytest.importorskip("resource", reason="this system has no limits of memory")

# Long enough for a loaded machine; the slowest file takes seconds.
_HUNG_S = 120
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from graphrec.errors import GraphRecError
from graphrec.kg.reading.rdf import read_rdf
try:
    read = read_rdf(sys.argv[1], rejects=sys.argv[1] + ".rejects")
    print("kept", read.report.n_statements)
except GraphRecError as error:
    print("refused", error)
"""


def outcome(path: Path) -> str:
    """Return "kept", "refused", "hung", "crashed" or "traceback"; more than one short sentence is a traceback."""
    command = [sys.executable, "-c", _CHILD, str(path)]
    try:
        run = subprocess.run(command, capture_output=True, timeout=_HUNG_S, check=False)
    except subprocess.TimeoutExpired:
        return "hung"
    if run.returncode < 0:
        return "crashed"
    lines = run.stdout.decode("utf-8", "replace").replace(str(path), path.name).splitlines()
    if run.returncode or len(lines) != 1 or len(lines[0]) > 310:
        return "traceback"
    return lines[0].split()[0]


def outcomes(folder: Path, seed: int, kinds: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the outcome of each file of a seed, or of those of some kinds."""
    paths = {}
    for position, (kind, extension, data) in enumerate(hostile_files(seed)):
        if not kinds or kind in kinds:
            paths[kind] = folder / f"{position}{extension}"
            paths[kind].write_bytes(data)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(paths, pool.map(outcome, paths.values()), strict=True))


# Each killed the process, took gigabytes or ended in a traceback once; the others are run by make test-slow.
SAMPLE = {
    "deep objects": "refused",
    "deep triple terms": "refused",
    "deep elements": "refused",
    "many chain": "refused",
    "many namespaces": "refused",
    "long string of json": "refused",
    "n3": "refused",
    "returns alone": "kept",
}


def test_a_sample_of_hostile_files(tmp_path: Path) -> None:
    assert outcomes(tmp_path, 1, tuple(SAMPLE)) == SAMPLE


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_hostile_files_are_kept_or_refused(tmp_path: Path, seed: int) -> None:
    ended = outcomes(tmp_path, seed)
    counts = {name: list(ended.values()).count(name) for name in ("kept", "refused", "crashed", "hung", "traceback")}
    report(f"hostile RDF files, seed {seed}", files=len(ended), **counts)
    assert len(ended) >= 73
    assert {kind: end for kind, end in ended.items() if end not in ("kept", "refused")} == {}
