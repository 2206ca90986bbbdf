"""Items that PinSage trains a second, beside PyG's GraphSAGE fed by a sampler in plain torch.

``python -m benchmarks.pinsage [--data DIR] [--json FILE]``

Both learn from the same pairs of Gowalla's items with the same loss (a margin over shared negatives), optimiser, width
and fan-out over the same neighbourhoods (two layers of 20), in turns, in one process, on one thread. The peer is what
PyG's documentation builds where none of its samplers is installed: neighbours drawn with ``torch.randint``, nodes made
distinct with ``torch.unique``, two ``SAGEConv`` over the sampled edges. Ours pools all 20 of each neighbourhood, leaves
out the edges of the batch's pairs, and works on each distinct item once a layer. An item is a pair's query with all
that its step takes: sampling, forward, backward, Adam. The ratio is of items a second of processor time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch_geometric.nn import SAGEConv  # type: ignore[import-untyped]

from benchmarks.harness import write_json
from graphrec.data.interactions import Interactions
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only, with_users
from graphrec.graph.importance import importance_neighbours
from graphrec.models.graph_networks.item_inputs import ItemInputs
from graphrec.models.graph_networks.pinsage_batches import Frontier, shared_items
from graphrec.models.graph_networks.pinsage_losses import margin_loss
from graphrec.models.graph_networks.pinsage_model import ItemTower

DIM, LAYERS, FAN_OUT, NEGATIVES, MARGIN = 64, 2, 20, 500, 0.2
Rows = npt.NDArray[np.int64]


def read(path: Path) -> Interactions:
    """Return the events of a file of ``user item item …`` lines."""
    lines = [np.array(line.split(), dtype=np.int64) for line in path.read_text().splitlines()]
    users = np.concatenate([np.full(len(line) - 1, line[0]) for line in lines])
    items = np.concatenate([line[1:] for line in lines])
    return Interactions(users, items, n_users=int(users.max()) + 1, n_items=int(items.max()) + 1)


def neighbourhoods(events: Interactions) -> NeighbourTable:
    """Return the importance neighbourhoods of all items."""
    graph = with_users(items_only(Vocabulary([str(item) for item in range(events.n_items)])), events)
    targets = (events.n_users, events.n_users + events.n_items)
    return importance_neighbours(graph, np.arange(*targets), top=FAN_OUT, seed=0, targets=targets)


def pairs_of(events: Interactions, n: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return ``n`` pairs of items that one user took."""
    ends = np.searchsorted(events.users, np.arange(events.n_users + 1))
    first = rng.integers(0, len(events), n)
    user = events.users[first]
    second = rng.integers(ends[user], ends[user + 1])
    return events.items[first].astype(np.int64), events.items[second].astype(np.int64)


def loss_of(vectors: Tensor, places: Rows, n_pairs: int) -> Tensor:
    """Return the margin loss of a step whose queries, partners and negatives stand at ``places`` of ``vectors``."""
    queries, partners, negatives = torch.tensor_split(torch.from_numpy(places), [n_pairs, 2 * n_pairs])
    rows, columns = (torch.from_numpy(ends) for ends in shared_items(queries.numpy(), negatives.numpy()))
    anchors, positives, candidates = (
        normalize(vectors.index_select(0, part)) for part in (queries, partners, negatives)
    )
    none = candidates.new_empty(n_pairs, 0, DIM)
    indptr = torch.arange(n_pairs + 1)
    return margin_loss(anchors, indptr, positives, candidates, (rows, columns), none, margin=MARGIN)


class Ours:
    """Our tower over our frontier."""

    def __init__(self, table: NeighbourTable) -> None:
        self.inputs = ItemInputs(len(table), DIM, with_events=np.ones(len(table), dtype=np.bool_))
        self.model = ItemTower(self.inputs, LAYERS)
        self.frontier = Frontier(table, LAYERS)

    def loss(self, queries: Rows, partners: Rows, negatives: Rows) -> Tensor:
        """Return the loss of one step."""
        seeds, places = np.unique(np.concatenate([queries, partners, negatives]), return_inverse=True)
        return loss_of(self.model(self.frontier.blocks(seeds, (queries, partners)), seeds), places, len(queries))


