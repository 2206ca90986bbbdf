"""Neighbour sampling beside the same in pure torch, and beside PyG's own where pyg-lib or torch-sparse is installed.

``python -m benchmarks.sampler [--data DIR] [--json FILE] [--threads N ...] [--train STEPS]``

The graphs: a power-law graph, goodbooks (ratings and its knowledge graph), and colakg-ml-1m with DBpedia's movies where
the data is there. Every sampler is given the same seeds and fan-outs and makes the same of them: nodes numbered from
the seeds on, edges between those numbers, and the number of each edge; ``TorchSampler`` says how torch does it, on
``--torch-threads`` (one by default: on a busy machine its threads wait for each other). Batches are taken in turns, and
rates are by the clock and by processor time.
``--train`` adds a row for each model of PyG that is trained through the loaders, on one thread.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]
from torch_geometric.nn import GATv2Conv, HeteroConv, HGTConv, SAGEConv  # type: ignore[import-untyped]
from torch_geometric.sampler import NeighborSampler as PygSampler  # type: ignore[import-untyped]
from torch_geometric.sampler import NodeSamplerInput

import graphrec as gr
from benchmarks.harness import write_json
from graphrec.models.loaders.neighbour_sampler import BatchKeys, NeighborSampler

FAN_OUTS = [10, 10]
BATCH = 1024
DIM = 32
TAKEN = ("user", "interacts", "item")


class TorchSampler:
    """The same sample in torch alone: one draw for all nodes of a hop and edge type at once.

    With ``replace`` a node with edges gets ``fan_out`` numbers below its degree. Without, every edge of a node gets a
    random number, and the least ``fan_out`` of them are taken, which touches all edges of hubs.
    """

    def __init__(self, data: HeteroData, *, replace: bool) -> None:
        self.replace = replace
        self.types: dict[Any, tuple[Tensor, Tensor, Tensor]] = {}
        for key in data.edge_types:
            rows, columns = data[key].edge_index
            order = torch.argsort(columns, stable=True)
            counts = torch.bincount(columns, minlength=data[key[2]].num_nodes)
            self.types[key] = (torch.cat([counts.new_zeros(1), counts.cumsum(0)]), rows[order], order)
        self.places = {kind: torch.full((data[kind].num_nodes,), -1) for kind in data.node_types}

    def sample(self, kind: str, seeds: Tensor, fan_outs: list[int]) -> int:
        """Return how many edges were drawn."""
        nodes = dict.fromkeys(self.places, seeds[:0]) | {kind: seeds}
        fresh = dict(nodes)
        self.places[kind][seeds] = torch.arange(len(seeds))
        edges: dict[Any, list[tuple[Tensor, Tensor, Tensor]]] = defaultdict(list)
        for fan_out in fan_outs:
            found = {name: rows[:0] for name, rows in fresh.items()}
            for key, (indptr, sources, order) in self.types.items():
                if len(fresh[key[2]]):
                    draw = _draw_with_replacement if self.replace else _draw
                    position, owner = draw(indptr, fresh[key[2]], fan_out)
                    rows = sources[position]
                    new = torch.unique(rows[self.places[key[0]][rows] < 0])
                    start = len(nodes[key[0]])
                    self.places[key[0]][new] = torch.arange(start, start + len(new))
                    nodes[key[0]] = torch.cat([nodes[key[0]], new])
                    found[key[0]] = torch.cat([found[key[0]], new])
                    ends = self.places[key[0]][rows], self.places[key[2]][fresh[key[2]][owner]]
                    edges[key].append((*ends, order[position]))
            fresh = found
        for name, rows in nodes.items():
            self.places[name][rows] = -1
        joined = {key: [torch.cat(column) for column in zip(*parts, strict=True)] for key, parts in edges.items()}
        return sum(len(columns[0]) for columns in joined.values())


def _draw(indptr: Tensor, nodes: Tensor, fan_out: int) -> tuple[Tensor, Tensor]:
    """Return the position of each drawn edge, and which node it belongs to."""
    starts, degrees = indptr[nodes], indptr[nodes + 1] - indptr[nodes]
    owner = torch.repeat_interleave(torch.arange(len(nodes)), degrees)
    within = torch.arange(len(owner)) - torch.repeat_interleave(degrees.cumsum(0) - degrees, degrees)
    order = torch.argsort(owner + torch.rand(len(owner), dtype=torch.float64))
    kept = order[within < fan_out]  # within is the rank of each in its node's shuffle
    return starts[owner[kept]] + (kept - (degrees.cumsum(0) - degrees)[owner[kept]]), owner[kept]


def _draw_with_replacement(indptr: Tensor, nodes: Tensor, fan_out: int) -> tuple[Tensor, Tensor]:
    """Return the position of each drawn edge, and which node it belongs to."""
    starts, degrees = indptr[nodes], indptr[nodes + 1] - indptr[nodes]
    some = degrees.nonzero().view(-1)
    picks = (torch.rand(len(some), fan_out, dtype=torch.float64) * degrees[some, None]).long()
    return (starts[some, None] + picks).view(-1), some.repeat_interleave(fan_out)


class Graph(NamedTuple):
    """A graph, and the node type of its seeds."""

    name: str
    data: HeteroData
    kind: str


def power_law(n: int, m: int) -> Graph:
    """Return a graph whose in-degrees fall by a power law."""
    rng = np.random.default_rng(0)
    data = HeteroData()
    data["node"].num_nodes = n
    edges = np.stack([rng.integers(0, n, m), (n * rng.random(m) ** 2.5).astype(np.int64)])
    data["node", "to", "node"].edge_index = torch.from_numpy(edges)
    return Graph(f"power law, {m:,} edges", data, "node")


def goodbooks() -> Graph:
    """Return the bundled ratings and knowledge graph."""
    folder = gr.datasets_directory() / "goodbooks"
    events = gr.read_interactions(folder / "ratings.csv.gz", columns={"weight": "rating"})
    knowledge = gr.read_rdf(folder / "books.ttl.gz")
    linking = gr.link_by_template(events.items, knowledge, "https://graphrec.org/goodbooks/book/{id}")
    relations = ["author", "isPartOf", "genre"]
    catalogue = gr.catalogue_graph(knowledge, linking, events.items, relations=relations)
    return Graph("goodbooks", gr.to_hetero(catalogue, events.interactions), "user")


def movies(folder: Path) -> Graph | None:
    """Return colakg-ml-1m with DBpedia's movies; None where the data is not there."""
    links, train = folder / "colakg-ml-1m" / "item_links.tsv", folder / "colakg-ml-1m" / "train.txt"
    rdf = folder / "rdf" / "dbpedia-movies.nt.xz"
    if not all(path.exists() for path in (links, train, rdf)):
        return None
    pairs = [
        (user, item)
        for user, *items in (line.split() for line in train.read_text(encoding="utf-8").splitlines())
        for item in items
    ]
    users, items = gr.Vocabulary(sorted({u for u, _ in pairs})), gr.Vocabulary(sorted({i for _, i in pairs}))
    events = gr.Interactions(
        users.rows([u for u, _ in pairs]), items.rows([i for _, i in pairs]), n_users=len(users), n_items=len(items)
    )
    knowledge = gr.read_rdf(rdf)
    catalogue = gr.catalogue_graph(knowledge, link_movies(links, items, knowledge), items)
    return Graph("ml-1m with DBpedia", gr.to_hetero(catalogue, events), "user")


