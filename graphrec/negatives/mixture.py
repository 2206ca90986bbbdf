"""Several kinds of negatives in a stated ratio, the hard ones on a curriculum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.negatives.protocol import Negatives, NegativeSampler, Positives, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One kind in a mixture.

    Parameters
    ----------
    sampler : NegativeSampler
        Draws it.
    ratio : float
        Its share beside the other parts', > 0.
    starts, full : float
        The curriculum, as shares of training from 0 to 1: none are drawn before ``starts``, all of them from ``full``
        on, and more and more in between.
    """

    sampler: NegativeSampler
    ratio: float
    starts: float = 0.0
    full: float = 0.0

    def at(self, progress: float) -> float:
        """Return the share of this part that is drawn at a point of training."""
        if progress < self.starts:
            return 0.0
        return 1.0 if progress >= self.full else (progress - self.starts) / (self.full - self.starts)


class Mixture:
    """Negatives of several kinds, each for its share of ``n``.

    The log of how many copies were expected is that of all shared parts together, so that an item that is likely in
    one and not in another weighs right [1]_; an item of a user's own counts as expected by its part and by the shared
    ones. What a user's own parts add to a shared item is not known without looking, and is left out.

    Parameters
    ----------
    parts : sequence of Part
        At least one.
    progress : float, default 1.0
        The point of training that the curriculum is at.

    Raises
    ------
    ConfigError
        If there is no part, a ratio is not above 0, or a curriculum ends before it starts.

    References
    ----------
    .. [1] Yang et al., "Mixed negative sampling for learning two-tower neural networks in recommendations", WWW 2020,
       eq. (6).
    """

    def __init__(self, parts: Sequence[Part], *, progress: float = 1.0) -> None:
        if not parts or any(not part.ratio > 0 for part in parts):
            raise ConfigError("a mixture of negatives needs at least one kind, each with a ratio above 0")
        for part in parts:
            if not 0 <= part.starts <= part.full <= 1:
                raise ConfigError(f"a curriculum goes from {part.starts} to {part.full}; legal is 0 <= from <= to <= 1")
        self.parts, self._progress = tuple(parts), progress

    def at(self, progress: float) -> Mixture:
        """Return the mixture at a point of training, from 0 to 1."""
        return Mixture(self.parts, progress=progress)

    def counts(self, n: int) -> list[int]:
        """Return how many negatives each part draws of ``n``: at least one where the curriculum has reached it."""
        total = sum(part.ratio for part in self.parts)
        shares = [part.at(self._progress) * part.ratio / total for part in self.parts]
        return [max(1, round(n * share)) if share > 0 else 0 for share in shares]

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return the negatives of all parts."""
        counts = self.counts(n)
        drawn = [
            part.sampler.draw(positives, count, rng) for part, count in zip(self.parts, counts, strict=True) if count
        ]
        if not drawn:
            return Negatives(n_users=len(positives))
        starts = np.cumsum([0, *(len(kind.shared) for kind in drawn)])
        masked = (
            np.concatenate([kind.masked[0] for kind in drawn]),
            np.concatenate([kind.masked[1] + start for kind, start in zip(drawn, starts[:-1], strict=True)]),
        )
        shared, own = (
            np.concatenate([kind.shared for kind in drawn]),
            np.concatenate([kind.own for kind in drawn], axis=1),
        )
        own_q = np.exp(np.concatenate([kind.own_log_q for kind in drawn], axis=1, dtype=np.float64))
        n_pairs = len(positives.items)
        with np.errstate(divide="ignore"):
            shared_log_q = np.log(self.expected(shared, n_pairs, n))
        # A user's own item may be on nobody's list of shared ones.
        own_log_q = np.log(own_q + self.expected(np.maximum(own, 0), n_pairs, n))
        return Negatives(
            shared=(shared, np.where(np.isfinite(shared_log_q), shared_log_q, 0.0)), masked=masked,
            own=(own, own_log_q), n_users=len(positives),
        )  # fmt: skip

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:
        """Return the copies of ``items`` that all shared parts together are expected to draw."""
        counts = self.counts(n)
        expected = np.zeros(items.shape)
        for part, count in zip(self.parts, counts, strict=True):
            expected += part.sampler.expected(items, n_pairs, count)
        return expected
