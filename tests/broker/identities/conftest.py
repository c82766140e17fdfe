"""Identities without a broker."""

from pathlib import Path

import pytest

from broker.identities import Identities


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    made = Identities(tmp_path / "broker")
    made.ensure()
    return made