def link_movies(path: Path, items: gr.Vocabulary, knowledge: gr.KnowledgeGraph) -> gr.Linking:
    """Return which resource of DBpedia each movie is."""
    import polars as pl

    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    keys = list(rows[0])
    item = next(key for key in keys if "item" in key.lower())
    uri = next(key for key in keys if "dbpedia" in key.lower() or "uri" in key.lower())
    known = [(row[item], row[uri]) for row in rows if row[uri] and row[item] in items]
    table = pl.DataFrame(known, schema=["item_id", "iri"], orient="row").unique("iri", keep="first")
    return gr.link_by_table(table, items, knowledge, item_column="item_id")


def rates(samplers: dict[str, Callable[[Tensor], int]], seeds: list[Tensor]) -> dict[str, dict[str, float]]:
    """Return seeds and edges a second of each sampler, batches taken in turns; the first batch is not counted."""
    clock, processor = dict.fromkeys(samplers, 0.0), dict.fromkeys(samplers, 0.0)
    edges = dict.fromkeys(samplers, 0)
    for number, batch in enumerate(seeds):
        for name, sample in samplers.items():
            before = time.perf_counter(), time.process_time()
            drawn = sample(batch)
            if number:
                clock[name] += time.perf_counter() - before[0]
                processor[name] += time.process_time() - before[1]
                edges[name] += drawn
    n = sum(len(batch) for batch in seeds[1:])
    return {
        name: {
            "seeds_per_s": n / clock[name],
            "edges_per_s": edges[name] / clock[name],
            "seeds_per_cpu_s": n / processor[name],
            "edges_per_seed": edges[name] / n,
        }
        for name in samplers
    }


