"""Items held out whole, by what they say: texts, tags, the graph and their fusion; and what texts add on the tail.

Cold: of goodbooks and of colakg-ml-1m's movies (with DBpedia's triples) a tenth of the items loses every event. Their
readers are asked for 100 of all items; what they took of the held-out ones is the truth. Rows: each channel with its
defaults, ``text`` and ``semantic-ids`` without a projection too, and the fusion by reciprocal ranks with and without
``text``, whose difference is paired over users.

Drawn: no data with pictures are at hand, so 576 are drawn as in :mod:`benchmarks.captions`; each of 300 users takes 20,
most of a shape and a ground that he likes. Titles say all that is drawn, tags the shape and the graph the ground, and a
tenth is cold. What each way recalls follows from that world.

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
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
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
from graphrec.models.content.image import Image
from graphrec.models.content.semantic_ids import SemanticIds
from graphrec.models.content.text import Text
from graphrec.models.content.text_ease import TextEase
from graphrec.recallers.filtering import recall_allowed

from .captions import draw, sayings, title
from .explanations import movies
from .harness import write_json
from .kg_cold import goodbooks, held_out_whole, loaded

SEED, K, ROUNDS = 11, 100, 1000
AS_IT_IS = "text, projection none"
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


def drawn(folder: Path) -> RecallData:
    """Return pictures, drawn into ``folder``, with what is said of them and who takes them."""
    said, rng = sayings(), np.random.default_rng(SEED)
    events, items = ["user_id,item_id"], ["item_id,title,image,tags,ground"]
    for row, (shape, colour, ground, size) in enumerate(said):
        draw(folder / f"{row}.png", (shape, colour, ground, size), rng)
        items.append(f"{row},{title((shape, colour, ground, size))},{row}.png,{shape},{ground}")
    shapes, grounds = (np.array([saying[place] for saying in said]) for place in (0, 2))
    for user in range(300):
        liked = rng.integers(len(said))
        alike = (shapes == shapes[liked]).astype(float) + (grounds == grounds[liked])
        odds = np.array([0.02, 0.2, 1.0])[alike.astype(int)]
        events += [f"{user},{item}" for item in rng.choice(len(said), 20, replace=False, p=odds / odds.sum())]
    (folder / "events.csv").write_text("\n".join(events), encoding="utf-8")
    (folder / "items.csv").write_text("\n".join(items), encoding="utf-8")
    tables = {
        "interactions": {"path": "events.csv"},
        "items": {"path": "items.csv", "texts": ["title", "image"], "relations": ["ground"]},
    }
    return loaded(tables, folder)


WORLDS: dict[str, Callable[[Path], RecallData]] = {"goodbooks": goodbooks, "movies": described_movies}
GRAPH = ("tag", "kg-neighbours")


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


def worth_of(
    lists: Mapping[str, ItemLists], panel: Panel, others: tuple[str, ...], channel: str
) -> list[dict[str, Any]]:
    """Return rows of the fusion without a channel and with it; the second has the gain and its interval."""
    recalls = {
        name: recall_of(merge_rrf({each: lists[each] for each in channels}, K).lists, panel)
        for name, channels in {"without": others, "with": (*others, channel)}.items()
    }
    gain = difference_interval(recalls["with"], recalls["without"], rounds=ROUNDS, seed=SEED)
    joined = " + ".join(others)
    return [
        {"name": joined, "recall@100": float(recalls["without"].mean())},
        {"name": f"{joined} + {channel}", "recall@100": float(recalls["with"].mean()), "gain": gain.to_list()},
    ]


def cold_rows(data: RecallData, max_users: int) -> list[dict[str, Any]]:
    """Return a row for each way to recall the items held out whole."""
    recipes: dict[str, Recipe] = {
        "text": Text(),
        AS_IT_IS: Text(projection="none"),
        "semantic-ids": SemanticIds(),
        "semantic-ids, projection none": SemanticIds(projection="none"),
        "text of titles": Text(columns=("title",)),
        "text, mean of the history": Text(query="history"),
        "kg-neighbours": KgNeighbours(),
    }
    recipes |= {"tag": Tag()} if data.item_tags is not None else {}
    if len(data.items) <= FEW:
        recipes |= {"ease": Ease(), "text-ease": TextEase()}
    others = tuple(name for name in GRAPH if name in recipes)
    return held_out_rows(data, recipes, [(others, "text"), (others, AS_IT_IS)], max_users)


def drawn_rows(data: RecallData, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each way to recall the pictures held out whole."""
    recipes: dict[str, Recipe] = {
        "text": Text(columns=("title",)), "image": Image(folder=str(folder)), "tag": Tag(),
        "kg-neighbours": KgNeighbours(),
    }  # fmt: skip
    return held_out_rows(data, recipes, [(GRAPH, "image"), ((*GRAPH, "text"), "image")], len(data.users))