class Sage(nn.Module):
    """What PyG's examples train: an embedding and two SAGEConv, over a subgraph sampled in plain torch."""

    def __init__(self, table: NeighbourTable) -> None:
        super().__init__()
        self.ids = nn.Embedding(len(table), DIM)
        self.convs = nn.ModuleList(SAGEConv(DIM, DIM) for _ in range(LAYERS))
        self.indptr, self.neighbours = torch.from_numpy(table.indptr), torch.from_numpy(table.neighbours).long()

    def sample(self, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distinct nodes within two hops, seeds first, and the sampled edges among them."""
        nodes, frontier = seeds, seeds
        sources, targets = [], []
        for _ in range(LAYERS):
            lengths = self.indptr[frontier + 1] - self.indptr[frontier]
            frontier, lengths = frontier[lengths > 0], lengths[lengths > 0]
            drawn = (torch.rand(len(frontier), FAN_OUT) * lengths[:, None]).long()
            near = self.neighbours[self.indptr[frontier][:, None] + drawn]
            sources.append(near.flatten())
            targets.append(frontier.repeat_interleave(FAN_OUT))
            fresh = torch.unique(near)
            frontier = fresh[~torch.isin(fresh, nodes)]
            nodes = torch.cat([nodes, frontier])
        order = torch.argsort(nodes)
        place = [order[torch.searchsorted(nodes[order], torch.cat(ends))] for ends in (sources, targets)]
        return nodes, torch.stack(place)

    def loss(self, queries: Rows, partners: Rows, negatives: Rows) -> Tensor:
        """Return the loss of one step."""
        seeds, places = torch.unique(
            torch.from_numpy(np.concatenate([queries, partners, negatives])), return_inverse=True
        )
        nodes, edges = self.sample(seeds)
        h = self.ids(nodes)
        for conv in self.convs:
            h = torch.relu(conv(h, edges))
        return loss_of(h[: len(seeds)], places.numpy(), len(queries))


def trainer(contender: Any, model: nn.Module, events: Interactions, batch: int) -> Callable[[int], None]:
    """Return a function that takes so many steps."""
    optimiser, rng = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True), np.random.default_rng(0)

    def steps(n: int) -> None:
        for _ in range(n):
            negatives = rng.choice(events.n_items, NEGATIVES, replace=False)
            loss = contender.loss(*pairs_of(events, batch, rng), negatives)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return steps


def measure(
    events: Interactions, table: NeighbourTable, *, batch: int, steps: int, rounds: int
) -> list[dict[str, Any]]:
    """Return a row for each contender at one size of batch."""
    torch.manual_seed(0)
    ours, sage = Ours(table), Sage(table)
    contenders = {
        "graphrec": trainer(ours, ours.model, events, batch),
        "PyG SAGEConv, sampler in torch": trainer(sage, sage, events, batch),
    }
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for work in contenders.values():
        work(1)  # compiles
    for _ in range(rounds):
        for name, work in contenders.items():
            clock, processor = time.perf_counter(), time.process_time()
            work(steps)
            items = steps * batch
            runs[name].append((items / (time.perf_counter() - clock), items / (time.process_time() - processor)))
    peer = runs["PyG SAGEConv, sampler in torch"]
    return [
        {
            "name": name,
            "batch": batch,
            "items_per_s": round(statistics.median(run[0] for run in own)),
            "items_per_cpu_s": round(statistics.median(run[1] for run in own)),
            "ratio_vs_pyg": round(statistics.median(a[1] / b[1] for a, b in zip(own, peer, strict=True)), 2),
        }
        for name, own in runs.items()
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    torch.set_num_threads(1)
    events = read(Path(arguments.data) / "gowalla" / "train.txt")
    table = neighbourhoods(events)
    results = []
    for batch in (512, 2048, 8192):
        results += measure(events, table, batch=batch, steps=arguments.steps, rounds=arguments.rounds)
        for row in results[-2:]:
            print(
                f"{row['name']:<32} batch {row['batch']:>5}  {row['items_per_s']:>9,} items/s  "
                f"{row['items_per_cpu_s']:>9,} per processor second  {row['ratio_vs_pyg']:6.2f} x PyG"
            )
    if arguments.json:
        settings = {
            "data": "Gowalla, train", "dim": DIM, "layers": LAYERS, "fan_out": FAN_OUT, "negatives": NEGATIVES,
            "threads": 1, "steps": arguments.steps, "rounds": arguments.rounds,
            "ratio": "median over rounds of items per processor second, ours by PyG's",
        }  # fmt: skip
        write_json(arguments.json, "pinsage", settings, results, packages=["torch", "torch-geometric"])


if __name__ == "__main__":
    main()
