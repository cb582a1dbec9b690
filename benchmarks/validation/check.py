"""One comparison of a simulated figure with its target, and the random numbers behind it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mattergym.physics.rng import seed_streams

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """A measured value, its target, and how far it may be off."""

    name: str
    value: float
    target: float
    tolerance: float
    unit: str
    source: str

    @property
    def passed(self) -> bool:
        """Whether the value lies within the tolerance."""
        return bool(abs(self.value - self.target) <= self.tolerance)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = {k: v if isinstance(v, str) else float(v) for k, v in asdict(self).items()}
        return {**plain, "passed": self.passed}


def lane_streams(lanes: int, purpose: int = 1, seed: int = 0) -> NDArray[np.uint64]:
    """Random streams of some lanes, uint64 (lanes, 4); another seed gives other samples."""
    index = np.arange(lanes, dtype=np.uint64)
    return seed_streams(index, np.full(lanes, seed, np.uint64), purpose)
