"""Secrets in the system's keyring, tried on GNOME's: used where it works, and never trusted blindly."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from device_node import keychain, vault
from device_node.keychain import KeyringUnusable
from device_node.vault import VaultError, Where
from tests.device_node.vault.keyrings import gnome_keyring
from tests.device_node.vault.test_vault import PASSWORD, a_key, an_identity

# the library's, when a keyring is locked
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def open_keyring(home: Path, bus: str) -> Iterator[None]:
    """GNOME's keyring, as after its owner's login."""
    with gnome_keyring(home, bus, unlocked=True):
        yield


def entry(folder: Path) -> str:
    name: str = json.loads((folder / vault.FILE).read_text())["secrets"]["keyring"]
    return name


@pytest.mark.usefixtures("open_keyring")
def test_the_secrets_are_in_the_keyring_and_not_in_the_file(tmp_path: Path) -> None:
    identity = an_identity()

    assert vault.keep(tmp_path, identity, keyring=True) is Where.KEYRING
    assert vault.load(tmp_path) == identity
    written = (tmp_path / vault.FILE).read_text()
    assert PASSWORD not in written
    assert identity.signing_secret is not None
    assert identity.signing_secret not in written


@pytest.mark.usefixtures("open_keyring")
def test_two_devices_and_two_installations_do_not_share_an_entry(tmp_path: Path) -> None:
    first, second = an_identity(), an_identity(password="of-another-installation")
    vault.keep(tmp_path / "a", first, keyring=True)
    vault.keep(tmp_path / "b", second, keyring=True)

    assert vault.load(tmp_path / "a") == first
    assert vault.load(tmp_path / "b") == second


@pytest.mark.usefixtures("open_keyring")
def test_what_is_replaced_or_forgotten_leaves_the_keyring(tmp_path: Path) -> None:
    vault.keep(tmp_path, an_identity(), keyring=True)
    old = entry(tmp_path)
    vault.keep(tmp_path, an_identity(password="new"), keyring=True)
    new = entry(tmp_path)
    assert keychain.get(old) is None
    assert "new" in (keychain.get(new) or "")
    vault.forget(tmp_path)

    assert keychain.get(new) is None
    assert vault.load(tmp_path) is None


@pytest.mark.usefixtures("open_keyring")
def test_a_write_that_fails_leaves_the_old_secrets_in_the_keyring(tmp_path: Path) -> None:
    identity = an_identity()
    vault.keep(tmp_path, identity, keyring=True)
    kept = (tmp_path / vault.FILE).read_bytes()
    (tmp_path / vault.FILE).unlink()
    (tmp_path / vault.FILE).mkdir()  # cannot be replaced by a file
    with pytest.raises(OSError, match=vault.FILE):
        vault.keep(tmp_path, an_identity(password="new"), keyring=True)
    (tmp_path / vault.FILE).rmdir()
    (tmp_path / vault.FILE).write_bytes(kept)

    assert vault.load(tmp_path) == identity


def test_a_locked_keyring_is_not_used_and_the_file_takes_its_place(
    home: Path, bus: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    identity = an_identity()
    with gnome_keyring(home, bus, unlocked=True):
        vault.keep(tmp_path / "earlier", an_identity(), keyring=True)
    with gnome_keyring(home, bus, unlocked=False):
        assert vault.keep(tmp_path / "later", identity, keyring=True) is Where.FILE

    assert vault.load(tmp_path / "later") == identity
    assert "keyring is not used" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_keyring_that_is_locked_or_gone_later_is_an_error_with_the_remedy(
    home: Path, bus: str, tmp_path: Path
) -> None:
    identity = an_identity()
    with gnome_keyring(home, bus, unlocked=True):
        vault.keep(tmp_path, identity, keyring=True)
    with (
        gnome_keyring(home, bus, unlocked=False),
        pytest.raises(VaultError, match=r"KeyringLocked.*Unlock it.*orion node join"),
    ):
        vault.load(tmp_path)
    with pytest.raises(VaultError, match="cannot be used now"):
        vault.load(tmp_path)
    with gnome_keyring(home, bus, unlocked=True):
        assert vault.load(tmp_path) == identity


@pytest.mark.usefixtures("open_keyring")
def test_secrets_that_are_gone_from_the_keyring_are_an_error_with_the_remedy(tmp_path: Path) -> None:
    vault.keep(tmp_path, an_identity(), keyring=True)
    keychain.drop(entry(tmp_path))

    with pytest.raises(VaultError, match=r"no longer in the system's keyring.*orion node join"):
        vault.load(tmp_path)


def test_keys_are_updated_without_the_keyring(home: Path, bus: str, tmp_path: Path) -> None:
    with gnome_keyring(home, bus, unlocked=True):
        vault.keep(tmp_path, an_identity(), keyring=True)
    keys = (a_key(),)
    vault.update_keys(tmp_path, keys)

    with gnome_keyring(home, bus, unlocked=True):
        loaded = vault.load(tmp_path)
    assert loaded is not None
    assert loaded.controller_keys == keys
    assert loaded.password == PASSWORD


@pytest.mark.usefixtures("bus")
def test_a_system_without_a_keyring_uses_the_file(tmp_path: Path) -> None:
    assert vault.keep(tmp_path, an_identity(), keyring=True) is Where.FILE
    assert vault.load(tmp_path) is not None


class Backend(KeyringBackend):
    """One that keeps what it is given in memory."""

    priority: Any = 5
    viable: Any = False  # it is not found, only chosen

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library says no types here
        self.answered = threading.Event()
        self.kept: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.begin(password)
        self.kept[service, username] = password

    def begin(self, password: str) -> None:
        """What it does first."""

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class PlainFile(Backend):
    priority = 0.5  # what the library gives to those that it does not recommend


class Forgetful(Backend):
    def get_password(self, service: str, username: str) -> str | None:
        self.kept.clear()
        return super().get_password(service, username)


class Talkative(Backend):
    def begin(self, password: str) -> None:
        raise RuntimeError(f"could not keep {password}")


class Waiting(Backend):
    """Shows a window, and nobody is there."""

    def begin(self, _password: str) -> None:
        self.answered.wait(60)


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (fail.Keyring, "fit for secrets"),
        (null.Keyring, "fit for secrets"),
        (PlainFile, "fit for secrets"),
        (Forgetful, "does not give back"),
        (Talkative, "raised RuntimeError"),
        (Waiting, "no answer within"),
    ],
)
def test_what_only_calls_itself_a_keyring_is_not_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    backend: type[KeyringBackend],
    reason: str,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(keychain, "ANSWER_WITHIN", 0.2)
    chosen = backend()
    keyring.set_keyring(chosen)
    identity = an_identity()

    assert vault.keep(tmp_path, identity, keyring=True) is Where.FILE
    if isinstance(chosen, Waiting):
        chosen.answered.set()
    assert vault.load(tmp_path) == identity
    assert reason in caplog.text
    assert PASSWORD not in caplog.text


def test_a_keyring_that_its_owner_switched_off_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")

    assert vault.keep(tmp_path, an_identity(), keyring=True) is Where.FILE


def test_a_choice_that_does_not_exist_is_told_and_the_file_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.SecretService.Keyring")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")

    with pytest.raises(KeyringUnusable, match="FileNotFoundError"):
        keychain.put("x", "y")
    assert vault.keep(tmp_path, an_identity(), keyring=True) is Where.FILE


def test_without_the_package_the_reason_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)

    assert vault.keep(tmp_path, an_identity(), keyring=True) is Where.FILE
    assert keychain.INSTALL in caplog.text


def test_the_secrets_do_not_appear_when_a_keyring_cannot_be_asked(tmp_path: Path) -> None:
    kept = Backend()
    keyring.set_keyring(kept)
    vault.keep(tmp_path, an_identity(), keyring=True)
    keyring.set_keyring(keyring.core.load_keyring("keyring.backends.fail.Keyring"))

    with pytest.raises(VaultError, match="fit for secrets") as told:
        vault.load(tmp_path)
    assert PASSWORD not in str(told.value)
    assert told.value.__cause__ is None
