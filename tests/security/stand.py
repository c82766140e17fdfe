"""Orion as it runs, and everybody who attacks it: real programs, and effects that are counted on disk.

What a command did is a folder that is there or not. Whether something arrived is asked of who
would have received it, never of a SUBACK or PUBACK.
"""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import Session

from controller.services import devices
from controller.store import engine
from schemas.joining import JoinCode
from schemas.signing import Signer
from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.installation import Installation, Program
from tests.conformance.wire_peer import PREFIX, Json, Peer, Refused, Seen, fresh, stamp, until
from tests.security.forgery import Message, controllers_key, copied, signed
from tests.security.node import INSTANCE, Node
from tests.security.signing_device import SigningDevice

ONLINE_WITHIN = 30.0  # seconds, on a machine that is busy
DONE_WITHIN = 15

__all__ = ["PREFIX", "Node", "Stand", "a_command", "let_in"]


def a_command(topic: str, tool: str, arguments: Json, **changes: Any) -> Json:
    """A command in every required field, for the device of this topic."""
    return {
        "id": fresh(),
        "tool": tool,
        "arguments": arguments,
        "issued_at": stamp(),
        "expires_at": stamp(60),
        "timeout_s": 20,
        "reply_to": f"{topic}/reply/{INSTANCE}",
        "requested_by": {"user": "admin", "via": "api"},
        "attempt": 1,
    } | changes


