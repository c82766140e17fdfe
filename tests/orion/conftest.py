"""Two running installations for all tests that only use one: on SQLite, and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from orion.signin import Kept
from tests.databases import SWAPPED, Databases, kind_for, one_a_folder
from tests.orion.installation import Installation, running
from tests.orion.signing_in import PASSWORD


@pytest.fixture(autouse=True)
def databases_of_the_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test starts itself is on a file, as a user has it, or swapped on a server: a database a folder."""
    if not request.config.getoption(SWAPPED) or request.node.get_closest_marker("on_a_file"):
        yield
        return
    databases: Databases = request.getfixturevalue("postgresql_databases")
    with one_a_folder(databases.empty) as url_for:
        monkeypatch.setattr("tests.orion.installation.database_for", url_for)
        yield


@pytest.fixture(scope="session")
def installation_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Broker, controller and the node `laptop`, as `orion up` runs them."""
    with running(tmp_path_factory.mktemp("installation")) as started:
        yield started


@pytest.fixture(scope="session")
def installation_on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases
) -> Iterator[Installation]:
    """The same, with a server's database."""
    home = tmp_path_factory.mktemp("installation")
    with postgresql_databases.empty() as url, running(home, ORION_DATABASE_URL=url) as started:
        yield started


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest) -> Installation:
    """One of the two: the name of the test's file decides, so that it is always the same one."""
    kind = kind_for(request.path.name, request.config)
    found: Installation = request.getfixturevalue(f"installation_on_{kind}")
    return found


@pytest.fixture
def mia(installation: Installation) -> Iterator[Kept]:
    """An operator with a password; where her sign-in is kept."""
    kept = Kept(installation.home / "data" / "sign-in.json")
    installation.data("users", "add", "mia", "--role", "operator")
    done = installation.orion("users", "password", "mia", stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    yield kept
    kept.forget()
    installation.data("users", "remove", "mia")
