"""The table of routes: what each takes at least, the scope by which a key opens it, and what it answers to who may.

`test_rights` holds every route to its row, with every kind of person and with keys. A row is asked rightly:
what is answered to who may is an answer that it was done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from controller.services.accounts import apikeys

Json = dict[str, Any]
At = dict[str, Any]  # what is there for this request, by the names that paths have for it


class Least(Enum):
    """What a route takes at least."""

    OPEN = auto()  # no token at all
    ANYBODY = auto()  # who may come in
    SEEING = auto()  # who sees the device that it is about
    ALL = auto()  # who sees every device
    OPERATOR = auto()  # who may have things done there
    ADMIN = auto()


OPEN, ANYBODY, SEEING, ALL, OPERATOR, ADMIN = Least
PERSON = None  # no scope opens it: a key lets nobody in and gives nobody a right
EVERY_KEY = ""  # opened by any key: it says whose it is


def _nothing(_: At) -> Json | None:
    return None


@dataclass(frozen=True, slots=True)
class Route:
    """One row.

    `refused`, `hidden`: the status for who may not, and for who does not see the device. `told`: whether
    an answer says yes, where no status does. `shows`: what is in the answer exactly if its device is seen.
    """

    least: Least
    scope: str | None
    body: Callable[[At], Json | None] = _nothing
    ok: int = 200
    refused: int = 403
    hidden: int = 404
    told: Callable[[Json], bool] | None = None
    shows: str = ""
    params: Callable[[At], dict[str, str]] = field(default=lambda _: {})
    names: Mapping[str, str] = field(default_factory=dict)  # other ones than those that are there for all
    form: bool = False
    also: tuple[str, ...] = ()  # scopes that a key needs beside it


def _allowed(answer: Json) -> bool:
    return bool(answer["decision"] == "allow")


def _order(at: At) -> Json:
    return {"device_id": at["device_id"], "tool": "create_directory", "arguments": {"path": "Test"}}


def _schedule(at: At) -> Json:
    return {"cron": "0 7 * * 1-5", "zone": "Europe/Amsterdam"} | _order(at)


def _event(at: At) -> Json:
    return {"events": [{"device_id": at["device_id"], "event_id": at["event_id"]}]}


def _place(at: At) -> dict[str, str]:
    return {"scope": "device", "owner": at["device_id"]}


def _somebody(at: At) -> dict[str, str]:
    return {"issuer": "https://id.example", "subject": f"{at['username']} there"}


OWN_TOKENS = {
    "POST /auth/token": Route(
        OPEN,
        EVERY_KEY,
        lambda at: {"grant_type": "password", "username": at["username"], "password": at["password"]},
        form=True,
    ),
    "POST /auth/revoke": Route(OPEN, EVERY_KEY, lambda _: {"token": "of nobody"}, form=True),
    "POST /auth/device": Route(OPEN, EVERY_KEY, lambda _: {"client_id": "a lamp"}, form=True),
    "GET /auth/oidc/login": Route(OPEN, EVERY_KEY, ok=404),  # no provider is set here
    "GET /auth/oidc/callback": Route(OPEN, EVERY_KEY, ok=404),
    "POST /auth/device/approve": Route(
        ANYBODY, PERSON, lambda at: {"user_code": at["user_code"], "approve": False}
    ),
    "POST /auth/first": Route(ADMIN, PERSON, ok=201),
    "GET /auth/me": Route(ANYBODY, EVERY_KEY),
    "GET /auth/proof": Route(OPEN, EVERY_KEY, params=lambda _: {"nonce": "0" * 64}),
}
DEVICES = {
    "GET /devices": Route(ANYBODY, "devices:read", shows="{device_id}"),
    "POST /devices": Route(ADMIN, PERSON, lambda _: {"device_id": "fresh"}, ok=201),
    "GET /devices/{device_id}": Route(SEEING, "devices:read"),
    "PATCH /devices/{device_id}": Route(ADMIN, "devices:write", lambda _: {"name": "Another"}),
    "DELETE /devices/{device_id}": Route(ADMIN, "devices:write", ok=204),
    "GET /devices/{device_id}/policy": Route(SEEING, "devices:read"),
    "PUT /devices/{device_id}/policy": Route(
        ADMIN,
        "devices:write",
        lambda _: {"policy": "observe", "allowed_tools": None, "allowed_paths": [], "allowed_apps": []},
    ),
    "POST /devices/{device_id}/adopt": Route(ADMIN, "devices:write"),
    "POST /devices/{device_id}/resume": Route(ADMIN, "devices:write"),
    "PUT /devices/{device_id}/links/{kind}/{other_id}": Route(ADMIN, "devices:write"),
    "DELETE /devices/{device_id}/links/{kind}/{other_id}": Route(ADMIN, "devices:write", ok=204),
    "GET /devices/{device_id}/impact": Route(SEEING, "devices:read"),
    "GET /devices/{device_id}/history": Route(SEEING, "devices:read"),
    "POST /devices/{device_id}/revoke": Route(ADMIN, "devices:write"),
    "POST /devices/{device_id}/rotate": Route(ADMIN, PERSON),
    "POST /devices/{device_id}/examined": Route(
        ADMIN, "devices:write", lambda _: {"passed": 31, "broken": 0, "not_tried": 2}, ok=204
    ),
    "POST /devices/{device_id}/invite": Route(ADMIN, PERSON, lambda _: {"valid_s": 60.0}, ok=201),
    "POST /devices/{device_id}/enrol": Route(ADMIN, PERSON, lambda at: {"public_key": at["public_key"]}),
    "POST /devices/{device_id}/certificate": Route(ADMIN, PERSON, lambda at: {"csr": at["csr"]}, ok=201),
    "GET /devices/{device_id}/tools": Route(SEEING, "tools:read"),
    "GET /groups": Route(ANYBODY, "devices:read", shows="{group}"),
    "GET /tools": Route(ANYBODY, "tools:read", shows="tool_of_{device_id}"),
    "GET /signing-keys": Route(ADMIN, "signing-keys:read"),
    "POST /signing-keys/rotate": Route(ADMIN, "signing-keys:write", lambda _: {"at_once": True}, ok=201),
    "GET /identities": Route(ADMIN, "system:read"),
    "POST /identities/{username}/rotate": Route(ADMIN, PERSON, names={"username": "controller-main"}),
}
COMMANDS = {
    "POST /ask": Route(ANYBODY, "assistant:write", lambda _: {"text": "which devices are there?"}),
    # a refusal of the gate is an outcome: it says so in its body
    "POST /commands": Route(
        OPERATOR, "commands:write", _order, ok=202, refused=202, hidden=202, told=_allowed
    ),
    "POST /commands/explain": Route(
        OPERATOR, "commands:write", _order, refused=200, hidden=200, told=_allowed
    ),
    "GET /commands": Route(ANYBODY, "commands:read", shows="{command_id}"),
    "GET /commands/{command_id}": Route(SEEING, "commands:read"),
    "GET /commands/{command_id}/watch": Route(SEEING, "commands:read", params=lambda _: {"within_s": "0.01"}),
    "POST /commands/{command_id}/cancel": Route(OPERATOR, "commands:write", ok=202),
    "POST /commands/{command_id}/undo": Route(
        OPERATOR, "commands:write", ok=202, refused=202, told=_allowed, names={"command_id": "{done_id}"}
    ),
    "GET /traces/{name}": Route(SEEING, "commands:read", names={"name": "{trace_id}"}),
    # a card carries arguments: it is there for who asked, and for who decides
    "GET /approvals": Route(ANYBODY, "approvals:read"),
    "GET /approvals/{approval_id}": Route(ADMIN, "approvals:read", refused=404),
    "POST /approvals/{approval_id}/decision": Route(
        ADMIN, "approvals:write", lambda _: {"decision": "approve"}
    ),
    "GET /stream": Route(ANYBODY, "stream:read", also=("devices:read",)),
}
# a schedule carries arguments: it is there for its owner and for administrators
SCHEDULES = {
    "GET /schedules": Route(ANYBODY, "schedules:read"),
    "POST /schedules": Route(OPERATOR, PERSON, _schedule, ok=201),
    "GET /schedules/{schedule_id}": Route(ADMIN, "schedules:read", refused=404),
    "PATCH /schedules/{schedule_id}": Route(ADMIN, PERSON, lambda _: {"cron": "0 8 * * *"}, refused=404),
    "DELETE /schedules/{schedule_id}": Route(ADMIN, "schedules:write", ok=204, refused=404),
    "POST /schedules/{schedule_id}/pause": Route(ADMIN, "schedules:write", refused=404),
    "POST /schedules/{schedule_id}/resume": Route(ADMIN, PERSON, refused=404),
    "GET /schedules/{schedule_id}/runs": Route(ADMIN, "schedules:read", refused=404),
}
RECORDS = {
    "GET /memory": Route(ANYBODY, "memory:read", shows="note of {device_id}"),
    "GET /memory/{key}": Route(SEEING, "memory:read", params=_place),
    "PUT /memory/{key}": Route(OPERATOR, "memory:write", lambda at: {"value": 1} | _place(at)),
    "DELETE /memory/{key}": Route(OPERATOR, "memory:write", params=_place, ok=204),
    # a conversation is its speaker's: of somebody else's only an administrator knows
    "GET /sessions": Route(ANYBODY, "sessions:read"),
    "GET /sessions/{session_id}": Route(ADMIN, "sessions:read", refused=404),
    "POST /sessions/{session_id}/end": Route(ADMIN, "sessions:write", refused=404),
    "GET /audit": Route(ADMIN, "audit:read"),
    "POST /audit/heads": Route(ADMIN, "audit:write", ok=201),
    "POST /audit/archive": Route(ADMIN, "audit:write", lambda at: {"until": at["until"]}, ok=201),
    "POST /audit/cuts": Route(
        ADMIN, "audit:write", lambda at: {"heads": at["heads"], "sha256": "0" * 64}, ok=201
    ),
    "GET /events": Route(ANYBODY, "events:read", shows="{event_id}"),
    "POST /events/acknowledge": Route(OPERATOR, "events:write", _event),
    "POST /events/resolve": Route(OPERATOR, "events:write", _event),
    "POST /events/{device_id}/{event_id}/acknowledge": Route(OPERATOR, "events:write"),
    "POST /events/{device_id}/{event_id}/resolve": Route(OPERATOR, "events:write"),
    "GET /search": Route(
        ANYBODY,
        "search:read",
        params=lambda _: {"q": "low_disk_space", "limit": "200"},
        shows='"device_id":"{device_id}"',
    ),
    "GET /stats/tools": Route(ALL, "stats:read"),
    "GET /stats/devices": Route(ALL, "stats:read"),
    "GET /stats/failures": Route(ALL, "stats:read"),
    "GET /metrics": Route(ALL, "metrics:read"),
}
SYSTEM = {
    "GET /healthz": Route(OPEN, EVERY_KEY),
    "GET /readyz": Route(OPEN, EVERY_KEY, ok=503),  # the broker is away here
    "GET /health": Route(OPEN, EVERY_KEY),
    "GET /asyncapi.json": Route(OPEN, EVERY_KEY),
    "GET /system/version": Route(ANYBODY, "system:read"),
    "GET /system/database": Route(ADMIN, "system:read"),
    "GET /system/doctor": Route(ADMIN, "system:read"),
    "POST /system/clean": Route(ADMIN, "system:write", lambda _: {"dry_run": True}),
    "POST /debug-users": Route(ADMIN, PERSON, lambda _: {"username": "debug.fresh"}, ok=201),
    "DELETE /debug-users/{username}": Route(ADMIN, "system:write", ok=204, names={"username": "debug.user"}),
}
PEOPLE = {
    "GET /users": Route(ADMIN, "users:read"),
    "POST /users": Route(ADMIN, PERSON, lambda _: {"username": "fresh", "role": "admin"}, ok=201),
    "GET /users/{username}": Route(ADMIN, "users:read"),
    "PATCH /users/{username}": Route(ADMIN, PERSON, lambda _: {"role": "viewer"}),
    "DELETE /users/{username}": Route(ADMIN, "users:write", ok=204),
    "GET /users/{username}/identities": Route(ADMIN, "users:read"),
    "POST /users/{username}/identities": Route(
        ADMIN, PERSON, lambda at: _somebody(at) | {"subject": "another"}, ok=201
    ),
    "DELETE /users/{username}/identities": Route(ADMIN, PERSON, params=_somebody, ok=204),
    "POST /users/{username}/rotate": Route(ADMIN, PERSON),
    "PUT /users/{username}/password": Route(ADMIN, PERSON, lambda _: {}),  # one's own: test_passwords
    "POST /users/{username}/disable": Route(ADMIN, "users:write"),
    "POST /users/{username}/enable": Route(ADMIN, PERSON, names={"username": "dan"}),
    "PUT /users/{username}/grants/{kind}/{name}": Route(
        ADMIN, PERSON, lambda _: {"role": "operator"}, names={"kind": "group", "name": "{group}"}
    ),
    "DELETE /users/{username}/grants/{kind}/{name}": Route(
        ADMIN, "users:write", ok=204, names={"kind": "device", "name": "{device_id}"}
    ),
    "GET /keys": Route(ANYBODY, "keys:read"),
    "POST /keys": Route(ANYBODY, PERSON, lambda _: {"name": "a program", "scopes": ["devices:read"]}, ok=201),
    # somebody else's; one's own: test_keys
    "GET /keys/{key_id}": Route(ADMIN, "keys:read", refused=404),
    "DELETE /keys/{key_id}": Route(ADMIN, PERSON, refused=404, ok=204),
}
TABLE: dict[str, Route] = OWN_TOKENS | DEVICES | COMMANDS | SCHEDULES | RECORDS | SYSTEM | PEOPLE
AT_THE_ROOT = ("/healthz", "/readyz", "/metrics")


def scopes_without(scope: str) -> list[str]:
    """Every scope that does not open what this one does."""
    noun, _, verb = scope.partition(":")
    opening = {f"{noun}:write", scope} if verb == "read" else {scope}
    return sorted(apikeys.SCOPES - opening)
