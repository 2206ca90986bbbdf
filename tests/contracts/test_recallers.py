"""The contract of recallers, run on every channel of the registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.als import Als
from graphrec.channels.behaviour.bspm import Bspm
from graphrec.channels.behaviour.cheby_cf import ChebyCf
from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.behaviour.turbo_cf import TurboCf
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.channels.content.pixie import Pixie
from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.channels.content.tag import Tag
from graphrec.channels.content.vectors import VectorChannel
from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.popular.hot import Hot
from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.errors import MissingExtraError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.content.image import Image
from graphrec.models.content.semantic_ids import SemanticIds
from graphrec.models.content.text import Text
from graphrec.models.content.text_ease import TextEase
from graphrec.models.content.video import Video
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
from graphrec.models.node_embeddings.entity2rec import Entity2Rec
from graphrec.operations.recipe import Operations
from tests.contracts.recaller import RecallerContract
from tests.graphrec.models.content.media import coloured, colours_of, filmed
from tests.worlds import described, ruled


class TestHot(RecallerContract):
    recipe = Hot()
    personalised = False


class TestHotByCountry(RecallerContract):
    recipe = Hot(by_user="country", prior=5.0)
    personalised = False
    prepared = staticmethod(described)


class TestHotByColour(RecallerContract):
    recipe = Hot(by_item="colour", last=6)
    prepared = staticmethod(described)


class TestHighEfficiency(RecallerContract):
    recipe = HighEfficiency()
    personalised = False
    prepared = staticmethod(described)


class TestHighEfficiencyByCountry(RecallerContract):
    recipe = HighEfficiency(bound="wilson", value=True, by_user="country", half_life_days=50.0)
    personalised = False
    prepared = staticmethod(described)


class TestHighEfficiencyByColour(RecallerContract):
    recipe = HighEfficiency(by_item="colour", min_exposures=2)
    prepared = staticmethod(described)


class TestOperations(RecallerContract):
    recipe = Operations()
    personalised = False
    prepared = staticmethod(ruled)


class TestUserCF(RecallerContract):
    recipe = UserCF(neighbours=6)


class TestUserCFWithDecay(RecallerContract):
    recipe = UserCF(neighbours=20, half_life=3.0, weight_exponent=1.0)


class TestItemCF(RecallerContract):
    recipe = ItemCF(k=10)


class TestItemCFWithDecay(RecallerContract):
    recipe = ItemCF(last=5, half_life=2.0, weight_exponent=0.5, shrinkage=1.0)


class TestItemCFByJaccard(RecallerContract):
    recipe = ItemCF(k=10, similarity="jaccard", weighting="bm25", max_items_per_user=10)


class TestRP3beta(RecallerContract):
    recipe = RP3beta()


class TestSwing(RecallerContract):
    recipe = Swing()


class TestSwingWithCap(RecallerContract):
    recipe = Swing(k=10, max_users_per_item=12, last=5, half_life=2.0, weight_exponent=1.0)


class TestEase(RecallerContract):
    recipe = Ease(regularisation=2.0)


class TestEaseWithDecay(RecallerContract):
    recipe = Ease(k=10, regularisation=5.0, last=5, half_life=2.0, weight_exponent=0.5)


class TestGfCf(RecallerContract):
    recipe = GfCf(rank=4)


class TestGfCfWithDecay(RecallerContract):
    recipe = GfCf(rank=3, low_pass=1.0, last=5, half_life=2.0, weight_exponent=0.5)


class TestTurboCf(RecallerContract):
    recipe = TurboCf()


class TestBspm(RecallerContract):
    recipe = Bspm(rank=4)


class TestBspmWithDecay(RecallerContract):
    recipe = Bspm(rank=3, low_pass=1.0, sharpening=1.0, last=5, half_life=2.0, weight_exponent=0.5)


class TestChebyCf(RecallerContract):
    recipe = ChebyCf(rank=4)


class TestChebyCfWithDecay(RecallerContract):
    recipe = ChebyCf(rank=3, plateau=3.0, last=5, half_life=2.0, weight_exponent=0.5)


class TestAls(RecallerContract):
    # Two iterations: items that the board makes alike in all but name would else tie but for the last bit.
    recipe = Als(dim=8, unobserved_weight=0.1, regularisation=0.05, iterations=2)


class TestAlsWithDecay(RecallerContract):
    recipe = Als(dim=3, steps=1, unobserved_weight=0.3, regularisation=0.02, half_life=3.0, weight_exponent=0.5)


class TestLightGCN(RecallerContract):
    recipe = LightGCN(dim=8, steps=40, temperature=0.3)


class TestLightGCNWithDecay(RecallerContract):
    recipe = LightGCN(dim=5, layers=1, steps=40, temperature=0.3, half_life=3.0, weight_exponent=0.5)


class TestPinSage(RecallerContract):
    recipe = PinSage(dim=8, epochs=15)


class TestPinSageByInterests(RecallerContract):
    recipe = PinSage(
        dim=6, layers=1, epochs=15, loss="margin", user_weight=0.0, item_weight=1.0, hard_negatives=2,
        hard_from=3, hard_to=9, query="interests", catalogue=True, half_life=5.0,
    )  # fmt: skip
    prepared = staticmethod(described)


class TestTwoTower(RecallerContract):
    recipe = TwoTower(dim=8, epochs=20, lr=0.05)


class TestTwoTowerOfFeaturesAndMixedNegatives(RecallerContract):
    recipe = TwoTower(
        dim=6, epochs=15, lr=0.05, similarity="dot", temperature=0.5, layers=1, held=0.3, half_life=5.0, negatives=30,
        mix={"in-batch": 1.0, "popular": 1.0, "hard": 0.2, "rule": 0.1, "exposed": 0.1, "active": 0.1},
        hard_from=3, hard_to=9, rules=("same colour",), refresh=2,
    )  # fmt: skip
    prepared = staticmethod(described)


class TestEsam(RecallerContract):
    recipe = ESAM(dim=8, epochs=20, lr=0.05)


class TestMobius(RecallerContract):
    recipe = Mobius(dim=8, epochs=40, lr=0.05, value="released", pair_exponent=0.5, hard_starts=0.1, hard_full=0.2)
    prepared = staticmethod(described)


class TestTdm(RecallerContract):
    recipe = TDM(dim=8, epochs=20, lr=0.05, beam=4)


class TestTdmServedByTheTower(RecallerContract):
    recipe = TDM(dim=6, epochs=10, lr=0.05, serve="tower", user_layers=1, beam=3, trees=1)


class TestTwoTowerServedByTheTower(RecallerContract):
    recipe = TwoTower(dim=6, epochs=30, lr=0.05, serve="tower", user_layers=1, layers=1)
    prepared = staticmethod(described)


class TestSASRec(RecallerContract):
    recipe = SASRec(dim=8, epochs=8, lr=0.01, batch=16, dropout=0.2)


class TestSASRecGatedWithTimes(RecallerContract):
    recipe = SASRec(dim=8, epochs=6, lr=0.01, batch=16, last=5, block="gated", heads=2, times=True, start="random")
    prepared = staticmethod(described)


class TestBERT4Rec(RecallerContract):
    recipe = BERT4Rec(dim=8, epochs=20, lr=0.01, batch=16)
    prepared = staticmethod(described)


class TestGRU4Rec(RecallerContract):
    recipe = GRU4Rec(dim=8, epochs=12, lr=0.01, batch=16)


class TestYouTubeDNN(RecallerContract):
    recipe = YouTubeDNN(dim=8, epochs=12, lr=0.01, batch=16)
    prepared = staticmethod(described)


class TestSASRecByClusters(RecallerContract):
    recipe = SASRec(dim=8, epochs=20, lr=0.01, batch=16, query="interests", interests=2)


class TestComiRec(RecallerContract):
    recipe = ComiRec(dim=8, epochs=12, lr=0.01, batch=16, interests=2)


class TestComiRecByCapsulesWithDiversity(RecallerContract):
    recipe = ComiRec(dim=8, epochs=12, lr=0.01, batch=16, interests=3, routing="capsules", diversity=0.05)


class TestDIN(RecallerContract):
    recipe = DIN(dim=8, epochs=10, lr=0.01, batch=16, interests=2, hidden=8, contrasts=16)


class TestDINOfFewCandidates(RecallerContract):
    recipe = DIN(dim=8, epochs=10, lr=0.01, batch=16, interests=2, hidden=8, contrasts=16, candidates=6, last=4)


class TestDINServedByInterests(RecallerContract):
    recipe = DIN(dim=8, epochs=10, lr=0.01, batch=16, interests=2, hidden=8, contrasts=16, serve="interests")


class TestFM(RecallerContract):
    recipe = FM(dim=6, epochs=20, lr=0.05)
    answers_strangers = True
    prepared = staticmethod(described)


class TestFFM(RecallerContract):
    recipe = FFM(dim=3, epochs=15, lr=0.05)
    answers_strangers = True
    prepared = staticmethod(described)


class TestKge(RecallerContract):
    recipe = Kge(dim=8, epochs=30, lr=0.1)


class TestKgeByDistance(RecallerContract):
    recipe = Kge(model="rotate", dim=8, epochs=30, lr=0.1, temperature=0.2, half_life=5.0, query="history")


class TestEaseOfNeighbourhoods(RecallerContract):
    recipe = Ease(regularisation=2.0, neighbourhood=8)


class TestTag(RecallerContract):
    recipe = Tag()


class TestTagCutShort(RecallerContract):
    recipe = Tag(tags=1, list_length=15, lift=0.0)


class TestKgNeighbours(RecallerContract):
    recipe = KgNeighbours()


class TestKgNeighboursWithCap(RecallerContract):
    recipe = KgNeighbours(hub_cap=20, link_exponent=0.5, weight_exponent=1.0)


class TestKgPaths(RecallerContract):
    recipe = KgPaths()


class TestEntity2Rec(RecallerContract):
    recipe = Entity2Rec(dim=8, walks_per_node=6, length=8)


class TestKgPathsOfWalksFromBothEnds(RecallerContract):
    recipe = KgPaths(score="hetesim", through_users=False, max_length=3, hub_cap=0)


class TestPreferenceWalk(RecallerContract):
    recipe = PreferenceWalk()


class TestPreferenceWalkOfNarrowHops(RecallerContract):
    recipe = PreferenceWalk(hops=4, width=12, decay=0.8, degree_exponent=1.0, hub_cap=20, last=5, half_life=2.0)


class TestPixie(RecallerContract):
    recipe = Pixie(steps=4000)


class TestPixieOfPlainVisits(RecallerContract):
    recipe = Pixie(steps=3000, restart=0.3, booster=False, enough_targets=0, degree_exponent=0.0, last=5, half_life=2.0)


class TestTextEase(RecallerContract):
    recipe = TextEase(columns=("tags",))


class TestSemanticIds(RecallerContract):
    recipe = SemanticIds(columns=("tags",), levels=2, codes=4)


class TestImage(RecallerContract):
    recipe = colours_of(Image)
    prepared = staticmethod(coloured)


class TestImageOfHistories(RecallerContract):
    recipe = colours_of(Image, query="history")
    prepared = staticmethod(coloured)


class TestVideo(RecallerContract):
    recipe = colours_of(Video, n_frames=2)
    prepared = staticmethod(filmed)


class TestText(RecallerContract):
    recipe = Text(columns=("tags",))


class TestTextOfHistories(RecallerContract):
    recipe = Text(columns=("tags",), query="history", weighting="sif", shared=False, last=5, half_life=2.0)


class TestTextByClusters(RecallerContract):
    recipe = Text(columns=("tags",), query="interests", interests=2)


NAMES = [f"{letter}{row}" for letter in "ib" for row in range(60)]
# Nodes of one parity point the same way, as the tastes of the checkerboard do.
VECTORS = np.random.default_rng(8).normal(size=(len(NAMES), 6)) + 5 * (1 - 2 * (np.arange(len(NAMES)) % 2))[:, None]
# Of users with a history: evidence is what the history says.
READERS = EmbeddingTable([f"{letter}{row}" for letter in "ur" for row in range(1, 7)], np.tile(VECTORS[1:7], (2, 1)))


class TestVectorChannel(RecallerContract):
    recipe = VectorChannel.from_table(EmbeddingTable(NAMES, VECTORS))


class TestVectorChannelByClusters(RecallerContract):
    recipe = VectorChannel.from_table(EmbeddingTable(NAMES, VECTORS), query="interests", spread=0.5)


class TestVectorChannelWithUsers(RecallerContract):
    recipe = VectorChannel.from_table(
        EmbeddingTable(NAMES, VECTORS), READERS, query="blend", metric="ip", index="exact"
    )


def _tiny_node2vec() -> Any:
    """Return Node2Vec made small, or None where its module is not there or its libraries are not installed."""
    try:
        recipe = recipe_class("node2vec")
    except MissingExtraError:
        return None
    except ModuleNotFoundError as error:
        if error.name not in {"graphrec.models.node_embeddings.node2vec", "gensim", "torch"}:
            raise
        return None
    return recipe(dim=16, walks_per_node=10, length=10, epochs=2)


NODE2VEC = _tiny_node2vec()


@pytest.mark.skipif(NODE2VEC is None, reason="Node2Vec is not there, or gensim is not installed")
class TestNode2Vec(RecallerContract):
    recipe = NODE2VEC


def test_every_channel_of_the_registry_has_a_contract_test() -> None:
    tested = {kind for case in RecallerContract.__subclasses__() for kind in type(case.recipe).__mro__}
    for name in RECIPES:
        if name == "node2vec" and NODE2VEC is None:
            continue
        assert recipe_class(name) in tested, f"channel {name!r} has no contract test"
