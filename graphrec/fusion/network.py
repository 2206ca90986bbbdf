"""A small neural network over what trees look at, LANES entries at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.fusion.trees import LANES
from graphrec.kernels import kernel

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
# Features count up to so many spreads from their centre, in learning and in use.
FARTHEST = np.float32(3.0)
# Below or beyond these a share, the head of a list, or a rank counts alike.
_LEAST_SHARE, _LEAST_HEAD, _LARGEST_HEAD, _LAST_RANK = 1e-4, 1e-3, 1e30, 1000.0
# Rows that become tiles at a time.
_ROWS = 256 * LANES


class NetworkArrays(NamedTuple):
    """A network as the kernel reads it.

    Parameters
    ----------
    sizes : ndarray
        (L + 1,) int64: features, then the outputs of each layer.
    centres, scales : ndarray
        (features,) float32.
    weights, biases : ndarray
        Those of all layers, float32, end to end.
    """

    sizes: npt.NDArray[np.int64]
    centres: npt.NDArray[np.float32]
    scales: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]
    biases: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Network:
    r"""Layers of a network with one output: :math:`W_L\, a(\dots a(W_1 z + b_1) \dots) + b_L`.

    z are the features less their centres, times their scales, cut off at -3 and 3, and 0 where a feature is not known
    (NaN): beyond what it has seen a network would go on as it went there. a(z) is z min(max(z + 3, 0), 6) / 6, the
    "hard swish" of MobileNetV3: smooth, and vectors compute it.

    Parameters
    ----------
    centres, scales : tuple of float
        Of each feature.
    weights : tuple of tuple of float
        Each layer's (outputs * inputs,), output by output; without any layer the network adds 0.
    biases : tuple of tuple of float
        Each layer's (outputs,); the last layer has one.

    Raises
    ------
    ConfigError
        If the layers do not fit together, or a number is not finite in float32.
    """

    centres: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()
    biases: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("centres", "scales"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("weights", "biases"):
            object.__setattr__(self, name, tuple(tuple(layer) for layer in getattr(self, name)))
        weights, outputs = [len(layer) for layer in self.weights], [len(layer) for layer in self.biases]
        # The features are the inputs of the first layer, the outputs of each layer those of the next.
        inputs = [self.n_features, *outputs[:-1]] if outputs else []
        fits = weights == [n * m for n, m in zip(inputs, outputs, strict=True)] and len(self.scales) == self.n_features
        if not fits or bool(outputs) != bool(self.centres) or (outputs and (min(weights) < 1 or outputs[-1] != 1)):
            raise ConfigError(
                f"{self.n_features} centres, {len(self.scales)} scales, layers with {weights} weights and {outputs} "
                "biases are no network with one output"
            )
        numbers = (self.centres, self.scales, *self.weights, *self.biases)
        with np.errstate(over="ignore"):
            finite = all(np.isfinite(np.array(part, dtype=np.float32)).all() for part in numbers)
        if not finite:
            raise ConfigError("centres, scales, weights and biases of a network must be finite in float32")

    @property
    def n_features(self) -> int:
        """How many features it looks at; 0 without layers."""
        return len(self.centres)

    @cached_property
    def arrays(self) -> NetworkArrays:
        """The network as the kernel reads it."""
        sizes = np.array([self.n_features, *(len(layer) for layer in self.biases)], dtype=np.int64)
        return NetworkArrays(
            sizes, _flat([self.centres]), _flat([self.scales]), _flat(self.weights), _flat(self.biases)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the network as JSON values."""
        return {
            "centres": list(self.centres), "scales": list(self.scales),
            "weights": [list(layer) for layer in self.weights], "biases": [list(layer) for layer in self.biases],
        }  # fmt: skip


NO_NETWORK = Network()


