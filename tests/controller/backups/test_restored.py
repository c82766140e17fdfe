"""What is not as it was once a backup is put back."""

from pathlib import Path

from sqlalchemy import text

from controller.store import backups
from tests.controller.backups.installed import Installed, audited
from tests.factories import NOON


def test_nobody_comes_in_again_by_a_sign_in_of_then(installed: Installed, tmp_path: Path) -> None:
    with installed.writing() as writer, writer.begin() as connection:
        connection.execute(text("UPDATE sign_ins SET ended_at = NULL, ended_why = NULL"))
    made = backups.make(installed.source, tmp_path, now=NOON)

    installed.restore(made.path)

    assert {row["ended_why"] for row in installed.rows()["sign_ins"]} == {"restored"}


def test_new_rows_follow_the_restored_ones(installed: Installed, backup: Path) -> None:
    """Numbers that a sequence gives begin behind the largest that is there."""
    installed.restore(backup)

    installed.note("later")

    assert audited(installed.rows()) == ["begun", "gone on", "store.restored", "later"]
    assert installed.is_proved()
