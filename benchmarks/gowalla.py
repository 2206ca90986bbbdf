"""Every behaviour channel and their fused list on Gowalla, beside the published table.

    python -m benchmarks.gowalla [--data DIR] [--json FILE] [--channels NAME ... [--alone | --quick]] [--lists FOLDER]

The split of LightGCN (29,858 users, 40,981 items, 810,128 + 217,242 events), full ranking, training items left out;
Recall@20 = hits / held-out items, NDCG@20 with the ideal over min(20, held-out items), means over users.

Test is read once by a run, at its end. The channels' settings were chosen on random validation parts of train
(ChebyCF, BSPM and Turbo-CF have those of their papers), those of LightGCN, PinSage, als-256 and two-tower on one that
is half random and half coherent; the fusion's curves and trees are fitted on the part that is held out here: a fifth of
each user's items, drawn with odds of a power of their counts, for half of the users *coherent*, so that items near the
first one are likelier. For the published test part is no random fifth: popularity alone, the floor of the table, has
Recall@20 .0416 there and .027 on a random fifth of train. That floor is all that the part knows of test. And neighbour
channels lead on a random part, factors on a coherent one; a fusion good on both depends on neither. Before the end the
fusion is told how large the scores of test users' lists are, not what was held out for them.

``--quick`` leaves out what each channel adds to the fused list, for which it is merged once without each.
``--lists`` keeps what each channel returned and takes it from there while its settings, its code and the data stay.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import os
import resource
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.kept_lists import Answer, KeptLists, listed
from graphrec.channels.behaviour.spectrum import item_spectrum
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, coalesce, take
from graphrec.data.lists import ItemLists
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.boosted import Boosted
from graphrec.fusion.fit_boosted import fit_boosted
from graphrec.fusion.heads import Answers
from graphrec.fusion.rrf import Rrf, merging_depth
from graphrec.fusion.settings import Fusion
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.evaluation.evaluate import EvaluationSettings, evaluate
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown, Steps

CUTOFFS = (20, 50, 200)
DEPTH = merging_depth(CUTOFFS[-1])
# What the weights of the fusion maximise.
FUSION_CUTOFFS = (20, 200)
SEED = 0
SHARE = 0.2
# Of the validation part: Recall@20 of hot is .042 there, as on test, and .027 without.
POPULARITY_EXPONENT = 0.2
# A cosine to the first item that is greater by this makes an item e times as likely.
NEARNESS = 0.1
# All there are.
VALIDATION_USERS = 30_000
# The order inside a line is no order of time, so that no channel may let older items count less.
CHANNELS: dict[str, dict[str, Any]] = {
    "hot": {},
    "item-cf": {"k": 100, "user_exponent": 0.5, "item_exponent": 0.25, "half_life": 0.0},
    "user-cf": {
        "neighbours": 300, "user_exponent": 0.6, "item_exponent": 0.5, "target_exponent": 0.2, "half_life": 0.0,
    },
    "swing": {"k": 400, "item_exponent": 0.4, "half_life": 0.0},
    "rp3beta": {"k": 100, "alpha": 0.6, "beta": 0.3, "half_life": 0.0},
    "ease": {"neighbourhood": 300, "regularisation": 30.0, "k": 1000, "half_life": 0.0},
    "gf-cf": {"half_life": 0.0},
    "turbo-cf": {"k": 45_000, "half_life": 0.0},
    "bspm": {"rank": 448, "half_life": 0.0},
    "cheby-cf": {"half_life": 0.0},
    "als": {
        "dim": 1024, "unobserved_weight": 0.02, "regularisation": 0.002, "iterations": 4, "half_life": 0.0,
    },
    # Two more opinions, for the fusion alone: alike in recall, another in what it returns.
    "als-256": {
        "recipe": "als", "dim": 256, "unobserved_weight": 0.02, "regularisation": 0.003, "iterations": 8,
        "half_life": 0.0,
    },
    "als-64": {
        "recipe": "als", "dim": 64, "unobserved_weight": 0.02, "regularisation": 0.003, "iterations": 8,
        "half_life": 0.0,
    },
    "lightgcn": {
        "dim": 256, "batch": 4096, "negatives": 50_000, "temperature": 0.1, "steps": 240, "lr": 0.02,
        "length_exponent": 0.4, "half_life": 0.0,
    },
    "node2vec": {
        "dim": 128, "walks_per_node": 40, "window": 5, "negative": 10, "lr": 0.1, "query": "history",
    },
    "pinsage": {"dim": 128, "batch": 2048, "temperature": 0.1, "half_life": 0.0},
    # Chosen on the validation part of the fusion.
    "two-tower": {
        "dim": 256, "batch": 1024, "lr": 0.02, "epochs": 30, "temperature": 0.1, "length_exponent": 0.25,
        "regularisation": 0.1, "features": False, "half_life": 0.0,
    },
    # From all pairs of items, with the lambda that sisinflab's reproducibility study published for this split.
    "ease-exact": {"recipe": "ease", "regularisation": 15.9, "k": 1000, "half_life": 0.0},
}  # fmt: skip
# All but the one whose fit takes 10 minutes.
TOGETHER = [name for name in CHANNELS if name != "ease-exact"]
# Published Recall@20 and NDCG@20, and what ours must reach.
PUBLISHED: dict[str, tuple[float | None, float | None]] = {
    "item-cf": (0.1570, 0.1214),
    "ease": (0.1765, 0.1467),
    "ease-exact": (0.1765, 0.1467),
    "gf-cf": (0.1849, 0.1518),
    "lightgcn": (0.1830, 0.1554),
    # Item2Vec's, skip-gram over users' histories.
    "node2vec": (0.1326, 0.1057),
    "pinsage": (0.1380, 0.1196),
    # BSL's matrix factorisation.
    "two-tower": (0.1882, 0.1584),
    "turbo-cf": (0.1835, 0.1531),
    "bspm": (0.1920, 0.1597),
    "cheby-cf": (0.1941, 0.1616),
    "fused": (0.1941, 0.1616),
}
REQUIRED: dict[str, tuple[float, float]] = {
    "item-cf": (0.1570, 0.1214),
    "user-cf": (0.184, 0.0),
    "rp3beta": (0.178, 0.0),
    "ease": (0.1765, 0.1467),
    "gf-cf": (0.187, 0.0),
    "lightgcn": (0.1830, 0.1554),
    "node2vec": (0.172, 0.146),
    "pinsage": (0.180, 0.148),
    "two-tower": (0.185, 0.155),
    "turbo-cf": (0.183, 0.0),
    "bspm": (0.190, 0.0),
    "cheby-cf": (0.193, 0.0),
    "fused": (0.1941, 0.1616),
}


def configuration(directory: Path, channels: Sequence[str]) -> Config:
    """Return the run as a configuration."""
    raw = {
        "name": "gowalla",
        "seed": SEED,
        "data": {"interactions": {"path": "train.txt", "test_path": "test.txt", "format": "lists"}},
        "split": {"kind": "given"},
        "channels": {name: CHANNELS[name] for name in channels},
        "evaluate": {"k": list(CUTOFFS)},
    }
    return check_config(raw, directory=directory, name="gowalla")


def validation_part(data: RecallData, *, share: float, seed: int) -> tuple[Interactions, Interactions]:
    """Return train without a ``share`` of each user's items, and that share.

    Items are drawn with odds of a power of their counts; for half of the users the draw is coherent: the odds grow with
    the nearness to the first item drawn. Near are items whose leading eigenvectors of the item graph, weighted by
    eigenvalue, have a high cosine.
    """
    pairs = coalesce(data.interactions)
    spectrum = item_spectrum(data, FitContext(seed=seed), rank=256, weight_exponent=0.0)
    vectors = spectrum.vectors * spectrum.eigenvalues
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    popularity = POPULARITY_EXPONENT * np.log(np.bincount(pairs.items, minlength=pairs.n_items).clip(1))
    ends = np.searchsorted(pairs.users, np.arange(pairs.n_users + 1))
    rng, held = np.random.default_rng(seed), np.zeros(len(pairs), dtype=np.bool_)
    coherent = rng.random(pairs.n_users) < 0.5
    for user, (start, stop) in enumerate(pairwise(ends)):
        n, items = int(stop - start), pairs.items[start:stop]
        wanted = min(int(share * n + 0.5), n - 1)
        if wanted > 0:
            # The largest of log odds + Gumbel noise are a draw without replacement.
            odds = popularity[items] + rng.gumbel(size=n)
            if coherent[user]:
                own = vectors[items]
                odds += own @ own[np.argmax(odds)] / NEARNESS
            held[start + np.argsort(-odds, kind="stable")[:wanted]] = True
    return take(pairs, ~held), take(pairs, held)


def validation_answers(
    config: Config, data: RecallData, steps: Steps, kept: KeptLists
) -> tuple[Answers, ItemLists, npt.NDArray[np.int64]]:
    """Return what channels answer validation users, what was held out for these, and the items' counts beside it."""
    train, rest = validation_part(data, share=SHARE, seed=SEED)
    part = dataclasses.replace(data, interactions=train)
    panel = held_out_panel(part, rest, max_users=VALIDATION_USERS, seed=SEED).panel
    answers = kept.answers(config, part, panel, DEPTH, steps, note=" for validation")
    lists = {name: answer.lists for name, answer in answers.items()}
    return Answers(lists, panel.history), panel.truth, np.bincount(train.items, minlength=len(data.items))


