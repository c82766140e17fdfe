"""What the checks of our controller against strangers' devices share."""

import re
from datetime import datetime

from tests.conformance.conftest import Orion
from tests.conformance.fake_device import FakeDevice
from tests.conformance.wire_peer import Json

AT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
LIMIT = 256 * 1024
VIAS = {"assistant", "api", "panel", "cli", "mqtt", "schedule", "automation", "home_assistant", "mcp"}
PRESENCE = "orion/v1/controllers/main/presence"
AUDIT = "orion/v1/audit"


def a_schema(**fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": sorted(fields)}


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def asked(orion: Orion, device: FakeDevice, *words: str) -> Json:
    """Give a command without waiting for its outcome."""
    return orion.site.cli("run", device.id, *(words or ("light", "on=true")), "--no-wait")


def approval_topic(command: Json) -> str:
    return f"orion/v1/approvals/{command['approval_id']}"


def refused(device: FakeDevice, name: str) -> bool:
    acks = [seen.json() for seen in device.peer.all(f"{device.topic}/ack")]
    return any(item["id"] == name for ack in acks for item in ack.get("refused", []))
