"""``python -m graphrec.pipelines.registry.goodbooks --from DIR --out datasets/goodbooks``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from graphrec.errors import GraphRecError

from ...terminal import note, print_json
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
        note(str(error))
        return 2
    print_json(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
