import numpy as np

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.fusion.settings import Rrf
from graphrec.pipelines.evaluation.latency import query_us
from tests.worlds import skewed


def test_merging_takes_longer_than_any_of_its_channels() -> None:
    data = skewed()
    channels: dict[str, Recaller] = {"hot": Hot().fit(data), "item-cf": ItemCF().fit(data)}
    users = np.arange(40, dtype=np.int32)
    took = query_us(channels, Rrf(), histories(data.interactions), users, 5, pool=data.pool)
    assert list(took) == ["hot", "item-cf", "fused"]
    assert 0 < max(took["hot"], took["item-cf"]) < took["fused"] < 1e6
