"""Items held out whole, by what they say: texts, tags, the graph and their fusion; and what texts add on the tail.

Cold: of goodbooks and of colakg-ml-1m's movies (with DBpedia's triples) a tenth of the items loses every event. Their
readers are asked for 100 of all items; what they took of the held-out ones is the truth. Rows: each channel with its
defaults, and the fusion by reciprocal ranks with and without ``text``, whose difference is paired over users.

Tail: a fifth of each user's events is held out (seed 11); truth is the held-out items that no more people took in
training than the median item. Rows: the fusion of five channels without ``text`` and with it.

The defaults of ``text`` were chosen on other held-out items of goodbooks (seed 7) alone.

    python -m benchmarks.cold --data DIR [--json FILE] [--only goodbooks] [--max-users 1000]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.tag import Tag
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import Recipe
from graphrec.data.features import Features
from graphrec.data.lists import ItemLists, entries_where, take_lists, truncate
from graphrec.data.splits import split_by_ratio
from graphrec.evaluation.bootstrap import difference_interval
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics, user_counts
from graphrec.fusion.rrf import merge_rrf
from graphrec.models.content.semantic_ids import SemanticIds
from graphrec.models.content.text import Text
from graphrec.models.content.text_ease import TextEase
from graphrec.recallers.filtering import recall_allowed

from .explanations import movies
from .harness import write_json
from .kg_cold import goodbooks, held_out_whole

SEED, K, ROUNDS = 11, 100, 1000
# Items up to which EASE, whose time grows with their third power, is among the rows.
FEW = 5_000
Values = npt.NDArray[np.float64]


def described_movies(root: Path) -> RecallData:
    """Return the movies with their titles and about a kilobyte of English text each."""
    data, folder = movies(root), root / "colakg-ml-1m"
    table = pl.read_csv(folder / "item_links.tsv", separator="\t", quote_char=None)
    said: Mapping[str, str] = json.loads((folder / "llm_response_item.json").read_text(encoding="utf-8"))
    titles = dict(zip(map(str, table["item"]), table["title"], strict=True))
    texts = {str(item): said.get(str(known)) for item, known in zip(table["item"], table["movielens_id"], strict=True)}
    ids = data.items.ids.to_pylist()
    columns = {
        "title": pa.array([titles.get(item) for item in ids], pa.large_string()),
        "description": pa.array([texts.get(item) for item in ids], pa.large_string()),
    }
    return dataclasses.replace(data, item_features=Features(len(ids), texts=columns))


WORLDS: dict[str, Callable[[Path], RecallData]] = {"goodbooks": goodbooks, "movies": described_movies}


def asked(data: RecallData, panel: Panel, recipes: Mapping[str, Recipe]) -> dict[str, ItemLists]:
    """Return what each channel answers the panel, 2 K items a user."""
    lists = {}
    for name, recipe in recipes.items():
        started = time.perf_counter()
        channel = recipe.fit(data)
        lists[name] = recall_allowed(channel, panel.queries, 2 * K, exclude=panel.history, allowed=panel.pool)
        print(f"{name}: fitted and asked in {time.perf_counter() - started:.0f} s", flush=True)
    return lists


def recall_of(lists: ItemLists, panel: Panel) -> Values:
    """Return Recall@K of each user, (n,)."""
    return rank_metrics(lists, panel.truth, K).recall


def share_of(lists: ItemLists, cold: npt.NDArray[np.bool_]) -> float:
    """Return the share of cold items among the first K of each list; a tenth of all items are cold."""
    return float(cold[truncate(lists, K).items].mean())


def worth_of_text(
    lists: Mapping[str, ItemLists], panel: Panel, others: tuple[str, ...], channel: str = "text"
) -> list[dict[str, Any]]:
    """Return rows of the fusion without a channel of texts and with it; the second has the gain and its interval."""
    recalls = {
        name: recall_of(merge_rrf({each: lists[each] for each in channels}, K).lists, panel)
        for name, channels in {"without": others, "with": (*others, channel)}.items()
    }
    gain = difference_interval(recalls["with"], recalls["without"], rounds=ROUNDS, seed=SEED)
    joined = " + ".join(others)
    return [
        {"name": joined, "recall@100": float(recalls["without"].mean())},
        {"name": f"{joined} + {channel}", "recall@100": float(recalls["with"].mean()), "gain_by_text": gain.to_list()},
    ]


def cold_rows(data: RecallData, max_users: int) -> list[dict[str, Any]]:
    """Return a row for each way to recall the items held out whole."""
    train, panel, cold = held_out_whole(data, SEED)
    panel = sampled(panel, max_users)
    chance = float(np.mean(K / (len(data.items) - panel.history.lengths)))
    recipes: dict[str, Recipe] = {
        "text": Text(),
        "text, projected": Text(projection="ridge"),
        "semantic-ids": SemanticIds(),
        "semantic-ids, projected": SemanticIds(projection="ridge"),
        "text of titles": Text(columns=("title",)),
        "text, mean of the history": Text(query="history"),
        "kg-neighbours": KgNeighbours(),
    }
    recipes |= {"tag": Tag()} if train.item_tags is not None else {}
    if len(data.items) <= FEW:
        recipes |= {"ease": Ease(), "text-ease": TextEase()}
    lists = asked(train, panel, recipes)
    rows: list[dict[str, Any]] = [{"name": "random", "recall@100": chance}]
    rows += [
        {"name": name, "recall@100": float(recall_of(own, panel).mean()), "share_of_cold": share_of(own, cold)}
        for name, own in lists.items()
    ]
    others = tuple(name for name in ("tag", "kg-neighbours") if name in lists)
    rows += worth_of_text(lists, panel, others) + worth_of_text(lists, panel, others, "text, projected")[1:]
    about = {"part": "cold", "items": len(data.items), "cold_items": int(cold.sum()), "users": len(panel)}
    return [{**row, "ratio_vs_random": row["recall@100"] / chance, **about} for row in rows]


def tail_rows(data: RecallData, max_users: int) -> list[dict[str, Any]]:
    """Return the fusion's rows on the held-out items that few people took."""
    split = split_by_ratio(data.interactions, seed=SEED)
    train = dataclasses.replace(data, interactions=split.train)
    panel = held_out_panel(train, split.test).panel
    taken = user_counts(split.train)
    truth = entries_where(panel.truth, (taken <= np.median(taken))[panel.truth.items])
    some = np.flatnonzero(truth.lengths)
    panel = take_panel(panel, some)
    panel = Panel(panel.queries.users, panel.history, take_lists(truth, some), panel.pool, panel.queries.now)
    panel = sampled(panel, max_users)
    recipes: dict[str, Recipe] = {
        "hot": Hot(), "item-cf": ItemCF(), "user-cf": UserCF(), "kg-neighbours": KgNeighbours(), "text": Text(),
        "text, projected": Text(projection="ridge"),
    }  # fmt: skip
    recipes |= {"tag": Tag()} if train.item_tags is not None else {}
    if len(data.items) <= FEW:
        recipes |= {"ease": Ease(), "text-ease": TextEase()}
    lists = asked(train, panel, recipes)
    others = tuple(name for name in lists if name not in ("text", "text, projected", "ease", "text-ease"))
    rows: list[dict[str, Any]] = [
        {"name": name, "recall@100": float(recall_of(own, panel).mean())} for name, own in lists.items()
    ]
    rows += worth_of_text(lists, panel, others) + worth_of_text(lists, panel, others, "text, projected")[1:]
    return [{**row, "part": "tail", "items": len(data.items), "users": len(panel)} for row in rows]


def sampled(panel: Panel, most: int) -> Panel:
    """Return the panel, or ``most`` of its users drawn with the seed."""
    if len(panel) <= most:
        return panel
    return take_panel(panel, np.sort(np.random.default_rng(SEED).choice(len(panel), most, replace=False)))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=sorted(WORLDS))
    parser.add_argument("--max-users", type=int, default=1_000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    results = []
    for name in WORLDS if arguments.only is None else [arguments.only]:
        data = WORLDS[name](Path(arguments.data))
        for rows in (cold_rows, tail_rows):
            for row in rows(data, arguments.max_users):
                results.append({**row, "name": f"{name}, {row['part']}: {row['name']}"})
                gain = " gain {:+.4f} [{:+.4f}, {:+.4f}]".format(*row["gain_by_text"]) if "gain_by_text" in row else ""
                print(f"{results[-1]['name']:<60} {row['recall@100']:.4f}{gain}", flush=True)
        if arguments.json:
            settings = {"k": K, "share": 0.1, "seed": SEED, "max_users": arguments.max_users, "fusion": "rrf, c = 60"}
            write_json(arguments.json, "cold", settings, results, packages=("tokenizers", "wordllama"))


if __name__ == "__main__":
    main()
