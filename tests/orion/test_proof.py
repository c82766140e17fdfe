"""`orion audit verify` and `export`, on a running installation."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orion.exits import Exit
from tests.orion.installation import Installation, clean_environment, orion


@pytest.fixture(scope="module")
def installation(installation_on_sqlite: Installation) -> Installation:
    """Its database is a file, which is copied and meddled with here."""
    return installation_on_sqlite


@pytest.fixture
def exported(installation: Installation, tmp_path: Path) -> Path:
    """The audit of an installation that has done something."""
    installation.data("run", "laptop", "system_info")
    installation.data("audit", "export", str(tmp_path / "audit.jsonl"))
    return tmp_path / "audit.jsonl"


@pytest.fixture
def copy(installation: Installation, exported: Path, tmp_path: Path) -> Path:
    """A data folder with a copy of the database, its keys and its signed heads, after an export."""
    folder = tmp_path / "copy" / "controller"
    folder.mkdir(parents=True)
    ours = installation.home / "data" / "controller"
    with (
        closing(sqlite3.connect(ours / "orion.db")) as source,
        closing(sqlite3.connect(folder / "orion.db")) as target,
    ):
        source.backup(target)
    for name in ("keys.json", "heads.jsonl"):
        (folder / name).write_bytes((ours / name).read_bytes())
    return folder.parent


def test_the_audit_of_a_running_controller_is_whole(installation: Installation, exported: Path) -> None:
    found = installation.data("audit", "verify")

    (chain,) = found["chains"]
    assert found["whole"]
    assert (chain["instance"], chain["fault"]) == ("main", None)
    assert chain["rows"] >= chain["signed"]["position"] > 1
    assert found["unreadable_heads"] == 0


def test_a_person_reads_a_sentence(installation: Installation, exported: Path) -> None:
    done = installation.orion("audit", "verify")

    assert done.returncode == Exit.DONE
    assert "rows, each as recorded; signed up to row" in done.stdout


def test_an_export_ends_with_the_signed_head_and_is_whole(installation: Installation, exported: Path) -> None:
    lines = [json.loads(line) for line in exported.read_text(encoding="utf-8").splitlines()]

    assert lines[-1]["head"]["position"] == len(lines) - 1 == lines[-2]["position"]
    assert installation.data("audit", "verify", str(exported))["whole"]


def test_an_export_to_stdout_is_the_same_form(installation: Installation) -> None:
    done = installation.orion("audit", "export")

    assert done.returncode == Exit.DONE
    assert set(json.loads(done.stdout.splitlines()[-1])) == {"head"}


def test_an_export_is_written_over_only_with_force(installation: Installation, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("mine", encoding="utf-8")

    refused = installation.orion("audit", "export", str(file))

    assert (refused.returncode, refused.stderr) == (
        Exit.FAILED,
        f"{file} is there. Name another file, or say --force.\n",
    )
    assert file.read_text(encoding="utf-8") == "mine"
    installation.data("audit", "export", str(file), "--force")
    assert installation.data("audit", "verify", str(file))["whole"]


def test_elsewhere_an_export_is_believed_with_the_id_of_the_key_only(
    installation: Installation, exported: Path, tmp_path: Path
) -> None:
    (key,) = [item["key_id"] for item in installation.data("signing-keys", "list")["items"] if item["signs"]]
    elsewhere = clean_environment(ORION_DATA_DIR=str(tmp_path / "elsewhere"))

    unsure = orion("audit", "verify", str(exported), environment=elsewhere)
    sure = orion("audit", "verify", str(exported), "--key", key, environment=elsewhere)

    assert (unsure.returncode, sure.returncode) == (Exit.FAILED, Exit.DONE)
    assert "no key that is believed here" in unsure.stdout


def test_a_changed_line_is_named(installation: Installation, exported: Path) -> None:
    text = exported.read_text(encoding="utf-8").replace(
        '"action": "command.succeeded"', '"action": "command.denied"', 1
    )
    exported.write_text(text, encoding="utf-8")

    found = installation.data("audit", "verify", str(exported), exit_code=Exit.FAILED)

    assert found["chains"][0]["fault"]["kind"] == "changed"


def test_a_file_that_is_no_export_is_said(installation: Installation, tmp_path: Path) -> None:
    done = installation.orion("audit", "verify", str(tmp_path / "none.jsonl"))

    assert done.returncode == Exit.FAILED
    assert "cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE audit_log SET actor = 'mallory' WHERE position = 2", "changed"),
        ("UPDATE audit_log SET at = 'noon' WHERE position = 2", "changed"),
        ("UPDATE audit_log SET detail = '{' WHERE position = 2", "changed"),
        ("UPDATE audit_log SET number = 999999 WHERE position = 2", "changed"),
        ("DELETE FROM audit_log WHERE position = 2", "removed"),
        ("DELETE FROM audit_log WHERE position = (SELECT max(position) FROM audit_log)", "cut"),
    ],
)
def test_a_database_that_somebody_changed_is_found_out(
    installation: Installation, copy: Path, statement: str, kind: str
) -> None:
    with closing(sqlite3.connect(copy / "controller" / "orion.db")) as database:
        database.execute(statement)
        database.commit()

    found = installation.data("audit", "verify", exit_code=Exit.FAILED, ORION_DATA_DIR=str(copy))

    fault = found["chains"][0]["fault"]
    assert fault["kind"] == kind
    assert kind == "cut" or fault["position"] == 2


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    done = orion("audit", "verify", environment=clean_environment(ORION_DATA_DIR=str(tmp_path)))

    assert done.returncode == Exit.FAILED
    assert "There is no database" in done.stderr
    assert not (tmp_path / "controller").exists()


@pytest.mark.parametrize("age", ["0", "-1d", "soon", "1000000d"])
def test_an_age_that_is_none_is_said(installation: Installation, tmp_path: Path, age: str) -> None:
    done = installation.orion("audit", "archive", str(tmp_path / "old.jsonl"), f"--older-than={age}", "--yes")

    assert done.returncode == Exit.USAGE
    assert not (tmp_path / "old.jsonl").exists()


def test_an_archive_is_never_written_over(installation: Installation, tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text("precious", encoding="utf-8")

    done = installation.orion("audit", "archive", str(tmp_path / "old.jsonl"), "--yes")

    assert done.returncode == Exit.FAILED
    assert "is there already" in done.stderr
    assert (tmp_path / "old.jsonl").read_text(encoding="utf-8") == "precious"


def test_where_nothing_is_old_enough_nothing_is_archived(installation: Installation, tmp_path: Path) -> None:
    done = installation.orion(
        "audit", "archive", str(tmp_path / "old.jsonl"), "--older-than", "365d", "--yes"
    )

    assert done.returncode == Exit.DONE
    assert "nothing to archive" in done.stderr
    assert not (tmp_path / "old.jsonl").exists()


def test_the_oldest_rows_move_into_a_file_and_both_are_proved(
    installation: Installation, exported: Path, tmp_path: Path
) -> None:
    first = installation.data(
        "audit", "archive", str(tmp_path / "first.jsonl"), "--older-than", "0.001s", "--yes"
    )
    installation.data("run", "laptop", "system_info")
    second = installation.data(
        "audit", "archive", str(tmp_path / "second.jsonl"), "--older-than", "0.001s", "--yes"
    )

    assert first["rows"] > 1
    assert second["rows"] > 1
    assert second["cuts"][0]["position"] == first["rows"] + second["rows"]
    (chain,) = installation.data("audit", "verify")["chains"]
    assert chain["fault"] is None
    assert chain["cut"]["position"] == second["cuts"][0]["position"]
    for name in ("first", "second"):
        assert installation.data("audit", "verify", str(tmp_path / f"{name}.jsonl"))["whole"]
    installation.data("audit", "export", str(tmp_path / "rest.jsonl"))
    assert installation.data("audit", "verify", str(tmp_path / "rest.jsonl"))["whole"]
    assert "those before were archived at" in installation.orion("audit", "verify").stdout


def test_rows_are_not_taken_away_unless_somebody_says_yes(installation: Installation, tmp_path: Path) -> None:
    done = installation.orion("audit", "archive", str(tmp_path / "old.jsonl"), "--older-than", "0.001s")

    assert done.returncode == Exit.USAGE
    assert "--yes" in done.stderr
    assert not (tmp_path / "old.jsonl").exists()
