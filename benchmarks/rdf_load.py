"""RDF to HeteroData: triples a second and bytes of memory a triple, beside rdflib and bare oxigraph.

    python -m benchmarks.rdf_load [FILE] [--json FILE] [--data DIR] [--rounds N] [--rdflib-triples N] [--copies N]

FILE (by default ``rdf/bookcrossing.nt.xz`` of the test data) is decompressed to a temporary N-Triples file first. Every
measurement is a process of its own; memory is its peak less that of a process which makes the same imports and no
more. Ours reads a file of one triple before the clock starts, since kernels are compiled once for all runs; rdflib
parses only the first lines (it slows down as it fills, so that favours it). The same lines are measured as Turtle, and
last the whole file several times over, each copy with names of its own, to see whether time and memory grow with it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json

# Who took what, in Book-Crossing; a file without these predicates is loaded without users.
EVENTS = ("http://example.org/bx/rated", "http://example.org/bx/interacted")
_ONE = '<http://a> <http://b> <http://c> .\n<http://a> <http://b> "c" .\n'


def rdflib_parse(path: Path, n: int) -> tuple[Callable[[], int], None]:
    """Prepare rdflib's parse of the first ``n`` lines into a Graph."""
    import rdflib

    with path.open("rb") as stream:
        data = b"".join(itertools.islice(stream, n))
    return lambda: len(rdflib.Graph().parse(data=data, format="nt")), None


def pyoxigraph_parse(path: Path, _: int) -> tuple[Callable[[], int], None]:
    """Prepare oxigraph's parse of the whole file, keeping nothing."""
    import pyoxigraph

    return lambda: sum(1 for _ in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.N_TRIPLES)), None


def our_read(path: Path, _: int) -> tuple[Callable[[], int], Callable[[Path], object]]:
    """Prepare the file's KnowledgeGraph."""
    import numba  # noqa: F401 - the first kernel imports it, and imports are no memory of the graph

    from graphrec.kg.reading.rdf import read_rdf

    return lambda: read_rdf(path).report.n_statements, read_rdf


def rdflib_turtle(path: Path, n: int) -> tuple[Callable[[], int], None]:
    """Prepare rdflib's parse of the first ``n`` lines, written as Turtle."""
    import rdflib

    data = _turtle(path, n)
    return lambda: len(rdflib.Graph().parse(data=data, format="turtle")), None


def our_turtle(path: Path, n: int) -> tuple[Callable[[], int], Callable[[Path], object]]:
    """Prepare the KnowledgeGraph of the first ``n`` lines, written as Turtle."""
    import numba  # noqa: F401 - as in our_read

    from graphrec.kg.reading.rdf import read_rdf

    turtle = path.with_name("first-lines.ttl")
    turtle.write_bytes(_turtle(path, n))
    return lambda: read_rdf(turtle).report.n_statements, read_rdf


def _turtle(path: Path, n: int) -> bytes:
    import pyoxigraph

    with path.open("rb") as stream:
        lines = b"".join(itertools.islice(stream, n))
    triples = (quad.triple for quad in pyoxigraph.parse(lines, pyoxigraph.RdfFormat.N_TRIPLES))
    return pyoxigraph.serialize(triples, format=pyoxigraph.RdfFormat.TURTLE) or b""


def our_hetero(path: Path, _: int) -> tuple[Callable[[], int], Callable[[Path], object]]:
    """Prepare the whole way: file, KnowledgeGraph, interactions, linking, catalogue, HeteroData."""
    import polars as pl

    from graphrec.data.vocabulary import Vocabulary
    from graphrec.kg.catalogue import catalogue_graph
    from graphrec.kg.interactions import InteractionMapping, encoded_interactions
    from graphrec.kg.linking import link_by_template
    from graphrec.kg.reading.rdf import read_rdf
    from graphrec.models.hetero import to_hetero

    def load(file: Path) -> int:
        kg = read_rdf(file)
        present = tuple(iri for iri in EVENTS if iri in kg.relations)
        if present:
            _, items, interactions = encoded_interactions(kg, InteractionMapping(direct=present))
        else:
            heads = pl.Series(kg.triples[:, 0]).unique(maintain_order=True).to_numpy()
            items, interactions = Vocabulary(kg.entities.ids.take(heads)), None
        linking = link_by_template(items, kg, "{id}")
        data = to_hetero(catalogue_graph(kg, linking, items, exclude=present), interactions)
        data.validate(raise_on_error=True)
        return kg.report.n_statements

    return lambda: load(path), load


STAGES: dict[str, Callable[[Path, int], tuple[Callable[[], int], Callable[[Path], object] | None]]] = {
    "rdflib parse into Graph": rdflib_parse,
    "pyoxigraph parse alone": pyoxigraph_parse,
    "graphrec read_rdf": our_read,
    "graphrec RDF to HeteroData": our_hetero,
    "rdflib parse of Turtle": rdflib_turtle,
    "graphrec read_rdf of Turtle": our_turtle,
}


