"""One comparison of a simulated figure with its target."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


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
