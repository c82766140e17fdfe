"""The backups of a folder: which there are, and which are kept no longer.

Only what is ours by its name and by what it says of itself is deleted, and never the newest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.store.backups.archive import manifest_of
from controller.store.backups.errors import BackupUnusable
from controller.store.backups.manifest import NAMED, Manifest


@dataclass(frozen=True, slots=True)
class Kept:
    """A file with a backup's name. `manifest` is None where it cannot be read; `trouble` says why."""

    path: Path
    size: int
    manifest: Manifest | None
    trouble: str | None = None


def on(folder: Path) -> list[Kept]:
    """What is there, the newest first; what cannot be read last. Blocks."""
    found = [_looked_at(path) for path in folder.glob("orion-*.tar.gz") if NAMED.fullmatch(path.name)]
    return sorted(found, key=lambda each: (_made_at(each), each.path.name), reverse=True)


def of(instance: str, folder: Path) -> list[Kept]:
    """Those of one controller, the newest first."""
    return [each for each in on(folder) if each.manifest is not None and each.manifest.instance == instance]


def prune(folder: Path, like: Manifest, *, before: datetime) -> list[Path]:
    """Delete the backups of the same controller and database that are older; which.

    Without a row in the audit nobody can tell whose database it is, and nothing is deleted.

    Raises:
        OSError: one cannot be deleted.
    """
    if like.origin is None:
        return []
    ours = [
        each
        for each in of(like.instance, folder)
        if each.manifest is not None and each.manifest.origin == like.origin
    ]
    gone = [each.path for each in ours[1:] if _made_at(each) < before]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def _looked_at(path: Path) -> Kept:
    size = path.stat().st_size if path.exists() else 0
    try:
        return Kept(path, size, manifest_of(path))
    except BackupUnusable as error:
        return Kept(path, size, None, str(error))


def _made_at(kept: Kept) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if kept.manifest is None else kept.manifest.made_at
