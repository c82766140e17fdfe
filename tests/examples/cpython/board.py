"""Runs a MicroPython program on CPython: what a board's `time` has and CPython's has not."""

import runpy
import sys
import time
from typing import Any


def main(program: str) -> None:
    ticks: Any = time
    ticks.ticks_ms = lambda: time.monotonic_ns() // 1_000_000
    ticks.ticks_diff = lambda later, earlier: later - earlier
    ticks.sleep_ms = lambda milliseconds: time.sleep(milliseconds / 1000)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
