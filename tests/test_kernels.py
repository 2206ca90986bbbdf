import os

import pytest

from tests.kernels import OLDER, openblas_kernels, other_kernels, simd_extensions


def test_other_kernels_are_others() -> None:
    chosen = other_kernels().get("OPENBLAS_CORETYPE")
    assert chosen is None or chosen not in openblas_kernels()


@pytest.mark.skipif(
    os.environ.get("OPENBLAS_CORETYPE") not in OLDER.values(), reason="make test-kernels chooses other kernels"
)
def test_the_kernels_chosen_are_those_that_compute() -> None:
    assert openblas_kernels() == {os.environ["OPENBLAS_CORETYPE"]}
    disabled = os.environ.get("NPY_DISABLE_CPU_FEATURES", "").split(",")
    assert set(simd_extensions()).isdisjoint(disabled)