def boost(lists: Mapping[str, ItemLists], truth: ItemLists, counts: npt.NDArray[np.int64]) -> Boosted:
    """Return the boosted fusion of the lists."""
    return fit_boosted(
        lists, truth, cutoffs=FUSION_CUTOFFS, counts=counts, seed=SEED, method="logistic", trees=60, leaves=31,
        network=(96, 48), max_users=VALIDATION_USERS,
    )  # fmt: skip


def quality(lists: ItemLists, truth: ItemLists) -> dict[str, float]:
    """Return Recall and NDCG at 20 and Recall at 200."""
    at_20, at_200 = rank_metrics(lists, truth, 20), rank_metrics(lists, truth, 200)
    return {
        "recall@20": float(np.nanmean(at_20.recall)),
        "ndcg@20": float(np.nanmean(at_20.ndcg)),
        "recall@200": float(np.nanmean(at_200.recall)),
    }


def leaderboard(path: Path) -> list[dict[str, Any]]:
    """Return the published table that lies beside the data, best Recall@20 first."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {"name": row["Model"], "recall@20": float(row["Recall@20"]), "ndcg@20": float(row["NDCG@20"])}
            for row in csv.DictReader(file)
        ]
    return sorted(rows, key=lambda row: -row["recall@20"])


def table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Return the results beside the published figures."""
    shown = Table(title="Gowalla, full ranking, test read once", title_justify="left")
    for name in ("channel", "R@20", "NDCG@20", "published", "R@200", "marginal R@20, points", "fit s", "µs/query"):
        shown.add_column(name, justify="left" if name == "channel" else "right", no_wrap=True)
    for row in results:
        published = row["published_recall@20"], row["published_ndcg@20"]
        beside = " / ".join("-" if figure is None else f"{figure:.4f}" for figure in published)
        gain = row.get("marginal_recall@20")
        shown.add_row(
            row["name"], f"{row['recall@20']:.4f}", f"{row['ndcg@20']:.4f}", beside, f"{row['recall@200']:.4f}",
            "" if gain is None else f"{100 * gain[0]:+.2f} [{100 * gain[1]:+.2f}, {100 * gain[2]:+.2f}]",
            f"{row['fit_s']:.1f}", f"{row['query_us']:,.0f}",
        )  # fmt: skip
    return shown


