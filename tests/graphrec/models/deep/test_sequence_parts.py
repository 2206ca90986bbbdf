"""The parts of sequence models: windows, what attention may look at, and the losses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, logsigmoid

from graphrec.contracts.progress import FitContext
from graphrec.data.interactions import Interactions
from graphrec.data.lists import indptr_of
from graphrec.data.sequences import Sequences
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.generalised_bce import generalised_bce
from graphrec.models.deep.gru4rec import GRU4Rec
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.sequence_model import Events
from graphrec.models.deep.sequence_settings import SequenceSettings
from graphrec.models.deep.sequence_start import spectral_vectors
from graphrec.models.deep.sequence_task import drawn_targets
from graphrec.models.deep.sequence_windows import in_steps, n_windows, positions_of, windows
from graphrec.models.deep.transformer import CausalTransformer
from graphrec.models.deep.youtube_dnn import YouTubeDNN
from tests.graphrec.models.deep.sequence_worlds import rounds


@given(
    st.lists(st.integers(0, 30), max_size=8), st.integers(1, 7), st.integers(1, 8), st.integers(1, 5), st.integers(0, 3)
)
def test_every_event_but_the_first_is_predicted_once(
    lengths: list[int], last: int, overlap: int, size: int, seed: int
) -> None:
    indptr = indptr_of(np.array(lengths, dtype=np.int64))
    events, rng = Sequences(indptr, np.zeros(indptr[-1], dtype=np.int32)), np.random.default_rng(seed)
    cut = windows(events, last, overlap, rng)
    assert len(cut.starts) == n_windows(events, last, overlap)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    told: list[int] = []
    reading = np.zeros(indptr[-1], dtype=np.int64)
    for step in in_steps(cut, size, rng):
        assert len(step.starts) <= size
        for row, newest in zip(positions_of(step.starts, step.lengths), step.newest, strict=True):
            positions = row[row >= 0]
            begin, end = indptr[owners[positions[-1]]], positions[-1]
            assert positions.tolist() == list(range(max(begin, end - last), end + 1))  # as much as may be read
            assert 1 <= newest < len(positions)
            told += positions[-newest:].tolist()
            reading[positions[:-1]] += 1
    assert sorted(told) == [place for place in range(indptr[-1]) if place not in indptr[:-1]]
    if overlap >= last:
        assert (cut.newest == 1).all()
    if overlap == 1:
        assert (cut.newest[cut.lengths <= last] == cut.lengths[cut.lengths <= last] - 1).all()


@pytest.mark.parametrize("recipe", [SASRec(), GRU4Rec(), YouTubeDNN(), ComiRec()])
@pytest.mark.parametrize("overlap", [3, 40])
def test_windows_that_overlap_teach_in_many_passes_what_one_teaches_in_one(
    recipe: SequenceSettings, overlap: int
) -> None:
    losses = []
    for most in (1, overlap):
        alike = replace(recipe, overlap=most, dim=8, last=40, negatives=10**6, batch=10**6, dropout=0.0)
        task = alike._task(rounds(), FitContext(seed=2))
        assert task.n_batches == 1
        (step,) = task.batches(0, np.random.default_rng(0))
        losses.append(task.loss(step, np.random.default_rng(0)))
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-5)


def transformer(kind: str) -> CausalTransformer:
    torch.manual_seed(0)
    items = FieldInputs(9, 8, with_ids=np.ones(9, dtype=np.bool_), features=None)
    model = CausalTransformer(items, last=6, blocks=2, heads=2, kind=kind, times=True, dropout=0.4)  # type: ignore[arg-type]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("by_distance", "by_interval")):
                weight.normal_()
    return model.eval()


def drawn_events(lengths: list[int]) -> Events:
    rng, width = np.random.default_rng(1), max(lengths)
    vectors = torch.from_numpy(rng.normal(size=(len(lengths), width, 8)).astype(np.float32))
    ages = torch.from_numpy(np.sort(rng.integers(0, 10**6, (len(lengths), width)))[:, ::-1].astype(np.float32))
    known = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    return Events(vectors * known[:, :, None], torch.tensor(lengths), ages * known, torch.zeros_like(ages))


@pytest.mark.parametrize("kind", ["plain", "gated"])
@torch.no_grad()
def test_a_state_depends_on_nothing_that_comes_later(kind: str) -> None:
    model, events = transformer(kind), drawn_events([6, 6])
    before = model.states(events)
    later = events.vectors.clone()
    later[:, 4:] *= torch.linspace(-2, 2, 8)
    after = model.states(events._replace(vectors=later))
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4], before[:, 4], atol=1e-3)


@pytest.mark.parametrize("kind", ["plain", "gated"])
@torch.no_grad()
def test_padding_and_the_short_way_to_the_last_state_change_nothing(kind: str) -> None:
    model, events = transformer(kind), drawn_events([2, 6, 1])
    states, newest = model.states(events), model.last(events)
    for row, length in enumerate([2, 6, 1]):
        alone = Events(
            events.vectors[row : row + 1, :length],
            events.lengths[row : row + 1],
            events.ages[row : row + 1, :length],
            events.example_ages[row : row + 1, :length],
        )
        torch.testing.assert_close(newest[row], model.states(alone)[0, -1])
        torch.testing.assert_close(newest[row], states[row, length - 1])


@torch.no_grad()
def test_intervals_play_a_part() -> None:
    model, events = transformer("plain"), drawn_events([4])
    hours = model.last(events._replace(ages=torch.tensor([[3.0, 2.0, 1.0, 0.0]]) * 3600))
    years = model.last(events._replace(ages=torch.tensor([[3.0, 2.0, 1.0, 0.0]]) * 3600 * 8760))
    assert not torch.allclose(hours, years, atol=1e-3)


@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_generalised_cross_entropy_is_its_formula(calibration: float) -> None:
    rng = np.random.default_rng(2)
    anchors, positives, shared = (torch.from_numpy(rng.normal(size=(n, 4))) for n in (5, 5, 3))
    masked = (torch.tensor([1, 4]), torch.tensor([0, 2]))
    log_q = torch.full((3,), float(np.log(3 / 20)), dtype=torch.float64)
    loss = generalised_bce(anchors, positives, shared, masked, log_q, calibration=calibration)
    alpha = 3 / 20
    beta = alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)
    expected = []
    for place in range(5):
        negatives = [j for j in range(3) if (place, j) not in {(1, 0), (4, 2)}]
        scores = torch.stack([anchors[place] @ shared[j] for j in negatives])
        own = torch.log(torch.sigmoid(anchors[place] @ positives[place]) ** beta)
        expected.append(-(own + logsigmoid(-scores).sum()))
    torch.testing.assert_close(loss, torch.stack(expected).mean())


def test_with_as_many_negatives_as_items_the_softmax_is_exact() -> None:
    recipe = SASRec(dim=8, last=4, overlap=2, negatives=10**6, batch=7, dropout=0.0)
    task = recipe._task(rounds(), FitContext(seed=2))
    step = next(iter(task.batches(0, np.random.default_rng(0))))
    loss = task.loss(step, np.random.default_rng(0))
    items, table = task._events.items.astype(np.int64), task.model.items_in(torch.arange(12))
    expected = []
    for start, length, newest in zip(*(step.examples[name] for name in ("starts", "lengths", "newest")), strict=True):
        window = torch.from_numpy(items[start : start + length])
        none = torch.zeros(1, length - 1)
        events = Events(table[window[:-1]][None], torch.tensor([length - 1]), none, none)
        scores = task.model.states(events)[0] @ table.T
        expected.append(cross_entropy(scores[-newest:], window[-newest:], reduction="none"))
    torch.testing.assert_close(loss, torch.cat(expected).mean(), rtol=1e-4, atol=1e-5)


def test_targets_are_told_from_the_negatives_that_are_the_same() -> None:
    places, drawn = drawn_targets(np.array([4, 7, 4]), np.array([7, 1, 4, 7]))
    assert sorted(zip(places.tolist(), drawn.tolist(), strict=True)) == [(0, 2), (1, 0), (1, 3), (2, 2)]


def test_items_that_the_same_people_took_begin_near_each_other() -> None:
    """Two halves of a catalogue whose users never meet; item 8 has no events, and more columns than eigenvectors."""
    data = rounds()
    users = np.repeat(np.arange(40), 3)
    items = (users % 2) * 4 + np.random.default_rng(0).integers(0, 4, len(users))
    halves = replace(data, interactions=Interactions(users, items, n_users=40, n_items=12))
    first = spectral_vectors(halves, FitContext(seed=1), 2)[:8]
    unit = first / np.linalg.norm(first, axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ unit.T, np.kron(np.eye(2), np.ones((4, 4))), atol=1e-4)
    vectors = spectral_vectors(halves, FitContext(seed=1), 10)
    assert vectors.shape[1] <= 8
    np.testing.assert_allclose(vectors[8:], 0, atol=1e-6)
    begun, drawn = (
        SASRec(dim=10, start=start)._task(halves, FitContext(seed=1)).model.items_in.ids.weight.detach().numpy()  # type: ignore[union-attr]
        for start in ("spectral", "random")
    )
    np.testing.assert_allclose(begun[:, : vectors.shape[1]], vectors)
    np.testing.assert_array_equal(begun[:, vectors.shape[1] :], drawn[:, vectors.shape[1] :])


@torch.no_grad()
def test_blocks_begin_with_the_newest_item_and_the_mean_of_the_others() -> None:
    torch.manual_seed(3)
    items = FieldInputs(9, 8, with_ids=np.ones(9, dtype=np.bool_), features=None)
    model = CausalTransformer(items, last=6, blocks=1, heads=1, kind="plain", times=False, dropout=0.0).eval()
    model.places.weight.zero_()
    dict(model.named_parameters())["blocks.0.attention.query.weight"].zero_()
    events = drawn_events([5])
    plain = torch.nn.functional.layer_norm(events.vectors, (8,))
    expected = torch.nn.functional.layer_norm(plain[:, 4] + plain.mean(dim=1), (8,))
    torch.testing.assert_close(model.last(events), expected)


def test_what_is_drawn_at_first_follows_from_the_seed() -> None:
    recipe = SASRec(dim=8)
    first, again, other = (recipe._task(rounds(), FitContext(seed=seed)).model.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["items_in.ids.weight"], other["items_in.ids.weight"])
    assert replace(recipe, dim=9, overlap=1)._task(rounds(), FitContext()).n_batches == 1