def held_out_rows(
    data: RecallData, recipes: Mapping[str, Recipe], gains: list[tuple[tuple[str, ...], str]], max_users: int
) -> list[dict[str, Any]]:
    """Return a row a channel on the items held out whole, and those of fusions that a channel joins."""
    train, panel, cold = held_out_whole(data, SEED)
    panel = sampled(panel, max_users)
    chance = float(np.mean(K / (len(data.items) - panel.history.lengths)))
    lists = asked(train, panel, recipes)
    rows: list[dict[str, Any]] = [{"name": "random", "recall@100": chance}]
    rows += [
        {"name": name, "recall@100": float(recall_of(own, panel).mean()), "share_of_cold": share_of(own, cold)}
        for name, own in lists.items()
    ]
    for others, channel in gains:
        rows += [row for row in worth_of(lists, panel, others, channel) if row not in rows]
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
        AS_IT_IS: Text(projection="none"),
    }  # fmt: skip
    recipes |= {"tag": Tag()} if train.item_tags is not None else {}
    if len(data.items) <= FEW:
        recipes |= {"ease": Ease(), "text-ease": TextEase()}
    lists = asked(train, panel, recipes)
    others = tuple(name for name in lists if name not in ("text", AS_IT_IS, "ease", "text-ease"))
    rows: list[dict[str, Any]] = [
        {"name": name, "recall@100": float(recall_of(own, panel).mean())} for name, own in lists.items()
    ]
    rows += worth_of(lists, panel, others, "text") + worth_of(lists, panel, others, AS_IT_IS)[1:]
    return [{**row, "part": "tail", "items": len(data.items), "users": len(panel)} for row in rows]


def sampled(panel: Panel, most: int) -> Panel:
    """Return the panel, or ``most`` of its users drawn with the seed."""
    if len(panel) <= most:
        return panel
    return take_panel(panel, np.sort(np.random.default_rng(SEED).choice(len(panel), most, replace=False)))


def rows_of(name: str, root: Path, max_users: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of a world."""
    if name == "drawn":
        with tempfile.TemporaryDirectory() as folder:
            yield from drawn_rows(drawn(Path(folder)), Path(folder))
        return
    data = WORLDS[name](root)
    yield from cold_rows(data, max_users)
    yield from tail_rows(data, max_users)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=sorted([*WORLDS, "drawn"]))
    parser.add_argument("--max-users", type=int, default=1_000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    results = []
    for name in [*WORLDS, "drawn"] if arguments.only is None else [arguments.only]:
        for row in rows_of(name, Path(arguments.data), arguments.max_users):
            results.append({**row, "name": f"{name}, {row['part']}: {row['name']}"})
            gain = " gain {:+.4f} [{:+.4f}, {:+.4f}]".format(*row["gain"]) if "gain" in row else ""
            print(f"{results[-1]['name']:<60} {row['recall@100']:.4f}{gain}", flush=True)
        if arguments.json:
            settings = {
                "k": K,
                "share": 0.1,
                "seed": SEED,
                "max_users": arguments.max_users,
                "fusion": "rrf, c = 60",
                "projection": {"text": Text().projection, "semantic-ids": SemanticIds().projection},
            }
            write_json(arguments.json, "cold", settings, results, packages=("tokenizers", "wordllama"))


if __name__ == "__main__":
    main()
