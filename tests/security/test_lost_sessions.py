"""Somebody with no name at all, whom Mosquitto 2.0.11 refuses and yet lets spoil another's session."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.databases import Databases
from tests.security.raw import Line
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand
from tests.security.standing import standing

NOT_AUTHORISED = 0x87


@pytest.fixture
def shaken(tmp_path_factory: pytest.TempPathFactory, postgresql_databases: Databases) -> Iterator[Stand]:
    """One of its own: its broker is started anew, which ends everybody's line."""
    with postgresql_databases.migrated() as url, standing(tmp_path_factory.mktemp("shaken"), url) as running:
        yield running


@attempt(
    Attacker.NOTHING,
    "connect with no name and no password, under the client ids of a device that is connected and one that is away",
    never="a device is online and hears no orders",
    control="a third device executes an order before",
)
def test_no_name_under_a_victims_client_id(shaken: Stand, seen: Seen) -> None:
    connected, away = shaken.victim, shaken.twin
    away.stop()
    seen.control(shaken.light(shaken.lamp)["arguments"] == {"on": True})
    with ExitStack() as stack:
        lines = {node: stack.enter_context(Line(shaken.site.port)) for node in (connected, away)}
        codes = {line.connect_nameless(node.name) for node, line in lines.items()}
    shaken.broker_restarted()
    away.start()
    paths = {node: node.path() for node in (connected, away)}
    ended = {
        shaken.order(node.name, "create_directory", path=str(path))["status"] for node, path in paths.items()
    }

    assert codes == {NOT_AUTHORISED}
    assert ended == {"succeeded"}
    assert all(path.is_dir() for path in paths.values())
    seen.became(
        "CONNACK Not authorized", "the supervisor starts Mosquitto again", "both devices execute orders"
    )
