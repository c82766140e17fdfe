"""`orion db backup`, `backups`, `verify` and `restore`, as somebody uses them on an installation."""

import json
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from orion.exits import Exit
from tests.databases import Databases
from tests.orion.installation import (
    ORION,
    READY_WITHIN,
    Installation,
    clean_environment,
    orion,
    running,
    until,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where an installation is that the test starts, stops and starts again."""
    return tmp_path / "home"


def test_a_backup_is_made_while_the_controller_runs(installation: Installation, tmp_path: Path) -> None:
    made = installation.data("db", "backup", str(tmp_path))

    (listed,) = installation.data("db", "backups", str(tmp_path))["items"]
    assert (listed["file"], listed["size"]) == (made["file"], made["size"])
    assert made["kind"] == make_url(installation.database_url).get_backend_name()
    looked = installation.data("db", "verify", made["file"])
    assert looked["whole"]
    assert all(each["fault"] is None for each in looked["chains"] or ())
    with tarfile.open(made["file"]) as tar:
        assert tar.getnames() == ["manifest.json", "database", "heads.jsonl"]


def test_without_a_name_it_goes_into_the_folder_of_backups(installation: Installation) -> None:
    made = installation.data("db", "backup", "--keep", "30d")

    assert Path(made["file"]).parent == installation.home / "data" / "backups"
    assert made["deleted"] == []


def test_a_person_is_told_what_is_not_in_it(installation: Installation, tmp_path: Path) -> None:
    said = installation.orion("db", "backup", str(tmp_path / "mine.tar.gz"))

    assert said.returncode == Exit.DONE
    assert said.stdout.strip() == str(tmp_path / "mine.tar.gz")
    assert "keys and passwords are not in it" in said.stderr
    listed = installation.orion("db", "backups", str(tmp_path))
    assert [line.split("\t")[1] for line in listed.stdout.splitlines()] == ["file", "mine.tar.gz"]
    elsewhere = installation.orion("db", "backups", str(tmp_path), ORION_INSTANCE="second")
    assert [line.split("\t")[-1] for line in elsewhere.stdout.splitlines()] == ["controller", "main"]
    again = installation.orion("db", "backup", str(tmp_path / "mine.tar.gz"))
    assert (again.returncode, "--force" in again.stderr) == (Exit.FAILED, True)
    assert installation.orion("db", "backup", str(tmp_path / "mine.tar.gz"), "--force").returncode == 0


def test_no_private_key_is_in_a_backup(installation: Installation, tmp_path: Path) -> None:
    made = installation.data("db", "backup", str(tmp_path))
    keys = json.loads((installation.home / "data" / "controller" / "keys.json").read_text(encoding="utf-8"))

    with tarfile.open(made["file"]) as tar:
        parts = [tar.extractfile(each) for each in tar.getmembers()]
        content = b"".join(part.read() for part in parts if part is not None)
    assert keys[0]["secret"].encode() not in content


def test_a_running_controller_is_not_restored(installation: Installation, tmp_path: Path) -> None:
    made = installation.data("db", "backup", str(tmp_path))

    said = installation.orion("db", "restore", made["file"], "--yes")

    assert (said.returncode, said.stderr.strip()) == (Exit.FAILED, "The controller runs: stop it first.")


def test_a_controller_that_is_reached_elsewhere_is_noticed_all_the_same(
    installation: Installation, tmp_path: Path
) -> None:
    """By the lock on its database."""
    made = installation.data("db", "backup", str(tmp_path))

    said = installation.orion("db", "restore", made["file"], "--yes", ORION_HTTP_PORT="9")

    assert said.returncode == Exit.FAILED
    assert "has" in said.stderr
    assert "Stop it first" in said.stderr
    assert installation.data("commands", "list") is not None


@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind"])
def test_what_is_no_backup_is_said(installation: Installation, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "orion-main-20260101T000000Z.tar.gz"
    if content is not None:
        path.write_bytes(content)

    for verb in ("verify", "restore"):
        said = installation.orion("db", verb, str(path))
        assert said.returncode == Exit.FAILED
        assert said.stderr.startswith(str(path))
        assert len(said.stderr.splitlines()) == 1


def test_nobody_to_ask_is_no_consent(home: Path, databases: Databases) -> None:
    with databases.migrated() as url:
        environment = clean_environment(
            HOME=str(home), ORION_DATA_DIR=str(home), ORION_DATABASE_URL=url, ORION_HTTP_PORT="9"
        )
        made = done(environment, "backup")
        refused = orion("db", "restore", made["file"], environment=environment)
        assert (refused.returncode, "--yes" in refused.stderr) == (Exit.USAGE, True)

        restored = done(environment, "restore", made["file"], "--yes")
        assert restored["database_aside"] is not None
        entry = done(environment, "backup", "--force")
        assert entry["rows"]["audit_log"] == 1


def done(environment: dict[str, str], *words: str) -> dict[str, Any]:
    said = orion("db", *words, "--json", environment=environment)
    assert said.returncode == 0, said.stderr + said.stdout
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@contextmanager
def a_node(site: Installation, home: Path, password: str) -> Iterator[None]:
    """A second computer, as long as the block takes."""
    environment = site.environment | {
        "ORION_DATA_DIR": str(home),
        "ORION_DEVICE_ID": "away",
        "ORION_NODE_PASSWORD": password,
    }
    node = subprocess.Popen([*ORION, "node"], env=environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: site.data("devices", "show", "away")["status"] == "online")
        yield
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(READY_WITHIN)


def test_what_was_done_after_the_backup_is_not_done_again(home: Path, tmp_path: Path) -> None:
    """An order waited when the backup was made, then left and was carried out; then the backup is put back.

    It leaves once more, under the id that it had, and its device answers from its journal.
    """
    with running(home, "--no-node") as site:
        password = site.data("devices", "add", "away", "--adopt")["mqtt"]["password"]
        with a_node(site, tmp_path / "away", password):
            pass
        until(lambda: site.data("devices", "show", "away")["status"] == "offline")
        words = ("away", "create_directory", "path=Once", "--when-online")
        order = site.data("run", *words, exit_code=Exit.WAITING)["command_id"]

        def status() -> str:
            return str(site.data("commands", "show", order)["status"])

        assert status() == "waiting"
        made = site.data("db", "backup")
        folder = tmp_path / "away" / "files" / "Once"
        with a_node(site, tmp_path / "away", password):
            until(lambda: status() == "succeeded")
        folder.rmdir()
        site.stop()

        site.data("db", "restore", made["file"], "--yes")
        site.start("--no-node")
        assert status() == "waiting"
        with a_node(site, tmp_path / "away", password):
            until(lambda: status() == "succeeded")

        assert not folder.exists()
        assert site.data("audit", "verify")["whole"]
        assert site.data("audit", "list", "--action", "store.restored")["items"]
