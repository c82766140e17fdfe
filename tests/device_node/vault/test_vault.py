"""What a node keeps of its identity: whole or not at all, for its owner's eyes only, never lost silently."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_node import vault
from device_node.vault import Identity, VaultError, Where
from schemas.keys import Key
from schemas.signing import Signer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "the-password-of-this-device"


def a_key() -> Key:
    signer = Signer.generate()
    return Key(
        key_id=signer.key_id, public=signer.public, not_before=NOON, not_after=NOON + timedelta(days=90)
    )


def an_identity(**changes: Any) -> Identity:
    facts: dict[str, Any] = {
        "device_id": "laptop",
        "host": "orion.example",
        "port": 8883,
        "ca": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
        "controller_keys": (a_key(),),
        "joined_at": NOON,
        "password": PASSWORD,
        "signing_secret": Signer.generate().secret,
    }
    return Identity(**facts | changes)


def modes(folder: Path) -> dict[str, str]:
    return {each.name: oct(each.stat().st_mode & 0o777) for each in (folder, *folder.iterdir())}


def test_what_was_kept_is_there_again(tmp_path: Path) -> None:
    identity = an_identity()

    assert vault.keep(tmp_path / "node", identity, keyring=False) is Where.FILE
    assert vault.load(tmp_path / "node") == identity


def test_a_device_without_a_key_and_without_tls_is_kept_as_well(tmp_path: Path) -> None:
    identity = an_identity(ca=None, signing_secret=None, controller_keys=())
    vault.keep(tmp_path, identity, keyring=False)

    assert vault.load(tmp_path) == identity


def test_nobody_else_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        vault.keep(tmp_path / "node", an_identity(), keyring=False)
    finally:
        os.umask(before)

    assert modes(tmp_path / "node") == {"node": "0o700", "identity.json": "0o600", "identity.lock": "0o600"}


def test_a_new_identity_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    vault.keep(tmp_path, an_identity(), keyring=False)
    again = an_identity(password="another", host="elsewhere.example")
    vault.keep(tmp_path, again, keyring=False)

    assert vault.load(tmp_path) == again
    assert PASSWORD not in (tmp_path / vault.FILE).read_text()


def test_no_identity_is_none_and_can_be_forgotten(tmp_path: Path) -> None:
    assert vault.load(tmp_path) is None
    vault.forget(tmp_path)
    vault.forget(tmp_path / "nowhere")


def test_a_forgotten_identity_is_gone(tmp_path: Path) -> None:
    vault.keep(tmp_path, an_identity(), keyring=False)
    vault.forget(tmp_path)

    assert vault.load(tmp_path) is None
    assert [each.name for each in tmp_path.iterdir()] == [vault.LOCK]


def test_new_keys_of_the_controller_leave_the_rest_alone(tmp_path: Path) -> None:
    identity = an_identity()
    vault.keep(tmp_path, identity, keyring=False)
    keys = (a_key(), a_key())
    vault.update_keys(tmp_path, keys)

    loaded = vault.load(tmp_path)
    assert loaded is not None
    assert loaded.controller_keys == keys
    assert loaded.password == identity.password
    assert loaded.signing_secret == identity.signing_secret


def test_keys_for_no_identity_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="no identity"):
        vault.update_keys(tmp_path, [a_key()])


def test_a_file_that_others_could_read_is_closed_and_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    identity = an_identity()
    vault.keep(tmp_path, identity, keyring=False)
    (tmp_path / vault.FILE).chmod(0o644)

    assert vault.load(tmp_path) == identity
    assert modes(tmp_path)["identity.json"] == "0o600"
    assert "could be read by others" in caplog.text


def test_a_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.keep(tmp_path, an_identity(), keyring=False)
    somebody_else = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: somebody_else)

    with pytest.raises(VaultError, match="belongs to somebody else"):
        vault.load(tmp_path)


@pytest.mark.parametrize("keeps", [0, 1, 40, -3])
def test_a_file_that_was_cut_short_is_told_with_the_remedy_and_without_its_content(
    tmp_path: Path, keeps: int
) -> None:
    vault.keep(tmp_path, an_identity(), keyring=False)
    path = tmp_path / vault.FILE
    path.write_bytes(path.read_bytes()[:keeps])

    with pytest.raises(VaultError, match="orion node join") as told:
        vault.load(tmp_path)
    assert told.value.__cause__ is None
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"secrets": None},
        {"secrets": {}},
        {"secrets": {"password": "x", "signing_secret": None, "keyring": "x"}},
        {"device_id": "../../x"},
        {"port": "many"},
    ],
)
def test_a_file_that_is_not_ours_is_told_with_the_remedy(tmp_path: Path, changes: dict[str, Any]) -> None:
    vault.keep(tmp_path, an_identity(), keyring=False)
    path = tmp_path / vault.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    with pytest.raises(VaultError, match="damaged, or of another version"):
        vault.load(tmp_path)


def test_a_damaged_file_can_be_joined_over(tmp_path: Path) -> None:
    (tmp_path / vault.FILE).write_text("{")
    identity = an_identity()
    vault.keep(tmp_path, identity, keyring=False)

    assert vault.load(tmp_path) == identity


def test_a_write_that_fails_leaves_the_old_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = an_identity()
    vault.keep(tmp_path, identity, keyring=False)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        vault.keep(tmp_path, an_identity(password="new"), keyring=False)
    with pytest.raises(OSError, match="No space"):
        vault.update_keys(tmp_path, [a_key()])

    assert vault.load(tmp_path) == identity
    assert sorted(each.name for each in tmp_path.iterdir()) == [vault.FILE, vault.LOCK]


def test_an_identity_does_not_show_its_secrets() -> None:
    identity = an_identity()

    shown = f"{identity!r} {identity}"
    assert "laptop" in shown
    assert PASSWORD not in shown
    assert identity.signing_secret is not None
    assert identity.signing_secret not in shown