def run_stage(name: str, path: Path, n: int, *, only_import: bool) -> None:
    """Measure one stage in this process and print the figures as JSON."""
    work, warm_up = STAGES[name](path, n)
    figures: dict[str, float] = {"base_bytes": _peak_bytes()}
    if not only_import:
        if warm_up is not None:
            with TemporaryDirectory() as directory:
                one = Path(directory) / "one.nt"
                one.write_text(_ONE, encoding="utf-8")
                warm_up(one)
        started, before = time.perf_counter(), time.process_time()
        figures["triples"] = work()
        figures["seconds"] = time.perf_counter() - started
        figures["processor_seconds"] = time.process_time() - before
        figures["peak_bytes"] = _peak_bytes()
    print(json.dumps(figures))


def _peak_bytes() -> int:
    """Return the peak of this process; getrusage also counts what the process that started it had held until then."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def in_process(name: str, path: Path, n: int, *, only_import: bool = False) -> dict[str, float]:
    """Return the figures of one stage, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.rdf_load", str(path), "--stage", name, "--rdflib-triples", str(n)]
    command += ["--only-import"] if only_import else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def measured(name: str, runs: list[dict[str, float]], base: float) -> dict[str, Any]:
    """Return the row of one stage: medians over its processes."""
    triples = int(runs[0]["triples"])
    seconds = statistics.median(run["seconds"] for run in runs)
    peak = statistics.median(run["peak_bytes"] for run in runs)
    return {
        "name": name,
        "triples": triples,
        "seconds": round(seconds, 3),
        "processor_seconds": round(statistics.median(run["processor_seconds"] for run in runs), 3),
        "triples_per_s": round(triples / seconds),
        "peak_bytes_per_triple": round((peak - base) / triples, 1),
    }


def measure_all(path: Path, n: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each stage; rounds are interleaved, so that a busy spell meets all stages alike."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in STAGES}
    for _ in range(rounds):
        for name in STAGES:
            runs[name].append(in_process(name, path, n))
    bases = {name: in_process(name, path, n, only_import=True)["base_bytes"] for name in STAGES}
    return [measured(name, runs[name], bases[name]) for name in STAGES]


def measure_copies(path: Path, copies: int) -> dict[str, Any]:
    """Return the row of our reading of ``path`` so many times over, each copy with subjects and objects of its own."""
    name = "graphrec read_rdf"
    with TemporaryDirectory(dir=path.parent) as directory:
        target = Path(directory) / "copies.nt"
        with target.open("wb") as stream:
            for copy in range(copies):
                data = path.read_bytes().replace(b"example.org/bx/", b"example.org/bx/%d/" % copy)
                stream.write(data.replace(b"urn:isbn:", b"urn:isbn:%d-" % copy))
        base = in_process(name, path, 1, only_import=True)["base_bytes"]
        return measured(name, [in_process(name, target, 1)], base) | {"name": f"{name}, {copies} copies"}


@contextmanager
def plain_file(source: Path) -> Iterator[Path]:
    """Yield ``source`` as a plain N-Triples file, decompressed into a temporary one where it is not."""
    from graphrec.data.limits import Limits
    from graphrec.kg.reading.formats import rdf_file
    from graphrec.kg.reading.guarded_bytes import GuardedBytes

    file = rdf_file(source)
    if file.format != "n-triples":
        raise SystemExit(f"{source} is {file.format}; this benchmark reads N-Triples, plain or compressed")
    with TemporaryDirectory() as directory:
        target = Path(directory) / "graph.nt"  # a copy also of a plain file: others are written beside it
        with GuardedBytes(file, Limits()) as packed, target.open("wb") as stream:
            shutil.copyfileobj(packed, stream, 1 << 20)
        yield target


def main() -> None:
    """Run all stages, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", nargs="?", type=Path, help="N-Triples; default rdf/bookcrossing.nt.xz of the data")
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path, help="write the results here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rdflib-triples", type=int, default=300_000)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--only-import", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stage:
        run_stage(args.stage, args.file, args.rdflib_triples, only_import=args.only_import)
        return
    if args.file is None and args.data is None:
        parser.error("name a file, or the folder of test data with --data or GRAPHREC_DATA")
    source = args.file or Path(args.data) / "rdf" / "bookcrossing.nt.xz"
    console = Console()
    with plain_file(source) as path, console.status("measuring …"):
        rows = measure_all(path, args.rdflib_triples, args.rounds)
        rows.append(measure_copies(path, args.copies))
    speeds = {row["name"]: row["triples_per_s"] for row in rows}
    for row in rows:
        peer = "rdflib parse of Turtle" if "Turtle" in row["name"] else "rdflib parse into Graph"
        row["ratio_vs_rdflib"] = round(row["triples_per_s"] / speeds[peer], 2)
    table = Table(*(key.replace("_", " ") for key in rows[-1]), title=f"RDF loading, {source.name}")
    for row in rows:
        table.add_row(
            *(f"{row[key]:,}" if not isinstance(row.get(key, ""), str) else row.get(key, "") for key in rows[-1])
        )
    console.print(table)
    if args.json:
        settings = {
            "file": source.name,
            "rounds": args.rounds,
            "rdflib_triples": args.rdflib_triples,
            "copies": args.copies,
        }
        write_json(args.json, "rdf_load", settings, rows, packages=("rdflib", "pyoxigraph", "torch", "torch-geometric"))


if __name__ == "__main__":
    main()
