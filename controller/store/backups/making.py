"""Making a backup: a moment of the database and the heads that were signed by then, in one file.

The heads are read first, so that each of them names a row that the copy has. No private key goes in.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from controller.store import headfile
from controller.store.backups import archive, draft, snapshot
from controller.store.backups.errors import NotBackedUp
from controller.store.backups.manifest import DATABASE, FORMAT, HEADS, Manifest, file_name, release
from schemas.ids import Instance

RESERVE = 64 * 1024 * 1024  # bytes that a backup leaves free on its disk

Tell = Callable[[str, int, int], None]  # what is done, bytes done, bytes in all; what it raises ends the work


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up."""

    url: str = field(repr=False)  # it may hold a password
    heads_path: Path
    instance: Instance


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is there."""

    path: Path
    size: int
    manifest: Manifest


def make(
    source: Source, place: Path, *, now: datetime, replace: bool = False, tell: Tell = lambda *_: None
) -> Made:
    """Back up to `place`: a file, or a folder for one with a name of its own. Blocks.

    Raises:
        NotBackedUp: the file is there, there is no room, or the database cannot be read.
        ToolMissing: pg_dump is not here.
    """
    path = place / file_name(source.instance, now) if place.is_dir() else place
    if path.exists() and not replace:
        raise NotBackedUp(f"{path} is there. Name another file, or say --force.")
    try:
        _check_room(source.url, path.parent)
        with draft.drafting(path.parent) as folder:
            manifest = _write(source, folder, now, tell)
            packed = folder / "packed"
            archive.pack(packed, manifest, folder, lambda done, total: tell("compressing", done, total))
            size = packed.stat().st_size
            draft.publish(packed, path, replace=replace)
    except FileExistsError as error:
        raise NotBackedUp(f"{path} is there. Name another file, or say --force.") from error
    except OSError as error:
        raise NotBackedUp(f"{path} cannot be written: {error.strerror or error}.") from error
    return Made(path, size, manifest)


def _write(source: Source, folder: Path, now: datetime, tell: Tell) -> Manifest:
    lines = headfile.lines_of(source.heads_path)
    (folder / HEADS).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = snapshot.take(source.url, folder / DATABASE, lambda done, total: tell("copying", done, total))
    contents = {
        name: archive.content_of(folder / name, lambda done, total: tell("checking", done, total))
        for name in archive.PARTS
    }
    return Manifest(
        format=FORMAT,
        orion=release(),
        kind=found.kind,
        server=found.server,
        namespace=found.namespace,
        revision=found.revision,
        made_at=now,
        instance=source.instance,
        origin=found.origin,
        rows=found.rows,
        contents=contents,
    )


def _check_room(url: str, folder: Path) -> None:
    """A backup must not fill the disk that the database may be on."""
    needed = 2 * snapshot.size_of(url) + RESERVE  # the copy, and the file that is made of it
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotBackedUp(
            f"There is no room in {folder}: up to {needed // 1_000_000} MB are needed while a backup is made, "
            f"and {free // 1_000_000} MB are free."
        )
