"""PyG's neighbour loaders from a plain install: the same arguments, the same mini-batches, our kernels.

Both are subclasses of PyG's loaders of the same name, so what asks ``isinstance`` (Lightning does) is content, and
whatever PyG's loaders do with a sample (features, labels, workers, transforms) is done by PyG's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch_geometric import loader as pyg  # type: ignore[import-untyped]
from torch_geometric.data import Data, HeteroData  # type: ignore[import-untyped]
from torch_geometric.sampler import NegativeSampling  # type: ignore[import-untyped]
from torch_geometric.sampler.base import SubgraphType  # type: ignore[import-untyped]

from graphrec.checks import check_at_least, check_count, check_flag
from graphrec.errors import ConfigError, DataError, brief
from graphrec.graph.sampling import TemporalStrategy
from graphrec.models.loaders.loader_inputs import NodeType, as_numpy, check_data, moments, seed_edges, seed_nodes
from graphrec.models.loaders.neighbour_sampler import BatchKeys, NeighborSampler

Transform = Callable[[Any], Any]

_MOST_NEGATIVES = 100_000


class NeighborLoader(pyg.NeighborLoader):  # type: ignore[misc]
    """Mini-batches of sampled neighbourhoods of nodes: ``torch_geometric.loader.NeighborLoader`` [1]_ on our kernels.

    Parameters
    ----------
    data : Data or HeteroData
        The graph; :func:`graphrec.models.hetero.to_hetero` makes it of a catalogue and interactions.
    num_neighbors : list of int, or mapping of edge type to list of int
        Edges (of each type) for a node of each hop; -1 takes all, 0 none. Edges are followed against their direction.
    input_nodes : Tensor, str, or (str, Tensor), optional
        The seeds: rows or a mask; of ``HeteroData`` a node type, alone for all its nodes. None takes all of ``Data``.
    input_time : Tensor, optional
        (n,) time of each seed; needed where ``time_attr`` is of edges.
    replace : bool, default False
        Draw a node's edges with replacement.
    subgraph_type : {"directional", "bidirectional", "induced"}
        The edges drawn; those and their reverses; or all edges among the sampled nodes.
    disjoint : bool, default False
        A subgraph of its own for each seed, named in ``batch``; always with ``time_attr``.
    temporal_strategy : {"uniform", "last"}
        Draw among the edges that are early enough, or take the latest of them.
    time_attr : str, optional
        The attribute with the times of nodes, or of edges: no edge (or neighbour) later than the seed is sampled.
    weight_attr : str, optional
        The attribute of all edge types by which edges are drawn, >= 0.
    transform, transform_sampler_output : callable, optional
        Applied to each mini-batch, and to each sample before it.
    is_sorted : bool, default False
        The edges stand in order of their destination, and within it of time.
    filter_per_worker : bool, optional
        Whether workers slice the attributes.
    neighbor_sampler : NeighborSampler, optional
        The ``neighbor_sampler`` of another loader over the same data, to share its arrays; settings of sampling are
        then taken from it.
    directed : bool, default True
        False is PyG's older name of ``subgraph_type="induced"``.
    seed : int, optional
        Makes shuffling and sampling a function of it and of the number of iterations so far. None leaves both to
        torch's generator: ``torch.manual_seed`` then does the same.
    threads : int, optional
        Threads that draw; None takes every processor (one in a worker).
    **kwargs
        Of ``torch.utils.data.DataLoader``: ``batch_size``, ``shuffle``, ``drop_last``, ``num_workers``, …

    Raises
    ------
    ConfigError, DataError
        In one sentence, for settings and seeds that are illegal.

    Notes
    -----
    A mini-batch is PyG's: ``n_id``, ``e_id``, ``input_id``, ``batch_size``, ``num_sampled_nodes``,
    ``num_sampled_edges``, and every attribute of nodes and edges sliced. What is drawn depends neither on the number of
    threads nor on that of workers.

    References
    ----------
    .. [1] https://pytorch-geometric.readthedocs.io/en/latest/modules/loader.html

    Examples
    --------
    >>> import torch
    >>> from torch_geometric.data import Data
    >>> data = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 2]]))
    >>> batch = next(iter(NeighborLoader(data, [-1, -1], input_nodes=torch.tensor([2]))))
    >>> batch.n_id.tolist(), batch.edge_index.tolist(), batch.batch_size
    ([2, 1, 0], [[1, 2], [0, 1]], 1)
    """

    def __init__(
        self,
        data: Data | HeteroData,
        num_neighbors: Any,
        input_nodes: Any = None,
        input_time: torch.Tensor | None = None,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        disjoint: bool = False,
        temporal_strategy: TemporalStrategy = "uniform",
        time_attr: str | None = None,
        weight_attr: str | None = None,
        transform: Transform | None = None,
        transform_sampler_output: Transform | None = None,
        is_sorted: bool = False,
        filter_per_worker: bool | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        directed: bool = True,
        *,
        seed: int | None = None,
        threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_data(data)
        _check_flags(directed=directed, filter_per_worker=filter_per_worker)
        _check_functions(transform=transform, transform_sampler_output=transform_sampler_output)
        self._keys = _keys(seed, kwargs)
        kind, n = seed_nodes(data, input_nodes)
        sampler = _shared(neighbor_sampler, self._keys) or NeighborSampler(
            data,
            num_neighbors,
            keys=self._keys,
            replace=replace,
            subgraph_type=subgraph_type if directed else "induced",
            disjoint=disjoint,
            temporal_strategy=temporal_strategy,
            time_attr=time_attr,
            weight_attr=weight_attr,
            is_sorted=is_sorted,
            threads=threads,
        )
        time_attr = _check_input_time(sampler, kind, n, input_time, time_attr)
        super().__init__(
            data,
            num_neighbors,
            input_nodes=input_nodes,
            input_time=input_time,
            time_attr=time_attr,
            transform=transform,
            transform_sampler_output=transform_sampler_output,
            filter_per_worker=filter_per_worker,
            neighbor_sampler=sampler,
            **kwargs,
        )

    def __iter__(self) -> Iterator[Any]:
        """Begin an iteration: other neighbours than in the last."""
        self._keys.renew()
        return super().__iter__()  # type: ignore[no-any-return]

    def __call__(self, index: Any) -> Any:
        """Return the mini-batch of the seeds at ``index``."""
        self._keys.renew()
        return super().__call__(index)

    @property
    def neighbor_sampler(self) -> NeighborSampler:
        """The sampler, for other loaders over the same data."""
        sampler: NeighborSampler = self.node_sampler
        return sampler


class LinkNeighborLoader(pyg.LinkNeighborLoader):  # type: ignore[misc]
    """Mini-batches of sampled neighbourhoods of links: ``torch_geometric.loader.LinkNeighborLoader`` on our kernels.

    Parameters
    ----------
    data : Data or HeteroData
        The graph.
    num_neighbors : list of int, or mapping of edge type to list of int
        See :class:`NeighborLoader`, as for the arguments that are not named here.
    edge_label_index : Tensor, edge type, or (edge type, Tensor), optional
        The seeds: (2, n) rows of sources and destinations; of ``HeteroData`` with their edge type, which alone takes
        all its edges. Seeds that are edges of the graph are sampled like any other: leave them out of ``data``, or
        use times, where they shall not be seen.
    edge_label : Tensor, optional
        (n,) labels of the seeds.
    edge_label_time : Tensor, optional
        (n,) times of the seeds; with ``time_attr`` and only with it.
    neg_sampling : NegativeSampling, dict or str, optional
        ``"binary"`` adds pairs drawn at random, ``"triplet"`` destinations; PyG may draw a true link.
    neg_sampling_ratio : float, optional
        Short for a binary ``neg_sampling`` of this amount.

    Raises
    ------
    ConfigError, DataError
        In one sentence, for settings and seeds that are illegal.

    Notes
    -----
    A mini-batch is PyG's: ``edge_label_index``, ``edge_label`` and ``edge_label_time``, or ``src_index``,
    ``dst_pos_index`` and ``dst_neg_index`` of triplets, beside what :class:`NeighborLoader` gives. Negatives too depend
    neither on threads nor on workers.
    """

    def __init__(
        self,
        data: Data | HeteroData,
        num_neighbors: Any,
        edge_label_index: Any = None,
        edge_label: torch.Tensor | None = None,
        edge_label_time: torch.Tensor | None = None,
        replace: bool = False,
        subgraph_type: SubgraphType | str = "directional",
        disjoint: bool = False,
        temporal_strategy: TemporalStrategy = "uniform",
        neg_sampling: NegativeSampling | dict[str, Any] | str | None = None,
        neg_sampling_ratio: float | None = None,
        time_attr: str | None = None,
        weight_attr: str | None = None,
        transform: Transform | None = None,
        transform_sampler_output: Transform | None = None,
        is_sorted: bool = False,
        filter_per_worker: bool | None = None,
        neighbor_sampler: NeighborSampler | None = None,
        directed: bool = True,
        *,
        seed: int | None = None,
        threads: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_data(data)
        _check_flags(directed=directed, filter_per_worker=filter_per_worker)
        _check_functions(transform=transform, transform_sampler_output=transform_sampler_output)
        self._keys = _keys(seed, kwargs)
        _, n = seed_edges(data, edge_label_index)
        if (edge_label_time is None) != (time_attr is None):
            given, missing = (
                ("time_attr", "edge_label_time") if edge_label_time is None else ("edge_label_time", "time_attr")
            )
            raise ConfigError(f"{given} is given and {missing} is not; sampling by time needs both")
        if edge_label_time is not None:
            moments(edge_label_time, n, name="edge_label_time")
            _check_tensor(edge_label_time, "edge_label_time")
        negatives = _negatives(neg_sampling, neg_sampling_ratio)
        _check_labels(edge_label, n, negatives)
        sampler = _shared(neighbor_sampler, self._keys) or NeighborSampler(
            data,
            num_neighbors,
            keys=self._keys,
            replace=replace,
            subgraph_type=subgraph_type if directed else "induced",
            disjoint=disjoint,
            temporal_strategy=temporal_strategy,
            time_attr=time_attr,
            weight_attr=weight_attr,
            is_sorted=is_sorted,
            threads=threads,
        )
        super().__init__(
            data,
            num_neighbors,
            edge_label_index=edge_label_index,
            edge_label=edge_label,
            edge_label_time=edge_label_time,
            neg_sampling=negatives,
            time_attr=time_attr,
            transform=transform,
            transform_sampler_output=transform_sampler_output,
            filter_per_worker=filter_per_worker,
            neighbor_sampler=sampler,
            **kwargs,
        )

    def __iter__(self) -> Iterator[Any]:
        """Begin an iteration: other neighbours and negatives than in the last."""
        self._keys.renew()
        return super().__iter__()  # type: ignore[no-any-return]

    def __call__(self, index: Any) -> Any:
        """Return the mini-batch of the seeds at ``index``."""
        self._keys.renew()
        return super().__call__(index)

    @property
    def neighbor_sampler(self) -> NeighborSampler:
        """The sampler, for other loaders over the same data."""
        sampler: NeighborSampler = self.link_sampler
        return sampler


def _check_flags(*, directed: bool, filter_per_worker: bool | None) -> None:
    check_flag("directed", directed)
    if filter_per_worker is not None:
        check_flag("filter_per_worker", filter_per_worker)


def _check_functions(**functions: object) -> None:
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ConfigError(f"{name} is {brief(function)}; it must be a function of a mini-batch")


def _keys(seed: int | None, kwargs: dict[str, Any]) -> BatchKeys:
    """Return the keys of a loader's batches; a seed also sets the order in which ``DataLoader`` shuffles."""
    if seed is not None:
        check_count("seed", seed, 0, 2**63 - 1)
        kwargs.setdefault("generator", torch.Generator().manual_seed(seed))
    check_count("num_workers", kwargs.get("num_workers", 0), 0)
    if kwargs.get("batch_size", 1) is not None:
        check_count("batch_size", kwargs.get("batch_size", 1), 1)
    return BatchKeys(seed, shared=kwargs.get("num_workers", 0) > 0)


