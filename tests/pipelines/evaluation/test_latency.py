from types import SimpleNamespace

import numpy as np
import pytest

from graphrec.channels.popular.hot import Hot
from graphrec.contracts.panel import Panel
from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.fusion.settings import Rrf
from graphrec.pipelines.evaluation.latency import query_us
from graphrec.recallers.ranked import RankedRecaller
from tests.worlds import skewed


class Clock:
    """Time that passes only where somebody says so."""

    now_ns = 0

    def read(self) -> int:
        return self.now_ns


def test_a_query_takes_what_its_channel_takes_and_a_merged_one_what_all_take(monkeypatch: pytest.MonkeyPatch) -> None:
    data, clock = skewed(), Clock()
    monkeypatch.setattr("graphrec.pipelines.evaluation.latency.time", SimpleNamespace(perf_counter_ns=clock.read))
    hot = Hot().fit(data)
    assert isinstance(hot, RankedRecaller)

    def taking(took_ns: int) -> RankedRecaller:
        class Timed(RankedRecaller):
            def recall(self, queries: Queries, k: int) -> ItemLists:
                clock.now_ns += took_ns
                return super().recall(queries, k)

        return Timed(hot.items, hot.scores)

    # Nobody has seen anything: each channel is asked once.
    panel = Panel(np.arange(40), empty_lists(40), item_lists([[0]] * 40), data.pool)
    channels = {"quick": taking(3_000), "slow": taking(50_000)}
    took = query_us(channels, Rrf(), panel, 5)
    assert took == pytest.approx({"quick": 3, "slow": 50, "fused": 53})
