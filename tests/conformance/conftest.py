"""Two installations for the whole session: one whose controller is ours, one whose controller is the test."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.installation import Installation, Program
from tests.conformance.wire_peer import PREFIX, Json, Peer, Seen, fresh, stamp
from tests.conformance.wiretap import Wiretap
from tests.databases import Databases, kind_for

NODES = ("steady", "killed", "resting", "mortal", "adrift")
STRANGERS = ("first", "second")
INSTANCE = "judge"


@dataclass
class Bench:
    """Our broker and our nodes; the controller is a stranger's client."""

    site: Installation
    judge: Peer
    spy: Peer
    passwords: dict[str, str]
    files: Path

    def node(self, name: str, *, port: int | None = None, **settings: str) -> Program:
        """Start a node, through a wiretap's port if one is given."""
        return self.site.start(
            "node",
            log=name,
            ORION_DEVICE_ID=name,
            ORION_NODE_PASSWORD=self.passwords[name],
            ORION_MQTT_PORT=str(port or self.site.port),
            **settings,
        )

    def topic(self, name: str, kind: str) -> str:
        return f"{PREFIX}/devices/{name}/{kind}"

    def command(self, name: str, tool: str, arguments: Json, **changes: Any) -> Json:
        """A command in every required field and no other."""
        return {
            "id": fresh(),
            "tool": tool,
            "arguments": arguments,
            "issued_at": stamp(),
            "expires_at": stamp(60),
            "timeout_s": 20,
            "reply_to": self.topic(name, f"reply/{INSTANCE}"),
            "requested_by": {"user": "examiner", "via": "api"},
            "attempt": 1,
        } | changes

    def order(self, name: str, command: Json, **how: Any) -> None:
        self.judge.publish(self.topic(name, "command"), command, **how)

    def replies(self, command: Json, name: str = "steady") -> list[str]:
        topic = self.topic(name, f"reply/{INSTANCE}")
        return [str(seen.json()["status"]) for seen in self.judge.all(topic, command_id=command["id"])]

    def outcome(self, command: Json, name: str = "steady", **fields: Any) -> Json:
        """The final reply to a command, whose final status is named in `fields` or is `succeeded`."""
        wanted = {"status": "succeeded"} | fields
        topic = self.topic(name, f"reply/{INSTANCE}")
        return self.judge.expect(topic, command_id=command["id"], **wanted).json()

    def fence(self, name: str = "steady") -> None:
        """What was sent before has been looked at when this returns."""
        probe = self.command(name, "path_info", {"path": str(self.files)})
        self.order(name, probe)
        self.outcome(probe, name)

    def online(self, name: str, *, after: int = 0) -> Seen:
        return self.judge.expect(self.topic(name, "presence"), after=after, within=30, state="online")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Our broker with places for our nodes; our controller made these and has gone."""
    directory = tmp_path_factory.mktemp("bench")
    files = directory / "files"
    files.mkdir()
    policy = directory / "policy.toml"
    policy.write_text(f'allowed_paths = ["{files}"]\nallow_run_command = true\n')
    policy.chmod(0o600)
    site = Installation(directory, instance=INSTANCE, ORION_NODE_POLICY=str(policy), ORION_HEARTBEAT_S="1")
    with contextlib.ExitStack() as stack:
        stack.callback(site.stop)
        site.start("broker")
        controller = site.start("controller")
        controller.until_said("Ready")
        adding = {name: site.begin("devices", "add", name) for name in NODES + STRANGERS}
        passwords = {name: verb.answer()["mqtt"]["password"] for name, verb in adding.items()}
        spy = site.spy()
        stack.callback(spy.close)
        controller.stop()
        judge = site.controller_peer()
        judge.connect(clean=True)
        stack.callback(judge.close)
        judge.subscribe(f"{PREFIX}/#")
        yield Bench(site, judge, spy, passwords, files)


@dataclass
class Wired:
    """A node that runs for the whole session, behind a wire that can be read and cut."""

    bench: Bench
    program: Program
    tap: Wiretap


@pytest.fixture(scope="session")
def steady(bench: Bench) -> Iterator[Wired]:
    tap = Wiretap(bench.site.port)
    program = bench.node("steady", port=tap.port)
    try:
        bench.online("steady")
        yield Wired(bench, program, tap)
        assert program.process.poll() is None, program.said()
    finally:
        program.stop()
        tap.close()


@dataclass
class Orion:
    """Our broker and controller, somebody who watches everything, and strangers' devices."""

    site: Installation
    controller: Program
    spy: Peer
    tap: Wiretap
    devices: list[FakeDevice]
    lamps: list[FakeDevice]  # with one harmless tool each; a test borrows them
    lent: int = 0

    def device(self, *options: str, adopt: bool = True, **how: Any) -> FakeDevice:
        """A place for a stranger's device under a name of its own."""
        made = self.site.device(f"dev-{fresh()[:8]}", *options, adopt=adopt, **how)
        self.devices.append(made)
        return made

    def born(self, *tools: Json, options: tuple[str, ...] = (), **how: Any) -> FakeDevice:
        """A stranger's device that is online with these tools, adopted."""
        device = self.device(*options, **how)
        device.birth(tools)
        device.fence()
        return device

    def lamp(self) -> FakeDevice:
        """A device that is online with `light`, in a new life, having heard nothing yet."""
        if self.lent == len(self.lamps):
            self.lamps.append(self.born(a_tool()))
        device = self.lamps[self.lent]
        self.lent += 1
        device.boot_id = f"boot-{fresh()[:8]}"
        device.profile([a_tool()])
        device.presence()
        device.fence()
        device.peer.forget()
        return device

    def start_controller(self) -> None:
        mark = self.spy.mark()
        self.controller = self.site.start("controller", ORION_MQTT_PORT=str(self.tap.port))
        self.spy.expect(f"{PREFIX}/controllers/main/presence", after=mark, within=30, state="online")

    def leave(self) -> None:
        for device in self.devices:
            device.close()

    def settled(self, command_id: str) -> Json:
        return self.site.cli("commands", "show", command_id)


@pytest.fixture(scope="session")
def orion(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orion]:
    """Our broker and our controller, the latter behind a wiretap; on PostgreSQL, or swapped on SQLite, as `bench` is."""
    databases: Databases = request.getfixturevalue(f"{kind_for('conformance', request.config)}_databases")
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(databases.migrated())
        site = Installation(tmp_path_factory.mktemp("orion"), ORION_DATABASE_URL=database)
        stack.callback(site.stop)
        site.start("broker").until_said("Broker ready")
        tap = Wiretap(site.port)
        stack.callback(tap.close)
        controller = site.start("controller", ORION_MQTT_PORT=str(tap.port))
        controller.until_said("Ready")
        spy = site.spy()
        stack.callback(spy.close)
        running = Orion(site, controller, spy, tap, [], [])
        stack.callback(running.leave)
        yield running
        assert running.controller.process.poll() is None, running.controller.said()


@pytest.fixture(autouse=True)
def lamps_given_back(request: pytest.FixtureRequest) -> None:
    """What an earlier test borrowed may be borrowed again."""
    if "orion" in request.fixturenames:
        running: Orion = request.getfixturevalue("orion")
        running.lent = 0
