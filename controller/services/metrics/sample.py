"""One row of a history, whatever time it stands for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one measure of a device. `at`: when the first of them reached us, or when their period began."""

    device_id: str
    measure: str
    at: datetime
    count: int
    mean: float
    low: float
    high: float

    def row(self, seconds: int) -> dict[str, Any]:
        """The row of the store that stands for so long."""
        return {
            "device_id": self.device_id,
            "measure": self.measure,
            "seconds": seconds,
            "at": self.at,
            "count": self.count,
            "mean": self.mean,
            "low": self.low,
            "high": self.high,
        }
