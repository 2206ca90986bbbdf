"""What a model reads of items: each kind of feature, and what is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from graphrec.data.features import Features, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.models.graph_networks.item_inputs import ItemInputs
from tests.worlds import item_tags

N, DIM = 6, 4
ALL = torch.arange(N)


def inputs(**parts: Any) -> ItemInputs:
    torch.manual_seed(1)
    return ItemInputs(N, DIM, **{"with_events": None, **parts}).eval()


def vectors(of: ItemInputs, rows: torch.Tensor = ALL) -> np.ndarray:
    with torch.no_grad():
        array: np.ndarray = of(rows).numpy()
    return array


def weight_of(module: Any) -> np.ndarray:
    array: np.ndarray = module.weight.detach().numpy()
    return array


def test_numbers_are_standardised_and_what_is_not_known_is_the_mean() -> None:
    numbers = np.array([1.0, 3.0, np.nan, 5.0, 3.0, 3.0])
    of = inputs(features=Features(N, numbers={"pages": numbers}))
    known = numbers[~np.isnan(numbers)]
    expected = np.where(np.isnan(numbers), 0, (numbers - known.mean()) / known.std())
    assert of.numbers is not None
    weight = weight_of(of.numbers)
    np.testing.assert_allclose(vectors(of), expected[:, None] * weight.T, atol=1e-6)


@pytest.mark.parametrize("column", [[1e300, -1e300, 5e299, 0, 0, 0], [7.0] * N, [np.nan] * N, [1e-300, 0, 0, 0, 0, 0]])
def test_numbers_of_any_size_give_finite_vectors(column: list[float]) -> None:
    of = inputs(features=Features(N, numbers={"size": np.array(column)}))
    assert np.isfinite(vectors(of)).all()


def test_labels_tags_and_vectors_are_summed() -> None:
    labels = Labels(Vocabulary(["de", "fr"]), [0, 1, -1, 0, 1, -1])
    tags = item_tags(N, ["a", "b", "c"], [(0, 0), (0, 2), (1, 1), (5, 2)])
    given = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    given[4] = np.nan
    of = inputs(features=Features(N, labels={"language": labels}, tags={"shelf": tags}, vectors={"text": given}))
    names, bags, linear = (weight_of(module) for module in (of.labels[0], of.bags[0], of.vectors[0]))
    expected = np.zeros((N, DIM))
    for item in range(N):
        if labels.codes[item] >= 0:
            expected[item] += names[labels.codes[item] + 1]
        own = tags.table[item][0]
        if len(own):
            expected[item] += bags[own].sum(axis=0) / np.sqrt(len(own))
        if item != 4:
            expected[item] += linear @ (given[item] / np.linalg.norm(given[item]))
    np.testing.assert_allclose(vectors(of), expected, atol=1e-5)
    np.testing.assert_allclose(vectors(of, torch.tensor([5, 0, 5])), expected[[5, 0, 5]], atol=1e-5)
    assert of.known().tolist() == [True, True, True, True, True, True]


def test_an_item_without_events_has_no_id_and_is_known_by_its_features_alone() -> None:
    seen = np.array([True, True, False, False, True, True])
    labels = Labels(Vocabulary(["de"]), [0, -1, 0, -1, -1, -1])
    of = inputs(with_events=seen, features=Features(N, labels={"language": labels}))
    assert of.ids is not None
    found, language = vectors(of), weight_of(of.labels[0])[1]
    np.testing.assert_array_equal(found[3], 0)
    np.testing.assert_allclose(found[2], language)
    np.testing.assert_allclose(found[0], of.ids.weight.detach().numpy()[0] + language, rtol=1e-6)
    assert of.known().tolist() == [True, False, True, False, False, False]


def test_columns_follow_the_model_and_are_not_learnt() -> None:
    of = inputs(features=Features(N, numbers={"pages": np.arange(N, dtype=np.float64)}))
    assert [name for name, _ in of.named_parameters()] == ["numbers.weight"]
    assert list(of.state_dict()) == ["numbers.weight"]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to tell items apart by: ids are off"):
        inputs()
    with pytest.raises(DataError, match="the features are of 5 items; there are 6"):
        inputs(features=Features(5, numbers={"pages": np.zeros(5)}))