@dataclass
class Stand:
    """The programs, who may see everything, and the places of third parties' devices."""

    site: Installation
    http: httpx.Client
    spy: Peer
    files: Path
    controller: Program
    overseer: Peer  # has the controller's rights under another name: it owns the broker
    cert_port: int  # of the listener that asks for a certificate
    victim: Node = field(init=False)  # our own program
    twin: Node = field(init=False)  # another one
    lamp: FakeDevice = field(init=False)  # a third party's device that is there all the time
    thief: FakeDevice = field(init=False)  # its credentials are the attacker's
    others: list[FakeDevice] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    short_code: tuple[str, JoinCode, str] = field(init=False)  # a code that expires soon, and when
    _rotation: tuple[Message, Message] | None = None

    # --- who may do it ---------------------------------------------------------------------

    def order(self, device_id: str, tool: str, *, wait: int = DONE_WITHIN, **arguments: Any) -> Json:
        """Order something through the door for programs; the command as it stands afterwards."""
        body = {"device_id": device_id, "tool": tool, "arguments": arguments}
        answer = self.http.post("commands", json=body, headers={"Prefer": f"wait={wait}"})
        assert answer.is_success, answer.text
        given: Json = answer.json()
        return given

    def light(self, device: FakeDevice) -> Json:
        """The controller orders a third party's device about; the command as it arrived, answered."""
        mark = device.peer.mark()
        self.order(device.id, "light", wait=0, on=True)
        command = device.expect_command(after=mark).json()
        device.reply(command, "succeeded", result={})
        device.fence()
        return command

    def approve(self, approval_id: str) -> None:
        """A person says yes."""
        self.http.post(f"approvals/{approval_id}/decision", json={"decision": "approve"}).raise_for_status()

    def show(self, device_id: str) -> Json:
        shown: Json = self.http.get(f"devices/{device_id}").raise_for_status().json()
        return shown

    def until_status(self, device_id: str, status: str) -> None:
        def so() -> bool:
            return bool(self.show(device_id)["status"] == status)

        until(so, within=ONLINE_WITHIN, what=f"{device_id} being {status}")

    def invited(self, name: str | None = None, **more: Any) -> tuple[str, JoinCode]:
        """A device's name and the code with which it can join."""
        name = name or f"box-{fresh()[:8]}"
        answer = self.http.post(f"devices/{name}/invite", json=more)
        assert answer.is_success, answer.text
        return name, JoinCode.read(answer.json()["code"])

    def public_key(self, device_id: str) -> str:
        """The key that the controller believes for a device."""
        books = engine.reader(self.site.environment["ORION_DATABASE_URL"])
        try:
            with Session(books) as session:
                return str(devices.get(session, device_id).public_key)
        finally:
            books.dispose()

    @staticmethod
    def now() -> str:
        return stamp()

    def user(self, role: str) -> tuple[str, str]:
        """The name and password of a person of a role."""
        name = f"{role}.{fresh()[:8]}"
        answer = self.http.post("users", json={"username": name, "role": role})
        assert answer.is_success, answer.text
        return name, answer.json()["mqtt"]["password"]

    def ask(self, text: str) -> list[Json]:
        """What the administrator is told who says this through the API."""
        answer = self.http.post("ask", json={"text": text})
        assert answer.is_success, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def restart_controller(self, **settings: str) -> None:
        """Another life of the controller."""
        if self.controller.process.poll() is None:
            self.controller.stop()
        mark = self.spy.mark()
        self.controller = self.site.start("controller", log=f"controller-{fresh()[:8]}", **settings)
        self.controller.until_said("Ready")
        self.spy.expect(f"{PREFIX}/controllers/main/presence", after=mark, state="online")
        self.until_status(self.victim.name, "online")  # it has heard again who is there

    def broker_restarted(self) -> None:
        """Our two watchers are there again; everybody else comes by themselves."""
        self.site.programs[0].until_said("Broker ready again")
        self.spy, self.overseer = self.spy.again(), self.overseer.again()
        for peer in (self.spy, self.overseer):
            peer.connect(clean=True)
        self.spy.subscribe(f"{PREFIX}/#")

    # --- places ------------------------------------------------------------------------------

    def place(self, device_id: str, **more: Any) -> str:
        """Prepare a place and say its password."""
        answer = self.http.post("devices", json={"device_id": device_id, "adopt": True, **more})
        assert answer.is_success, answer.text
        password: str = answer.json()["mqtt"]["password"]
        return password

    def device(self, *, born: bool = True, **how: Any) -> FakeDevice:
        """A third party's device in a place of its own, online unless told otherwise."""
        name = f"dev-{fresh()[:8]}"
        made = FakeDevice(self.site.port, name, self.place(name), **how)
        self.others.append(made)
        if born:
            made.birth([a_tool()])
            made.fence()
        return made

    def peer(self, device: FakeDevice, **how: Any) -> Peer:
        """Another client with this device's credentials; not connected."""
        return Peer(self.site.port, device.id, device.password, **how)

    def signing_device(self) -> SigningDevice:
        """A third party's device that is enrolled, online."""
        name, signer = f"dev-{fresh()[:8]}", Signer.generate()
        self.place(name)
        answer = self.http.post(f"devices/{name}/enrol", json={"public_key": signer.public})
        assert answer.is_success, answer.text
        made = SigningDevice(self.site.port, name, answer.json()["password"], signer)
        self.others.append(made)
        made.birth([a_tool()])
        made.fence()
        return made

    def node(self, name: str | None = None, **how: Any) -> Node:
        """Our own program in a place of its own, enrolled, online."""
        name = name or f"node-{fresh()[:8]}"
        self.place(name, allowed_paths=[str(self.files)])
        signer = Signer.generate()
        answer = self.http.post(f"devices/{name}/enrol", json={"public_key": signer.public})
        assert answer.is_success, answer.text
        made = Node(self, name, answer.json()["password"], signer, answer.json()["keys"])
        self.nodes.append(made)
        made.start(**how)
        return made

    def leave(self) -> None:
        """Everybody but the broker and the controller."""
        for node in self.nodes:
            node.stop()
        for device in self.others:
            with contextlib.suppress(OSError):
                device.close()
        self.spy.close()
        self.overseer.close()

    # --- what only the controller can, and a hostile broker can hold back ----------------------

    @property
    def key(self) -> Signer:
        """The controller's private key."""
        return controllers_key(self.site.directory / "data")

    def genuine(self, node: Node, path: Path, **changes: Any) -> Message:
        """An order to make a folder that the controller signed and that nobody has seen yet."""
        order = a_command(node.topic, "create_directory", {"path": str(path)}, **changes)
        return signed(self.key, f"{node.topic}/command", order)

    def status_of(self, command: Json) -> str:
        """How a command stands in the controller's books."""
        shown = self.http.get(f"commands/{command['id']}").raise_for_status().json()
        return str(shown["status"])

    def events(self) -> str:
        """The latest events that are stored."""
        return self.http.get("events", params={"limit": 100}).raise_for_status().text

    def rotated(self) -> tuple[Message, Message]:
        """What the controller said of its keys before it rotated them, and after."""
        topic = f"{PREFIX}/controllers/keys"
        if self._rotation is None:
            before = copied(self.retained(topic))
            mark = self.spy.mark()
            answer = self.http.post("signing-keys/rotate", json={"settle_s": 0})
            assert answer.is_success, answer.text
            self._rotation = before, copied(self.spy.expect(topic, after=mark))
        return self._rotation

    def retained(self, topic: str) -> Seen:
        """What was kept on a topic last."""
        return self.spy.all(topic)[-1]

    # --- what was seen -----------------------------------------------------------------------

    def overheard(self, word: str) -> set[str]:
        """The topics on which the broker delivered a message that holds this word."""
        return {seen.topic for seen in list(self.spy.seen) if word.encode() in seen.payload}

    def chatter(self) -> set[str]:
        """Real traffic on topics of others, seen by who may see it: orders, answers, a question, the audit."""
        mark = self.spy.mark()
        self.victim.fence()
        self.light(self.lamp)
        card = self.order(self.lamp.id, "open_door", wait=0)
        topic = f"{PREFIX}/approvals/{card['approval_id']}"
        self.spy.expect(topic, after=mark, id=card["approval_id"])
        self.spy.expect(f"{PREFIX}/audit", after=mark)
        self.lamp.presence()
        self.lamp.fence()
        self.spy.expect(f"{self.lamp.topic}/presence", after=mark)
        path = f"approvals/{card['approval_id']}/decision"
        self.http.post(path, json={"decision": "deny"}).raise_for_status()
        return self.spy.topics(after=mark)


def let_in(peer: Peer, **how: Any) -> str:
    """Whether the broker lets somebody in, in a word."""
    try:
        peer.connect(**how)
    except Refused as refused:
        return f"CONNACK {refused}"
    return "let in"
