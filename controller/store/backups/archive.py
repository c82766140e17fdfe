"""A backup as one file: a compressed tar of the manifest, the database and the signed heads.

It is read in order and never unpacked by name: a part is what the manifest says, to the byte, or the
file is refused.
"""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from controller.store.backups.errors import BackupUnusable, NotRestored
from controller.store.backups.manifest import DATABASE, FORMAT, HEADS, MANIFEST, Content, Manifest

LEVEL = 3  # of gzip: level 6 takes nearly twice as long and leaves 6 % less
CHUNK = 1024 * 1024  # bytes
MAX_MANIFEST = 1024 * 1024  # bytes
MAX_FRAME = 64 * 1024  # bytes of the tar that are in no part and not in the manifest
LENGTH, LENGTHS = 4, 1 << 32  # bytes that gzip has at its end for the length, and how many that can be
PARTS = (DATABASE, HEADS)


class _Format(BaseModel):
    """All that is known of what a newer Orion made."""

    format: int


Tell = Callable[[int, int], None]  # bytes done, bytes in all; what it raises ends the work


def content_of(path: Path, tell: Tell) -> Content:
    """Size and checksum of a file."""
    total, done, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            done += len(piece)
            tell(done, total)
    return Content(size=done, sha256=digest.hexdigest())


def pack(target: Path, manifest: Manifest, folder: Path, tell: Tell) -> None:
    """Write the parts in `folder` to `target`, for its owner's eyes only and down to the disk."""
    total = sum(each.size for each in manifest.contents.values())
    done = 0

    def counted(size: int) -> None:
        nonlocal done
        done += size
        tell(min(done, total), total)

    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        stamp = manifest.made_at.timestamp()
        with (
            gzip.GzipFile("", "wb", LEVEL, file, stamp) as packed,
            tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            said = manifest.model_dump_json(indent=1).encode() + b"\n"
            tar.addfile(_entry(MANIFEST, len(said), stamp), io.BytesIO(said))
            for name in PARTS:
                with (folder / name).open("rb") as part:
                    tar.addfile(
                        _entry(name, manifest.contents[name].size, stamp),
                        _Counted(part, counted),
                    )
        file.flush()
        os.fsync(descriptor)


def manifest_of(path: Path) -> Manifest:
    """What a file says of itself; the rest of it is not looked at.

    Raises:
        BackupUnusable: it cannot be read, is no backup, or is of a newer Orion.
    """
    with _reading(path) as (tar, _):
        return _manifest(path, tar)


def check_end(path: Path, manifest: Manifest) -> None:
    """Look whether a file is there to its end, by the length that stands there; the rest is for `check`.

    Raises:
        BackupUnusable: it broke off, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-LENGTH, os.SEEK_END)
            told = int.from_bytes(file.read(LENGTH), "little")
    except OSError as error:
        raise BackupUnusable(path, f"cannot be read: {error.strerror}.") from error
    beside = (told - sum(each.size for each in manifest.contents.values())) % LENGTHS
    if beside > MAX_MANIFEST + MAX_FRAME:
        raise BackupUnusable(path, "is damaged: it has no end.")


def unpack(path: Path, folder: Path, tell: Tell) -> Manifest:
    """Write the parts of a backup into `folder`, once each of them is what the manifest says.

    Raises:
        BackupUnusable: it is not.
        NotRestored: there is no room for them.
    """
    needed = sum(each.size for each in manifest_of(path).contents.values())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise NotRestored(
            f"There is no room in {folder.parent}: {needed // 1_000_000} MB are needed, {free // 1_000_000} MB are free."
        )

    def write(name: str, pieces: Iterator[bytes]) -> None:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)

    return _walk(path, write, tell)


def check(path: Path, tell: Tell) -> Manifest:
    """The same without writing anything.

    Raises:
        BackupUnusable: a part is not what the manifest says.
    """

    def pass_over(_name: str, pieces: Iterator[bytes]) -> None:
        for _ in pieces:
            pass

    return _walk(path, pass_over, tell)


def _walk(path: Path, take: Callable[[str, Iterator[bytes]], None], tell: Tell) -> Manifest:
    with _reading(path) as (tar, packed):
        manifest = _manifest(path, tar)
        total, done = sum(each.size for each in manifest.contents.values()), 0
        for name in PARTS:
            told, entry = manifest.contents.get(name), tar.next()
            file = tar.extractfile(entry) if entry is not None and entry.isreg() else None
            if told is None or file is None or entry is None or entry.name != name:
                raise BackupUnusable(path, f"is damaged: {name} is not where it should be.")
            if entry.size != told.size:
                raise BackupUnusable(path, f"is damaged: {name} has another size than it says.")
            digest = hashlib.sha256()

            def pieces(file: IO[bytes] = file, digest: "hashlib._Hash" = digest) -> Iterator[bytes]:
                nonlocal done
                while piece := file.read(CHUNK):
                    digest.update(piece)
                    done += len(piece)
                    tell(done, total)
                    yield piece

            take(name, pieces())
            if digest.hexdigest() != told.sha256:
                raise BackupUnusable(path, f"is damaged: the checksum of {name} does not fit.")
        if tar.next() is not None:
            raise BackupUnusable(path, "is damaged: it holds more than it says.")
        while packed.read(CHUNK):  # to its end, where the checksum of the whole is
            pass
    return manifest


@contextmanager
def _reading(path: Path) -> Iterator[tuple[tarfile.TarFile, gzip.GzipFile]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise BackupUnusable(path, f"cannot be read: {error.strerror}.") from error
    with file:
        try:
            with gzip.GzipFile(fileobj=file) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
                yield tar, packed
        except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BackupUnusable(path, "is no backup of Orion, or a damaged one.") from error


def _manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    entry = tar.next()
    file = tar.extractfile(entry) if entry is not None and entry.isreg() else None
    if file is None or entry is None or entry.name != MANIFEST or entry.size > MAX_MANIFEST:
        raise BackupUnusable(path, "is no backup of Orion.")
    said = file.read(MAX_MANIFEST)
    try:
        manifest = Manifest.model_validate_json(said)
    except ValidationError as error:
        newer = _format(said) > FORMAT
        reason = (
            "is a backup of a newer Orion." if newer else "is damaged: what it says of itself is no sense."
        )
        raise BackupUnusable(path, reason) from error
    if manifest.format > FORMAT:
        raise BackupUnusable(
            path, f"was made by Orion {manifest.orion}, which is newer than this one. Install that release."
        )
    return manifest


def _format(said: bytes) -> int:
    try:
        return _Format.model_validate_json(said).format
    except ValidationError:
        return 0


def _entry(name: str, size: int, stamp: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(stamp)
    return entry


class _Counted:
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], tell: Callable[[int], None]) -> None:
        self._file = file
        self._tell = tell

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._tell(len(piece))
        return piece
