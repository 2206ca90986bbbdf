"""Sequence channels in the leave-last protocol: each alone, and what they add to the classic channels.

    python -m benchmarks.sequences [--data DIR] [--json FILE] [--set NAME ...] [--protocol NAME ...]
                                   [--channels NAME ...] [--alone] [--attributes] [--settings JSON] [--online]
                                   [--out DIR]

Of each user's items the last is the test and the last but one validation, by which settings and fusion weights are
chosen. In the protocol ``history`` the validation item is in the history of the test and in nothing that is learned; in
``learned`` all channels are fitted again with it. Full ranking, items of the history left out. ``--alone`` leaves out
the classic channels and what is merged; ``--settings`` puts settings of channels in the place of those that stand
here: ``{"sasrec": {"epochs": 10}}``. ``--attributes`` gives the items of Beauty their categories and brands: sequence
channels read them beside the ids, and ``tag`` and ``kg-neighbours`` join the classic channels. What the merged list
loses without a channel is told with a paired bootstrap interval over users. ``--online`` measures
encoder and search over 100,000 items, one history of 50 events at a time, on one thread; the processor's time beside
the clock's tells a busy machine from a slow channel.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.harness import request_times, write_json
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.lists import item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.models.deep.sasrec import SASRec
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.progress import Shown, Steps

Channels = Mapping[str, Mapping[str, Any]]

SEED = 0
CUTOFFS = {"beauty": [10, 50], "ml-latest-small": [10, 200], "goodbooks": [10, 200]}
CLASSIC: Channels = {
    "hot": {}, "item-cf": {}, "user-cf": {}, "swing": {}, "rp3beta": {}, "ease": {}, "als": {"dim": 64},
}  # fmt: skip
# Without training: tables of the classic channels, asked by the newest two items alone.
TRIGGERS: Channels = {
    f"{recipe}-session": {"recipe": recipe, "last": 2, "half_life": 1.0} for recipe in ("item-cf", "swing")
}
# What reads the attributes of items.
BY_ATTRIBUTES: Channels = {"tag": {}, "kg-neighbours": {}}
# Transformers as they are by default; of the others means of weights stand in for a falling learning rate: the horizon
# is far, and validation users say where to stop.
_PLAIN = {"averaged": 5.0, "weight_decay": 0.1, "epochs": 400, "patience": 4, "check_every": 4}
SEQUENCES: Channels = {"sasrec": {}, "bert4rec": {}, **dict.fromkeys(("youtube-dnn", "gru4rec"), _PLAIN)}
# What others report on Beauty, leave-last, full ranking, validation item in the history alone: HR@10 and NDCG@10.
PUBLISHED = {
    "eSASRec": (0.0928, 0.0523),
    "SASRec, sampled softmax": (0.0921, 0.0531),
    "BARGE": (0.0927, 0.0547),
    "CBiT": (0.0905, 0.0537),
    "BSARec": (0.1008, 0.0611),
    "HSTU": (0.0788, 0.0439),
    "TIGER": (0.0648, 0.0384),
}


def events_of(name: str, root: Path) -> Iterator[tuple[str, str, int]]:
    """Yield user, item and moment of each event of a set."""
    if name == "beauty":  # without times: the order of a line stands for them
        with (root / "s3rec" / "Beauty.txt").open(encoding="utf-8") as lines:
            for line in lines:
                user, *items = line.split()
                yield from ((user, item, place) for place, item in enumerate(items))
        return
    path = {"ml-latest-small": "ml-latest-small/ratings.csv", "goodbooks": "goodbooks/ratings_sample.csv"}[name]
    with (root / path).open(encoding="utf-8") as lines:
        next(lines)
        for place, line in enumerate(lines):
            user, item, _, *moment = line.rstrip().split(",")
            yield user, item, int(moment[0]) if moment else place


def attributes_of(root: Path) -> dict[str, list[str]]:
    """Return the categories and brands of Beauty's items, by numbers that mean nothing else."""
    known = json.loads((root / "s3rec" / "Beauty_item2attributes.json").read_text(encoding="utf-8"))
    return {item: [str(number) for number in numbers] for item, numbers in known.items()}


def run(
    name: str, root: Path, protocol: str, sequences: Channels, steps: Steps, *, alone: bool, attributes: bool,
    out: Path | None = None,
) -> list[Any]:  # fmt: skip
    """Return a row a channel, and unless it is ``alone`` one of the classic channels merged, and one of all.

    Fitted channels are kept in ``out``, and taken from there.
    """
    classic = {**CLASSIC, **(BY_ATTRIBUTES if attributes else {})}
    rows: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "events.csv"
        with table.open("w", encoding="utf-8") as file:
            file.write("user_id,item_id,timestamp\n")
            file.writelines(f"{user},{item},{moment}\n" for user, item, moment in events_of(name, root))
        data: dict[str, Any] = {"interactions": {"path": str(table)}}
        if attributes:
            data["items"] = {"path": str(_items_table(root, Path(folder))), "relations": ["attribute"]}
        runs: dict[str, Channels] = (
            {"": sequences}
            if alone
            else {"classic channels, merged": classic, "all, merged": {**classic, **TRIGGERS, **sequences}}
        )
        for merged, channels in runs.items():
            config = _config(name, data, protocol, channels)
            report = evaluate(config, out or Path(folder) / "out", steps=steps).to_dict()
            if merged:
                figures = _figures(report["fused"], CUTOFFS[name])
                rows.append({"set": name, "protocol": protocol, "name": merged, **figures})
        for channel, row in report["channels"].items():
            figures = {**_figures(row, CUTOFFS[name]), "fit_s": row["fit_s"]}
            gains = {} if alone else {f"marginal_recall@{k}": row[f"marginal_recall@{k}"] for k in CUTOFFS[name]}
            rows.append({"set": name, "protocol": protocol, "name": channel, **figures, **gains})
    return rows