def _shared(sampler: NeighborSampler | None, keys: BatchKeys) -> NeighborSampler | None:
    if sampler is not None and not isinstance(sampler, NeighborSampler):
        raise ConfigError(
            f"neighbor_sampler is a {type(sampler).__name__}; it must be the neighbor_sampler of a loader of graphrec"
        )
    return None if sampler is None else sampler.with_keys(keys)


def _check_input_time(
    sampler: NeighborSampler, kind: NodeType, n: int, input_time: Any, time_attr: str | None
) -> str | None:
    """Raise an error unless every seed has a time, where there are times; return the attribute, or a stand-in."""
    if input_time is not None:
        if not sampler.times:
            raise ConfigError("input_time is given and time_attr is not; sampling by time needs both")
        moments(input_time, n, name="input_time")
        _check_tensor(input_time, "input_time")
    elif sampler.times and kind not in sampler.times.nodes:
        what = "edges" if sampler.times.edges else "other node types"
        raise ConfigError(f"time_attr {time_attr!r} is of {what}, so the seeds have no time; give input_time")
    return time_attr or ("" if sampler.times else None)


def _negatives(neg_sampling: Any, ratio: float | None) -> NegativeSampling | None:
    if ratio is not None:
        check_at_least("neg_sampling_ratio", ratio, 0)
    if ratio:
        neg_sampling = {"mode": "binary", "amount": ratio}
    if neg_sampling is not None and not isinstance(neg_sampling, NegativeSampling | dict | str):
        raise ConfigError(f"neg_sampling is {brief(neg_sampling)}; it must be a NegativeSampling, a dict or its mode")
    try:
        negatives = NegativeSampling.cast(neg_sampling)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"neg_sampling is {brief(neg_sampling)}: {brief(str(error), 120)}") from error
    if negatives is not None and not negatives.amount <= _MOST_NEGATIVES:
        raise ConfigError(f"neg_sampling draws {negatives.amount:g} negatives a link; at most {_MOST_NEGATIVES:,} go")
    return negatives


def _check_tensor(values: object, name: str) -> None:
    if not isinstance(values, torch.Tensor):
        raise ConfigError(f"{name} is a {type(values).__name__}; it must be a torch.Tensor")


def _check_labels(edge_label: Any, n: int, negatives: NegativeSampling | None) -> None:
    if edge_label is None:
        return
    if negatives is not None and negatives.is_triplet():
        raise ConfigError("edge_label is given with triplets, which have no labels; leave it out")
    labels = as_numpy(edge_label, "edge_label")
    _check_tensor(edge_label, "edge_label")
    if labels.ndim == 0 or len(labels) != n:
        raise DataError(f"edge_label has the shape {labels.shape} for {n} links")
