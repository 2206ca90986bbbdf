"""From a fresh clone to the final table: `make demo`, installation included.

    python -m benchmarks.demo [--json FILE]

Clones the repository that holds this file into a temporary directory and runs `make setup`, then `make demo`, there.
Peak memory is the largest resident set of any one process. The package index is whatever pip is configured to use.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import write_json

ROOT = Path(__file__).resolve().parent.parent


def timed(target: str, clone: Path) -> tuple[float, float]:
    """Run one make target; return wall seconds and the peak memory of processes so far, in MB."""
    started = time.perf_counter()
    subprocess.run(["make", target, f"PYTHON={sys.executable}"], cwd=clone, check=True)
    took = time.perf_counter() - started
    return took, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    """Clone, run, print, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        clone = Path(directory) / "graphrec"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        results = []
        for target in ("setup", "demo"):
            seconds, peak = timed(target, clone)
            results.append({"name": f"make {target}", "wall_s": round(seconds, 1), "peak_mb": round(peak)})
            print(results[-1])
    total = sum(float(str(row["wall_s"])) for row in results)
    results.append({"name": "fresh clone to final table", "wall_s": round(total, 1), "peak_mb": results[-1]["peak_mb"]})
    print(results[-1])
    if arguments.json is not None:
        write_json(arguments.json, "demo", {"commands": ["make setup", "make demo"]}, results)


if __name__ == "__main__":
    main()
