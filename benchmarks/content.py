"""How fast texts and pictures become vectors: real titles, repeated with numbers to 100,000, on one thread.

Rows: seconds of the processor and by the clock for the default model (``wordllama``), titles alone; a sentence searched
in such a catalogue, median; and pictures of EfficientNet-Lite0 by ONNX. Times by the clock depend on what else runs.

    python -m benchmarks.content [--titles 100000] [--json FILE]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.index.build import build_index
from graphrec.models.content.efficientnet import export_efficientnet
from graphrec.models.content.pictures import SIDE
from graphrec.models.content.weighting import token_weights
from graphrec.models.content.weights import read_text_model
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.sentences import SentenceEncoder, TokenTable

from .harness import write_json
from .kg_cold import goodbooks

PICTURES, SENTENCES = 32, 200


def titles(n: int) -> list[str]:
    """Return ``n`` titles: goodbooks' own, again and again, told apart by the number of a volume."""
    data = goodbooks(Path())
    own = [title or "" for title in data.catalogue.labels[: len(data.items)].to_pylist()]
    return [f"{own[row % len(own)]}, volume {row // len(own)}" for row in range(n)]


def text_rows(n: int) -> list[dict[str, Any]]:
    """Return how long ``n`` titles take, weights learnt of them included, and a sentence among them."""
    texts = titles(n)
    tokenizer, model = read_text_model("wordllama")
    if not isinstance(model, TokenTable):
        raise TypeError("wordllama is a table of tokens")
    wall, processor = time.perf_counter(), time.process_time()
    plain = SentenceEncoder(tokenizer, model)
    weights = token_weights(plain.token_ids(texts), len(model.matrix), "tf-idf", 1e-3)
    encoder = SentenceEncoder(tokenizer, TokenTable(model.matrix, weights))
    vectors = encoder.vectors(texts)
    row = {
        "name": f"{n} titles, wordllama",
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - processor,
    }
    index, took = build_index(vectors, "quantised", "cosine", seed=0), []
    for text in texts[:SENTENCES]:
        started = time.process_time()
        index.search(encoder.vectors([text]), 20)
        took.append((time.process_time() - started) * 1e3)
    return [row, {"name": f"a sentence among {n} titles", "cpu_ms_median": float(np.median(took[1:]))}]


def picture_row() -> dict[str, Any]:
    """Return how long a picture takes."""
    network = OnnxTower(export_efficientnet())
    pictures = np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), dtype=np.uint8)
    network({"pictures": pictures})
    started = time.process_time()
    for _ in range(PICTURES // 8):
        network({"pictures": pictures})
    return {"name": "a picture, efficientnet-lite0", "cpu_ms": (time.process_time() - started) * 1e3 / PICTURES}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not read: the titles are those of the bundled books")
    parser.add_argument("--titles", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = [*text_rows(arguments.titles), picture_row()]
    for row in results:
        print("  ".join(f"{key} {value:.2f}" if isinstance(value, float) else str(value) for key, value in row.items()))
    if arguments.json:
        packages = ("tokenizers", "wordllama", "onnxruntime")
        write_json(arguments.json, "content", {"titles": arguments.titles, "threads": 1}, results, packages=packages)


if __name__ == "__main__":
    main()
