from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.errors import ConfigError
from graphrec.fusion.features import feature_rows
from graphrec.fusion.network import (
    NO_NETWORK,
    Network,
    add_network,
    add_rows,
    even_features,
    network_from_layers,
)
from graphrec.fusion.trees import LANES

Layers = list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


def _layers(*sizes: int, seed: int = 0) -> Layers:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairwise(sizes)]


def _scaling(n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.linspace(-1.0, 2.0, n), np.linspace(0.5, 4.0, n)


def _network(layers: Layers) -> Network:
    return network_from_layers(*_scaling(layers[0][0].shape[1]), layers)


def _oracle(layers: Layers, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    centres, scales = _scaling(rows.shape[1])
    values = np.nan_to_num(np.clip((rows - centres) * scales, -3, 3), nan=0.0)
    for depth, (weights, biases) in enumerate(layers):
        if depth:
            values = values * np.clip(values + 3, 0, 6) / 6
        values = values @ weights.T + biases
    return values[:, 0]


@pytest.mark.parametrize("sizes", [(5, 1), (4, 3, 1), (2, 9, 1), (11, 8, 5, 1), (3, 1, 2, 6, 1)])
@pytest.mark.parametrize("n", [1, LANES, 3 * LANES + 7])
def test_an_entry_has_the_sum_of_its_layers(sizes: tuple[int, ...], n: int) -> None:
    layers = _layers(*sizes)
    network = _network(layers)
    assert network.n_features == sizes[0]
    rows = np.random.default_rng(n).normal(size=(n, sizes[0])).astype(np.float32)
    # Far beyond what is usual, and not known.
    rows[n // 2, 0], rows[n - 1, -1] = 1e30, np.nan
    expected = _oracle(layers, rows)
    np.testing.assert_allclose(add_rows(rows, network), expected, rtol=1e-4, atol=1e-4)
    # Alone it has the very same number.
    for place in {0, n // 2, n - 1}:
        assert add_rows(rows[place : place + 1], network)[0] == add_rows(rows, network)[place]


def test_without_layers_it_adds_nothing() -> None:
    assert NO_NETWORK.n_features == 0
    np.testing.assert_array_equal(add_network(np.ones((2, 5, LANES), dtype=np.float32), NO_NETWORK, 1), 0.0)


def test_shares_ranks_and_heads_count_by_their_logarithms_in_rows_as_in_tiles() -> None:
    # Two channels, the score, the popularity; of the second channel nothing.
    row = np.array([0.25, 3.0, 8.0, 0.0, 1e6, 0.0, -2.0, 17.0], dtype=np.float32)
    even = even_features(row[None], 2)[0]
    expected = [np.log(0.25), np.log(4.0), np.log(8.0), np.log(1e-4), np.log(1001.0), np.nan, -2.0, 17.0]
    np.testing.assert_allclose(even, expected, rtol=1e-6)
    tiles = np.full((1, 8, LANES), np.nan, dtype=np.float32)
    tiles[0, :, :3] = row[:, None]
    np.testing.assert_array_equal(feature_rows(even_features(tiles, 2), 3), np.tile(even, (3, 1)))
    assert row[1] == 3.0
    network = _network(_layers(8, 3, 1))
    assert add_network(tiles, network, 2)[0, 1] == add_rows(even[None], network)[0]


def test_heads_beyond_float32_count_as_very_large() -> None:
    row = np.array([[0.5, 1.0, np.inf, -2.0, 3.0]], dtype=np.float32)
    assert even_features(row, 1)[0, 2] == np.float32(np.log(1e30))


def test_json_keeps_it() -> None:
    network = _network(_layers(4, 3, 1))
    assert Network(**json.loads(json.dumps(network.to_dict()))) == network


@pytest.mark.parametrize(
    ("features", "weights", "biases", "message"),
    [
        (2, ((1.0, 2.0),), (), r"layers with \[2\] weights and \[\] biases are no network"),
        (0, (), ((1.0,),), "are no network"),
        (2, (), (), "2 centres, 2 scales, layers with"),
        (1, ((1.0, 2.0),), ((1.0, 2.0),), "are no network with one output"),
        (3, ((1.0, 2.0),), ((1.0,),), "are no network"),
        (1, ((1.0, 2.0), (1.0,)), ((1.0, 2.0), (0.0,)), "are no network"),
        (0, ((), (1.0,)), ((), (1.0,)), "are no network"),
        (0, ((),), ((1.0,),), "are no network"),
        (2, ((1.0, float("nan")),), ((1.0,),), "must be finite"),
        (2, ((1.0, 1e39),), ((1.0,),), "must be finite"),
        (1, ((1.0,),), ((float("inf"),),), "must be finite"),
    ],
)
def test_what_is_no_network_is_refused(
    features: int, weights: tuple[tuple[float, ...], ...], biases: tuple[tuple[float, ...], ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Network((0.0,) * features, (1.0,) * features, weights, biases)


def test_every_feature_has_a_centre_and_a_scale() -> None:
    with pytest.raises(ConfigError, match="2 centres, 1 scales"):
        Network((0.0, 0.0), (1.0,), ((1.0, 2.0),), ((0.0,),))
    with pytest.raises(ConfigError, match="must be finite"):
        Network((0.0,), (1e60,), ((1.0,),), ((0.0,),))
