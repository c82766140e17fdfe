"""A folder of certificates."""

from pathlib import Path

import pytest

from broker import certificates
from tests.broker.certificates.folder import NAMES, NOON


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    certificates.ensure(tmp_path, NAMES, now=NOON)
    return tmp_path
