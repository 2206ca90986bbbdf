"""How long a program waits for its imports: the face, the engine, and the libraries that they stand on.

    python -m benchmarks.imports [--rounds 15] [--json FILE]

Each statement runs in a new interpreter whose files are in the page cache and compiled, into a folder of this run:
where PYTHONDONTWRITEBYTECODE is set, they would be compiled each time. Rounds take the statements in
turn, so that a busy spell meets all alike. What the bare interpreter takes is subtracted. The least of the rounds is
what the work takes; the median is what a busy machine makes of it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import write_json

STATEMENTS = {
    "python": "pass",
    "import graphrec": "import graphrec",
    "from graphrec import Engine": "from graphrec import Engine",
    "from graphrec import ItemCF": "from graphrec import ItemCF",
    "import numpy": "import numpy",
    "import numpy, numba": "import numpy, numba",
    "import numpy, numba, scipy.sparse, pyarrow.compute": "import numpy, numba, scipy.sparse, pyarrow.compute",
}


def spent(statement: str, compiled: str) -> tuple[float, float]:
    """Return wall and processor milliseconds of an interpreter that runs one statement; bytecode goes to a folder."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall * 1e3, processor * 1e3


def main() -> None:
    """Measure, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as compiled:
        for statement in STATEMENTS.values():
            spent(statement, compiled)  # compiled and cached
        rounds = [{name: spent(code, compiled) for name, code in STATEMENTS.items()} for _ in range(arguments.rounds)]
    results = []
    bare = [min(taken["python"][part] for taken in rounds) for part in (0, 1)]
    for name in list(STATEMENTS)[1:]:
        wall, processor = zip(*(taken[name] for taken in rounds), strict=True)
        median = statistics.median(taken[name][0] - taken["python"][0] for taken in rounds)
        results.append(
            {
                "name": name,
                "least_ms": round(min(wall) - bare[0]),
                "median_ms": round(median),
                "least_processor_ms": round(min(processor) - bare[1]),
            }
        )
        print(results[-1])
    if arguments.json is not None:
        settings = {"rounds": arguments.rounds, "interpreter_ms": round(bare[0])}
        write_json(arguments.json, "imports", settings, results)


if __name__ == "__main__":
    main()
