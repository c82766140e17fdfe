"""A database with rows in every table and an audit that is signed, and a backup of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.store import backups
from tests.controller.backups.installed import Installed
from tests.databases import Databases
from tests.factories import NOON


@pytest.fixture
def installed(databases: Databases, tmp_path: Path) -> Iterator[Installed]:
    with databases.migrated() as url:
        made = Installed(url, tmp_path / "controller")
        made.fill()
        yield made


@pytest.fixture
def backup(installed: Installed, tmp_path: Path) -> Path:
    """A backup, after which much has changed."""
    made = backups.make(installed.source, tmp_path, now=NOON)
    installed.go_on()
    return made.path
