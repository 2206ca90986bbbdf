"""Recipes that learn with torch, on a GPU: nearly the answers of a CPU, the same ones again, and served without it.

Skipped where torch sees no GPU. Without dropout, whose draws are those of the device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import known_queries
from graphrec.data.interactions import histories
from graphrec.data.lists import ItemLists
from graphrec.models.deep.bert4rec import BERT4Rec
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.din import DIN
from graphrec.models.deep.esam import ESAM
from graphrec.models.deep.ffm import FFM
from graphrec.models.deep.fm import FM
from graphrec.models.deep.gru4rec import GRU4Rec
from graphrec.models.deep.mobius import Mobius
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.tdm import TDM
from graphrec.models.deep.two_tower import TwoTower
from graphrec.models.deep.youtube_dnn import YouTubeDNN
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.models.graph_networks.pinsage import PinSage
from graphrec.models.kg_embeddings.kge import Kge
from tests.close import assert_same_lists
from tests.worlds import described, skewed

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")

_LEARNT: dict[str, Any] = {"dim": 8, "epochs": 10, "lr": 0.02}
_SEQUENCES: dict[str, Any] = {"dim": 8, "epochs": 6, "lr": 0.01, "batch": 16, "dropout": 0.0}
RECIPES: list[Any] = [
    TwoTower(**_LEARNT),
    TwoTower(**_LEARNT, serve="tower", user_layers=1, layers=1),
    TwoTower(
        **_LEARNT, mix={"in-batch": 1.0, "popular": 1.0, "hard": 0.2, "active": 0.1}, hard_from=3, hard_to=9, refresh=2
    ),
    Mobius(**_LEARNT, value="released"),
    ESAM(**_LEARNT),
    TDM(**_LEARNT, beam=4),
    FM(**_LEARNT),
    FFM(dim=3, epochs=10, lr=0.02),
    SASRec(**_SEQUENCES),
    SASRec(**_SEQUENCES, last=5, block="gated", heads=2, times=True),
    BERT4Rec(**_SEQUENCES),
    GRU4Rec(**_SEQUENCES),
    YouTubeDNN(**_SEQUENCES),
    ComiRec(**_SEQUENCES, interests=2),
    DIN(**_SEQUENCES, interests=2, hidden=8, contrasts=16),
    PinSage(dim=8, epochs=10),
    PinSage(dim=8, epochs=10, residual=False, loss="margin", layers=2),
    LightGCN(dim=8, steps=40, temperature=0.3),
    Kge(dim=8, epochs=10, lr=0.1),
]


def answers(recipe: Any, device: str) -> ItemLists:
    data = described(skewed())
    channel = recipe.fit(data, FitContext(seed=3, device=device))
    lists: ItemLists = channel.recall(known_queries(histories(data.interactions), np.arange(len(data.users))), 10)
    return lists


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_answers_are_nearly_those_of_a_cpu(recipe: Any) -> None:
    ours, theirs = (answers(recipe, device) for device in ("cuda", "cpu"))
    shared = [len(np.intersect1d(a, b)) / max(len(a), 1) for (a, _), (b, _) in zip(ours, theirs, strict=True)]
    assert np.mean(shared) > 0.9


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_a_seed_gives_the_same_answers_again(recipe: Any) -> None:
    first, second = (answers(recipe, "cuda") for _ in range(2))
    assert_same_lists(first, second)
