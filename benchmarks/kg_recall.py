"""What each channel of the knowledge graph recalls alone, and what it adds to the classic channels, on three data sets.

    python -m benchmarks.kg_recall --data DIR [--only NAME ...] [--fusion KIND] [--validation] [--max-users N]
                                  [--others NAME] [--settings JSON] [--json FILE]

Amazon Beauty (split of PGPR, all relations), goodbooks (random 80/20) and MovieLens-1M with DBpedia (split of CoLaKG,
linked by its table; entities of a dump without a label or type). ``DIR`` (or the variable GRAPHREC_DATA) holds the test
data. The other channels are hot, item-cf, user-cf, swing, rp3beta and als, or with ``--others all`` the others of
goodbooks' ``all-channels.toml``, of which tag and node2vec read the graph, too (``events``: the others of them); those
of the graph kg-neighbours, kg-paths, preference-walk and pixie, all with their defaults, merged by calibrated or
boosted scores. Weights of paths and scores are learned on a validation part of train; the test part is read once
(``--validation``: not at all, a part of train is held out in its place). A row a channel; of those of the graph, what
the list merged with the others gains, then by kg-neighbours and kg-paths ("pair"), and last by all four: overall, for
items of the tail and with 0, 1-2 and 3-5 training events, with 95 % bootstrap intervals over users. Boosted scores look
at what the graph has near an item where one of its channels answers: it counts as gained by these. ``tail_recall`` is
a mean over users, ``tail_share`` one over all true items of the tail, as in reports. Beside them what the check of
relations says of each: ``derived`` relations are made of events.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console

from benchmarks.harness import write_json
from benchmarks.kg_paths_quality import GRAPHS, PRODUCT, STRATA, write_tables
from graphrec.contracts.panel import take_panel
from graphrec.data.lists import ItemLists
from graphrec.evaluation.bootstrap import paired_bootstrap
from graphrec.evaluation.held_out import held_out_panel, sample_users
from graphrec.evaluation.metrics import rank_metrics
from graphrec.graph.derived import check_relations
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.evaluation.accumulator import popularity_strata
from graphrec.pipelines.evaluation.panel_lists import ask_all, merged, of_channels
from graphrec.pipelines.jobs.choosing import choose, scaled_to
from graphrec.pipelines.jobs.fitting import fit_channels
from graphrec.pipelines.jobs.splitting import divide, inner_section
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown
from graphrec.pipelines.registry.datasets import datasets_directory

CLASSIC = ("hot", "item-cf", "user-cf", "swing", "rp3beta", "als")
EVENTS = (*CLASSIC, "ease", "gf-cf", "turbo-cf", "bspm", "cheby-cf", "lightgcn")
OTHERS = {"classic": CLASSIC, "events": EVENTS, "all": (*EVENTS, "tag", "node2vec")}
PAIR = ("kg-neighbours", "kg-paths")
KG = (*PAIR, "preference-walk", "pixie")
DBPEDIA = (
    "subject", "starring", "writer", "producer", "musicComposer", "director", "distributor", "cinematography",
    "editing", "language", "country", "basedOn",
)  # fmt: skip
SEED = 7
Mask = npt.NDArray[np.bool_]


class World(NamedTuple):
    """A data set: its ``[data]`` and ``[catalogue]``, how it is split, and where lists are cut."""

    data: Mapping[str, Any]
    split: Mapping[str, Any]
    k: int
    ordered: bool
    catalogue: Mapping[str, Any] = {}


def beauty(root: Path, folder: Path) -> World:
    """Return Amazon Beauty with all relations, those that are made of events among them."""
    write_tables(root, folder)
    knowledge = {
        "paths": [str(root / "rdf" / "amazon-beauty-kg.nt.xz")],
        "link": {"table": str(folder / "links.csv")},
        "relations": list(GRAPHS["all"]),
    }
    events = {"path": str(folder / "train.csv"), "test_path": str(folder / "test.csv")}
    data = {"interactions": events, "knowledge": knowledge}
    return World(data, {"kind": "given"}, 10, ordered=False, catalogue={"derived": list(PRODUCT)})


def goodbooks(root: Path, folder: Path) -> World:  # noqa: ARG001 - the books are bundled
    """Return the bundled books with authors, series and genres."""
    books = datasets_directory() / "goodbooks"
    knowledge = {
        "paths": [str(books / "books.ttl.gz")],
        "link": {"template": "https://graphrec.org/goodbooks/book/{id}"},
        "relations": ["author", "isPartOf", "genre"],
        "tags": ["genre"],
    }
    events = {"path": str(books / "ratings.csv.gz"), "columns": {"weight": "rating"}}
    return World(
        {"interactions": events, "knowledge": knowledge}, {"kind": "ratio", "test_share": 0.2}, 200, ordered=True
    )


def movies(root: Path, folder: Path) -> World:
    """Return MovieLens-1M as CoLaKG splits it, with what DBpedia says of its movies."""
    source = root / "colakg-ml-1m"
    for part in ("train", "test"):
        lines = (line.split() for line in (source / f"{part}.txt").read_text(encoding="utf-8").splitlines())
        rows = [(user, item) for user, *items in lines for item in items]
        pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").write_csv(folder / f"{part}.csv")
    table = pl.read_csv(source / "item_links.tsv", separator="\t", quote_char=None, infer_schema=False)
    links = table.select(item_id="item", iri="dbpedia_uri").filter(pl.col("iri").is_not_null() & (pl.col("iri") != ""))
    links.write_csv(folder / "links.csv")
    knowledge = {
        "paths": [str(root / "rdf" / "dbpedia-movies.nt.xz")],
        "link": {"table": str(folder / "links.csv")},
        "relations": list(DBPEDIA),
    }
    events = {"path": str(folder / "train.csv"), "test_path": str(folder / "test.csv")}
    return World({"interactions": events, "knowledge": knowledge}, {"kind": "given"}, 20, ordered=False)


WORLDS: dict[str, Callable[[Path, Path], World]] = {"beauty": beauty, "goodbooks": goodbooks, "movies": movies}


def config_of(name: str, world: World, folder: Path, arguments: argparse.Namespace) -> Config:
    """Return a run of all channels; age counts where histories are ordered."""
    others = OTHERS[arguments.others]
    fusion = {"kind": arguments.fusion, "cutoffs": [world.k], **arguments.settings}
    settings = {} if world.ordered else {"half_life": 0}
    raw = {
        "name": name,
        "seed": 42,
        "data": dict(world.data),
        "catalogue": dict(world.catalogue),
        "split": dict(world.split),
        "channels": {"hot": {}, **{channel: dict(settings) for channel in (*others[1:], *KG)}},
        "fusion": fusion,
        "evaluate": {"k": [world.k]},
    }
    return check_config({key: value for key, value in raw.items() if value}, directory=folder)


def strata_of(counts: npt.NDArray[np.int64]) -> dict[str, Mask]:
    """Return (n_items,) bool by name: all items, the tail, and by the training events that they have."""
    by_events = {f"{name} events": (counts >= low) & (counts <= high) for name, (low, high) in STRATA.items()}
    return {"all": np.ones(len(counts), np.bool_), "tail": popularity_strata(counts) == 2, **by_events}


def recalls(lists: ItemLists, truth: ItemLists, items: Mask, k: int) -> npt.NDArray[np.float64]:
    """Return (n,) Recall@k of the true items among ``items``; NaN for users who have none."""
    owners = np.repeat(np.arange(len(truth)), truth.lengths)
    starts = np.repeat(lists.indptr[:-1], lists.lengths)
    first = np.arange(len(lists.items)) - starts < k
    rows = np.repeat(np.arange(len(lists)), lists.lengths)[first]
    got = np.isin(owners * len(items) + truth.items, rows * len(items) + lists.items[first])
    counts = by_user(items, truth)
    hits = np.bincount(owners, weights=got & items[truth.items], minlength=len(truth))
    return np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)


def by_user(items: Mask, truth: ItemLists) -> npt.NDArray[np.float64]:
    """Return (n,) how many true items are among ``items``."""
    owners = np.repeat(np.arange(len(truth)), truth.lengths)
    return np.bincount(owners, weights=items[truth.items], minlength=len(truth)).astype(np.float64)


def gain(
    after: ItemLists, before: ItemLists, truth: ItemLists, strata: Mapping[str, Mask], k: int, rounds: int
) -> dict[str, list[float]]:
    """Return the gain in Recall@k by stratum with its interval; strata without a true item are left out."""
    gains = {}
    for name, items in strata.items():
        values = {"with": recalls(after, truth, items, k), "without": recalls(before, truth, items, k)}
        known = ~np.isnan(values["with"])
        if known.any():
            paired = {side: recall[known] for side, recall in values.items()}
            interval = paired_bootstrap(paired, rounds=rounds, seed=0).interval("with", minus="without")
            gains[name] = [interval.estimate, interval.low, interval.high]
    return gains


def measure(
    name: str, root: Path, folder: Path, arguments: argparse.Namespace, console: Console
) -> list[dict[str, Any]]:
    """Return the rows of a data set."""
    world, shown, rounds = WORLDS[name](root, folder), Shown(console), arguments.bootstrap
    config = config_of(name, world, folder, arguments)
    _, split, data = prepare(config, rejects=None, steps=shown)
    if arguments.validation:
        split, data = divide(config, data, inner_section(config.settings.split), seed=SEED)
    checks = check_relations(data.catalogue, data.interactions, split.test, seed=SEED)
    chosen = choose(config, data, shown)
    fitted = fit_channels(chosen.config, data, shown)
    chosen = scaled_to(chosen, fitted.channels, data, shown)
    panel = held_out_panel(data, split.test).panel
    panel = take_panel(panel, sample_users(np.arange(len(panel), dtype=np.int32), arguments.max_users, seed=SEED))
    answers = ask_all(fitted.channels, panel, chosen.fusion.channel_depth(world.k))
    strata = strata_of(np.bincount(data.interactions.items, minlength=len(data.items)))

    def fused(names: Sequence[str]) -> ItemLists:
        return merged(of_channels(answers, names), chosen.fusion, world.k)

    others = OTHERS[arguments.others]
    added: dict[str, tuple[str, ...]] = {"classic": (), "classic+pair": PAIR, "classic+kg": KG} | {
        name: (name,) for name in KG
    }
    lists = {**answers.lists, **{name: fused((*others, *added[name])) for name in added if name not in KG}}
    rows: list[dict[str, Any]] = []
    for channel, part in lists.items():
        metrics = rank_metrics(part, panel.truth, world.k)
        row = {"name": f"{name}/{channel}", "data": name, "channel": channel, "k": world.k, "users": len(panel)}
        row |= {"recall": float(metrics.recall.mean()), "ndcg": float(metrics.ndcg.mean())}
        tail, n_tail = recalls(part, panel.truth, strata["tail"], world.k), by_user(strata["tail"], panel.truth)
        row["tail_recall"] = float(np.nanmean(tail))
        row["tail_share"] = float(np.nansum(tail * n_tail) / n_tail.sum())
        row |= {"fit_s": fitted.fit_s.get(channel), "chosen": chosen.settings.get(channel)}
        if added.get(channel):
            after = fused((*others, *added[channel]))
            row["gain"] = gain(after, lists["classic"], panel.truth, strata, world.k, rounds)
        rows.append(row)
        console.print(row)
    rows.append(
        {"name": f"{name}/relations", "data": name, "relations": [dataclasses.asdict(check) for check in checks]}
    )
    return rows


def main() -> None:
    """Run the data sets, print the rows, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--only", nargs="+", choices=list(WORLDS), default=list(WORLDS))
    parser.add_argument("--fusion", choices=("calibrated", "boosted"), default="calibrated")
    parser.add_argument("--others", choices=list(OTHERS), default="classic")
    parser.add_argument("--settings", type=json.loads, default={}, help="of the fusion, as JSON")
    parser.add_argument("--max-users", type=int, default=5000)
    parser.add_argument("--validation", action="store_true", help="measure on a part of train; no test event is read")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bootstrap", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data, or the variable GRAPHREC_DATA, must name the folder that holds all test data")
    console, results = Console(width=200), []
    settings = {
        "max_users": arguments.max_users,
        "bootstrap_rounds": arguments.bootstrap,
        "fusion": arguments.fusion,
        "others": OTHERS[arguments.others],
        "fusion_settings": arguments.settings,
        "part": "validation" if arguments.validation else "test",
    }
    for name in arguments.only:
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(arguments.data).absolute()
            results += measure(name, root, Path(scratch), arguments, console)
        if arguments.json is not None:  # after each data set: a run that is cut off still counts
            write_json(arguments.json, "kg_recall", settings, results)


if __name__ == "__main__":
    main()
