"""LightGCN by sparse propagation: vectors of users and items, smoothed over the graph of who took what."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.families import VectorSettings, history_half_life
from graphrec.channels.shared import shared_taste
from graphrec.contracts.choosing import ChosenFit
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, Checkpoints, FitContext, State, TrainingPoint
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.errors import ConfigError
from graphrec.index.sketch import AUDITED
from graphrec.kernels import kernel
from graphrec.models.graph_networks.cosine_softmax import Rows, cosine_softmax, with_lengths
from graphrec.models.graph_networks.propagation import Bipartite, Pair, bipartite, in_rows, propagate
from graphrec.models.training.early_stopping import EarlyStopping
from graphrec.models.training.processes import SINGLE, Processes, launched
from graphrec.models.training.training_points import points_of, table_of
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.sparse.taste import inverse_power
from graphrec.sparse.topk import FloatArray

_FIRST_DECAY, _SECOND_DECAY, _TINY = 0.9, 0.999, 1e-8
# The learning rate falls along half a cosine to this share of the first.
_LAST_RATE = 0.1

# Seconds between two checkpoints.
_CHECKPOINT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LightGCN(VectorSettings):
    r"""The items whose propagated vectors times the user's are greatest.

    .. math:: E = \frac{1}{L + 1} \sum_{l=0}^{L} A^l E^0, \qquad A_{ui} = \frac{w_{ui}}{\sqrt{d_u d_i}},
              \qquad \hat y_{ui} = e_u \cdot \frac{e_i}{|e_i|^{1 - \rho}}

    d is a row's total weight. What is learnt is :math:`E^0`, by gradient steps (Adam) on a softmax over cosines,

    .. math:: -\sum_{u \in B, i \in I_u} w_{ui} \log \frac{e^{\cos(e_u, e_i) / \tau}}
              {e^{\cos(e_u, e_i) / \tau} + \frac{n}{|N|} \sum_{j \in N \setminus I_u} e^{\cos(e_u, e_j) / \tau}}

    over a batch B of users, each with all of his items I_u, and N items that they share, drawn anew at each step; where
    there are no more than ``negatives`` items, N is all n of them and the softmax is exact. A is symmetric, so the
    gradient by :math:`E^0` is the same propagation of the gradient by E: a step is two propagations over the whole
    graph and three products of the batch by N.

    Training looks at directions alone; popular items come out longer. Served is the product with
    :math:`e_i / |e_i|^{1 - \rho}`: some of that length, between a cosine and the plain product.

    A user is served by his own part of :math:`E^0`, where he was trained, and by a propagation from the history at
    hand, known or live; for the history of training this is his vector exactly. Without either the list is empty.
    An item without events has no vector and is never returned. Items off the pool count in a history; the engine
    leaves them out of the answer.

    Parameters
    ----------
    dim : int, default 64
        Width of the vectors, >= 1.
    layers : int, default 2
        L, steps of propagation, >= 1.
    temperature : float, default 0.12
        tau, > 0: the lower, the more the nearest items that the user did not take matter.
    negatives : int, default 4096
        Items drawn for N at each step, >= 1.
    batch : int, default 1024
        Users of a step, >= 1. Of many users larger batches learn more in the same time, for a step propagates over the
        whole graph whatever its users are.
    length_exponent : float, default 0.5
        rho, >= 0: 0 serves by cosine, 1 by the plain product; the higher, the more popular what comes back.
    steps : int, default 240
        Gradient steps, >= 1.
    patience : int, default 0
        Checks in a row that may serve held-out users no better than the best before training stops; 0 trains all
        steps. Where a fit is handed held-out users (:meth:`choose`), ``stop_at`` is the step of the best check.
    check_every : int, default 10
        Steps between two checks, >= 1.
    stop_at : int, default 0
        Steps after which training stops while the learning rate falls as for ``steps``; 0 goes to the end.
    lr : float, default 0.05
        First learning rate, > 0; falls to a tenth.
    init_scale : float, default 0.1
        Standard deviation of the vectors drawn at first, > 0.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    index, m, ef_construction, ef_search :
        How the greatest products are searched: see :class:`graphrec.channels.families.VectorSettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or ``stop_at`` beyond ``steps``.

    Notes
    -----
    Own items among the negatives held it back: on a random fifth of the books' train the softmax over all draws, in 100
    steps of all users, had Recall@20 .165, NDCG@20 .178 and Recall@200 .535; this one has .172, .188 and .542 in a
    third more time. On Gowalla's validation part (4,000 users; dim 128, temperature 0.1, ``batch=4096``, ``lr=0.02``)
    they are .202, .137 and .535 in 106 s of a core, and were .199, .134 and .536 in 290. Its test part has .187 and
    .156, with 256 dimensions and all items as negatives .192 and .160 (985 s); the paper's loss, at its cost, is
    published with .183 and .155.

    References
    ----------
    .. [1] He, Deng, Wang, Li, Zhang, Wang, "LightGCN: Simplifying and powering graph convolution network for
       recommendation", SIGIR 2020, eq. (3) to (8). Differs: the loss is a softmax in place of BPR, over all items of a
       batch's users: hundreds of steps in place of hundreds of thousands.
    .. [2] Wu, Wang, Gao, Chen, Fu, Qiu, "On the effectiveness of sampled softmax loss for item recommendation",
       ACM TOIS 42(4), 2024, arXiv 2201.02327: the loss. Differs: negatives are drawn from all items alike, and none is
       an item of the user's own.
    """

    about: ClassVar[About] = About(
        recalls="graph convolution over users and items",
        artefact="vectors",
    )

    dim: int = count(64, least=1, search=choices(32, 64, 128))
    layers: int = count(2, least=1, search=ints(1, 4))
    temperature: float = number(0.12, above=0, search=floats(0.05, 0.5, log=True))
    negatives: int = count(4096, least=1, unit="items")
    batch: int = count(1024, least=1, unit="users", search=choices(512, 1024, 4096))
    length_exponent: float = number(0.5, search=floats(0.0, 1.0))
    steps: int = count(240, least=1, search=ints(60, 1000, log=True))
    patience: int = count(0, unit="checks")
    check_every: int = count(10, least=1, unit="steps")
    stop_at: int = count(0, unit="steps")
    lr: float = number(0.05, above=0, search=floats(0.005, 0.1, log=True))
    init_scale: float = number(0.1, above=0)
    half_life: float = history_half_life(0.0)

    def check(self) -> None:
        """Refuse to stop after the last step."""
        if self.stop_at > self.steps:
            raise ConfigError(f"stop_at is {self.stop_at}; it must be at most steps, which is {self.steps}, or 0")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> VectorRecaller:
        """Return the channel; the same for a seed whatever the number of threads.

        For m pairs, a step takes O(layers * m * dim + batch * negatives * dim) time; memory is about
        40 (users + items) dim bytes, the pairs three times, and 8 KiB * negatives for each thread. Under ``torchrun``
        each process takes its part of the batch * negatives, and all end with the same vectors.
        ``context.progress`` and ``context.record`` get the loss at each step; it varies a little with the negatives
        drawn. Where there are ``context.checkpoints``, a fit that was stopped goes on where it was, with the same
        answer.

        Raises
        ------
        ConfigError
            If the loss is no longer finite: ``lr`` is too large.
        """
        rows, graph = self._graph(data, context)
        with launched(context.device) as processes:
            vectors = self._train(graph, context, processes)
        return self._channel(data, rows, graph, vectors, context)

    @property
    def chooses(self) -> bool:
        """Whether where to stop is to be chosen on held-out users."""
        return self.patience > 0 and self.stop_at == 0

    def choose(self, data: RecallData, context: FitContext) -> ChosenFit:
        """Return the recipe whose ``stop_at`` is the best of the checks, and its channel.

        A check searches exactly, whatever the index, and costs what ``context.objective`` does; for the vectors of the
        best, a third of a step's memory is added. Checkpoints as :meth:`fit` has them.

        Raises
        ------
        ConfigError
            As :meth:`fit`; or if the context has no held-out users or no objective.
        """
        if not self.chooses:
            return ChosenFit(self, self.fit(data, context))
        rows, graph = self._graph(data, context)
        exact = replace(self, index="exact")

        with launched(context.device) as processes:

            def score(learnt: State) -> float:
                channel = exact._channel(data, rows, graph, (learnt["users"], learnt["items"]), context)
                return processes.mean(context.score(channel))

            stopping = EarlyStopping(score, every=self.check_every, patience=self.patience)
            vectors = self._train(graph, context, processes, stopping)
        if stopping.step:  # there are events
            vectors = stopping.learnt["users"], stopping.learnt["items"]
        chosen = replace(self, stop_at=stopping.step)
        return ChosenFit(chosen, chosen._channel(data, rows, graph, vectors, context))

    def _graph(self, data: RecallData, context: FitContext) -> tuple[npt.NDArray[np.int32], Bipartite]:
        """Return the items with events (t,), ascending, and the graph of users and those items."""
        taste = shared_taste(data, context, self.weight_exponent)
        rows = np.unique(taste.indices).astype(np.int32)
        return rows, bipartite(sp.csr_array(taste[:, rows]))

    def _channel(
        self, data: RecallData, rows: npt.NDArray[np.int32], graph: Bipartite, vectors: Pair, context: FitContext
    ) -> VectorRecaller:
        """Return the channel of learnt vectors of users (n_users, dim) and of the items ``rows`` (t, dim)."""
        users, items = vectors
        depth = np.float32(self.layers + 1)
        final_users, targets = propagate(graph, users, items, self.layers)
        targets = with_lengths(targets, self.length_exponent)
        # What an item hands to a user: the layers below the last, over the root of the item's degree.
        lower = propagate(graph, users, items, self.layers - 1)[1]
        below = lower * np.float32(self.layers) / depth
        sources = below * inverse_power(graph.item_degrees, 0.5)[:, None].astype(np.float32)
        drawn = np.random.default_rng(context.seed).permutation(np.flatnonzero(graph.user_degrees))[:AUDITED]
        history = HistoryEncoder(rows, sources, len(data.items), self.profile(), exponent=0.5)
        return VectorRecaller(
            UserEncoder(users / depth, history, "sum"),
            targets,
            self.build_index(targets, "ip", context.seed, queries=final_users[drawn]),
            "because you {verb} {source}: close to it in the graph of who {verb} what",
        )

    def _train(
        self,
        graph: Bipartite,
        context: FitContext,
        processes: Processes = SINGLE,
        stopping: EarlyStopping | None = None,
    ) -> Pair:
        """Return what was learnt of users (n_users, dim) and items (n_items, dim); zero for users without events."""
        rng, n_items = np.random.default_rng(context.seed), graph.shape[1]
        state = self._first(graph, rng)
        learnt, last = {name: state[name] for name in ("users", "items")}, self.stop_at or self.steps
        points = _resumed(state, stopping, context.checkpoints)
        done, saved_at = len(points), time.monotonic()
        if processes.mean(done) != done:
            raise ConfigError("the processes read different checkpoints; keep them where all processes can read")
        if not processes.is_first:
            context = replace(context, progress=ALONE.progress, record=ALONE.record, checkpoints=None)
        for point in points:
            context.record(point)
        batches = self._batches(np.flatnonzero(graph.user_degrees), rng)
        for step in range(1, last + 1 if n_items else 1):
            batch = next(batches)
            negatives = np.sort(rng.choice(n_items, min(self.negatives, n_items), replace=False))
            if step <= done:  # drawn all the same: what follows is then what it would have been without a stop
                continue
            if stopping is not None and stopping.over:
                break
            # A mean over the pairs, so that fits on parts of the data compare.
            loss = self._step(graph, state, batch, negatives, step, processes)
            seen = {"loss": loss / float(graph.user_degrees[batch].sum())}
            if stopping is not None:
                seen |= stopping.after(step, learnt, last=step == last)
            context.progress(step, last, **seen)
            points.append(TrainingPoint(unit="step", step=step, lr=self._rate(step), **seen))
            context.record(points[-1])
            if context.checkpoints is not None and time.monotonic() - saved_at >= _CHECKPOINT_S:
                best = {} if stopping is None else stopping.state()
                context.checkpoints.save({**state, **best, "points": table_of(points)})
                saved_at = time.monotonic()
        return state["users"], state["items"]

    def _batches(self, users: Rows, rng: np.random.Generator) -> Iterator[Rows]:
        """Yield batches of ``users`` (n,), each rising, without end: all of them once, in an order drawn, and again."""
        while True:
            parts = np.array_split(rng.permutation(users), -(-len(users) // self.batch))
            yield from map(np.sort, parts)

    def _step(
        self,
        graph: Bipartite,
        state: dict[str, FloatArray],
        batch: Rows,
        negatives: Rows,
        step: int,
        processes: Processes,
    ) -> float:
        """Take one step down the gradient, in place; return the loss before it."""
        loss, gradients = cosine_softmax(
            graph, state["users"], state["items"], batch, negatives, layers=self.layers,
            temperature=self.temperature, processes=processes,
        )  # fmt: skip
        if not np.isfinite(loss):
            raise ConfigError(f"the loss of lightgcn is {loss} at step {step}; lower lr, which is {self.lr}")
        for name, gradient in zip(("users", "items"), gradients, strict=True):
            self._descend(state, name, gradient, step)
        return loss

    def _first(self, graph: Bipartite, rng: np.random.Generator) -> dict[str, FloatArray]:
        """Return the vectors as they are drawn, and Adam's means of gradients and of their squares, by name."""
        drawn = [rng.standard_normal((n, self.dim), dtype=np.float32) for n in graph.shape]
        users, items = (vectors * np.float32(self.init_scale) for vectors in drawn)
        users[graph.user_degrees == 0] = 0
        state = {"users": users, "items": items}
        for name in ("users", "items"):
            state |= {f"{name}-{moment}": np.zeros_like(state[name]) for moment in ("mean", "square")}
        return state

    def _descend(self, state: dict[str, FloatArray], name: str, gradient: FloatArray, step: int) -> None:
        """Take one step of Adam with the vectors called ``name``, in place."""
        vectors, mean, square = state[name], state[f"{name}-mean"], state[f"{name}-square"]
        rate = np.float32(self._rate(step) / (1 - _FIRST_DECAY**step))
        levelled = np.float32(1 / (1 - _SECOND_DECAY**step))
        in_rows(
            lambda start, stop: _adam(vectors, gradient, mean, square, rate, levelled, start, stop),
            len(vectors),
        )

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 1."""
        share = _LAST_RATE + (1 - _LAST_RATE) * (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.lr * share


def _resumed(
    state: dict[str, FloatArray], stopping: EarlyStopping | None, checkpoints: Checkpoints | None
) -> list[TrainingPoint]:
    """Copy what was saved last into ``state`` and ``stopping``, and return the steps up to there; none without any."""
    saved = {} if checkpoints is None else checkpoints.load()
    if any(name not in saved or saved[name].shape != array.shape for name, array in state.items()):
        return []
    if "points" not in saved or (stopping is not None and not stopping.resume(saved)):
        return []
    for name, array in state.items():
        array[:] = saved[name]
    return points_of(saved["points"], "step")


@kernel(fastmath={"reassoc", "contract"})
def _adam(
    vectors: FloatArray,
    gradient: FloatArray,
    mean: FloatArray,
    square: FloatArray,
    rate: np.float32,
    levelled: np.float32,
    start: int,
    stop: int,
) -> None:  # pragma: no cover - compiled
    first, second = np.float32(_FIRST_DECAY), np.float32(_SECOND_DECAY)
    one, tiny = np.float32(1), np.float32(_TINY)
    for row in range(start, stop):
        for d in range(vectors.shape[1]):
            slope = gradient[row, d]
            mean[row, d] = first * mean[row, d] + (one - first) * slope
            square[row, d] = second * square[row, d] + (one - second) * slope * slope
            vectors[row, d] -= rate * mean[row, d] / (np.sqrt(square[row, d] * levelled) + tiny)
