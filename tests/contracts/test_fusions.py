"""Every fusion keeps the contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from graphrec.fusion.boosted import Boosted
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.coverage import Coverage
from graphrec.fusion.curves import Curve
from graphrec.fusion.graph_levels import GraphLevels
from graphrec.fusion.network import network_from_layers
from graphrec.fusion.priority import Priority
from graphrec.fusion.quota import Quota
from graphrec.fusion.rrf import Rrf
from graphrec.fusion.settings import FUSIONS
from graphrec.fusion.snake import Snake
from graphrec.fusion.trees import Trees
from tests.contracts.fusion import CHANNELS, FusionContract, some_lists


class TestRrf(FusionContract):
    fusion = Rrf()


class TestWeightedRrf(FusionContract):
    fusion = Rrf({"hot": 0.5, "tag": 2.0, "als": 1.5}, 30.0)


class TestQuota(FusionContract):
    fusion = Quota({"hot": 2, "tag": 5, "als": 1})


class TestSnake(FusionContract):
    fusion = Snake(["tag", "als", "hot"])


class TestPriority(FusionContract):
    fusion = Priority(["als", "hot", "tag"], {"als": 3})


class TestCalibrated(FusionContract):
    fusion = Calibrated(dict.fromkeys(CHANNELS, Curve((0.0, 1.0), (0.01, 0.9))), {"hot": 0.5, "tag": 2.0})


class TestBoosted(FusionContract):
    # A share of the first channel, the rank in the last, the popularity of the item, what the graph says of it.
    fusion = Boosted(
        Calibrated(dict.fromkeys(CHANNELS, Curve((0.0, 1.0), (0.01, 0.9))), {"hot": 0.5}),
        Trees(
            (0, 3, 8),
            (0, -1, -1, 7, -1, 10, -1, -1, 11, -1, -1),
            (0.2, -0.4, 0.5, 3.5, 0.2, 1.5, -0.6, 0.3, 4.5, -0.3, 0.4),
            (2, 0, 0, 5, 0, 7, 0, 0, 10, 0, 0),
        ),
        "0123456789" * 2,
        GraphLevels({"author: items": "9081726354" * 2}, ("tag",)),
    )


class TestBoostedByNetwork(FusionContract):
    fusion = replace(
        TestBoosted.fusion,
        network=network_from_layers(
            np.zeros(12),
            np.full(12, 0.2),
            [(np.full((2, 12), 0.02), np.array([0.5, -0.5])), (np.array([[0.4, -0.3]]), np.zeros(1))],
        ),
        head_factors={"hot": 0.5, "als": 3.0},
    )


class TestFittedQuota(FusionContract):
    fusion = Coverage().fit(some_lists(), some_lists()["als"], k=6, counts=np.ones(30, dtype=np.int64), seed=0).fusion


def test_every_kind_has_a_contract() -> None:
    tested = {contract.fusion.kind for contract in FusionContract.__subclasses__()}
    assert tested == set(FUSIONS)
    assert set(CHANNELS) == set(some_lists())
