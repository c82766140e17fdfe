"""What every test stands on: a real broker, real databases, an empty environment, no leftovers.

A test that leaves a task running, or whose code blocks the event loop, fails.
"""

import asyncio
import gc
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests import nodejs, volatile
from tests.broker.running import RunningBroker, running_broker
from tests.databases import POSTGRESQL, SQLITE, SWAPPED, Databases, databases_of

SETTINGS = ("ORION_", "OLLAMA_")
# a slow machine is no failure; and what decides whether a change lands must not depend on chance
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

SHARING = "tests/security/"  # a folder whose files share an installation
LONG = (
    SHARING,
    "tests/faults/",
    "tests/orion/",
    "tests/conformance/",
    "tests/controller/services/",
)
OURS = ["schemas", "broker", "controller", "device_node", "orion"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        SWAPPED, action="store_true", help="what runs on one of the two databases runs on the other one"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # whoever starts the others
        volatile.sweep()
    # looptime asks for the current loop in tests that have none, and Python would make one
    # that nobody closes; told that there is none, it makes none
    asyncio.set_event_loop(None)
    # what a test keeps is not for the keyring of whoever runs it; the programs that it starts inherit this
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # first what takes long, or one core would be left alone with it at the end
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(inspect.unwrap(item.obj)):
            # first in, last out: every other fixture has cleaned up when it looks
            item.fixturenames.insert(0, "tidy_loop")


def pytest_collection_finish() -> None:
    # what stays until the end, tests above all, need not be looked through for garbage again and again
    gc.collect()
    gc.freeze()


class Together(LoadScopeScheduling):
    """Who runs tests on several cores keeps a file's together, and those that share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARING if nodeid.startswith(SHARING) else nodeid.split("::", 1)[0]


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: a test often waits for a program that it started."""
    return (os.cpu_count() or 1) + 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith(SETTINGS):
            monkeypatch.delenv(name)


@pytest.fixture
async def tidy_loop() -> AsyncIterator[None]:
    """Our code blocks no event loop and leaves no task behind."""
    with blockbuster_ctx(scanned_modules=OURS):
        yield
    leftover = {
        task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()
    }
    assert not leftover, f"left running: {leftover}"


@pytest.fixture
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningBroker]:
    """A supervised Mosquitto on a free port, with identities, for this test alone."""
    async with running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="session")
def sqlite_databases() -> Iterator[Databases]:
    with volatile.folder() as folder, databases_of(SQLITE, folder) as made:
        yield made


@pytest.fixture(scope="session")
def postgresql_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    with databases_of(POSTGRESQL, tmp_path_factory.mktemp("databases")) as made:
        yield made


@pytest.fixture(scope="session", params=(SQLITE, POSTGRESQL))
def databases(request: pytest.FixtureRequest) -> Databases:
    """Either kind of database: what needs a store is tried on both."""
    found: Databases = request.getfixturevalue(f"{request.param}_databases")
    return found


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """What `tests/node/package.json` asks for, installed; the folder that holds it."""
    return nodejs.install()
