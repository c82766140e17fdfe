"""A backup is known by what is in it: damage is noticed, and none goes for its name alone."""

import gzip
import os
from pathlib import Path

import pytest

from controller.store import backups
from controller.store.backups import BackupUnusable, archive
from tests.controller.backups.installed import Installed
from tests.databases import Databases
from tests.factories import NOON, later


def test_a_changed_byte_is_noticed_or_means_nothing(installed: Installed, tmp_path: Path) -> None:
    """In the head of the file, where gzip keeps a time that nobody reads, it means nothing."""
    made = backups.make(installed.source, tmp_path, now=NOON)
    whole = made.path.read_bytes()
    noticed = 0
    for position in (*range(20), *range(20, len(whole), len(whole) // 40)):
        content = bytearray(whole)
        content[position] ^= 1 << position % 8
        made.path.write_bytes(content)
        try:
            assert backups.check(made.path, lambda *_: None) == made.manifest
        except BackupUnusable:
            noticed += 1
    assert noticed > 40


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_broke_off_is_noticed(installed: Installed, tmp_path: Path, share: float) -> None:
    made = backups.make(installed.source, tmp_path, now=NOON)
    os.truncate(made.path, int(made.size * share))

    with pytest.raises(BackupUnusable, match="backup of Orion"):
        backups.check(made.path, lambda *_: None)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(bytes(20_000))],
    ids=["nothing", "no archive", "no tar", "an empty tar"],
)
def test_what_is_no_backup_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orion-main-20260212T120000Z.tar.gz"
    path.write_bytes(content)

    with pytest.raises(BackupUnusable, match="is no backup of Orion"):
        backups.manifest_of(path)
    (listed,) = backups.on(tmp_path)
    assert listed.manifest is None
    assert listed.trouble is not None


def test_what_somebody_named_is_listed_and_what_broke_off_is_told(
    installed: Installed, tmp_path: Path
) -> None:
    """What is no backup and has no name of ours is somebody else's, and not spoken of."""
    broken, whole = (backups.make(installed.source, tmp_path, now=later(each)) for each in (60, 0))
    os.truncate(broken.path, broken.size - 1)
    mine = tmp_path / "my.tar.gz"
    mine.write_bytes(whole.path.read_bytes())
    (tmp_path / "photos.tar.gz").write_bytes(gzip.compress(b"of the holidays"))
    (tmp_path / "folder.tar.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.tar.gz")
    (tmp_path / "orion-main-20260101T000000Z.tar.gz").write_bytes(b"")

    found = backups.on(tmp_path)

    assert [each.path.name for each in found] == [
        broken.path.name, whole.path.name, mine.name, "orion-main-20260101T000000Z.tar.gz",
    ]  # fmt: skip
    assert found[0].trouble == f"{broken.path} is damaged: it has no end."
    assert [each.trouble for each in found[1:3]] == [None, None]
    assert found[3].trouble is not None
    assert [each.path for each in backups.of("main", tmp_path)] == [broken.path, whole.path]


def test_more_than_the_manifest_says_is_refused(installed: Installed, tmp_path: Path) -> None:
    """A part cannot be longer than it says, so a small file cannot fill a disk unsaid."""
    made = backups.make(installed.source, tmp_path, now=NOON)
    (tmp_path / "parts").mkdir()
    backups.unpack(made.path, tmp_path / "parts", lambda *_: None)
    (tmp_path / "parts" / "heads.jsonl").write_text("{}\n")
    short = made.manifest.contents["heads.jsonl"].model_copy(update={"size": 3})
    told = made.manifest.model_copy(update={"contents": made.manifest.contents | {"heads.jsonl": short}})
    archive.pack(tmp_path / "forged", told, tmp_path / "parts", lambda *_: None)

    with pytest.raises(BackupUnusable, match=r"the checksum of heads\.jsonl does not fit"):
        backups.check(tmp_path / "forged", lambda *_: None)


def test_old_backups_of_the_same_database_go_and_never_the_newest(
    installed: Installed, databases: Databases, tmp_path: Path
) -> None:
    made = [backups.make(installed.source, tmp_path, now=later(hours * 3600)) for hours in range(3)]
    foreign = tmp_path / "orion-main-20200101T000000Z.tar.gz"
    foreign.write_text("by its name only")
    renamed = tmp_path / "keep-me.tar.gz"
    renamed.write_bytes(made[0].path.read_bytes())
    other_instance = backups.make(
        backups.Source(installed.url, installed.heads_path, "second"), tmp_path, now=NOON
    )
    with databases.migrated() as url:
        other = Installed(url, tmp_path / "other")
        other.note("another database")
        other_database = backups.make(other.source, tmp_path / "other", now=NOON)
        moved = tmp_path / "orion-main-20200102T000000Z.tar.gz"
        other_database.path.rename(moved)

    gone = backups.prune(tmp_path, made[2].manifest, before=later(90 * 60))
    assert sorted(gone) == [made[0].path, made[1].path]
    assert backups.prune(tmp_path, made[2].manifest, before=later(10**6)) == []

    left = {made[2].path, foreign, renamed, other_instance.path, moved}
    assert {path for path in tmp_path.iterdir() if path.is_file()} == left


def test_a_database_without_an_audit_is_nobodys_and_nothing_is_deleted(
    databases: Databases, tmp_path: Path
) -> None:
    with databases.migrated() as url:
        source = Installed(url, tmp_path / "controller").source
        made = [backups.make(source, tmp_path, now=later(each)) for each in range(2)]
    assert backups.prune(tmp_path, made[1].manifest, before=later(10**6)) == []
