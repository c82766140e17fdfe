"""Devices: in a list, whole, what they hang on, what they connect with and what they offer."""

from typing import Annotated

from pydantic import BaseModel, Field

from controller.api.shapes.entering import KEY
from controller.api.shapes.shown import HASH, MOMENT, SAID_ONCE, Items, Json, Page, example, page
from controller.services.devices import DeviceStatus
from controller.services.links import Kind
from controller.services.policy import PolicyProfile
from schemas.devices import Heartbeat, Risk
from schemas.keys import Key
from schemas.wire import Instant

_IN_A_LIST: Json = {
    "device_id": "workshop-pc",
    "name": "Workshop",
    "aliases": ["the big one"],
    "groups": ["workshop"],
    "area": "garage",
    "hostname": "workshop",
    "os": "linux",
    "policy": "assist",
    "adopted": True,
    "signed": True,
    "status": "online",
    "status_reason": None,
    "suspended_until": None,
    "last_seen_at": MOMENT,
    "last_heartbeat": MOMENT,
    "clock_skew_s": 0.02,
}
_LINKS: Json = {"depends_on": ["router"], "part_of": [], "needed_by": [], "parts": []}
_CONNECTION: Json = {
    "host": "127.0.0.1",
    "port": 1883,
    "username": "workshop-pc",
    "password": SAID_ONCE,
    "client_id": "workshop-pc",
    "prefix": "orion/v1",
}
_WHOLE: Json = _IN_A_LIST | {
    "public_key": KEY["public"],
    "os_version": "12",
    "cpu": "8 cores",
    "ram_gb": 16.0,
    "disk_gb": 512.5,
    "home": "/home/ada",
    "registered_at": MOMENT,
    "adopted_at": MOMENT,
    "enrolled_at": MOMENT,
    "heartbeat": {"at": MOMENT, "seq": 12, "boot_id": "b1", "cpu_percent": 12.5},
    "owner_allows": {"tools": None, "paths": ["/srv/files"], "apps": None},
    "allowed_paths": ["/srv/files"],
    "allowed_apps": [],
    "tools": [
        {
            "name": "list_directory",
            "description": "List what a folder holds.",
            "risk": "low",
            "read_only": True,
            "adopted": True,
            "hash": HASH,
            "parameters": {"type": "object", "properties": {"path": {"type": "string", "format": "path"}}},
        }
    ],
}


class Device(BaseModel):
    """A device in a list."""

    model_config = example(_IN_A_LIST)

    device_id: str
    name: str | None
    aliases: list[str]
    groups: list[str]
    area: str | None
    hostname: str | None
    os: str | None
    policy: PolicyProfile
    adopted: bool
    signed: Annotated[bool, Field(description="Whether it signs what it says, with a key of its own.")]
    status: DeviceStatus
    status_reason: str | None
    suspended_until: Annotated[
        Instant | None, Field(description="Shut out till then, because it sent too much.")
    ]
    last_seen_at: Instant | None
    last_heartbeat: Instant | None
    clock_skew_s: Annotated[
        float | None, Field(description="How far its clock is ahead of the controller's.")
    ]


class ToolOffered(BaseModel):
    """A tool that a device has. `hash`: what one adopts."""

    name: str
    description: str
    risk: Risk
    read_only: bool
    adopted: bool
    hash: str
    parameters: Json


class OwnerAllows(BaseModel):
    """What the device's owner allows here. A list that is null does not narrow."""

    tools: list[str] | None
    paths: list[str] | None
    apps: list[str] | None


class DeviceWhole(Device):
    """One device, with its tools and what is allowed on it, both sides taken together."""

    model_config = example(_WHOLE)

    public_key: str | None
    os_version: str | None
    cpu: str | None
    ram_gb: float | None
    disk_gb: float | None
    home: str | None
    registered_at: Instant
    adopted_at: Instant | None
    enrolled_at: Instant | None
    heartbeat: Annotated[Heartbeat | None, Field(description="The last one.")]
    owner_allows: OwnerAllows
    allowed_paths: list[str]
    allowed_apps: list[str]
    tools: list[ToolOffered]


class Links(BaseModel):
    """What a device hangs on, and what hangs on it."""

    depends_on: list[str]
    part_of: list[str]
    needed_by: list[str]
    parts: list[str]


class DeviceLinked(DeviceWhole, Links):
    """One device, whole, with what it hangs on."""

    model_config = example({**_WHOLE, **_LINKS})


class LinksOf(Links):
    """The same with whose they are."""

    model_config = example({"device_id": "workshop-pc", **_LINKS})

    device_id: str


class Affected(BaseModel):
    """A device that stops with another one. `via`: what it hangs on itself; `distance`: links in between."""

    device_id: str
    name: str | None
    status: DeviceStatus
    kind: Kind
    via: str
    distance: int


class Impact(Items[Affected]):
    """What stops working when a device does, the nearest first."""

    model_config = example(
        {
            "device_id": "router",
            "items": [
                {
                    "device_id": "workshop-pc",
                    "name": "Workshop",
                    "status": "online",
                    "kind": "depends_on",
                    "via": "router",
                    "distance": 1,
                }
            ],
        }
    )

    device_id: str


class Connection(BaseModel):
    """What one connects to the broker with. A password is said once; none: somebody else makes it."""

    host: str
    port: int
    username: str
    password: str | None = None
    client_id: str
    prefix: str
    tls_port: int | None = None
    ca_file: str | None = None


class DeviceAdded(Device):
    """A place that was made, and what the device connects with."""

    model_config = example({**_IN_A_LIST, "mqtt": _CONNECTION, "keys": [KEY]})

    mqtt: Connection
    keys: Annotated[list[Key], Field(description="What the controller signs with.")]


class DeviceRotated(Device):
    """A device with its new password."""

    model_config = example({**_IN_A_LIST, "mqtt": _CONNECTION})

    mqtt: Connection


class DeviceRevoked(Device):
    """A device that is let in no more. `can_join`: a code would let it in again."""

    model_config = example({**_IN_A_LIST, "can_join": True})

    can_join: bool


class Devices(Page[Device]):
    """The devices that one sees, by id."""

    model_config = page(_IN_A_LIST)


class Effective(BaseModel):
    """What holds with what the device itself allows."""

    tools: list[str]
    paths: list[str]
    apps: list[str]


class Policy(BaseModel):
    """What is allowed on a device: what its owner said, and what follows. A list that is null does not narrow."""

    model_config = example(
        {
            "device_id": "workshop-pc",
            "policy": "assist",
            "allowed_tools": None,
            "allowed_paths": ["/srv/files"],
            "allowed_apps": None,
            "effective": {"tools": ["list_directory"], "paths": ["/srv/files"], "apps": []},
        }
    )

    device_id: str
    policy: PolicyProfile
    allowed_tools: list[str] | None
    allowed_paths: list[str] | None
    allowed_apps: list[str] | None
    effective: Effective


class ToolsOf(Items[ToolOffered]):
    """What one device offers."""

    model_config = example({"device_id": "workshop-pc", "items": _WHOLE["tools"]})

    device_id: str
