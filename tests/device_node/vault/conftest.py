"""Keyrings that the tests of the vault choose from."""

import gc
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from tests.device_node.vault.keyrings import message_bus


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a keyring keeps its own things."""
    return tmp_path_factory.mktemp("keyring")


@pytest.fixture
def bus(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The session's message bus, for this test alone, with no service on it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))  # the choice of this machine's user is not ours
    with message_bus(home) as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        yield address
    keyring.core._keyring_backend = None
    gc.collect()  # it leaves its sockets lying about when the keyring is locked; not for a later test to find


@pytest.fixture(autouse=True)
def chosen_backend_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library remembers the first that it found."""
    monkeypatch.delenv("PYTHON_KEYRING_BACKEND")
    keyring.core._keyring_backend = None
    yield
    keyring.core._keyring_backend = None
