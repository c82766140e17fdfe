"""A device as somebody else builds one, from `wire.md` alone: birth, events and replies by hand."""

from collections.abc import Iterable
from typing import Any

from paho.mqtt.enums import MQTTProtocolVersion

from tests.conformance.wire_peer import PREFIX, WITHIN, Json, MQTTv5, Peer, Seen, fresh, stamp, until


class FakeDevice:
    """A device as a stranger builds one: birth, events, replies, all by hand."""

    def __init__(
        self,
        port: int,
        device_id: str,
        password: str,
        *,
        protocol: MQTTProtocolVersion = MQTTv5,
        will: bool = False,
    ) -> None:
        self.id, self.boot_id = device_id, f"boot-{fresh()[:8]}"
        self.password, self._port, self._protocol = password, port, protocol
        self.topic = f"{PREFIX}/devices/{device_id}"
        lost = {"state": "offline", "at": stamp(), "boot_id": self.boot_id, "reason": "connection_lost"}
        last = (f"{self.topic}/presence", lost, 0) if will else None
        self.peer = Peer(port, device_id, password, protocol=protocol, will=last)

    def again(self) -> "FakeDevice":
        """The same device in another life; this one's line is gone."""
        return FakeDevice(self._port, self.id, self.password, protocol=self._protocol)

    def listen(self, *, clean: bool = False) -> None:
        self.peer.connect(clean=clean)
        self.peer.subscribe(
            *(f"{self.topic}/{name}" for name in ("command", "cancel", "ack")), retain_handling=2
        )

    def profile(self, tools: Iterable[Json], **changes: Any) -> None:
        said = {"device_id": self.id, "boot_id": self.boot_id, "at": stamp(), "tools": list(tools)}
        self.peer.publish(f"{self.topic}/profile", said | changes, retain=True)

    def presence(self, state: str = "online", **changes: Any) -> None:
        said = {"state": state, "at": stamp(), "boot_id": self.boot_id}
        self.peer.publish(f"{self.topic}/presence", said | changes, retain=True)

    def birth(self, tools: Iterable[Json], **changes: Any) -> None:
        self.listen()
        self.profile(tools, **changes)
        self.presence()

    def event(self, **changes: Any) -> str:
        """Publish an event; its id."""
        said = {
            "id": fresh(),
            "type": "low_disk_space",
            "severity": "warning",
            "data": {"free_gb": 1},
            "at": stamp(),
        }
        said |= changes
        self.peer.publish(f"{self.topic}/event", said)
        return str(said["id"])

    def acked(self, *, event: str | None = None, reply: str | None = None, after: int = 0) -> bool:
        """Whether an Ack named this event or command."""
        acks = [seen.json() for seen in self.peer.all(f"{self.topic}/ack", after=after)]
        return any(event in ack.get("events", []) or reply in ack.get("replies", []) for ack in acks)

    def fence(self) -> None:
        """Everything published before has been handled when this returns: an event behind it is acked."""
        marker = self.event(type="fence", severity="info")
        until(lambda: self.acked(event=marker), what=f"the Ack of {self.id}'s event")

    def expect_command(self, *, after: int = 0, within: float = WITHIN, **fields: Any) -> Seen:
        return self.peer.expect(f"{self.topic}/command", after=after, within=within, **fields)

    def reply(self, command: Json, status: str, **more: Any) -> None:
        """Answer on the command's own `reply_to`."""
        said = {"command_id": command["id"], "status": status, "at": stamp(), "boot_id": self.boot_id}
        topic = more.pop("topic", command["reply_to"])
        self.peer.publish(topic, said | more)

    def close(self) -> None:
        self.peer.close()


def a_tool(name: str = "light", **changes: Any) -> Json:
    """A harmless tool of one boolean."""
    schema = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}
    return {
        "name": name,
        "description": "Turns it on or off.",
        "risk": "low",
        "parameters": schema,
    } | changes
