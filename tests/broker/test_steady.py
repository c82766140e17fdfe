"""The clock that deadlines are counted on."""

import sys
import time
from pathlib import Path

from broker.session.steady import awake, steady


def test_time_since_the_start_of_the_machine_counts_its_sleep() -> None:
    """Linux tells how long it has been up, asleep or not; elsewhere there is nothing to compare with."""
    if sys.platform == "linux":
        assert abs(steady() - float(Path("/proc/uptime").read_text().split()[0])) < 1


def test_both_clocks_go_on_together_while_nobody_sleeps() -> None:
    before = steady(), awake()
    time.sleep(0.05)
    after = steady(), awake()

    assert after[0] - before[0] >= 0.05
    assert abs((after[0] - before[0]) - (after[1] - before[1])) < 0.5
