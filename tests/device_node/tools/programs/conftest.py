"""A desk whose owner allows programs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.device_node.tools.desk import Desk
from tests.device_node.tools.programs.programs import SLEEPER


@pytest.fixture
def able(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose owner allows programs; what it started is ended afterwards."""
    yield Desk(
        tmp_path,
        allow_run_command=True,
        allow_power=True,
        allowed_apps={
            "sleeper": (sys.executable, "-c", SLEEPER),
            "failing": (sys.executable, "-c", "raise SystemExit(3)"),
            "missing": ("no-such-program-here",),
            "quick": ("true",),
        },
    )
    for child in psutil.Process().children(recursive=True):
        if str(tmp_path) in " ".join(child.cmdline()) or SLEEPER in child.cmdline():
            child.kill()
