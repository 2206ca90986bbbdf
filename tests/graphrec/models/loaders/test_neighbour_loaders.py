"""Mini-batches of our loaders beside the graph they come from, and beside PyG's own utilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data, HeteroData  # type: ignore[import-untyped]
from torch_geometric.loader import LinkLoader, NodeLoader  # type: ignore[import-untyped]
from torch_geometric.loader import NeighborLoader as TheirNeighborLoader
from torch_geometric.sampler import NegativeSampling, NumNeighbors  # type: ignore[import-untyped]
from torch_geometric.utils import k_hop_subgraph  # type: ignore[import-untyped]

from graphrec.errors import ConfigError, DataError
from graphrec.models.loaders.neighbour_loaders import LinkNeighborLoader, NeighborLoader
from graphrec.models.loaders.neighbour_sampler import BatchKeys, NeighborSampler

TOOK, BACK = ("user", "took", "item"), ("item", "rev_took", "user")


def people(n: int = 30, m: int = 160, *, seed: int = 0) -> Data:
    rng = np.random.default_rng(seed)
    return Data(
        x=torch.arange(n * 2.0).view(n, 2),
        y=torch.arange(n),
        edge_index=torch.from_numpy(rng.integers(0, n, (2, m))),
        edge_attr=torch.arange(m * 1.0),
        edge_time=torch.from_numpy(rng.integers(0, 50, m)),
        weight=torch.from_numpy(rng.random(m)),
        node_time=torch.from_numpy(rng.integers(0, 50, n)),
        title="people",
    )


def shop(*, seed: int = 0) -> HeteroData:
    """Return 12 users, 17 items and 160 timed pairs, with the reverse of each."""
    rng = np.random.default_rng(seed)
    pairs = torch.from_numpy(np.stack([rng.integers(0, 12, 160), rng.integers(0, 17, 160)]))
    data = HeteroData()
    data["user"].num_nodes = 12
    data["item"].x = torch.arange(17.0).view(17, 1)
    data[TOOK].edge_index, data[BACK].edge_index = pairs, pairs.flip(0)
    for key in (TOOK, BACK):
        data[key].time = torch.from_numpy(rng.integers(0, 50, 160)) if key == TOOK else data[TOOK].time
        data[key].edge_attr = torch.arange(160.0)
    return data


def test_a_mini_batch_has_everything_that_pygs_has() -> None:
    data = people()
    seeds = torch.tensor([3, 14, 7, 7, 20])
    loader = NeighborLoader(data, [3, 2], input_nodes=seeds, batch_size=5, seed=1)
    batch = next(iter(loader))
    assert isinstance(loader, TheirNeighborLoader)
    assert batch.batch_size == 5
    assert batch.input_id.tolist() == [0, 1, 2, 3, 4]
    assert batch.n_id[:5].tolist() == seeds.tolist()
    for name in ("x", "y", "node_time"):
        assert torch.equal(batch[name], data[name][batch.n_id])
    for name in ("edge_attr", "edge_time", "weight"):
        assert torch.equal(batch[name], data[name][batch.e_id])
    assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    assert batch.title == "people"
    assert sum(batch.num_sampled_nodes) == batch.num_nodes
    assert sum(batch.num_sampled_edges) == batch.num_edges
    assert len(batch.num_sampled_nodes) == 3
    assert len(batch.num_sampled_edges) == 2
    assert batch.validate(raise_on_error=True)


def test_a_heterogeneous_mini_batch_has_everything_that_pygs_has() -> None:
    data = shop()
    mask = torch.zeros(17, dtype=torch.bool)
    mask[[2, 5, 11]] = True
    batch = next(iter(NeighborLoader(data, {TOOK: [2, 2], BACK: [3, 1]}, input_nodes=("item", mask), batch_size=8)))
    assert batch["item"].batch_size == 3
    assert batch["item"].input_id.tolist() == batch["item"].n_id[:3].tolist() == [2, 5, 11]
    assert torch.equal(batch["item"].x, data["item"].x[batch["item"].n_id])
    assert batch["user"].num_nodes == len(batch["user"].n_id) > 0
    for source, relation, destination in data.edge_types:
        ours, theirs = batch[source, relation, destination], data[source, relation, destination]
        ends = torch.stack([batch[source].n_id[ours.edge_index[0]], batch[destination].n_id[ours.edge_index[1]]])
        assert torch.equal(ends, theirs.edge_index[:, ours.e_id])
        assert torch.equal(ours.edge_attr, theirs.edge_attr[ours.e_id])
        assert sum(ours.num_sampled_edges) == ours.num_edges
    assert batch.validate(raise_on_error=True)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), hops=st.integers(1, 3), n_seeds=st.integers(1, 4))
def test_full_neighbourhoods_are_pygs_k_hop_subgraph(seed: int, hops: int, n_seeds: int) -> None:
    data = people(25, 45, seed=seed)
    seeds = torch.arange(n_seeds) * 5
    nodes, _, _, induced = k_hop_subgraph(seeds, hops, data.edge_index, num_nodes=25)
    inner = seeds if hops == 1 else k_hop_subgraph(seeds, hops - 1, data.edge_index, num_nodes=25)[0]
    wanted = {
        "directional": torch.isin(data.edge_index[1], inner).nonzero().view(-1).tolist(),
        "induced": induced.nonzero().view(-1).tolist(),
    }
    for kind, edges in wanted.items():
        batch = next(iter(NeighborLoader(data, [-1] * hops, input_nodes=seeds, batch_size=n_seeds, subgraph_type=kind)))
        assert sorted(batch.n_id.tolist()) == nodes.tolist()
        assert sorted(batch.e_id.tolist()) == edges


def test_bidirectional_batches_hold_each_edge_and_its_reverse() -> None:
    batch = next(iter(NeighborLoader(people(), [4], input_nodes=torch.arange(6), subgraph_type="bidirectional")))
    edges = set(map(tuple, batch.edge_index.t().tolist()))
    assert edges == {(b, a) for a, b in edges} != set()


@pytest.mark.parametrize("strategy", ["uniform", "last"])
def test_links_see_no_edge_that_is_later(strategy: Any) -> None:
    data = shop()
    loader = LinkNeighborLoader(
        data, [4, 4], edge_label_index=TOOK, edge_label_time=data[TOOK].time, time_attr="time", batch_size=20,
        temporal_strategy=strategy, neg_sampling="triplet",
    )  # fmt: skip
    n_edges = 0
    for batch in loader:
        limits = batch["user"].seed_time
        assert torch.equal(limits, data[TOOK].time[batch[TOOK].input_id])
        for kind in (TOOK, BACK):
            trees = batch[kind[2]].batch[batch[kind].edge_index[1]]
            assert bool((batch[kind].time <= limits[trees]).all())
            n_edges += batch[kind].num_edges
    assert n_edges > 500


def test_neighbours_by_time_of_nodes_are_no_later_than_the_seed() -> None:
    data = people(m=400)
    batch = next(iter(NeighborLoader(data, [5, 5], time_attr="node_time", batch_size=30)))
    assert bool((batch.node_time <= data.node_time[batch.batch]).all())
    assert batch.num_nodes > 60
    late = next(
        iter(NeighborLoader(data, [-1], time_attr="node_time", input_time=torch.full((30,), 50), batch_size=30))
    )
    assert late.num_edges == 400


def test_edges_of_more_weight_are_drawn_more_often_and_of_none_never() -> None:
    data = Data(num_nodes=5, edge_index=torch.tensor([[1, 2, 3, 4], [0, 0, 0, 0]]), weight=torch.tensor([9.0, 1, 1, 0]))
    loader = NeighborLoader(
        data, [1], input_nodes=torch.zeros(2000).long(), batch_size=2000, weight_attr="weight", seed=0
    )
    counts = torch.bincount(next(iter(loader)).e_id, minlength=4).tolist()
    assert counts[3] == 0
    assert 1550 < counts[0] < 1720  # 9 in 11 of 2000


def test_binary_negatives_follow_the_positives() -> None:
    data = shop()
    loader = LinkNeighborLoader(
        data, [2], edge_label_index=TOOK, edge_label=torch.ones(160), neg_sampling=NegativeSampling("binary", 2),
        batch_size=16, shuffle=True, seed=0,
    )  # fmt: skip
    batch = next(iter(loader))
    label = batch[TOOK].edge_label
    assert label.tolist() == [1.0] * 16 + [0.0] * 32
    users, items = batch[TOOK].edge_label_index
    pairs = torch.stack([batch["user"].n_id[users], batch["item"].n_id[items]])
    assert torch.equal(pairs[:, :16], data[TOOK].edge_index[:, batch[TOOK].input_id])


def test_triplets_name_a_destination_and_negatives_for_each_source() -> None:
    data = shop()
    loader = LinkNeighborLoader(
        data, [2], edge_label_index=(TOOK, data[TOOK].edge_index[:, :40]), batch_size=40,
        neg_sampling={"mode": "triplet", "amount": 3},
    )  # fmt: skip
    batch = next(iter(loader))
    assert batch["item"].dst_neg_index.shape == (40, 3)
    pairs = [batch["user"].n_id[batch["user"].src_index], batch["item"].n_id[batch["item"].dst_pos_index]]
    assert torch.equal(torch.stack(pairs), data[TOOK].edge_index[:, :40])


def batches(loader: Any) -> list[Any]:
    return [(batch.n_id.tolist(), batch.e_id.tolist()) for batch in loader]


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_seed_sets_order_and_neighbours_of_every_iteration(shuffle: bool) -> None:
    loaders = [NeighborLoader(people(), [2, 2], batch_size=7, shuffle=shuffle, seed=5) for _ in range(2)]
    first, second = ([batches(loader) for _ in range(2)] for loader in loaders)
    assert first == second
    assert first[0] != first[1]
    assert batches(NeighborLoader(people(), [2, 2], batch_size=7, shuffle=shuffle, seed=6)) != first[0]


def test_without_a_seed_torchs_generator_decides() -> None:
    def drawn(seed: int) -> list[Any]:
        torch.manual_seed(seed)
        return batches(NeighborLoader(people(), [2, 2], batch_size=7, shuffle=True))

    assert drawn(1) == drawn(1) != drawn(2)


def test_negatives_leave_torchs_generator_as_it_was() -> None:
    loader = LinkNeighborLoader(people(), [1], batch_size=4, neg_sampling_ratio=1.0, seed=0)
    iterator = iter(loader)
    state = torch.get_rng_state()
    next(iterator)
    assert torch.equal(torch.get_rng_state(), state)


def test_loaders_share_one_sampler() -> None:
    data = people()
    train = NeighborLoader(data, [2], input_nodes=torch.arange(5), seed=0)
    test = NeighborLoader(data, [9], input_nodes=torch.arange(5, 9), neighbor_sampler=train.neighbor_sampler, seed=1)
    assert test.neighbor_sampler.graph is train.neighbor_sampler.graph
    assert len(batches(test)) == 4


def test_a_batch_by_index_and_a_transform() -> None:
    loader = NeighborLoader(people(), [2], batch_size=3, drop_last=True, transform=lambda batch: batch.num_nodes)
    assert loader([4, 5]) >= 2
    assert len(list(loader)) == len(loader) == 10


def test_the_sampler_serves_pygs_generic_loaders() -> None:
    data = shop()
    sampler = NeighborSampler(data, NumNeighbors({TOOK: [2]}, default=[1]), keys=BatchKeys(3, shared=False))
    nodes = next(iter(NodeLoader(data, sampler, input_nodes="item", batch_size=4)))
    links = next(iter(LinkLoader(data, sampler, edge_label_index=TOOK, batch_size=4)))
    assert nodes["item"].batch_size == links[TOOK].edge_label_index.shape[1] == 4


def test_data_that_is_on_no_edge_and_data_of_no_nodes() -> None:
    lonely = Data(x=torch.zeros(3, 1), edge_index=torch.empty(2, 0, dtype=torch.long))
    assert next(iter(NeighborLoader(lonely, [4, 4], batch_size=3))).n_id.tolist() == [0, 1, 2]
    bare = HeteroData()
    bare["item"].num_nodes = 2
    assert next(iter(NeighborLoader(bare, [1], input_nodes="item", batch_size=2)))["item"].n_id.tolist() == [0, 1]
    none = Data(x=torch.zeros(0, 1), edge_index=torch.empty(2, 0, dtype=torch.long))
    assert list(NeighborLoader(none, [1])) == []


def nodes(**arguments: Any) -> Any:
    return NeighborLoader(**{"data": people(), "num_neighbors": [2], **arguments})


def typed_nodes(**arguments: Any) -> Any:
    return NeighborLoader(**{"data": shop(), "num_neighbors": [2], "input_nodes": "item", **arguments})


def links(**arguments: Any) -> Any:
    return LinkNeighborLoader(**{"data": shop(), "num_neighbors": [2], "edge_label_index": TOOK, **arguments})


def broken(**attributes: Any) -> Data:
    data = people()
    for name, value in attributes.items():
        data[name] = value
    return data


FUTURE = torch.zeros(160, dtype=torch.long)


@pytest.mark.parametrize(
    ("make", "arguments", "sentence"),
    [
        (nodes, {"data": [1]}, "data is a list; it must be PyG's Data or HeteroData"),
        (nodes, {"num_neighbors": [2, -2]}, r"num_neighbors is \[2, -2\]; it must be a list of whole numbers"),
        (nodes, {"num_neighbors": []}, r"num_neighbors is \[\]; it must be a list"),
        (nodes, {"num_neighbors": 5}, "num_neighbors is 5; it must be a list"),
        (nodes, {"num_neighbors": [1.5]}, r"num_neighbors is \[1.5\]"),
        (nodes, {"num_neighbors": {TOOK: [1]}}, "num_neighbors goes by edge type, but the graph has one alone"),
        (typed_nodes, {"num_neighbors": {TOOK: [1]}}, r"num_neighbors says nothing of the edge type \('item'"),
        (
            typed_nodes,
            {"num_neighbors": {TOOK: [1], ("item", "rev_tok", "user"): [1]}},
            r"edge type of num_neighbors \('item', 'rev_tok', 'user'\) is not among .*; nearest: .*'rev_took'",
        ),
        (typed_nodes, {"num_neighbors": {TOOK: [1], BACK: [1, 2]}}, "different numbers of hops"),
        (typed_nodes, {"input_nodes": "itm"}, "the node type 'itm' is not among 'user', 'item'; nearest: 'item'"),
        (typed_nodes, {"input_nodes": None}, "input_nodes of HeteroData must be a node type, or a pair"),
        (typed_nodes, {"input_nodes": ("item", torch.tensor([17]))}, "input_nodes holds 17; legal rows are 0 to 16"),
        (nodes, {"input_nodes": torch.tensor([-1])}, "input_nodes holds -1; legal rows are 0 to 29"),
        (nodes, {"input_nodes": torch.zeros(4, dtype=torch.bool)}, "the mask input_nodes has 4 entries for 30 nodes"),
        (nodes, {"input_nodes": torch.zeros(4)}, "input_nodes holds float32; it must hold rows"),
        (nodes, {"input_nodes": torch.zeros(2, 2).long()}, r"input_nodes has the shape \(2, 2\)"),
        (
            nodes,
            {"time_attr": "edge_tim"},
            "time_attr 'edge_tim' is no attribute of nodes or edges; nearest: 'edge_time'",
        ),
        (nodes, {"time_attr": "edge_time"}, "time_attr 'edge_time' is of edges, so the seeds have no time"),
        (nodes, {"input_time": torch.zeros(30)}, "input_time is given and time_attr is not"),
        (
            nodes,
            {"time_attr": "edge_time", "input_time": torch.zeros(3)},
            r"input_time has the shape \(3,\); it must be \(30,\)",
        ),
        (
            nodes,
            {"data": broken(node_time=torch.full((30,), torch.nan)), "time_attr": "node_time"},
            r"data.node_time\[0\] is nan",
        ),
        (nodes, {"weight_attr": "wait"}, r"weight_attr: there is no data.wait"),
        (nodes, {"weight_attr": "weight", "data": broken(weight=torch.full((160,), -1.0))}, "go down to -1"),
        (nodes, {"subgraph_type": "undirected"}, "subgraph_type is 'undirected'"),
        (nodes, {"temporal_strategy": "first"}, "temporal_strategy is 'first'"),
        (nodes, {"replace": "yes"}, "replace is 'yes'; it must be true or false"),
        (nodes, {"seed": -1}, "seed is -1"),
        (nodes, {"batch_size": 0}, "batch_size is 0"),
        (nodes, {"num_workers": -1}, "num_workers is -1"),
        (nodes, {"neighbor_sampler": 5}, "neighbor_sampler is a int"),
        (nodes, {"data": broken(edge_index=torch.tensor([[0], [30]]))}, r"destinations of data.edge_index\[0\] is 30"),
        (nodes, {"data": broken(edge_index=torch.zeros(3, 4))}, r"data.edge_index has the shape \(3, 4\)"),
        (typed_nodes, {"data": HeteroData()}, "the node type 'item' is not among none"),
        (links, {"edge_label_index": ("user", "tok", "item")}, r"the edge type \('user', 'tok', 'item'\) is not among"),
        (links, {"edge_label_index": None}, "edge_label_index of HeteroData must be an edge type"),
        (links, {"edge_label_index": (TOOK, torch.tensor([[0], [17]]))}, r"edge_label_index\[1\] holds 17"),
        (links, {"edge_label_index": (None, torch.zeros(2, 1).long())}, "edge_label_index names None"),
        (links, {"edge_label_index": (TOOK, torch.tensor([0, 1]))}, r"edge_label_index has the shape \(2,\)"),
        (links, {"time_attr": "time"}, "time_attr is given and edge_label_time is not"),
        (links, {"edge_label_time": FUTURE}, "edge_label_time is given and time_attr is not"),
        (links, {"edge_label": torch.ones(3)}, r"edge_label has the shape \(3,\) for 160 links"),
        (links, {"edge_label": torch.ones(160), "neg_sampling": "triplet"}, "edge_label is given with triplets"),
        (links, {"neg_sampling": "hard"}, "neg_sampling is 'hard'"),
        (links, {"neg_sampling": ("binary", 1)}, r"neg_sampling is \('binary', 1\); it must be a NegativeSampling"),
        (links, {"neg_sampling": {"mode": "binary", "amount": -1}}, "needs to be positive"),
        (links, {"neg_sampling_ratio": -1.0}, "neg_sampling_ratio is -1.0; it must be a number of 0 or more"),
        (links, {"neg_sampling_ratio": 1e30}, "neg_sampling draws 1e\\+30 negatives a link"),
        (nodes, {"transform": 5}, "transform is 5; it must be a function of a mini-batch"),
        (nodes, {"directed": None}, "directed is None; it must be true or false"),
        (nodes, {"threads": float("nan")}, "threads is nan"),
        (nodes, {"weight_attr": ["weight"]}, "weight_attr is .*; it must be the name of an attribute"),
        (nodes, {"num_neighbors": [10**30]}, "num_neighbors is"),
    ],
)
def test_bad_input_gets_one_sentence(make: Any, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises((ConfigError, DataError), match=sentence) as caught:
        make(**arguments)
    assert "\n" not in str(caught.value)
