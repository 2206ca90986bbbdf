"""``python -m graphrec.pipelines.registry.goodbooks --from DIR --out datasets/goodbooks``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from graphrec.errors import GraphRecError

from .build import build


def main(arguments: list[str] | None = None) -> int:
    """Write the bundled files and print what they hold as JSON; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m graphrec.pipelines.registry.goodbooks", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the raw goodbooks-10k files")
    parser.add_argument("--out", type=Path, default=Path("datasets/goodbooks"), help="folder to write")
    chosen = parser.parse_args(arguments)
    try:
        counts = build(chosen.source, chosen.out)
    except GraphRecError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(counts, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