def failures(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the figures that are below what they must reach."""
    rows = {row["name"]: row for row in results}
    missed = [
        f"{name}: {rows[name]['recall@20']:.4f} / {rows[name]['ndcg@20']:.4f}, must reach {recall:.4f} / {ndcg:.4f}"
        for name, (recall, ndcg) in REQUIRED.items()
        if name in rows and (rows[name]["recall@20"] < recall or rows[name]["ndcg@20"] < ndcg)
    ]
    if "fused" not in rows:
        return missed
    best = max(row["recall@200"] for name, row in rows.items() if name != "fused")
    if rows["fused"]["recall@200"] < 1.05 * best:
        missed.append(f"fused: Recall@200 {rows['fused']['recall@200']:.4f}, must reach 1.05 x {best:.4f}")
    return missed


def fuse(config: Config, data: RecallData, steps: Steps, kept: KeptLists) -> tuple[Boosted, Answers, dict[str, Any]]:
    """Return the fusion fitted on a validation part, the answers that it was fitted on, and each channel's quality."""
    answers, truth, counts = validation_answers(config, data, steps, kept)
    with steps.step("fit the fusion on validation"):
        fusion = boost(answers.lists, truth, counts)
    return fusion, answers, {name: quality(part, truth) for name, part in answers.lists.items()}


def run(
    config: Config, steps: Steps, kept: KeptLists, *, alone: bool, quick: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of the table, and what else is worth keeping.

    ``alone`` leaves the fused list out, ``quick`` what each channel adds to it.
    """
    started = time.perf_counter()
    _, split, data = prepare(config, rejects=None, steps=steps)
    fusion: Fusion = Rrf()
    on_validation: dict[str, Any] = {}
    extra: dict[str, Any] = {"fusion": {}}
    if not alone:
        boosted, learnt, on_validation = fuse(config, data, steps, kept)
    panel = held_out_panel(data, split.test, seed=SEED).panel
    answers = kept.answers(config, data, panel, DEPTH, steps)
    if not alone:
        served = Answers({name: answer.lists for name, answer in answers.items()}, panel.history)
        fusion = boosted.on_scores(learnt, served)
        extra["fusion"] = {
            "weights": boosted.base.weights, "trees": len(boosted.trees.roots),
            "network": [len(layer) for layer in boosted.network.biases[:-1]], "head_factors": fusion.head_factors,
        }  # fmt: skip
    with steps.step("measure on test") as advance:
        if quick:
            rows = quick_rows(answers, fusion, panel.truth)
        else:
            fitted = listed(answers, config, panel, len(data.users), DEPTH)
            settings = EvaluationSettings(CUTOFFS, SEED)
            report = evaluate(fitted, fusion, data, split.test, settings, progress=advance).to_dict()
            rows = [{"name": name, **row} for name, row in (*report["channels"].items(), ("fused", report["fused"]))]
            extra["fused_vs_best"] = {str(k): report[f"fused_vs_best@{k}"] for k in CUTOFFS}
            extra["overlap@200"] = report["overlap@200"]
    merging_us = rows[-1]["query_us"]
    for row in rows:
        # The lists are at hand, so what was timed here is merging alone.
        row["query_us"] = (
            answers[row["name"]].query_us
            if row["name"] in answers
            else merging_us + sum(answer.query_us for answer in answers.values())
        )
        row["published_recall@20"], row["published_ndcg@20"] = PUBLISHED.get(row["name"], (None, None))
        row["validation"] = on_validation.get(row["name"])
    extra["seconds"] = time.perf_counter() - started
    extra["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return (rows[:-1] if alone else rows), extra


def quick_rows(answers: Mapping[str, Answer], fusion: Fusion, truth: ItemLists) -> list[dict[str, Any]]:
    """Return the channels' rows and the fused list's, without what each channel adds to it."""
    rows: list[dict[str, Any]] = [
        {"name": name, **quality(answer.lists, truth), "fit_s": answer.fit_s, "size_bytes": answer.size_bytes}
        for name, answer in answers.items()
    ]
    started = time.perf_counter()
    merged = fusion.merge({name: answer.lists for name, answer in answers.items()}, CUTOFFS[-1]).lists
    merging_us = (time.perf_counter() - started) / len(truth) * 1e6
    sums = {key: sum(row[key] for row in rows) for key in ("fit_s", "size_bytes")}
    return [*({**row, "query_us": 0.0} for row in rows),
            {"name": "fused", **quality(merged, truth), **sums, "query_us": merging_us}]  # fmt: skip


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--channels", nargs="+", choices=list(CHANNELS), default=TOGETHER)
    parser.add_argument("--lists", type=Path, help="folder that keeps what each channel returned")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--alone", action="store_true", help="no fused list, and no validation for it")
    part.add_argument("--quick", action="store_true", help="not what each channel adds to the fused list")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    folder = Path(arguments.data) / "gowalla"
    console = Console(width=112)
    config, steps = configuration(folder, arguments.channels), Shown(Console(stderr=True))
    results, extra = run(config, steps, KeptLists(arguments.lists), alone=arguments.alone, quick=arguments.quick)
    console.print(table(results))
    if not arguments.alone:
        console.print(f"weights of the fusion: {extra['fusion']['weights']}", highlight=False)
    console.print(f"{extra['seconds'] / 60:.1f} minutes, peak {extra['peak_bytes'] / 1e9:.1f} GB", highlight=False)
    missed = failures(results)
    console.print(*(f"too low: {figure}" for figure in missed), sep="\n", highlight=False)
    if arguments.json is not None:
        settings = {"seed": SEED, "channels": {name: CHANNELS[name] for name in arguments.channels},
                "validation_share": SHARE, "popularity_exponent": POPULARITY_EXPONENT,
                "validation_users": VALIDATION_USERS, **extra, "missed": missed,
                "leaderboard": leaderboard(folder / "BARS_leaderboard_gowalla_m1.csv")}  # fmt: skip
        write_json(arguments.json, "gowalla", settings, results, packages=("scikit-learn", "lightgbm"))


if __name__ == "__main__":
    main()
