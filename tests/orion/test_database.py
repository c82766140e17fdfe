"""`orion db`: what the database is, and bringing it up to date by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from controller.store import engine, migrate
from tests.databases import POSTGRESQL, Databases, Files
from tests.orion.installation import Installation, clean_environment, orion, running
from tests.ports import free_port


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    """A database of an earlier release."""
    with databases.empty() as made:
        writer = engine.writer(made)
        command.upgrade(migrate.configuration(writer), "0008")
        writer.dispose()
        yield made


def says(home: Path, url: str, *words: str, exit_code: int = 0) -> dict[str, Any]:
    """What a command of `orion db` answers."""
    environment = clean_environment(HOME=str(home), ORION_DATA_DIR=str(home), ORION_DATABASE_URL=url)
    said = orion("db", *words, "--json", environment=environment)
    assert said.returncode == exit_code, said.stderr
    found: dict[str, Any] = json.loads(said.stdout or said.stderr)
    return found


def test_an_old_database_is_brought_up_to_date(tmp_path: Path, url: str, databases: Databases) -> None:
    before = says(tmp_path, url, "status", exit_code=1)
    assert (before["kind"], before["schema"], before["up_to_date"]) == (databases.kind, "0008", False)
    assert ":***@" in before["url"] or databases.kind != POSTGRESQL

    copied = [] if databases.kind != POSTGRESQL else ["--yes"]  # a server's copy is somebody else's to make
    done = says(tmp_path, url, "migrate", *copied)

    assert (done["before"], done["schema"]) == ("0008", migrate.newest())
    assert (done["copy"] is None) is (databases.kind == POSTGRESQL)
    assert says(tmp_path, url, "status")["up_to_date"]
    assert says(tmp_path, url, "migrate")["before"] == migrate.newest()


def test_a_server_is_not_changed_before_somebody_says_that_there_is_a_copy(
    tmp_path: Path, postgresql_databases: Databases
) -> None:
    with postgresql_databases.empty() as url:
        writer = engine.writer(url)
        command.upgrade(migrate.configuration(writer), "0008")
        writer.dispose()
        environment = clean_environment(
            HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path), ORION_DATABASE_URL=url
        )
        said = orion("db", "migrate", environment=environment)
        assert (said.returncode, said.stdout) == (2, "")
        assert "--yes" in said.stderr
        assert says(tmp_path, url, "migrate", exit_code=2)["error"]["code"] == "usage"
        assert says(tmp_path, url, "status", exit_code=1)["schema"] == "0008"


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    environment = clean_environment(HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path))
    said = orion("db", "status", environment=environment)

    assert said.returncode == 1
    assert "There is no database at" in said.stderr
    assert list(tmp_path.glob("**/*.db")) == []


@pytest.mark.parametrize("words", [("db", "status"), ("db", "backup", "."), ("audit", "verify")])
def test_what_keeps_a_database_from_being_read_is_told_with_what_to_do(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """An earlier release is spoken of only where it can be that."""
    server = f"postgresql+psycopg://orion:secret@127.0.0.1:{free_port()}/orion"
    (tmp_path / "other.db").write_bytes(b"nothing of the kind" * 100)

    for url, reason, remedy in (
        (server, "Connection refused", "See that the server runs"),
        (engine.sqlite_url(tmp_path / "other.db"), "file is not a database", "put a backup back"),
    ):
        environment = clean_environment(
            HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path), ORION_DATABASE_URL=url
        )
        said = orion(*words, environment=environment)
        assert said.returncode == 1
        assert reason in said.stderr
        assert remedy in said.stderr
        assert "secret" not in said.stderr
        assert "earlier release" not in said.stderr


def test_a_controller_that_runs_keeps_its_schema(tmp_path: Path) -> None:
    with running(tmp_path, "--no-node") as installation:
        said = installation.orion("db", "migrate")
        assert (said.returncode, "stop it first" in said.stderr) == (1, True)
        assert installation.data("db", "status")["up_to_date"]


def test_a_controller_on_a_server_says_what_is_to_be_done(
    tmp_path: Path, postgresql_databases: Databases
) -> None:
    with postgresql_databases.empty() as url:
        writer = engine.writer(url)
        command.upgrade(migrate.configuration(writer), "0008")
        writer.dispose()
        installation = Installation(tmp_path)
        installation.environment["ORION_DATABASE_URL"] = url
        said = installation.orion("up", "--no-node")
    assert said.returncode == 1
    assert "orion db migrate" in said.stderr
    assert url.partition("@")[0].rpartition(":")[2] not in said.stderr


@pytest.mark.parametrize("words", [("db", "status"), ("db", "backup"), ("audit", "verify")])
def test_another_database_than_that_of_the_controller_which_runs_is_not_taken_for_it(
    installation: Installation, tmp_path: Path, words: tuple[str, ...]
) -> None:
    own = installation.data("db", "status")["url"]
    with Files(tmp_path).migrated() as other:
        refused = installation.orion(*words, ORION_DATABASE_URL=other)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"these settings name {other}" in refused.stderr
    assert own.replace(":***@", "@") in refused.stderr
    assert "password" not in refused.stderr


def test_no_new_database_is_begun_where_one_is_gone(tmp_path: Path) -> None:
    heads = tmp_path / "controller" / "heads.jsonl"
    heads.parent.mkdir()
    heads.write_text("{}\n", encoding="utf-8")
    environment = clean_environment(
        HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path), ORION_HTTP_PORT=str(free_port())
    )

    for _ in range(2):
        said = orion("controller", environment=environment)
        assert said.returncode == 1
        assert "restore a backup" in said.stderr
        assert list(tmp_path.glob("**/orion.db")) == []
