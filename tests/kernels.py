"""Other kernels that this processor can compute with: ``python -m tests.kernels`` prints them as variables.

OpenBLAS and NumPy choose their code by processor, and sums come out in another order from each. ``make test-kernels``
runs what computes once more with kernels that another machine would choose.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg  # noqa: F401  (brings the second copy of OpenBLAS)
from threadpoolctl import threadpool_info

# Kernel that OpenBLAS has chosen -> an older one, which runs wherever the newer does.
OLDER = {"SkylakeX": "Haswell", "Cooperlake": "Haswell", "SapphireRapids": "Haswell", "Haswell": "Nehalem",
         "Zen": "Nehalem", "Sandybridge": "Nehalem"}  # fmt: skip


def openblas_kernels() -> set[str]:
    """Return the kernels of every copy of OpenBLAS that is loaded: NumPy and SciPy bring one each."""
    return {str(library["architecture"]) for library in threadpool_info() if library["internal_api"] == "openblas"}


def simd_extensions() -> list[str]:
    """Return the extensions of the processor that NumPy has code for, beside those that it needs."""
    config = np.show_config(mode="dicts")
    return list(config.get("SIMD Extensions", {}).get("found", []))


def other_kernels() -> dict[str, str]:
    """Return the variables that choose other kernels, none where this processor has no others."""
    older = {OLDER[kernel] for kernel in openblas_kernels() if kernel in OLDER}
    if len(older) != 1:
        return {}
    kernel = older.pop()
    newer = [name for name in simd_extensions() if kernel == "Nehalem" or name.startswith(("AVX512", "X86_V4"))]
    return {"OPENBLAS_CORETYPE": kernel} | ({"NPY_DISABLE_CPU_FEATURES": ",".join(newer)} if newer else {})


if __name__ == "__main__":
    print(*(f"{name}={value}" for name, value in other_kernels().items()))  # noqa: T201
