"""Several states of a history: their formulas, what they may look at, and which of them learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.lists import item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.interest_model import AttentiveInterests, CapsuleInterests, Interests
from graphrec.recallers.interest_encoder import InterestEncoderRecaller
from tests.graphrec.models.deep.test_sequence_parts import drawn_events


def model(routing: str) -> Interests:
    torch.manual_seed(0)
    items = FieldInputs(9, 8, with_ids=np.ones(9, dtype=np.bool_), features=None)
    settings: dict[str, Any] = {"interests": 3, "last": 6, "layers": 0, "dropout": 0.4}
    made = (
        CapsuleInterests(items, **settings, rounds=3)
        if routing == "capsules"
        else AttentiveInterests(items, **settings)
    )
    with torch.no_grad():
        made.by_distance.normal_()
    return made.eval()


def by_hand(interests: Interests, events: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (interests, dim): what is made of events (w, dim), in loops over events and interests."""
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in interests.state_dict().items()}
    w, n = len(events), weights["by_distance"].shape[1]
    hidden = np.tanh(events @ weights["hidden.weight"].T + weights["hidden.bias"])
    begun = hidden @ weights["scoring.weight"].T + weights["by_distance"][w - 1 - np.arange(w)]
    if isinstance(interests, AttentiveInterests):
        shares = np.exp(begun) / np.exp(begun).sum(axis=0)
        mixed = shares.T @ events
    else:
        told, logits = events @ weights["mapping.weight"].T, begun.copy()
        for turn in range(3):
            shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            mixed = np.zeros((n, events.shape[1]))
            for event in range(w):
                for c in range(n):
                    mixed[c] += shares[event, c] * told[event]
            for c in range(n) if turn < 2 else ():
                length = np.linalg.norm(mixed[c])
                logits[:, c] += told @ (mixed[c] / length * length**2 / (1 + length**2))
    centred = mixed - mixed.mean(axis=1, keepdims=True)
    normed: npt.NDArray[np.float64] = centred / np.sqrt(centred.var(axis=1, keepdims=True) + 1e-5)
    return normed


@pytest.mark.parametrize("routing", ["attention", "capsules"])
@torch.no_grad()
def test_interests_are_their_formula(routing: str) -> None:
    interests, events = model(routing), drawn_events([5, 2])
    for row, length in enumerate([5, 2]):
        expected = by_hand(interests, events.vectors[row, :length].numpy().astype(np.float64))
        np.testing.assert_allclose(interests.last(events)[row], expected, atol=1e-4)


@pytest.mark.parametrize("routing", ["attention", "capsules"])
@torch.no_grad()
def test_states_depend_on_nothing_that_comes_later_and_padding_changes_nothing(routing: str) -> None:
    interests, events = model(routing), drawn_events([6, 2, 1])
    states, newest = interests.states(events), interests.last(events)
    later = events.vectors.clone()
    later[:, 4:] = 3.0
    torch.testing.assert_close(interests.states(events._replace(vectors=later))[:, :4], states[:, :4])
    for row, length in enumerate([6, 2, 1]):
        torch.testing.assert_close(newest[row], states[row, length - 1])


def test_only_the_interest_that_is_nearest_to_what_came_next_learns_of_it() -> None:
    interests = model("attention")
    states = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.6, 0.6]], [[0.0, -1.0], [0.5, 0.0], [0.2, 0.9]]])
    states.requires_grad_()
    targets = torch.tensor([[0.1, 2.0], [2.0, 0.1]])
    compared = interests.compared(states, targets)
    np.testing.assert_array_equal(compared.detach(), [[0.0, 1.0], [0.5, 0.0]])
    (gradient,) = torch.autograd.grad(compared.sum(), states)
    assert gradient.abs().sum(dim=2).nonzero().tolist() == [[0, 1], [1, 1]]


@torch.no_grad()
def test_each_interest_begins_to_look_four_times_as_far_back() -> None:
    items = FieldInputs(9, 8, with_ids=np.ones(9, dtype=np.bool_), features=None)
    begun = AttentiveInterests(items, interests=3, last=50, layers=0, dropout=0.0)
    halves = np.exp(begun.by_distance.numpy())
    np.testing.assert_allclose([halves[3, 0], halves[12, 1], halves[48, 2]], 0.25, rtol=1e-5)


def two_tastes(n_users: int = 120) -> RecallData:
    """Return users who walk around two circles of 8 items, from places of their own; which of them is next is drawn."""
    rng = np.random.default_rng(4)
    first, turns = rng.integers(0, 8, (n_users, 2)), rng.integers(0, 2, (n_users, 12))
    steps = np.where(turns, turns.cumsum(axis=1), (1 - turns).cumsum(axis=1))
    items = (np.take_along_axis(first, turns, axis=1) + steps) % 8 + 8 * turns
    users, times = np.repeat(np.arange(n_users), 12), np.tile(np.arange(12), n_users)
    events = Interactions(users, items.ravel(), times=times, n_users=n_users, n_items=16)
    names = Vocabulary([f"i{row}" for row in range(16)])
    return RecallData(Vocabulary([f"u{row}" for row in range(n_users)]), names, events, items_only(names))


@pytest.mark.parametrize("routing", ["attention", "capsules"])
def test_what_comes_next_of_either_taste_is_in_front(routing: Any) -> None:
    """After 0, 1 of one circle and 10, 11 of the other come 2 and 12, whichever was newest."""
    recipe = ComiRec(interests=2, dim=16, epochs=20, lr=0.02, batch=16, dropout=0.0, last=6, routing=routing)
    channel = recipe.fit(two_tastes(), FitContext(seed=1))
    assert isinstance(channel, InterestEncoderRecaller)
    first = np.arange(8)
    walks = np.stack([first, 8 + (first + 2) % 8, (first + 1) % 8, 8 + (first + 3) % 8], axis=1)
    taken = item_lists(walks.tolist())
    queries = Queries(np.full(8, -1), taken)
    answer = channel.recall_allowed(queries, 2, exclude=taken, allowed=np.ones(16, dtype=np.bool_))
    expected = np.stack([(first + 2) % 8, 8 + (first + 4) % 8], axis=1)
    both = [set(items.tolist()) == set(pair.tolist()) for (items, _), pair in zip(answer, expected, strict=True)]
    assert np.mean(both) > 0.6
