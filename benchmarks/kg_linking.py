"""Linking MovieLens to DBpedia: by a table of links, and by title and year alone.

The table of colakg-ml-1m names a DBpedia IRI for most movies; linkable are those whose IRI is the subject of a
statement of the dump (79,620 real triples, without one label or type). By title and year, nothing of the table but the
title is looked at.

    python -m benchmarks.kg_linking --data DIR [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from graphrec.data.vocabulary import Vocabulary
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.linking import link_by_table
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.title_links import link_by_title

from .harness import write_json


def read(root: Path) -> tuple[KnowledgeGraph, Vocabulary, pl.DataFrame]:
    """Return the graph, the movies, and their titles and IRIs."""
    graph = read_rdf(root / "rdf" / "dbpedia-movies.nt.xz")
    path = root / "colakg-ml-1m" / "item_links.tsv"
    table = pl.read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    return graph, Vocabulary(table["item"].to_list()), table


def row(name: str, found: npt.NDArray[np.int32], truth: npt.NDArray[np.int64], seconds: float) -> dict[str, Any]:
    """Return how many of the linkable movies are linked to their entity, and how many links are right."""
    linkable, judged = truth >= 0, (truth >= 0) & (found >= 0)
    return {
        "name": name,
        "movies": len(truth),
        "linkable": int(linkable.sum()),
        "right": float((found == truth)[linkable].mean()),
        "precision": float((found == truth)[judged].mean()),
        "without_truth": int(((found >= 0) & ~linkable).sum()),
        "seconds": round(seconds, 3),
    }


def measure(root: Path) -> list[dict[str, Any]]:
    """Return a row for each way to link."""
    graph, items, table = read(root)
    iris = table["dbpedia_uri"].fill_null("").to_list()
    truth = graph.entities.rows(iris, missing="mark").astype(np.int64)
    truth[~np.isin(truth, np.unique(graph.triples[:, 0]))] = -1
    started = time.process_time()
    by_table = link_by_table(table, items, graph, item_column="item", iri_column="dbpedia_uri")
    between = time.process_time()
    by_title = link_by_title(items, graph, table["title"].to_list())
    ended = time.process_time()
    return [
        row("by table", by_table.entities, truth, between - started),
        row("by title and year", by_title.entities, truth, ended - between),
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    results = measure(Path(arguments.data))
    for result in results:
        print(
            f"{result['name']:<20} right {result['right']:.2%} of {result['linkable']:,} linkable, "
            f"precision {result['precision']:.2%}, {result['seconds']:.2f} s of a processor"
        )
    if arguments.json:
        write_json(arguments.json, "kg_linking", {"data": "colakg-ml-1m, dbpedia-movies"}, results)


if __name__ == "__main__":
    main()
