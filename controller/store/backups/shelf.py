"""The backups of a folder: which there are, and which are kept no longer.

Listed is what says of itself that it is one. Only what is ours by its name as well is deleted, and never
the newest.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.store.backups.archive import check_end, manifest_of
from controller.store.backups.errors import BackupUnusable
from controller.store.backups.manifest import NAMED, Manifest


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup, or a file with the name of one. `manifest` is None where it cannot be read.

    `trouble` says why, or what else is seen to be wrong; only `check` reads all of it.
    """

    path: Path
    size: int
    manifest: Manifest | None
    trouble: str | None = None


def on(folder: Path) -> list[Kept]:
    """What is there, the newest first; what has our name and cannot be read last. Blocks."""
    files = (path for path in folder.glob("*.tar.gz") if path.is_file() or _has_our_name(path))
    found = [each for each in map(_looked_at, files) if each.manifest is not None or _has_our_name(each.path)]
    return sorted(found, key=lambda each: (_made_at(each), each.path.name), reverse=True)


def of(instance: str, folder: Path) -> list[Kept]:
    """Those of one controller that have our name, the newest first."""
    return [
        each
        for each in on(folder)
        if each.manifest is not None and each.manifest.instance == instance and _has_our_name(each.path)
    ]


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
    manifest = None
    try:
        manifest = manifest_of(path)
        check_end(path, manifest)
    except BackupUnusable as error:
        return Kept(path, size, manifest, str(error))
    return Kept(path, size, manifest)


def _has_our_name(path: Path) -> bool:
    return NAMED.fullmatch(path.name) is not None


def _made_at(kept: Kept) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if kept.manifest is None else kept.manifest.made_at
