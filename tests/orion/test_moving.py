"""`orion db move`: a whole installation goes to a server and back, and no password is shown on the way."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, make_url, text

from controller.store import engine, migrate
from controller.store.tables import METADATA
from orion.exits import INTERRUPTED, Exit
from tests.controller.store.moving import odd
from tests.databases import Databases
from tests.factories import NOON
from tests.orion.installation import ORION, Installation, clean_environment, orion, running, until

pytestmark = pytest.mark.on_a_file

Environment = dict[str, str]


@pytest.fixture
def server(postgresql_databases: Databases) -> Iterator[str]:
    """An empty database on a server."""
    with postgresql_databases.empty() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path) -> Environment:
    """The environment of an installation that has a file with rows, and does not run."""
    folder = tmp_path / "controller"
    folder.mkdir()
    writer = engine.writer(engine.sqlite_url(folder / "orion.db"))
    migrate.upgrade(writer)
    odd.fill(writer)
    with writer.begin() as connection:
        connection.execute(text("DELETE FROM audit_log"))  # none of these was ever in a chain
    writer.dispose()
    return clean_environment(HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path), ORION_HTTP_PORT="9")


def password_of(url: str) -> str:
    return str(make_url(url).password)


def contents(url: str) -> odd.Rows:
    reader = engine.reader(url)
    found = odd.contents(reader)
    reader.dispose()
    return found


def file_of(home: Environment) -> str:
    return engine.sqlite_url(Path(home["ORION_DATA_DIR"]) / "controller" / "orion.db")


def test_an_installation_goes_on_with_the_server(tmp_path: Path, server: str) -> None:
    with running(tmp_path, "--no-node") as installation:
        installation.data("devices", "add", "lamp-1")
        refused = installation.orion("db", "move", ORION_MOVE_TO=server)
        assert (refused.returncode, "stop it first" in refused.stderr) == (Exit.FAILED, True)
        installation.stop()
        done = installation.data("db", "move", ORION_MOVE_TO=server)
        assert done["audit_whole"]
        assert done["rows"]["devices"] == 1

        installation.environment["ORION_DATABASE_URL"] = server
        installation.start("--no-node")
        assert [each["device_id"] for each in installation.data("devices", "list")["items"]] == ["lamp-1"]
        installation.data("devices", "add", "lamp-2")
        assert installation.data("audit", "verify")["whole"]
        used = installation.orion(
            "db",
            "move",
            ORION_DATABASE_URL=file_of_installation(installation),
            ORION_MOVE_TO=server,
            ORION_HTTP_PORT="9",
        )
        assert "Another program has the database" in used.stderr


def file_of_installation(installation: Installation) -> str:
    return engine.sqlite_url(installation.home / "data" / "controller" / "orion.db")


def test_there_and_back_again(home: Environment, server: str, tmp_path: Path) -> None:
    before = contents(file_of(home))
    there = orion("db", "move", environment=home | {"ORION_MOVE_TO": server})
    assert there.returncode == 0, there.stderr
    assert "each compared with what was read" in there.stderr
    assert "Set ORION_DATABASE_URL=postgresql+psycopg://orion:***@" in there.stderr
    assert "with its password, if it has one," in there.stderr
    assert contents(server) == before

    back = tmp_path / "back.db"
    environment = home | {"ORION_DATABASE_URL": server}
    again = orion("db", "move", "--to", f"sqlite:///{back}", "--json", environment=environment)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["total"] == sum(map(len, before.values()))
    assert contents(engine.sqlite_url(back)) == before
    assert back.stat().st_mode & 0o777 == 0o600
    assert password_of(server) not in there.stdout + there.stderr + again.stdout + again.stderr


def test_a_move_to_a_file_speaks_of_no_password_and_is_not_made_again(
    home: Environment, tmp_path: Path
) -> None:
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    done = orion("db", "move", "--to", target, environment=home)
    again = orion("db", "move", "--to", target, environment=home)

    assert f"Set ORION_DATABASE_URL={target} and start the controller." in done.stderr
    assert (again.returncode, "a move that has ended is not made again" in again.stderr) == (1, True)


def test_a_dry_run_counts_and_changes_nothing(home: Environment, server: str, tmp_path: Path) -> None:
    done = orion("db", "move", "--dry-run", "--json", environment=home | {"ORION_MOVE_TO": server})
    assert json.loads(done.stdout)["rows"]["events"] == odd.ROWS
    reader = engine.reader(server)
    assert migrate.current(reader) is None
    reader.dispose()

    target = tmp_path / "none.db"
    done = orion("db", "move", "--dry-run", "--to", f"sqlite:///{target}", environment=home)
    assert (done.returncode, "events\t6" in done.stdout) == (0, True)
    assert not target.exists()


def test_a_password_may_be_said_in_four_ways_and_is_never_shown(home: Environment, server: str) -> None:
    bare = make_url(server)._replace(password=None).render_as_string(hide_password=False)
    password = password_of(server)
    words = ("db", "move", "--dry-run")

    told = orion(*words, "--to", server, environment=home)
    asked = orion(*words, "--to", "-", environment=home, stdin=f"{server}\n")
    by_libpq = orion(*words, "--to", bare, environment=home | {"PGPASSWORD": password})
    short = bare.replace("postgresql+psycopg", "postgresql")
    from_environment = orion(*words, environment=home | {"ORION_MOVE_TO": short, "PGPASSWORD": password})
    wrong = orion(*words, "--to", bare, environment=home | {"PGPASSWORD": "wrong"})

    fine = (told, asked, by_libpq, from_environment)
    assert [done.returncode for done in fine] == [0] * 4, [done.stderr for done in fine]
    assert ["A password on the command line" in done.stderr for done in fine] == [True, False, False, False]
    assert (wrong.returncode, "password authentication failed" in wrong.stderr) == (1, True)
    assert not any(password in done.stdout + done.stderr for done in (*fine, wrong))


@pytest.mark.parametrize(
    ("to", "said", "code"),
    [
        ("", "Say where to", Exit.USAGE),
        ("secret", "no URL of a database", Exit.USAGE),
        ("mysql://a:secret@h/d", "to SQLite or PostgreSQL", Exit.USAGE),
        ("postgresql://a:secret@h", "by a URL that names it", Exit.USAGE),
        ("postgresql://a:secret@h:port/d", "no URL of a database", Exit.USAGE),
        ("sqlite://", "by a URL that names it", Exit.USAGE),
        ("sqlite:///:memory:", "by a URL that names it", Exit.USAGE),
        ("sqlite:////nowhere/secret.db", "There is no folder /nowhere", Exit.FAILED),
        ("sqlite:///controller/orion.db", "the database that is to be moved", Exit.FAILED),
        ("sqlite:///controller/text.db", "file is not a database", Exit.FAILED),
        ("postgresql://a:secret@127.0.0.1:9/d", "cannot be used", Exit.FAILED),
    ],
)
def test_what_cannot_be_moved_to_is_said(
    home: Environment, monkeypatch: pytest.MonkeyPatch, to: str, said: str, code: Exit
) -> None:
    folder = Path(home["ORION_DATA_DIR"])
    (folder / "controller" / "text.db").write_text("no database, but a text\n" * 100, encoding="utf-8")
    monkeypatch.chdir(folder)

    done = orion("db", "move", environment=home | {"ORION_MOVE_TO": to})

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "secret@" not in done.stderr
    assert done.stdout == ""


def test_without_a_database_there_is_nothing_to_move(tmp_path: Path) -> None:
    environment = clean_environment(HOME=str(tmp_path), ORION_DATA_DIR=str(tmp_path), ORION_HTTP_PORT="9")

    done = orion("db", "move", "--to", f"sqlite:///{tmp_path / 'new.db'}", environment=environment)

    assert (done.returncode, "There is no database" in done.stderr) == (Exit.FAILED, True)
    assert list(tmp_path.glob("**/*.db")) == []


def test_a_broken_audit_is_moved_as_it_is_and_said(home: Environment, server: str) -> None:
    writer = engine.writer(file_of(home))
    with writer.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_log (at, actor, via, action, instance, position, previous, hash) "
                "VALUES ('2026-02-12 12:00:00.000000', 'a', 'cli', 'x', 'main', 1, '0', '0')"
            )
        )
    writer.dispose()

    done = orion("db", "move", environment=home | {"ORION_MOVE_TO": server})

    assert done.returncode == 0, done.stderr
    assert "The audit was not whole before the move either. main: changed at row 1" in done.stderr


def test_after_ctrl_c_the_same_command_goes_on(home: Environment, server: str) -> None:
    many = [
        {"username": f"u{number:06}", "role": "user", "added_by": "x", "added_at": NOON}
        for number in range(60_000)
    ]
    writer = engine.writer(file_of(home))
    with writer.begin() as connection:
        connection.execute(METADATA.tables["users"].insert(), many)
    writer.dispose()
    environment = home | {"ORION_MOVE_TO": server}
    looking = create_engine(server, poolclass=NullPool)  # no Orion, which would keep the move from beginning

    first = subprocess.Popen([*ORION, "db", "move"], env=environment, stderr=subprocess.PIPE, text=True)
    until(lambda: moved(looking) > 0)
    first.send_signal(signal.SIGINT)
    said = first.communicate()[1]
    some = moved(looking)
    looked = orion("db", "status", environment=home | {"ORION_DATABASE_URL": server})
    again = orion("db", "move", environment=environment)

    assert (first.returncode, "the same command goes on with it" in said) == (INTERRUPTED, True)
    assert "Traceback" not in said
    assert (looked.returncode, "has not ended" in looked.stderr) == (1, True)
    assert 0 < some < len(many)
    assert again.returncode == 0, again.stderr
    assert contents(server) == contents(file_of(home))


def moved(looking: Engine) -> int:
    """How many users are there already."""
    with looking.connect() as connection:
        is_there = connection.execute(text("SELECT to_regclass('users') IS NOT NULL")).scalar_one()
        return int(connection.execute(text("SELECT count(*) FROM users")).scalar_one()) if is_there else 0
