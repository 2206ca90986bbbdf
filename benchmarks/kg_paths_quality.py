"""What paths through a knowledge graph add to the classic channels, on the Beauty split of PGPR, top 10.

    python -m benchmarks.kg_paths_quality --data DIR [--graphs NAME ...] [--fusion KIND] [--mined] [--more NAME ...]
                                          [--validation] [--json FILE]

``DIR`` (or the variable GRAPHREC_DATA) holds ``amazon-beauty-kg`` and ``rdf/amazon-beauty-kg.nt.xz``, of which
``purchase`` is left out; also_bought, also_viewed and bought_together, which the check of relations finds to be made of
interactions, are kept. Channels: hot, item-cf, user-cf, swing, rp3beta, als of 256 dimensions, kg-neighbours and
kg-paths, and those that ``--more`` names, none of which looks at the order of a history (``kg-paths-hetesim``: the same
paths by the other score, with weights of their own), merged by calibrated or boosted scores. Weights of paths and of
channels are learned on a validation part of train; the test part is read once, at the end (``--validation``: not at
all, a part of train is held out in its place). A row a channel, one for the list merged of all, and one for what it
gains by each KG channel and by all of them (and by what boosted scores see of the graph, which goes with the last),
overall and for true items with 0, 1-2 and 3-5 training events.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console

from benchmarks.harness import write_json
from graphrec.data.lists import ItemLists
from graphrec.evaluation.bootstrap import paired_bootstrap
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.evaluation.panel_lists import PanelLists, ask_all, merged, of_channels
from graphrec.pipelines.jobs.choosing import choose, scaled_to
from graphrec.pipelines.jobs.fitting import fit_channels
from graphrec.pipelines.jobs.splitting import divide, inner_section
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown

K, SEED = 10, 7
KG = ("kg-neighbours", "kg-paths", "kg-paths-hetesim", "preference-walk", "pixie", "kge")
SHARED = "{0}/^{0}"
CO = "^interacts/interacts"
PRODUCT = ("also_bought", "also_viewed", "bought_together")
GRAPHS: dict[str, tuple[str, ...]] = {
    "all": (*PRODUCT, "produced_by", "belongs_to"),
    "brand-category": ("produced_by", "belongs_to"),
}
FUSIONS: dict[str, dict[str, Any]] = {
    "calibrated": {"kind": "calibrated"},
    "boosted": {"kind": "boosted", "cutoffs": [K]},
}
# True items by the training events that they have.
STRATA = {"0": (0, 0), "1-2": (1, 2), "3-5": (3, 5)}


def paths(relations: Sequence[str]) -> list[str]:
    """Return candidates: what two items share, edges between items, and these before items that users took together."""
    shared = [SHARED.format(relation) for relation in relations]
    edges = [relation for relation in relations if relation in PRODUCT]
    crossed = ["also_bought/^also_viewed", "also_viewed/^also_bought"] if "also_bought" in relations else []
    long = [f"{path}/{path}" for path in shared] + [f"{path}/{CO}" for path in shared]
    return [*shared, *crossed, *edges, *(f"^{edge}" for edge in edges), CO, f"{CO}/{CO}", *long]


def write_tables(data: Path, folder: Path) -> None:
    """Write the events and the links of items as tables, with the ids of the knowledge graph."""
    names: dict[str, str] = {}
    with gzip.open(data / "amazon-beauty-kg" / "cafe_kg_entities.txt.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            _, name, value = line.rstrip("\n").split("\t")[:3]
            if name.startswith(("product_", "user_")):
                names[name] = value
    for part in ("train", "test"):
        rows = []
        with gzip.open(data / "amazon-beauty-kg" / f"cafe_{part}_labels.txt.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                user, *items = line.split()
                rows += [(names[f"user_{user}"], names[f"product_{item}"]) for item in items]
        pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").write_csv(folder / f"{part}.csv")
    items = [value for name, value in names.items() if name.startswith("product_")]
    links = {"item_id": items, "iri": [f"https://www.amazon.com/dp/{item}" for item in items]}
    pl.DataFrame(links).write_csv(folder / "links.csv")


def config_of(
    data: Path,
    folder: Path,
    relations: Sequence[str],
    fusion: str,
    given: Mapping[str, Any] | None = None,
    more: Sequence[str] = (),
) -> Config:
    """Return the run over the relations; ``given`` are settings of kg-paths, ``more`` further channels."""
    plain = {"half_life": 0}
    names = ("item-cf", "user-cf", "swing", "rp3beta", "kg-neighbours")
    learned = {"paths": dict.fromkeys(paths(relations), 1.0)} if given is None else given
    renamed: dict[str, dict[str, Any]] = {"kg-paths-hetesim": {"recipe": "kg-paths", "score": "hetesim", **learned}}
    raw = {
        "name": "Amazon Beauty, PGPR split",
        "data": {
            "interactions": {"path": str(folder / "train.csv"), "test_path": str(folder / "test.csv")},
            "knowledge": {
                "paths": [str(data / "rdf" / "amazon-beauty-kg.nt.xz")],
                "link": {"table": str(folder / "links.csv")},
                "relations": list(relations),
            },
        },
        "catalogue": {"derived": [relation for relation in relations if relation in PRODUCT]},
        "split": {"kind": "given"},
        "channels": {
            "hot": {},
            **dict.fromkeys(names, plain),
            "als": {"dim": 256, **plain},
            "kg-paths": {**learned, **plain},
            **{name: {**renamed.get(name, {}), **plain} for name in more},
        },
        "fusion": FUSIONS[fusion],
        "evaluate": {"k": [K]},
    }
    return check_config(raw, directory=folder)


def recalls(lists: ItemLists, truth: ItemLists, events: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return Recall@K of each user, over all true items and over those of each stratum; NaN without such items."""
    users = np.repeat(np.arange(len(truth)), truth.lengths)
    got = np.isin(users * len(events) + truth.items, _pairs(lists, len(events)))
    result = {"recall": rank_metrics(lists, truth, K).recall}
    for name, (low, high) in STRATA.items():
        among = (events[truth.items] >= low) & (events[truth.items] <= high)
        counts = np.bincount(users, weights=among, minlength=len(truth))
        hits = np.bincount(users, weights=among & got, minlength=len(truth))
        result[f"recall {name} events"] = np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)
    return result


