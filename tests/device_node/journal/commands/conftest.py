"""The lives of one program with its journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.device_node.journal.lives import Lives


@pytest.fixture
async def lives(tmp_path: Path) -> AsyncIterator[Lives]:
    made = Lives(tmp_path)
    await made.begin()
    yield made
    await made.end()