def measure(graph: Graph, n_batches: int, threads: list[int]) -> list[dict[str, Any]]:
    """Return a row for each sampler, without and with replacement."""
    generator = torch.Generator().manual_seed(0)
    n = graph.data[graph.kind].num_nodes
    seeds = [torch.unique(torch.randint(n, (BATCH,), generator=generator)) for _ in range(n_batches + 1)]
    rows = []
    for replace in (False, True):
        figures = rates(_samplers(graph, threads, replace=replace), seeds)
        base = figures["torch"]
        for name, row in figures.items():
            ratios = {
                "ratio_vs_torch": row["seeds_per_s"] / base["seeds_per_s"],
                "cpu_ratio_vs_torch": row["seeds_per_cpu_s"] / base["seeds_per_cpu_s"],
            }
            how = "with replacement" if replace else "without replacement"
            rows.append({"name": f"{graph.name}, {how}/{name}", **row, **ratios})
    return rows


def _samplers(graph: Graph, threads: list[int], *, replace: bool) -> dict[str, Callable[[Tensor], int]]:
    samplers: dict[str, Callable[[Tensor], int]] = {}
    for count in threads:
        keys = BatchKeys(0, shared=False)
        ours = NeighborSampler(graph.data, FAN_OUTS, keys=keys, threads=count, replace=replace)
        samplers[f"graphrec, {count} thread{'s' if count > 1 else ''}"] = _edges_of(graph, ours)
    theirs = TorchSampler(graph.data, replace=replace)
    samplers["torch"] = lambda batch: theirs.sample(graph.kind, batch, FAN_OUTS)
    if importlib.util.find_spec("pyg_lib") or importlib.util.find_spec("torch_sparse"):
        samplers["PyG"] = _edges_of(graph, PygSampler(graph.data, FAN_OUTS, replace=replace))
    return samplers


def _edges_of(graph: Graph, sampler: Any) -> Callable[[Tensor], int]:
    def sample(batch: Tensor) -> int:
        out = sampler.sample_from_nodes(NodeSamplerInput(batch, batch, input_type=graph.kind))
        return sum(len(row) for row in out.row.values())

    return sample


