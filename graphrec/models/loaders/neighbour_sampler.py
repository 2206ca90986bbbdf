"""PyG's ``BaseSampler`` on the kernels of :mod:`graphrec.graph.sampling`: no pyg-lib, no torch-sparse."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import Data, HeteroData  # type: ignore[import-untyped]
from torch_geometric.sampler import (  # type: ignore[import-untyped]
    BaseSampler,
    EdgeSamplerInput,
    HeteroSamplerOutput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)
from torch_geometric.sampler.base import SubgraphType  # type: ignore[import-untyped]
from torch_geometric.sampler.neighbor_sampler import edge_sample, node_sample  # type: ignore[import-untyped]

from graphrec.checks import check_choice, check_count, check_flag
from graphrec.errors import ConfigError, brief
from graphrec.graph.sampling import TEMPORAL_STRATEGIES, Sample, TemporalStrategy, Times, sample_neighbours
from graphrec.models.loaders.loader_inputs import TimesOf, check_data, edges_of, fan_outs, node_sizes, type_names


class BatchKeys:
    """The random keys of the batches of a loader: a function of an iteration and of what is in the batch.

    They do not depend on which worker makes a batch, so neither does the batch.

    Parameters
    ----------
    seed : int or None
        Iteration ``i`` of every loader with this seed has the same keys. None draws an iteration's key from torch's
        generator, which ``torch.manual_seed`` sets.
    shared : bool
        Workers see a new iteration, those that live on included.
    """

    def __init__(self, seed: int | None, *, shared: bool) -> None:
        self._seed, self._iterations = seed, 0
        self._key = torch.zeros(1, dtype=torch.int64)
        if shared:
            self._key.share_memory_()  # type: ignore[no-untyped-call]
        self.renew()

    def renew(self) -> None:
        """Go on to the next iteration."""
        self._iterations += 1
        if self._seed is None:
            self._key.random_()
        else:
            text = f"{self._seed} {self._iterations}".encode()
            self._key[0] = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little", signed=True)

    def of(self, *parts: torch.Tensor | None) -> int:
        """Return the key of the batch that holds ``parts``, 0 or more."""
        digest = hashlib.blake2b(self._key.numpy().tobytes(), digest_size=8)
        for part in parts:
            digest.update(b"" if part is None else part.numpy().tobytes())
        return int.from_bytes(digest.digest(), "little") >> 1


class NeighborSampler(BaseSampler):  # type: ignore[misc]
    """Samples neighbourhoods as PyG's class of this name does, for PyG's ``NodeLoader`` and ``LinkLoader``.

    Parameters
    ----------
    data : Data or HeteroData
        The graph; its edges are copied, sorted by destination.
    num_neighbors : list of int, or mapping of edge type to list of int
        Edges of each type for a node of each hop; -1 takes all, 0 none.
    replace, subgraph_type, disjoint, temporal_strategy, time_attr, weight_attr, is_sorted :
        As PyG has them. ``disjoint`` may be joined with ``subgraph_type="induced"``, which PyG refuses. Edges of weight
        0 are never sampled, not with -1 either.
    keys : BatchKeys
        What makes batches random.
    threads : int or None
        Threads that draw; None takes every processor, and one in a worker. The sample does not depend on it.

    Raises
    ------
    ConfigError, DataError
        In one sentence, for anything that cannot be sampled.
    """

    def __init__(
        self,
        data: Data | HeteroData,
        num_neighbors: Any,
        *,
        keys: BatchKeys,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        disjoint: bool = False,
        temporal_strategy: TemporalStrategy = "uniform",
        time_attr: str | None = None,
        weight_attr: str | None = None,
        is_sorted: bool = False,
        threads: int | None = None,
    ) -> None:
        check_data(data)
        for name, flag in (("replace", replace), ("disjoint", disjoint), ("is_sorted", is_sorted)):
            check_flag(name, flag)
        for name, attribute in (("time_attr", time_attr), ("weight_attr", weight_attr)):
            if attribute is not None and not isinstance(attribute, str):
                raise ConfigError(f"{name} is {brief(attribute)}; it must be the name of an attribute")
        if threads is not None:
            check_count("threads", threads, 1)
        if not isinstance(subgraph_type, SubgraphType):
            check_choice("subgraph_type", subgraph_type, [kind.value for kind in SubgraphType])
        check_choice("temporal_strategy", temporal_strategy, TEMPORAL_STRATEGIES)
        self.is_hetero = isinstance(data, HeteroData)
        self.node_types, self.edge_types = type_names(data)
        self.sizes = node_sizes(data)
        self.fan_outs = fan_outs(num_neighbors, self.edge_types)
        self.times = TimesOf(data, time_attr)
        self.graph = edges_of(data, self.times, weight_attr, is_sorted=is_sorted)
        self.replace, self.subgraph_type = replace, SubgraphType(subgraph_type)
        self.disjoint = disjoint or bool(self.times)
        self.temporal_strategy, self.threads, self.keys = temporal_strategy, threads, keys

    def with_keys(self, keys: BatchKeys) -> NeighborSampler:
        """Return a sampler over the same arrays, with keys of its own."""
        twin = copy.copy(self)
        twin.keys = keys
        return twin

    def sample_from_nodes(self, index: NodeSamplerInput, **_: Any) -> SamplerOutput | HeteroSamplerOutput:
        """Return the neighbourhood of the seed nodes."""
        key = self.keys.of(index.input_id, index.node, index.time)
        return self._finished(node_sample(index, lambda seed, time: self._sample(seed, time, key)))

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput | HeteroSamplerOutput:
        """Return the neighbourhood of the ends of the seed links, and of negative ones where they are asked for."""
        key = self.keys.of(index.input_id, index.row, index.col, index.time)
        sizes = dict(zip(self.node_types, self.sizes, strict=True)) if self.is_hetero else self.sizes[0]
        times = {kind: torch.from_numpy(values) for kind, values in self.times.nodes.items()}
        generator = torch.default_generator
        state = generator.get_state()
        try:
            # PyG draws negatives from torch's own generator.
            generator.manual_seed(key)
            out = edge_sample(
                index,
                lambda seed, time: self._sample(seed, time, key),
                sizes,
                self.disjoint,
                (times if self.is_hetero else times.get(None)) if times else None,
                neg_sampling,
            )
        finally:
            generator.set_state(state)
        return self._finished(out)

    def _finished(self, out: Any) -> Any:
        return out.to_bidirectional() if self.subgraph_type == SubgraphType.bidirectional else out

    def _sample(self, seed: Any, seed_time: Any, key: int) -> SamplerOutput | HeteroSamplerOutput:
        """Return the neighbourhood of the seeds, a tensor or one for each node type."""
        seeds = seed if self.is_hetero else {None: seed}
        sample = sample_neighbours(
            self.graph,
            self.sizes,
            {self.node_types.index(kind): rows.numpy() for kind, rows in seeds.items()},
            self.fan_outs,
            key=key,
            replace=self.replace,
            disjoint=self.disjoint,
            induced=self.subgraph_type == SubgraphType.induced,
            strategy=self.temporal_strategy,
            limits=self._limits(seeds, seed_time if self.is_hetero or seed_time is None else {None: seed_time}),
            threads=1 if torch.utils.data.get_worker_info() is not None else self.threads,
        )
        return self._hetero_output(sample) if self.is_hetero else self._output(sample)

    def _limits(self, seeds: Any, seed_times: Any) -> Times | None:
        """Return the time of each seed, in their order; None without times."""
        if not self.times:
            return None
        parts = []
        for kind, rows in seeds.items():
            if seed_times is not None:
                parts.append(seed_times[kind].numpy())
            elif kind in self.times.nodes:
                parts.append(self.times.nodes[kind][rows.numpy()])
            else:
                raise ConfigError("the seeds have no time of their own; give input_time")
        return np.concatenate(parts).astype(self.times.dtype)

    def _output(self, sample: Sample) -> SamplerOutput:
        counted = self.subgraph_type != SubgraphType.induced
        return SamplerOutput(
            node=torch.from_numpy(sample.nodes[0]),
            row=torch.from_numpy(sample.rows[0]),
            col=torch.from_numpy(sample.columns[0]),
            edge=torch.from_numpy(sample.edges[0]),
            batch=None if sample.trees is None else torch.from_numpy(sample.trees[0]),
            num_sampled_nodes=sample.nodes_per_hop[0] if counted else None,
            num_sampled_edges=sample.edges_per_hop[0] if counted else None,
        )

    def _hetero_output(self, sample: Sample) -> HeteroSamplerOutput:
        counted = self.subgraph_type != SubgraphType.induced

        def by_type(kinds: list[Any], values: list[Any]) -> dict[Any, Any]:
            return dict(zip(kinds, values, strict=True))

        def tensors(kinds: list[Any], arrays: list[npt.NDArray[np.int64]]) -> dict[Any, torch.Tensor]:
            return by_type(kinds, [torch.from_numpy(array) for array in arrays])

        return HeteroSamplerOutput(
            node=tensors(self.node_types, sample.nodes),
            row=tensors(self.edge_types, sample.rows),
            col=tensors(self.edge_types, sample.columns),
            edge=tensors(self.edge_types, sample.edges),
            batch=None if sample.trees is None else tensors(self.node_types, sample.trees),
            num_sampled_nodes=by_type(self.node_types, sample.nodes_per_hop) if counted else None,
            num_sampled_edges=by_type(self.edge_types, sample.edges_per_hop) if counted else None,
        )
