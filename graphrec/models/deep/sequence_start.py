"""Where the vectors of items begin: at the leading eigenvectors of the item graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from graphrec.channels.behaviour.spectrum import item_spectrum
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData

# Standard deviation of the numbers that training begins with: large beside what is drawn where there are too few
# eigenvectors.
_SCALE = 0.1


def spectral_vectors(data: RecallData, context: FitContext, dim: int) -> npt.NDArray[np.float32]:
    r"""Return (n_items, d) float32: :math:`V \Lambda^{1/4}` of the item graph, d <= dim, scaled to one size.

    Products of rows are those of the graph's square root, which weighs its directions more evenly than the graph does.
    Items without events are zero. Time and memory as of :func:`graphrec.channels.behaviour.spectrum.item_spectrum`.

    Raises
    ------
    MissingExtraError
        If scikit-learn is not installed.
    """
    spectrum = item_spectrum(data, context, rank=dim, weight_exponent=0.0)
    vectors = spectrum.vectors * (spectrum.eigenvalues**0.25).astype(np.float32)
    size = float(vectors.std()) if vectors.size else 0.0
    scaled: npt.NDArray[np.float32] = (vectors * np.float32(_SCALE / size if size > 0 else 1.0)).astype(np.float32)
    return scaled


@torch.no_grad()
def begin_at(weight: nn.Parameter | torch.Tensor, vectors: npt.NDArray[np.float32]) -> None:
    """Put ``vectors`` (n, d) into the first columns of ``weight`` (n, dim); the others stay as they were drawn."""
    weight[:, : vectors.shape[1]] = torch.from_numpy(vectors)