class ByType(nn.Module):
    """Learnt vectors under HGT, or under SAGE or GATv2 by edge type."""

    def __init__(self, data: HeteroData, kind: str) -> None:
        super().__init__()
        self.names = {name: f"n{number}" for number, name in enumerate(data.node_types)}
        self.vectors = nn.ModuleDict({self.names[k]: nn.Embedding(data[k].num_nodes, DIM) for k in data.node_types})
        convs = {
            "HGT": lambda: HGTConv(DIM, DIM, data.metadata(), heads=2),
            "HeteroConv(SAGE)": lambda: HeteroConv({key: SAGEConv((DIM, DIM), DIM) for key in data.edge_types}),
            "HeteroConv(GATv2)": lambda: HeteroConv(
                {key: GATv2Conv((DIM, DIM), DIM, add_self_loops=False) for key in data.edge_types}
            ),
        }
        self.conv = convs[kind]()

    def forward(self, batch: Any) -> Tensor:
        """Return the score of each labelled link."""
        x = {kind: self.vectors[name](batch[kind].n_id) for kind, name in self.names.items()}
        z = self.conv(x, batch.edge_index_dict)
        users, items = batch[TAKEN].edge_label_index
        scores: Tensor = ((x["user"] + z["user"])[users] * (x["item"] + z["item"])[items]).sum(1)
        return scores


def train(graph: Graph, kind: str, n_batches: int) -> dict[str, Any]:
    """Return the loss before and after some steps, and steps a second."""
    torch.manual_seed(0)
    model = ByType(graph.data, kind)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randint(graph.data[TAKEN].num_edges, (n_batches * BATCH,), generator=generator)
    loader = gr.LinkNeighborLoader(
        graph.data, [8], edge_label_index=(TAKEN, graph.data[TAKEN].edge_index[:, chosen]),
        edge_label=torch.ones(len(chosen)), neg_sampling_ratio=1.0, batch_size=BATCH, seed=0,
    )  # fmt: skip
    losses, start = [], time.perf_counter()
    for batch in loader:
        optimiser.zero_grad()
        loss = binary_cross_entropy_with_logits(model(batch), (batch[TAKEN].edge_label > 0).float())
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    few = max(1, n_batches // 5)
    return {
        "name": f"{graph.name}/train {kind}",
        "loss_first": float(np.mean(losses[:few])),
        "loss_last": float(np.mean(losses[-few:])),
        "steps_per_s": n_batches / (time.perf_counter() - start),
    }


def edge_counts(data: HeteroData) -> npt.NDArray[np.int64]:
    """Return the number of edges of each type."""
    return np.array([data[key].num_edges for key in data.edge_types])


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--train", type=int, default=0, help="steps of each model")
    parser.add_argument("--torch-threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.torch_threads)
    graphs = [power_law(arguments.edges // 20, arguments.edges), goodbooks()]
    if arguments.data and (more := movies(Path(arguments.data))):
        graphs.append(more)
    results = []
    for graph in graphs:
        print(f"{graph.name}: {edge_counts(graph.data).sum():,} edges of {len(graph.data.edge_types)} types")
        rows = measure(graph, arguments.batches, arguments.threads)
        for row in rows:
            print(f"  {row['name']:50} {row['seeds_per_s']:>10,.0f} seeds/s {row['edges_per_s']:>12,.0f} edges/s "
                  f"x{row['ratio_vs_torch']:.1f} (cpu x{row['cpu_ratio_vs_torch']:.1f})")  # fmt: skip
        results += rows
        if arguments.train and TAKEN in graph.data.edge_types:
            for kind in ("HGT", "HeteroConv(SAGE)", "HeteroConv(GATv2)"):
                results.append(train(graph, kind, arguments.train))
                print("  ", results[-1])
    if arguments.json:
        settings: dict[str, Any] = {
            "fan_outs": FAN_OUTS,
            "batch": BATCH,
            "batches": arguments.batches,
            "edges": arguments.edges,
            "torch_threads": arguments.torch_threads,
            "load": os.getloadavg(),
        }
        write_json(arguments.json, "sampler", settings, results, packages=["torch", "torch-geometric"])


if __name__ == "__main__":
    main()
