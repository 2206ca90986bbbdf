"""Fields as vectors: sums beside a plain loop, and what is not known says nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphrec.data.features import Features, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.models.deep.inputs import FieldInputs
from graphrec.recallers.query_fields import RowFeatures, known_rows, padded
from tests.worlds import item_tags

N = 9


def _features() -> RowFeatures:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(N, 3)).astype(np.float32)
    vectors[8] = np.nan
    prices = np.where(np.arange(N) == 8, np.nan, rng.uniform(1, 9, N))
    colours = Labels(Vocabulary(["black", "white"]), np.where(np.arange(N) == 8, -1, np.arange(N) % 2))
    tags = item_tags(N, ["a", "b", "c"], [(row, tag) for row in range(8) for tag in range(3) if (row + tag) % 2])
    return RowFeatures.of(
        Features(N, {"price": prices}, {"colour": colours}, {"tags": tags}, vectors={"face": vectors})
    )


def _inputs(*, ids: bool) -> FieldInputs:
    torch.manual_seed(0)
    return FieldInputs(N, 4, with_ids=np.arange(N) != 3 if ids else None, features=_features())


@pytest.mark.parametrize("ids", [True, False])
def test_the_sum_is_that_of_the_fields_row_by_row(ids: bool) -> None:
    inputs, features = _inputs(ids=ids), _features().encoded
    rows = torch.tensor([4, 8, 3, 4])
    total = np.zeros((4, 4))
    for place, row in enumerate(rows.tolist()):
        if inputs.ids is not None and row != 3:
            total[place] += inputs.ids.weight[row].detach().numpy()
        for name, table in zip(inputs.category_names, inputs.tables, strict=True):
            indptr, codes = features.categories[name]
            own = [code for code in codes[indptr[row] : indptr[row + 1]] if code]
            weights = table.weight.detach().numpy()  # type: ignore[operator]
            total[place] += np.mean([weights[code] for code in own], axis=0) if own else 0
        assert inputs.numbers is not None
        total[place] += features.numbers[row] @ inputs.numbers.detach().numpy()
        (linear,) = inputs.maps
        total[place] += linear.weight.detach().numpy() @ features.vectors["face"][row]  # type: ignore[operator]
    np.testing.assert_allclose(inputs(rows).detach().numpy(), total, rtol=1e-4, atol=1e-6)
    fields = inputs.fields(rows)
    assert fields.shape == (4, inputs.n_fields, 4)
    np.testing.assert_allclose(fields.sum(dim=1).detach().numpy(), total, rtol=1e-4, atol=1e-6)


def test_a_row_of_which_nothing_is_known_is_told_apart_from_its_gaps() -> None:
    features = _features()
    assert features.known.tolist() == [True] * 8 + [False]
    # That the price is missing is a field that says something all the same.
    assert features.encoded.numbers[8].any()
    assert known_rows(Features(2, {"price": np.array([np.nan, 1.0])}), ["price", "colour"]).tolist() == [False, True]


def test_gradients_leave_the_vector_of_missing_categories_at_zero() -> None:
    inputs = _inputs(ids=False)
    inputs(torch.arange(N)).square().sum().backward()
    for table in inputs.tables:
        assert not table.weight[0].any()  # type: ignore[index]
        assert not table.weight.grad[0].any()  # type: ignore[index]


def test_padded_codes_are_the_codes_of_each_row() -> None:
    features = _features().encoded
    for name, (indptr, codes) in features.categories.items():
        table = padded(features)[f"category:{name}"]
        for row in range(N):
            own = codes[indptr[row] : indptr[row + 1]].tolist()
            assert table[row].tolist() == own + [0] * (table.shape[1] - len(own))
