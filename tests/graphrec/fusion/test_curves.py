import pytest

from graphrec.errors import ConfigError
from graphrec.fusion.curves import Curve


def test_illegal_curves_are_refused() -> None:
    with pytest.raises(ConfigError, match="must rise"):
        Curve((0.2, 0.1), (0.0, 1.0))
    with pytest.raises(ConfigError, match="2 shares and 1 rates"):
        Curve((0.1, 0.2), (0.0,))
