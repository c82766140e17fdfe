"""What a device has in hand before it asks for its place: its new key, and room for its identity.

An answer that cannot be kept would use the code up, and leave a place to a key that nobody has. So the
key is kept before anything is asked, beside a file of the size of what will be kept. Whoever was killed
before the answer came asks again with the same code and the same key. An identity that is there is not
touched. All functions block on files.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker import files
from schemas.joining import JoinCode
from schemas.signing import BadKey, Signer

KEY = "joining.key"
ROOM = "joining.room"
RESERVED = 16_384  # bytes; an identity with its folder and its lock has less


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    invite_id: str
    signing_secret: str = Field(repr=False)


def prepare(folder: Path, code: JoinCode) -> Signer:
    """The key to ask with, kept: the one of an earlier attempt with this code, or a new one.

    Raises:
        OSError: there is no room, or the folder cannot be used; nothing is left behind.
    """
    files.make_private_directory(folder)
    earlier = _earlier(folder / KEY, code)
    signer = earlier or Signer.generate()
    try:
        if earlier is None:
            kept = _Kept(invite_id=code.invite_id, signing_secret=signer.secret)
            files.replace(folder / KEY, kept.model_dump_json() + "\n")
        # random digits: a disk that compresses would give zeros no room
        files.replace(folder / ROOM, os.urandom(RESERVED // 2).hex())
    except OSError:
        release(folder, key=earlier is None)
        raise
    return signer


@contextmanager
def giving_way(folder: Path) -> Iterator[None]:
    """Free the room for what is kept inside the block; the key goes once that is there."""
    (folder / ROOM).unlink(missing_ok=True)
    yield
    (folder / KEY).unlink(missing_ok=True)


def release(folder: Path, *, key: bool) -> None:
    """Give the room back, and let go of the `key` if no place can have been given to it."""
    (folder / ROOM).unlink(missing_ok=True)
    if key:
        (folder / KEY).unlink(missing_ok=True)
    _leave(folder)


def _earlier(path: Path, code: JoinCode) -> Signer | None:
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
        return Signer.restore(kept.signing_secret) if kept.invite_id == code.invite_id else None
    except (FileNotFoundError, ValidationError, BadKey):
        return None


def _leave(folder: Path) -> None:
    with suppress(OSError):  # something else stands in it
        folder.rmdir()
