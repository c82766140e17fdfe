"""Who this device is at its controller, kept for its owner's eyes only.

`identity.json` (0600, in a folder of 0700) is written whole or not at all. The password and the
private key are in the system's keyring where there is one that can be used, else in that file; the file
says which. All functions block on files and on the keyring: call them in a thread.
"""

import logging
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker import files
from device_node import keychain
from device_node.keychain import KeyringUnusable
from schemas.ids import DeviceId, new_id
from schemas.keys import Key
from schemas.wire import Instant

logger = logging.getLogger(__name__)

FILE = "identity.json"
LOCK = "identity.lock"
MAX_SIZE = 1_048_576  # bytes


class VaultError(Exception):
    """What is kept cannot be used; the message is a sentence for a person, with the remedy."""


class Where(StrEnum):
    """Where the secrets are."""

    KEYRING = "keyring"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a device got when it joined, and its own key. `signing_secret` is None where it does not sign."""

    device_id: str
    host: str
    port: int
    ca: str | None  # PEM; None without TLS
    controller_keys: tuple[Key, ...]
    joined_at: datetime
    password: str = field(repr=False)
    signing_secret: str | None = field(repr=False)  # base64url


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class _Secrets(_Part):
    password: str = Field(repr=False)
    signing_secret: str | None = Field(repr=False)


class _InKeyring(_Part):
    keyring: str  # the name they have there


class _Kept(_Part):
    """The file."""

    version: Literal[1] = 1
    device_id: DeviceId
    host: str
    port: int
    ca: str | None
    controller_keys: tuple[Key, ...]
    joined_at: Instant
    secrets: _Secrets | _InKeyring


def keep(folder: Path, identity: Identity, *, keyring: bool) -> Where:
    """Keep an identity in place of an earlier one; where its secrets are now.

    With `keyring` they go to the system's keyring if there is one that can be used.

    Raises:
        OSError: the folder cannot be used.
    """
    files.make_private_directory(folder)
    with files.locked(folder / LOCK):
        earlier = None
        with suppress(VaultError):  # what cannot be read is what this replaces
            earlier = _read(folder)
        secrets = _Secrets(password=identity.password, signing_secret=identity.signing_secret)
        # under a new name: what the old file says stays true until the new one is there
        kept = _Kept(
            device_id=identity.device_id,
            host=identity.host,
            port=identity.port,
            ca=identity.ca,
            controller_keys=identity.controller_keys,
            joined_at=identity.joined_at,
            secrets=_into_keyring(identity.device_id, secrets) if keyring else secrets,
        )
        try:
            _write(folder, kept)
        except BaseException:
            _let_go(kept)
            raise
        _let_go(earlier)
    return Where.KEYRING if isinstance(kept.secrets, _InKeyring) else Where.FILE


def load(folder: Path) -> Identity | None:
    """The identity that is kept here; None when there is none.

    Raises:
        VaultError: there is one, and it cannot be used.
    """
    kept = _read(folder)
    if kept is None:
        return None
    secrets = kept.secrets
    if isinstance(secrets, _InKeyring):
        secrets = _from_keyring(kept.device_id, secrets.keyring)
    return Identity(
        device_id=kept.device_id,
        host=kept.host,
        port=kept.port,
        ca=kept.ca,
        controller_keys=kept.controller_keys,
        joined_at=kept.joined_at,
        password=secrets.password,
        signing_secret=secrets.signing_secret,
    )


def update_keys(folder: Path, keys: Sequence[Key]) -> None:
    """Believe these keys of the controller from now on. The secrets are not touched, nor the keyring asked.

    Raises:
        VaultError: no identity is kept here, or none that can be used.
        OSError: the folder cannot be used.
    """
    with files.locked(folder / LOCK):
        kept = _read(folder)
        if kept is None:
            raise VaultError(f"There is no identity in {folder} to keep keys for.")
        _write(folder, kept.model_copy(update={"controller_keys": tuple(keys)}))


def forget(folder: Path) -> None:
    """Take the identity away, out of the keyring as well; nothing happens if there is none."""
    if not folder.is_dir():
        return
    with files.locked(folder / LOCK):
        with suppress(VaultError):
            _let_go(_read(folder))
        (folder / FILE).unlink(missing_ok=True)


def _write(folder: Path, kept: _Kept) -> None:
    files.replace(folder / FILE, kept.model_dump_json(indent=1) + "\n")


def _read(folder: Path) -> _Kept | None:
    path = folder / FILE
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(f"{path} cannot be read: {error.strerror}. It must belong to this user.") from error
    try:
        return _Kept.model_validate_json(content[:MAX_SIZE])
    except ValidationError:
        # without the cause: it would take what stands in the file into a traceback
        raise VaultError(
            f"{path} is damaged, or of another version. Let this device join anew: "
            "`orion devices invite ID` on the controller's computer, then `orion node join HOST` here."
        ) from None


def _check_owner(path: Path, info: os.stat_result) -> None:
    if sys.platform == "win32":  # there the folder's own rights hold
        return
    if info.st_uid != os.getuid():
        raise VaultError(f"{path} belongs to somebody else. Give it to the user that runs the node (chown).")
    if stat.S_IMODE(info.st_mode) & 0o077:
        path.chmod(0o600)
        logger.warning(
            "%s could be read by others, and no longer can; if they may have, let the device join anew", path
        )


def _into_keyring(device_id: str, secrets: _Secrets) -> _InKeyring | _Secrets:
    name = f"{device_id} {new_id()}"
    try:
        keychain.put(name, secrets.model_dump_json())
    except KeyringUnusable as unusable:
        logger.info("The system's keyring is not used: %s", unusable)
        return secrets
    return _InKeyring(keyring=name)


def _from_keyring(device_id: str, name: str) -> _Secrets:
    try:
        text = keychain.get(name)
    except KeyringUnusable as unusable:
        raise VaultError(
            f"The secrets of {device_id} are in the system's keyring, and it cannot be used now: {unusable}. "
            "Unlock it and start again, or let this device join anew: `orion node join HOST`."
        ) from None
    try:
        return _Secrets.model_validate_json(text or "")
    except ValidationError:
        raise VaultError(
            f"The secrets of {device_id} are no longer in the system's keyring. Let this device join anew: "
            "`orion devices invite ID` on the controller's computer, then `orion node join HOST` here."
        ) from None


def _let_go(kept: _Kept | None) -> None:
    """Take its secrets out of the keyring; one that cannot be asked keeps what opens nothing any more."""
    if kept is None or isinstance(kept.secrets, _Secrets):
        return
    try:
        keychain.drop(kept.secrets.keyring)
    except KeyringUnusable as unusable:
        logger.warning("The system's keyring keeps %r: %s", kept.secrets.keyring, unusable)