def _pairs(lists: ItemLists, n_items: int) -> npt.NDArray[np.int64]:
    """Return a number for each user and item among the first K of a list."""
    lengths = lists.lengths
    places = np.arange(len(lists.items)) - np.repeat(lists.indptr[:-1], lengths)
    users = np.repeat(np.arange(len(lists)), lengths)
    pairs: npt.NDArray[np.int64] = (users * n_items + lists.items)[places < K]
    return pairs


def gains(answers: PanelLists, fusion: Any, events: npt.NDArray[np.int64], rounds: int) -> list[dict[str, Any]]:
    """Return what the merged list gains by each KG channel and by all, with bootstrap intervals over users."""
    truth = answers.panel.truth
    full = recalls(merged(answers, fusion, K), truth, events)
    rows = []
    graph = tuple(name for name in KG if name in answers.lists)
    for left_out in (*((name,) for name in graph), graph):
        kept = [name for name in answers.lists if name not in left_out]
        without = recalls(merged(of_channels(answers, kept), fusion, K), truth, events)
        row: dict[str, Any] = {"without": "+".join(left_out)}
        for name, values in full.items():
            known = ~np.isnan(values)
            if not known.any():  # such as no true item without events
                continue
            both = paired_bootstrap({"with": values[known], "without": without[name][known]}, rounds=rounds, seed=0)
            interval = both.interval("with", minus="without")
            row |= {f"{name}@{K}": float(values[known].mean()), f"users with {name}": int(known.sum())}
            row[f"gain of {name}@{K}"] = [interval.estimate, interval.low, interval.high]
        rows.append(row)
    return rows


def run(name: str, config: Config, rounds: int, console: Console, *, validation: bool) -> list[dict[str, Any]]:
    """Return the rows of one graph."""
    shown = Shown(console)
    _, split, data = prepare(config, rejects=None, steps=shown)
    if validation:
        split, data = divide(config, data, inner_section(config.settings.split), seed=SEED)
    chosen = choose(config, data, shown)
    fitted = fit_channels(chosen.config, data, shown)
    chosen = scaled_to(chosen, fitted.channels, data, shown)
    panel = held_out_panel(data, split.test).panel
    answers = ask_all(fitted.channels, panel, chosen.fusion.channel_depth(K))
    lists = {**answers.lists, "fused": merged(answers, chosen.fusion, K)}
    rows = []
    for channel, part in lists.items():
        metrics = rank_metrics(part, panel.truth, K)
        row: dict[str, Any] = {"name": f"{name}/{channel}", "graph": name, "channel": channel}
        row |= {f"recall@{K}": float(metrics.recall.mean()), f"ndcg@{K}": float(metrics.ndcg.mean())}
        rows.append({**row, "fit_s": fitted.fit_s.get(channel), "chosen": chosen.settings.get(channel)})
        console.print(rows[-1])
    events = np.bincount(data.interactions.items, minlength=len(data.items))
    for row in gains(answers, chosen.fusion, events, rounds):
        rows.append({"name": f"{name}/fused without {row['without']}", "graph": name, **row})
        console.print(rows[-1])
    return rows


def main() -> None:
    """Run the graphs, print the rows, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--graphs", nargs="+", choices=list(GRAPHS), default=list(GRAPHS))
    parser.add_argument("--fusion", choices=list(FUSIONS), default="calibrated")
    parser.add_argument("--mined", action="store_true", help="mine the paths in place of the list of this script")
    parser.add_argument("--more", nargs="+", default=[], help="further channels, with their defaults")
    parser.add_argument("--validation", action="store_true", help="measure on a part of train; no test event is read")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bootstrap", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data, or the variable GRAPHREC_DATA, must name the folder that holds all test data")
    console, results = Console(width=200), []
    with tempfile.TemporaryDirectory() as scratch:
        write_tables(Path(arguments.data), Path(scratch))
        for name in arguments.graphs:
            given: dict[str, Any] | None = {} if arguments.mined else None
            config = config_of(
                Path(arguments.data), Path(scratch), GRAPHS[name], arguments.fusion, given, arguments.more
            )
            results += run(name, config, arguments.bootstrap, console, validation=arguments.validation)
    if arguments.json is not None:
        settings = {
            "k": K,
            "fusion": FUSIONS[arguments.fusion],
            "mined": arguments.mined,
            "more": arguments.more,
            "part": "validation" if arguments.validation else "test",
            "bootstrap_rounds": arguments.bootstrap,
        }
        write_json(arguments.json, "kg_paths_quality", settings, results)


if __name__ == "__main__":
    main()
