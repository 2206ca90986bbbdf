import numpy as np

from graphrec.fusion.features import log_levels, read_levels


def test_a_level_is_a_digit_an_item() -> None:
    assert log_levels(np.array([0, 1, 3, 1023, 10**9])) == "024kz"
    assert read_levels("024kz").tolist() == [0, 2, 4, 20, 35]
