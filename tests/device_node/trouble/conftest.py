"""A node that looks soon whether its trouble is over, and a small disk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from device_node import mending, replies
from tests.disks import Disk, small_disk


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look sooner whether the trouble is over."""
    monkeypatch.setattr(mending, "RETRY_EVERY", 0.2)
    monkeypatch.setattr(replies, "FIRST_RETRY", 0.05)
    monkeypatch.setattr(replies, "LONGEST_RETRY", 0.2)


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[Disk]:
    async with small_disk(tmp_path / "disk") as mounted:
        yield mounted
