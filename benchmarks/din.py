"""DIN as recall: what attention over a tower's candidates, and the tower alone, lose against scoring all items.

    python -m benchmarks.din [--data DIR] [--json FILE] [--set NAME] [--epochs N] [--dim N]

Leave-last in the strict protocol: learnt from all but the last two items of each user, the validation item is in the
history at the test. One net is trained; the same net then scores every item of the catalogue, or those alone that its
tower puts first, and the tower also answers by itself. A second training, without distillation, tells what the tower
owes to the net. ``overlap@200`` is the share of the exhaustive list's first 200 items; items of the history are left
out. Milliseconds are the processor's, of single requests on one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.sequences import events_of
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.sequences import sequences
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.models.deep.din import DIN
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.target_attention import TargetAttentionRecaller
from graphrec.threads import at_most

SEED, K, USERS = 0, 200, 3000
CANDIDATES = (200, 500, 1000, 2000)


def split(name: str, root: Path) -> tuple[RecallData, Queries, np.ndarray[Any, Any]]:
    """Return what is learnt from, some users with all but their last item as history, and those last items."""
    users, items, moments = zip(*events_of(name, root), strict=True)
    known = Vocabulary(sorted(set(users))), Vocabulary(sorted(set(items)))
    rows, columns = known[0].rows(list(users)), known[1].rows(list(items))
    order = np.lexsort((np.arange(len(rows)), np.array(moments), rows))
    events = Interactions(
        rows[order], columns[order], times=np.array(moments)[order], n_users=len(known[0]), n_items=len(known[1])
    )
    ends = np.searchsorted(events.users, np.arange(len(known[0])), side="right")
    behind = ends[events.users] - 1 - np.arange(len(events))
    chosen = np.random.default_rng(SEED).permutation(len(known[0]))[:USERS]
    data = RecallData(*known, take(events, behind >= 2), items_only(known[1]))
    every = Queries(np.arange(len(known[0])), sequences(take(events, behind >= 1)))
    return data, take_queries(every, chosen), events.items[ends[chosen] - 1]


def row_of(
    name: str, channel: Recaller, queries: Queries, truth: np.ndarray[Any, Any], whole: ItemLists | None
) -> tuple[dict[str, Any], ItemLists]:
    """Return the figures of a channel, and its lists."""
    allowed = np.ones(channel.n_items, dtype=np.bool_)  # type: ignore[attr-defined]
    lists = recall_allowed(channel, queries, K, exclude=queries.history, allowed=allowed)
    owners = np.repeat(np.arange(len(lists)), lists.lengths)
    ranks = np.arange(len(owners)) - lists.indptr[owners]
    hits = ranks[lists.items == truth[owners]]
    figures = {f"recall@{k}": float((hits < k).sum() / len(truth)) for k in (10, 50, K)}
    figures["ndcg@10"] = float((1 / np.log2(hits[hits < 10] + 2)).sum() / len(truth))
    if whole is not None:
        same = [np.isin(a, b).mean() for (a, _), (b, _) in zip(whole, lists, strict=True)]
        figures[f"overlap@{K}"] = float(np.mean(same))
    with at_most(1):
        started = time.thread_time()
        for place in range(30):
            own = take_lists(queries.history, [place])
            recall_allowed(channel, take_queries(queries, [place]), K, exclude=own, allowed=allowed)
        figures["request_cpu_ms"] = 1000 * (time.thread_time() - started) / 30
    return {"name": name, **figures}, lists


def run(name: str, root: Path, recipe: DIN) -> list[dict[str, Any]]:
    """Return the rows of a set."""
    data, queries, truth = split(name, root)
    context = FitContext(seed=SEED)
    learnt, _ = recipe._task(data, context).run(context)
    channel = recipe._channel(data, learnt, context)
    assert isinstance(channel, TargetAttentionRecaller)
    first, whole = row_of("net over all items", replace(channel, candidates=len(data.items)), queries, truth, None)
    rows = [first]
    for n in CANDIDATES:
        rows.append(row_of(f"net over {n:,} candidates", replace(channel, candidates=n), queries, truth, whole)[0])
    alone = replace(recipe, serve="interests")
    rows.append(row_of("tower, distilled", alone._channel(data, learnt, context), queries, truth, whole)[0])
    plain = replace(alone, distillation=0.0).fit(data, context)
    rows.append(row_of("tower, without distillation", plain, queries, truth, whole)[0])
    return [{"set": name, **row} for row in rows]


def show(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    heads = ("recall@10", "ndcg@10", "recall@50", f"recall@{K}", f"overlap@{K}")
    shown = Table(title=rows[0]["set"], title_justify="left")
    for head in ("served by", *heads, "ms"):
        shown.add_column(head, justify="left" if head == "served by" else "right", no_wrap=True)
    for row in rows:
        figures = ("" if head not in row else f"{row[head]:.4f}" for head in heads)
        shown.add_row(row["name"], *figures, f"{row['request_cpu_ms']:.1f}")
    return shown


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="+", choices=["beauty", "ml-latest-small"], default=["ml-latest-small"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--dim", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    settings = {"dim": arguments.dim, "epochs": arguments.epochs, "dropout": 0.3, "negatives": 512}
    rows: list[dict[str, Any]] = []
    for name in arguments.set:
        made = run(name, Path(arguments.data), DIN(**settings))
        Console(width=112).print(show(made))
        rows += made
    if arguments.json is not None:
        described = {"seed": SEED, "users": USERS, **settings}
        write_json(arguments.json, "din", described, rows, packages=("torch", "onnxruntime"))


if __name__ == "__main__":
    main()
