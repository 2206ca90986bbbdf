"""The training loop: what a step is, where it stops, that it goes on to the bit, and what it says of a broken loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from graphrec.contracts.progress import FitContext, State, TrainingPoint
from graphrec.errors import ConfigError
from graphrec.models.training.loop import Batch, Group, TrainingHistory, TrainingSettings, seeded, train
from tests.graphrec.models.training.training_worlds import FactorTask

SHORT = TrainingSettings(epochs=4, lr=0.05, checkpoint_s=0.0)
ALONE = FitContext(seed=3, workers=1)


class Interrupted(KeyboardInterrupt):
    """The signal of the tests."""


@dataclass
class Memory:
    """Checkpoints in memory; the ``stop_after``-th save is the last thing that happens."""

    stop_after: int = 10**9
    saved: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    saves: int = 0

    def load(self) -> State:
        return self.saved

    def save(self, state: State) -> None:
        self.saved = {name: array.copy() for name, array in state.items()}
        self.saves += 1
        if self.saves == self.stop_after:
            raise Interrupted


def weights(task: FactorTask) -> dict[str, npt.NDArray[Any]]:
    return {name: tensor.numpy().copy() for name, tensor in task.model.state_dict().items()}


def same(ours: Mapping[str, npt.NDArray[Any]], theirs: Mapping[str, npt.NDArray[Any]]) -> bool:
    return all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("sparse", [False, True])
def test_it_learns(sparse: bool) -> None:
    task = FactorTask(sparse=sparse)
    history = train(task, TrainingSettings(epochs=60, lr=0.05, warm_up=0.1, clip_norm=5.0), ALONE)
    assert task.error() < 0.05
    assert [point.step for point in history.points] == list(range(1, 61))
    assert history.points[-1].loss < history.points[0].loss / 20
    assert history.epoch == 60


def test_a_dense_step_is_that_of_adamw_on_the_mean_over_examples() -> None:
    ours, theirs = FactorTask(sparse=False, batch=35), FactorTask(sparse=False, batch=35)
    train(ours, TrainingSettings(epochs=3, lr=0.01, decay="none"), ALONE)
    optimizer = torch.optim.AdamW(theirs.model.parameters(), lr=0.01, weight_decay=0.0)
    for epoch in range(3):
        (batch,) = theirs.batches(epoch, np.random.default_rng([3, epoch]))
        optimizer.zero_grad()
        theirs.loss(batch, np.random.default_rng()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for name, array in weights(theirs).items():
        np.testing.assert_allclose(weights(ours)[name], array, rtol=1e-5, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_generators_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    first, second, other = (FactorTask(dropout=0.5) for _ in range(3))
    for task, seed in ((first, 3), (second, 3), (other, 4)):
        train(task, SHORT, FitContext(seed=seed, workers=1))
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(other))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads + 1
    torch.set_num_threads(threads)


@pytest.mark.parametrize("stop_after", [1, 5, 7, 19])
def test_what_was_stopped_goes_on_to_the_same_bits(stop_after: int) -> None:
    whole, stopped = FactorTask(dropout=0.5), FactorTask(dropout=0.5)
    points = train(whole, SHORT, ALONE).points
    checkpoints = Memory(stop_after)
    with pytest.raises(Interrupted):
        train(stopped, SHORT, FitContext(seed=3, workers=1, checkpoints=checkpoints))
    again, seen = FactorTask(seed=9, dropout=0.5), list[TrainingPoint]()
    history = train(again, SHORT, FitContext(seed=3, workers=1, checkpoints=checkpoints, record=seen.append))
    assert same(weights(again), weights(whole))
    assert again.calls == whole.calls - stop_after
    assert [point.loss for point in history.points] == [point.loss for point in points]
    assert tuple(seen) == history.points


def test_a_signal_leaves_a_checkpoint_of_the_steps_that_are_over() -> None:
    whole, stopped, checkpoints = FactorTask(), FactorTask(), Memory()
    train(whole, SHORT, ALONE)

    def interrupt(done: int, _total: int, /, **_values: float) -> None:
        if done == 7:
            raise Interrupted

    rarely = TrainingSettings(epochs=4, lr=0.05, checkpoint_s=1e6)
    with pytest.raises(Interrupted):
        train(stopped, rarely, FitContext(seed=3, workers=1, checkpoints=checkpoints, progress=interrupt))
    assert int(checkpoints.saved["step"]) == 7
    again = FactorTask()
    train(again, rarely, FitContext(seed=3, workers=1, checkpoints=checkpoints))
    assert same(weights(again), weights(whole))


def test_a_signal_within_a_step_leaves_the_checkpoint_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints, task = Memory(), FactorTask()
    step, steps = torch.optim.SparseAdam.step, 0

    def interrupted(self: torch.optim.SparseAdam, closure: None = None) -> None:
        nonlocal steps
        steps += 1
        if steps == 6:
            raise Interrupted
        step(self, closure)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(torch.optim.SparseAdam, "step", interrupted)
    with pytest.raises(Interrupted):
        train(task, SHORT, FitContext(seed=3, workers=1, checkpoints=checkpoints))
    assert int(checkpoints.saved["step"]) == 5
    monkeypatch.undo()
    whole, again = FactorTask(), FactorTask()
    for other, context in ((whole, ALONE), (again, FitContext(seed=3, workers=1, checkpoints=checkpoints))):
        train(other, SHORT, context)
    assert same(weights(again), weights(whole))


def test_a_checkpoint_of_another_model_is_not_taken() -> None:
    checkpoints, task, alone = Memory(), FactorTask(), FactorTask()
    checkpoints.saved = {"points": np.zeros((0, 5)), "step": np.array(5), "model/users.weight": np.zeros((1, 1))}
    train(task, SHORT, FitContext(seed=3, workers=1, checkpoints=checkpoints))
    train(alone, SHORT, ALONE)
    assert same(weights(task), weights(alone))


def checked(scores: list[float], settings: TrainingSettings, task: FactorTask, context: FitContext) -> TrainingHistory:
    left = iter(scores)
    return train(task, settings, context, validate=lambda: next(left))


def test_patience_ends_with_the_weights_of_the_best_check() -> None:
    task, upto = FactorTask(), FactorTask()
    settings = TrainingSettings(epochs=9, lr=0.05, patience=2, check_every=2)
    history = checked([1, 3, 2, 3, 9], settings, task, ALONE)
    assert history.epoch == 4
    assert [point.validation for point in history.points] == [None, 1, None, 3, None, 2, None, 3]
    stopped = train(upto, TrainingSettings(epochs=9, lr=0.05, stop_at=4), ALONE)
    assert stopped.epoch == 4
    assert same(weights(task), weights(upto))


def test_without_patience_checks_change_nothing() -> None:
    task, alone = FactorTask(), FactorTask()
    assert checked([4, 3, 2, 1], SHORT, task, ALONE).epoch == 4
    train(alone, SHORT, ALONE)
    assert same(weights(task), weights(alone))


def test_a_stop_in_a_check_repeats_the_check() -> None:
    settings = TrainingSettings(epochs=4, lr=0.05, patience=3, checkpoint_s=1e6)
    whole, checkpoints = FactorTask(), Memory()
    history = checked([5, 1, 3, 2], settings, whole, ALONE)
    scores: Iterator[float] = iter([5])

    def interrupted() -> float:
        try:
            return next(scores)
        except StopIteration:
            raise Interrupted from None

    context = FitContext(seed=3, workers=1, checkpoints=checkpoints)
    with pytest.raises(Interrupted):
        train(FactorTask(), settings, context, validate=interrupted)
    again = FactorTask()
    resumed = checked([1, 3, 2], settings, again, context)
    assert resumed.epoch == history.epoch == 1
    assert [point.validation for point in resumed.points] == [5, 1, 3, 2]
    assert same(weights(again), weights(whole))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_stops_with_the_data_named_and_the_last_good_state_kept(bad: float) -> None:
    checkpoints, task = Memory(), FactorTask()
    task.ratings[11] = bad
    with pytest.raises(
        ConfigError, match=r"the loss is not finite at step \d, batch \d of epoch 1: its 'ratings'"
    ) as e:
        train(task, replace(SHORT, checkpoint_s=1e6), FitContext(seed=3, workers=1, checkpoints=checkpoints))
    assert f"the state after step {int(checkpoints.saved['step'])} is kept" in str(e.value)
    assert all(
        np.isfinite(array).all() for name, array in checkpoints.saved.items() if "/" in name and "stop" not in name
    )


def test_a_learning_rate_that_is_too_high_is_named() -> None:
    task = FactorTask()
    with pytest.raises(
        ConfigError, match=r"the (loss|gradient) is not finite at step \d+.*lr, which is 1e\+20, is too high; lower it"
    ):
        train(task, TrainingSettings(epochs=50, lr=1e20), ALONE)


class TwoRates(FactorTask):
    def groups(self) -> list[Group]:
        return [Group([self.model.users.weight], lr_scale=0.0), Group(list(self.model.items.parameters()))]  # type: ignore[union-attr,list-item]


def test_groups_learn_at_rates_of_their_own() -> None:
    task = TwoRates()
    before = weights(task)
    train(task, SHORT, ALONE)
    assert np.array_equal(weights(task)["users.weight"], before["users.weight"])
    assert not np.array_equal(weights(task)["items.weight"], before["items.weight"])


def test_clipping_bounds_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths, step = [], torch.optim.AdamW.step

    def measured(self: torch.optim.AdamW, closure: None = None) -> None:
        gradients = [weights.grad for group in self.param_groups for weights in group["params"]]
        lengths.append(float(torch.sqrt(torch.stack([(gradient**2).sum() for gradient in gradients]).sum())))
        step(self, closure)

    monkeypatch.setattr(torch.optim.AdamW, "step", measured)
    train(FactorTask(sparse=False), TrainingSettings(epochs=1, clip_norm=0.1), ALONE)
    assert max(lengths) == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        (TrainingSettings(lr=1.0, warm_up=0.5, decay="none"), {0: 0.2, 4: 1.0, 9: 1.0}),
        (TrainingSettings(lr=1.0, decay="linear", last_lr=0.0), {0: 1.0, 9: 0.0}),
        (TrainingSettings(lr=1.0, decay="cosine", last_lr=0.2), {0: 1.0, 9: 0.2}),
        (TrainingSettings(lr=1.0, warm_up=0.1, decay="linear", last_lr=0.5), {0: 1.0, 1: 1.0, 5: 0.75, 9: 0.5}),
    ],
)
def test_the_learning_rate_rises_and_falls(settings: TrainingSettings, rates: dict[int, float]) -> None:
    assert {step: settings.lr_at(step, 10) for step in rates} == pytest.approx(rates)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"stop_at": 11}, "stop_at is 11; it must be at most epochs, which is 10"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"warm_up": 1.0}, "warm_up is 1.0"),
        ({"precision": "16"}, "precision is '16'"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        TrainingSettings(**wrong)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"device of a fit is '{device}'"):
        train(FactorTask(), SHORT, FitContext(device=device))


class Miscounted(FactorTask):
    @property
    def n_batches(self) -> int:
        return 4


def test_a_task_that_miscounts_its_batches_is_refused() -> None:
    with pytest.raises(ConfigError, match="epoch 0 of the task has 5 batches; n_batches is 4"):
        train(Miscounted(), SHORT, ALONE)


def test_progress_has_loss_throughput_and_the_last_check() -> None:
    calls: list[tuple[int, int, dict[str, float]]] = []

    def progress(done: int, total: int, /, **values: float) -> None:
        calls.append((done, total, values))

    checked([1, 2, 3, 4], SHORT, FactorTask(), FitContext(workers=1, progress=progress))
    assert [(done, total) for done, total, _ in calls] == [(step, 20) for step in range(1, 21)]
    assert calls[0][2].keys() == {"loss", "examples_per_s"}
    assert calls[-1][2]["validation"] == 3


def test_a_batch_is_divided_among_processes_without_loss() -> None:
    batch = Batch({"rows": np.arange(7), "wide": np.arange(14).reshape(7, 2)}, {"negatives": np.arange(3)})
    parts = [batch.part(rank, 3) for rank in range(3)]
    assert sorted(np.concatenate([part.examples["rows"] for part in parts])) == list(range(7))
    assert [len(part) for part in parts] == [3, 2, 2]
    assert all(part.shared is batch.shared for part in parts)


def test_seeded_draws_alike_and_puts_the_generator_back() -> None:
    before = torch.get_rng_state()
    drawn = []
    for key in ((1, 2), (1, 2), (1, 3)):
        with seeded(*key):
            drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_bfloat16_where_autocast_allows_it_learns_in_float32() -> None:
    exact, mixed = FactorTask(), FactorTask()
    for task, precision in ((exact, "32-true"), (mixed, "bf16-mixed")):
        train(task, TrainingSettings(epochs=20, lr=0.05, precision=precision), ALONE)  # type: ignore[arg-type]
    assert mixed.error() < 2 * exact.error() + 0.05
    assert not same(weights(mixed), weights(exact))
    assert {array.dtype for array in weights(mixed).values()} == {np.dtype(np.float32)}