def even_features(features: npt.NDArray[np.float32], n_channels: int) -> npt.NDArray[np.float32]:
    """Return features as a network looks at them: of shares, ranks and heads of the channels the logarithms.

    The head of a channel that returned nothing is not known: NaN.

    Parameters
    ----------
    features : ndarray
        (t, F) or (t, F, LANES) float32: rows or tiles of :func:`graphrec.fusion.features.feature_tiles`.
    n_channels : int
        How many channels have three each, which come first.
    """
    even, end = features.copy(), 3 * n_channels
    # Lanes that nobody reads hold anything.
    with np.errstate(all="ignore"):
        even[:, 0:end:3] = np.log(np.maximum(features[:, 0:end:3], _LEAST_SHARE))
        even[:, 1:end:3] = np.log1p(np.minimum(features[:, 1:end:3], _LAST_RANK))
        heads = features[:, 2:end:3]
        even[:, 2:end:3] = np.where(heads > 0, np.log(np.clip(heads, _LEAST_HEAD, _LARGEST_HEAD)), np.nan)
    return even


def network_from_layers(centres: Floats, scales: Floats, layers: Sequence[tuple[Floats, Floats]]) -> Network:
    """Return the network of layers, each (outputs, inputs) weights and (outputs,) biases; numbers have 7 digits."""
    weights, biases = (tuple(map(_numbers, parts)) for parts in zip(*layers, strict=True))
    return Network(_numbers(centres), _numbers(scales), weights, biases)


def add_network(tiles: npt.NDArray[np.float32], network: Network, n_channels: int) -> npt.NDArray[np.float64]:
    """Return what the network says of each entry.

    Parameters
    ----------
    tiles : ndarray
        (t, F, LANES) float32, of :func:`graphrec.fusion.features.feature_tiles`.
    network : Network
        Of F features, or without layers.
    n_channels : int
        As in :func:`even_features`.

    Returns
    -------
    ndarray
        (t, LANES) float64.

    Notes
    -----
    Time O(entries * weights). Sums run in one order, whatever entries are asked for together, so that an entry has the
    same score alone and in a batch, which a matrix product does not promise.
    """
    totals = np.zeros((len(tiles), LANES))
    if network.weights:
        _add(even_features(tiles, n_channels), network.arrays, totals)
    return totals


def add_rows(rows: npt.NDArray[np.float32], network: Network) -> npt.NDArray[np.float64]:
    """Return (t,) what a network with layers says of (t, F) :func:`even_features`, an entry a row."""
    totals = np.empty(len(rows))
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        lanes = np.zeros((-(-len(part) // LANES) * LANES, rows.shape[1]), dtype=np.float32)
        lanes[: len(part)] = part
        tiles = np.ascontiguousarray(lanes.reshape(-1, LANES, rows.shape[1]).transpose(0, 2, 1))
        sums = np.empty((len(tiles), LANES))
        _add(tiles, network.arrays, sums)
        totals[start : start + _ROWS] = sums.ravel()[: len(part)]
    return totals


def _numbers(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.7g}") for value in values.ravel())


def _flat(layers: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    return np.concatenate([np.array(layer, dtype=np.float32) for layer in layers])


@kernel(fastmath={"contract"})
def _add(
    tiles: npt.NDArray[np.float32], network: NetworkArrays, totals: npt.NDArray[np.float64]
) -> None:  # pragma: no cover - compiled
    """Write what the network says; loops over lanes are of constant length, so that they become vectors."""
    sizes, weights, biases = network.sizes, network.weights, network.biases
    widest = sizes.max()
    given, made = np.empty((widest, LANES), dtype=np.float32), np.empty((widest, LANES), dtype=np.float32)
    for tile in range(tiles.shape[0]):
        for i in range(sizes[0]):
            centre, scale = network.centres[i], network.scales[i]
            for lane in range(LANES):
                z = (tiles[tile, i, lane] - centre) * scale
                given[i, lane] = np.float32(0) if np.isnan(z) else min(max(z, -FARTHEST), FARTHEST)
        w, b = 0, 0
        for layer in range(sizes.size - 1):
            hidden = layer < sizes.size - 2
            for o in range(sizes[layer + 1]):
                for lane in range(LANES):
                    made[o, lane] = biases[b]
                b += 1
                for i in range(sizes[layer]):
                    weight = weights[w]
                    w += 1
                    for lane in range(LANES):
                        made[o, lane] += weight * given[i, lane]
                if hidden:
                    for lane in range(LANES):
                        z = made[o, lane]
                        made[o, lane] = z * min(max(z + np.float32(3), np.float32(0)), np.float32(6)) / np.float32(6)
            given, made = made, given
        for lane in range(LANES):
            totals[tile, lane] = given[0, lane]
