"""Every route with every role: who is let through, and who is told that they may not."""

import pytest

from controller.services.users import UserRole
from tests.controller.api.conftest import Api
from tests.controller.api.people import as_somebody, sign_in, somebody

ANYBODY, OPERATOR, ADMIN = range(3)  # the least that a route takes
OPEN = -1  # no token at all
ROLES = {UserRole.VIEWER: ANYBODY, UserRole.OPERATOR: OPERATOR, UserRole.ADMIN: ADMIN}
LEAST = {
    "POST /auth/token": OPEN,
    "POST /auth/revoke": OPEN,
    "POST /auth/device": OPEN,
    "POST /auth/device/approve": ANYBODY,
    "GET /auth/oidc/login": OPEN,
    "GET /auth/oidc/callback": OPEN,
    "POST /auth/first": ADMIN,
    "GET /auth/me": ANYBODY,
    "GET /auth/proof": OPEN,
    "POST /ask": ANYBODY,
    "GET /devices": ANYBODY,
    "POST /devices": ADMIN,
    "GET /devices/{device_id}": ANYBODY,
    "PATCH /devices/{device_id}": ADMIN,
    "DELETE /devices/{device_id}": ADMIN,
    "GET /devices/{device_id}/policy": ANYBODY,
    "PUT /devices/{device_id}/policy": ADMIN,
    "POST /devices/{device_id}/adopt": ADMIN,
    "POST /devices/{device_id}/resume": ADMIN,
    "PUT /devices/{device_id}/links/{kind}/{other_id}": ADMIN,
    "DELETE /devices/{device_id}/links/{kind}/{other_id}": ADMIN,
    "GET /devices/{device_id}/impact": ANYBODY,
    "GET /devices/{device_id}/history": ANYBODY,
    "POST /devices/{device_id}/revoke": ADMIN,
    "POST /devices/{device_id}/rotate": ADMIN,
    "GET /identities": ADMIN,
    "POST /identities/{username}/rotate": ADMIN,
    "POST /devices/{device_id}/examined": ADMIN,
    "POST /devices/{device_id}/invite": ADMIN,
    "POST /devices/{device_id}/enrol": ADMIN,
    "POST /devices/{device_id}/certificate": ADMIN,
    "GET /signing-keys": ADMIN,
    "POST /signing-keys/rotate": ADMIN,
    "POST /commands": ANYBODY,  # what a viewer may do there, `permissions` decides
    "POST /commands/explain": ANYBODY,
    "GET /commands": ANYBODY,
    "GET /commands/{command_id}": ANYBODY,
    "GET /commands/{command_id}/watch": ANYBODY,
    "POST /commands/{command_id}/cancel": ANYBODY,  # who sees it, and may order something there
    "POST /commands/{command_id}/undo": ANYBODY,  # as for /commands
    "GET /traces/{name}": ANYBODY,  # who sees its commands
    "GET /approvals": ANYBODY,
    "GET /approvals/{approval_id}": ANYBODY,
    "POST /approvals/{approval_id}/decision": ANYBODY,  # `approvals` says whose word counts
    "GET /memory": ANYBODY,
    "GET /memory/{key}": ANYBODY,
    "PUT /memory/{key}": ANYBODY,
    "DELETE /memory/{key}": ANYBODY,
    "GET /sessions": ANYBODY,
    "GET /sessions/{session_id}": ANYBODY,
    "POST /sessions/{session_id}/end": ANYBODY,
    "POST /audit/archive": ADMIN,
    "POST /audit/cuts": ADMIN,
    "GET /audit": ADMIN,
    "POST /audit/heads": ADMIN,
    "GET /events": ANYBODY,
    "POST /events/acknowledge": ANYBODY,  # `attention` asks for an operator of each device
    "POST /events/resolve": ANYBODY,
    "POST /events/{device_id}/{event_id}/acknowledge": ANYBODY,
    "POST /events/{device_id}/{event_id}/resolve": ANYBODY,
    "GET /groups": ANYBODY,
    "GET /tools": ANYBODY,
    "GET /devices/{device_id}/tools": ANYBODY,
    "GET /stream": ANYBODY,  # what of it they see, `live` decides
    "GET /search": ANYBODY,
    "GET /stats/tools": ANYBODY,
    "GET /stats/devices": ANYBODY,
    "GET /stats/failures": ANYBODY,
    "GET /health": OPEN,
    "GET /system/version": ANYBODY,
    "GET /asyncapi.json": OPEN,
    "GET /system/database": ADMIN,
    "GET /system/doctor": ADMIN,
    "POST /system/clean": ADMIN,
    "POST /debug-users": ADMIN,
    "DELETE /debug-users/{username}": ADMIN,
    "GET /users": ADMIN,
    "POST /users": ADMIN,
    "GET /users/{username}": ADMIN,
    "PATCH /users/{username}": ADMIN,
    "GET /users/{username}/identities": ADMIN,
    "POST /users/{username}/identities": ADMIN,
    "DELETE /users/{username}/identities": ADMIN,
    "DELETE /users/{username}": ADMIN,
    "POST /users/{username}/rotate": ADMIN,
    "PUT /users/{username}/password": ANYBODY,  # one's own
    "POST /users/{username}/disable": ADMIN,
    "POST /users/{username}/enable": ADMIN,
    "PUT /users/{username}/grants/{kind}/{name}": ADMIN,
    "DELETE /users/{username}/grants/{kind}/{name}": ADMIN,
    "GET /keys": ANYBODY,  # one's own
    "POST /keys": ANYBODY,
    "GET /keys/{key_id}": ANYBODY,
    "DELETE /keys/{key_id}": ANYBODY,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": ANYBODY,
}
AT_THE_ROOT = ("/healthz", "/readyz", "/metrics")
WRONG = {"GET /stream": {"types": "nothing"}}  # or it would not end
PLACEHOLDERS = {
    "device_id": "laptop",
    "other_id": "other",
    "kind": "depends_on",
    "username": "mia",
    "command_id": "c",
    "approval_id": "a",
    "session_id": "s",
    "event_id": "e",
    "key": "k",
    "key_id": "k",
    "name": "n",
}


def routes(api: Api) -> set[str]:
    paths = api.app.openapi()["paths"]
    return {f"{method.upper()} {path.removeprefix('/api/v1')}" for path in paths for method in paths[path]}


async def test_each_route_is_in_the_table(api: Api) -> None:
    assert routes(api) == set(LEAST)


@pytest.mark.parametrize("role", list(ROLES))
async def test_a_role_is_let_through_where_the_table_says_so(api: Api, role: UserRole) -> None:
    await somebody(api, "sam", role)
    token = (await sign_in(api, "sam")).json()["access_token"]

    async with as_somebody(api, token) as sam:
        for route, least in LEAST.items():
            method, path = route.split()
            # what is sent is wrong wherever something is expected, so nothing happens
            answer = await sam.request(
                method,
                f"http://orion{path}" if path in AT_THE_ROOT else path.format(**PLACEHOLDERS).lstrip("/"),
                params=WRONG.get(route),
                json=[] if method in ("POST", "PUT") else None,
            )
            stopped = answer.status_code == 403 and f"sam is {role.value} here" in answer.json()["detail"]
            assert stopped == (ROLES[role] < least), (route, answer.status_code, answer.text)
            assert answer.status_code not in (401, 500), (route, answer.text)
