"""One desk a test."""

from pathlib import Path

import pytest

from tests.device_node.tools.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A node with one allowed folder and nothing else allowed."""
    return Desk(tmp_path)
