"""Seconds that only ever go forward, whatever is done to the clock and however long the machine sleeps.

`steady` goes on while the machine sleeps and `awake` does not, so what lies between them is sleep.
"""

import sys
import time

if sys.platform == "linux":

    def steady() -> float:
        """Seconds since some moment, sleep included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

elif sys.platform == "darwin":

    def steady() -> float:
        """Seconds since some moment, sleep included."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)

else:

    def steady() -> float:
        """Seconds since some moment; on Windows sleep is included, elsewhere it depends on the system."""
        return time.monotonic()


def awake() -> float:
    """Seconds since some moment, without sleep where the system can tell."""
    return time.monotonic()
