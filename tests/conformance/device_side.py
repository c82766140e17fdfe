"""What the checks of our node against a stranger's controller share."""

import re
from pathlib import Path
from typing import Any

from tests.conformance.conftest import Bench, Wired
from tests.conformance.wire_peer import Json, fresh, stamp
from tests.conformance.wiretap import Packet, Wiretap, read_topic

CONNECT, PUBLISH, SUBSCRIBE, SUBACK = 1, 3, 8, 9
AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
FINAL = {"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"}
LIMIT = 256 * 1024


def outgoing(wired: Wired, line: int) -> list[tuple[str, Packet]]:
    return [
        (read_topic(packet), packet)
        for packet in wired.tap.packets(line=line, kind=PUBLISH)
        if packet.from_client
    ]


def birth_of(tap: Wiretap, line: int) -> list[str]:
    """Kinds of packets a connection began with, in order, up to the first heartbeat."""
    order: list[str] = []
    for packet in tap.packets(line=line):
        if packet.kind == SUBSCRIBE:
            order += ["subscribe"]
        elif packet.kind == SUBACK:
            order += ["suback"]
        elif packet.kind == PUBLISH and packet.from_client:
            order += [read_topic(packet).split("/")[4]]
            if order[-1] == "heartbeat":
                break
    return order


def a_path(bench: Bench) -> Path:
    return bench.files / fresh()


def making(bench: Bench, path: Path, **changes: Any) -> Json:
    return bench.command("steady", "create_directory", {"path": str(path)}, **changes)


def running(bench: Bench, name: str, seconds: float, **changes: Any) -> Json:
    return bench.command(name, "run_command", {"command": f"sleep {seconds}"}, **changes)


def cancelling(command: Json, **changes: Any) -> Json:
    return {"id": fresh(), "command_id": command["id"], "at": stamp(), "expires_at": stamp(60)} | changes
