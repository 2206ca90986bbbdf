import pytest

from graphrec.evaluation.bootstrap import Interval
from graphrec.pipelines.report.numbers import microseconds, percent, points, points_interval, seconds, size, verdict


def test_numbers_as_people_read_them() -> None:
    assert percent(0.12345) == "12.35"
    assert percent(None) == "\N{EN DASH}"
    assert points(-0.0031) == "\N{MINUS SIGN}0.31"
    assert points_interval(Interval(0.012, 0.0101, 0.0139)) == "+1.20 [+1.01, +1.39]"
    assert points_interval(None) == "\N{EN DASH}"
    assert (seconds(0.123), seconds(1234.5), seconds(None)) == ("0.12", "1,234", "\N{EN DASH}")
    assert (size(1500), size(2_500_000), size(None)) == ("2 kB", "2.5 MB", "\N{EN DASH}")
    assert (microseconds(1234.6), microseconds(None)) == ("1,235", "\N{EN DASH}")


@pytest.mark.parametrize(
    ("ends", "word"),
    [((1.0, 0.5, 2.0), "better"), ((-1.0, -2.0, -0.5), "worse"), ((0.1, -0.1, 0.3), "no clear difference")],
)
def test_the_verdict_is_that_of_the_interval(ends: tuple[float, float, float], word: str) -> None:
    assert verdict(Interval(*ends)) == word