def _items_table(root: Path, folder: Path) -> Path:
    """Write the attributes of items, as tags and as nodes of the graph."""
    table = folder / "items.csv"
    with table.open("w", encoding="utf-8") as file:
        file.write("item_id,tags,attribute\n")
        for item, attributes in attributes_of(root).items():
            file.write(f"{item},{'|'.join(attributes)},{'|'.join(attributes)}\n")
    return table


def _config(name: str, data: dict[str, Any], protocol: str, channels: Channels) -> dict[str, Any]:
    return {
        "name": name,
        "seed": SEED,
        "data": data,
        "split": {"kind": "leave-last", "validation": protocol},
        "channels": channels,
        "fusion": {"kind": "boosted", "cutoffs": CUTOFFS[name]},
        "evaluate": {"k": CUTOFFS[name], "bootstrap_rounds": 200},
    }


def _figures(row: dict[str, Any], cutoffs: list[int]) -> dict[str, float]:
    return {f"{metric}@{k}": row[f"{metric}@{k}"] for k in cutoffs for metric in ("hit_rate", "ndcg", "recall")}


def online(n_items: int = 100_000, n_queries: int = 300) -> dict[str, Any]:
    """Return milliseconds of a request: a history of 50 events, encoded and searched for, on one thread."""
    rng = np.random.default_rng(SEED)
    users = np.repeat(np.arange(n_items // 5), 5)
    items = rng.permutation(n_items)
    names = Vocabulary([str(row) for row in range(n_items)])
    data = RecallData(
        Vocabulary([f"u{row}" for row in range(n_items // 5)]), names,
        Interactions(users, items, n_users=n_items // 5, n_items=n_items), items_only(names),
    )  # fmt: skip
    # As it is drawn at first: of vectors without leading directions a sketch is least use, so this is the slowest case.
    recipe, context = SASRec(start="random"), FitContext(seed=SEED)
    channel = recipe._channel(data, recipe._task(data, context).learnt(), context)
    asked = [Queries([-1], item_lists([rng.integers(0, n_items, 50).tolist()])) for _ in range(n_queries)]
    return {"name": f"sasrec, {n_items:,} items, histories of 50", **request_times(channel, asked, 200)}


def show(name: str, protocol: str, rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title=f"{name}, validation items {protocol}", title_justify="left")
    least, most = CUTOFFS[name]
    heads = {f"HR@{least}": f"hit_rate@{least}", f"NDCG@{least}": f"ndcg@{least}", f"R@{most}": f"recall@{most}"}
    for head in ("channel", *heads, f"gain R@{most}", "fit s"):
        shown.add_column(head, justify="left" if head == "channel" else "right", no_wrap=True)
    for row in rows:
        fit = f"{row['fit_s']:.0f}" if "fit_s" in row else ""
        gain = row.get(f"marginal_recall@{most}")
        points = "" if gain is None else "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * x for x in gain))
        shown.add_row(row["name"], *(f"{row[key]:.4f}" for key in heads.values()), points, fit)
    for published, (hits, ndcg) in PUBLISHED.items() if (name, protocol) == ("beauty", "history") else ():
        shown.add_row(f"published: {published}", f"{hits:.4f}", f"{ndcg:.4f}")
    return shown


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="*", choices=list(CUTOFFS), default=list(CUTOFFS))
    parser.add_argument("--protocol", nargs="+", choices=["history", "learned"], default=["history", "learned"])
    parser.add_argument("--channels", nargs="+", choices=list(SEQUENCES), default=list(SEQUENCES))
    parser.add_argument("--alone", action="store_true", help="the sequence channels by themselves")
    parser.add_argument("--attributes", action="store_true", help="items of Beauty with their categories and brands")
    parser.add_argument("--settings", type=json.loads, default={}, help="JSON: settings by channel")
    parser.add_argument("--out", type=Path, help="folder that keeps fitted channels for the next run")
    parser.add_argument("--online", action="store_true")
    arguments = parser.parse_args()
    if arguments.data is None and arguments.set:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    if arguments.attributes and arguments.set != ["beauty"]:
        parser.error("attributes are there for --set beauty alone")
    sequences = {name: {**SEQUENCES[name], **arguments.settings.get(name, {})} for name in arguments.channels}
    rows: list[dict[str, Any]] = []
    for name in arguments.set:
        for protocol in arguments.protocol:
            steps = Shown(Console(stderr=True))
            made = run(
                name, Path(arguments.data), protocol, sequences, steps,
                alone=arguments.alone, attributes=arguments.attributes, out=arguments.out,
            )  # fmt: skip
            rows += made
            Console(width=112).print(show(name, protocol, made))
    if arguments.online:
        rows.append(online())
        Console().print(rows[-1])
    if arguments.json is not None:
        described = {
            "seed": SEED,
            "classic": CLASSIC,
            "triggers": TRIGGERS,
            "sequences": sequences,
            "attributes": arguments.attributes,
            "published_beauty": PUBLISHED,
        }
        write_json(arguments.json, "sequences", described, rows, packages=("torch", "onnxruntime"))


if __name__ == "__main__":
    main()
