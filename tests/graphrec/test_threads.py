"""How many threads work is spread over."""

from __future__ import annotations

import threading

import pytest

from graphrec.threads import at_most, default_threads, map_chunks, processors


def test_a_limit_holds_within_its_block_and_within_it_alone() -> None:
    assert default_threads() == processors()
    with at_most(3):
        assert default_threads() == 3
        with at_most(0):
            assert default_threads() == 3
        with at_most(1):
            assert default_threads() == 1
        assert default_threads() == 3
    with pytest.raises(KeyError), at_most(5):
        raise KeyError
    assert default_threads() == processors()


def test_a_limit_is_that_of_the_thread_that_set_it() -> None:
    seen: list[int] = []
    with at_most(7):
        other = threading.Thread(target=lambda: seen.append(default_threads()))
        other.start()
        other.join()
    assert seen == [processors()]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_chunks_come_in_order_on_no_more_threads_than_the_limit(limit: int) -> None:
    taken: set[int] = set()

    def work(start: int, stop: int) -> tuple[int, int]:
        taken.add(threading.get_ident())
        return start, stop

    with at_most(limit):
        assert list(map_chunks(work, 45, chunk=10)) == [(0, 10), (10, 20), (20, 30), (30, 40), (40, 45)]
    assert len(taken) <= limit
