"""Who gets in, what comes in, and how an error looks."""

import asyncio
import importlib
import pkgutil
import stat
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx
import pytest

import controller
from controller.api import problems, token
from controller.api.access.refusals import Unauthorized
from controller.api.shapes.problems import MEDIA_TYPE
from controller.errors import OrionError
from controller.services import commands, events
from controller.store.failures import StoreBusy, StoreUnsure
from schemas.errors import ErrorCode
from tests.controller.api.conftest import Api
from tests.controller.api.door import BODY
from tests.controller.store.read_only import set_read_only
from tests.factories import ADMIN, NOON, a_request, an_event

for module in pkgutil.walk_packages(controller.__path__, "controller."):  # each may add errors
    if ".migrations." not in module.name:
        importlib.import_module(module.name)


# what needs no token, and what it answers to nothing at all
OPEN_TO_ALL = {
    "/api/v1/health": 200,
    "/healthz": 200,
    "/readyz": 503,
    "/api/v1/asyncapi.json": 200,
    "/api/v1/auth/token": 400,
    "/api/v1/auth/revoke": 400,
    "/api/v1/auth/device": 400,
    "/api/v1/auth/proof": 422,  # no nonce
    "/api/v1/auth/oidc/login": 404,  # no provider is set
    "/api/v1/auth/oidc/callback": 404,
}


def every_error(kind: type[OrionError] = OrionError) -> list[type[OrionError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in every_error(child))]


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_and_a_status(kind: type[OrionError]) -> None:
    error = kind.__new__(kind)

    assert kind.code in ErrorCode
    assert 400 <= problems.status_of(error) < 600
    if kind.code is not ErrorCode.INTERNAL:
        assert problems.status_of(error) < 500 or kind in {StoreBusy, StoreUnsure}


def test_the_errors_of_every_layer_were_seen() -> None:
    assert {"UnknownDevice", "StoreFailed", "AddressTaken", "TextTooLong", "Unauthorized"} <= {
        kind.__name__ for kind in every_error()
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"device_id": "lamp", "name": "\\ud800"}',
        b'{"device_id": NaN}',
        b'{"device_id": "\xff"}',
        b"{bad",
        b"[" * 100_000,
        b"9" * 5_000,
    ],
)
async def test_a_body_that_is_not_json_to_the_letter_is_refused(api: Api, body: bytes) -> None:
    answer = await api.http.post("devices", content=body, headers={"Content-Type": "application/json; x=y"})

    assert (answer.status_code, answer.json()["code"]) == (422, ErrorCode.INVALID_ARGUMENTS)


@pytest.mark.parametrize(
    ("kind", "coding"),
    [
        (None, None),
        ("application/x-www-form-urlencoded", None),
        ("multipart/form-data; boundary=x", None),
        ("text/json+json", None),
        ("application/json", "gzip"),
    ],
)
async def test_a_body_that_is_sent_as_something_else_is_refused(
    api: Api, kind: str | None, coding: str | None
) -> None:
    named = {"Content-Type": kind, "Content-Encoding": coding}
    headers = {name: value for name, value in named.items() if value is not None}

    answer = await api.http.post("devices", content=b'{"device_id": "lamp"}', headers=headers)

    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]
    assert (await api.http.get("devices")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "said"),
    [("commands?staus=failed", "staus: not known here; what is: "), ("health?x=", "x: not known here")],
)
async def test_a_filter_that_is_not_known_is_told_so(api: Api, path: str, said: str) -> None:
    answer = await api.http.get(path)

    assert (answer.status_code, answer.json()["detail"][: len(said)]) == (422, said)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "\x1b[31mred", "a\u202eb", "x" * 101])
@pytest.mark.parametrize("field", ["name", "area", "aliases", "groups"])
async def test_a_name_that_nobody_can_read_is_refused(api: Api, field: str, name: str) -> None:
    said = [name] if field in ("aliases", "groups") else name

    answer = await api.http.post("devices", json={"device_id": "lamp", field: said})

    assert (answer.status_code, answer.json()["code"]) == (422, ErrorCode.INVALID_ARGUMENTS)


async def test_an_event_whose_id_has_two_lines_is_acknowledged(api: Api, laptop: str) -> None:
    await api.store.write(
        partial(events.store, device_id=laptop, event=an_event("two\nlines"), now=datetime.now(UTC))
    )

    answer = await api.http.post(f"events/{laptop}/two%0Alines/acknowledge")

    assert answer.status_code == 200


async def test_every_route_but_those_that_let_in_needs_a_token(api: Api) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://orion", headers={"Content-Length": "0"}
    ) as stranger:
        paths = api.app.openapi()["paths"]
        assert paths
        for path in paths:
            for method in paths[path]:
                for bearer in ("", "Bearer", "Bearer wrong", f"Basic {api.token}", "Bearer ", "Bearer ï"):
                    answer = await stranger.request(
                        method.upper(),
                        path.replace("{", "").replace("}", ""),
                        headers={b"Authorization": bearer.encode("latin-1")},
                    )
                    if path in OPEN_TO_ALL:
                        assert answer.status_code == OPEN_TO_ALL[path]
                        continue
                    assert answer.status_code == 401, (method, path)
                    assert answer.headers["content-type"] == MEDIA_TYPE
                    assert answer.json()["code"] == ErrorCode.PERMISSION_DENIED


async def test_the_health_check_tells_whether_the_broker_is_reached_and_nothing_else(api: Api) -> None:
    answer = await api.http.get("health")

    assert answer.json() == {"status": "degraded", "broker": "lost"}


def test_unauthorized_names_no_token() -> None:
    assert "Bearer" not in str(Unauthorized())


def test_the_token_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"

    made = token.ensure(path)

    assert len(made) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert token.ensure(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_empty_token_file_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("\n")

    assert len(token.ensure(path)) >= 32


@pytest.mark.parametrize("path", ["nothing", "commands/nothing", "approvals/nothing", "devices/nothing"])
async def test_what_does_not_exist_is_not_found(api: Api, path: str) -> None:
    answer = await api.http.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["code"] in (ErrorCode.NOT_FOUND, ErrorCode.UNKNOWN_DEVICE)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("commands", "GET, HEAD, OPTIONS, POST"),
        ("commands/x/cancel", "OPTIONS, POST"),
        ("commands/explain", "OPTIONS, POST"),
        ("devices/laptop", "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ],
)
async def test_a_method_that_a_path_does_not_know_is_told_which_it_does(
    api: Api, path: str, allowed: str
) -> None:
    answer = await api.http.put(path, json={})
    asked = await api.http.options(path)

    assert answer.status_code == 405
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.headers["allow"] == allowed
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allowed, b"")


async def test_nothing_is_allowed_where_nothing_is(api: Api) -> None:
    answer = await api.http.options("nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)


async def test_head_is_get_without_its_body(api: Api, laptop: str) -> None:
    whole = await api.http.get("devices/laptop")
    head = await api.http.head("devices/laptop")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    assert (await api.http.head("devices/nobody")).status_code == 404
    counted = (await api.http.get("http://orion/metrics")).text
    assert 'method="HEAD",route="/api/v1/devices/{device_id}"' in counted


async def test_head_of_a_stream_does_not_wait_for_its_end(api: Api, laptop: str) -> None:
    command_id = (await api.http.post("commands", json=BODY)).json()["command_id"]

    async with asyncio.timeout(20):
        head = await api.http.head(f"commands/{command_id}/watch", params={"within_s": 300})

    assert (head.status_code, head.content) == (200, b"")


async def test_a_store_that_is_away_is_a_service_that_is_away(api: Api, laptop: str) -> None:
    await asyncio.to_thread(set_read_only, api.store, "ON")

    answer = await api.http.post("commands", json=BODY)

    assert answer.status_code == 503
    await asyncio.to_thread(set_read_only, api.store, "OFF")
    assert (await api.http.post("commands", json=BODY)).status_code == 202


async def test_an_error_that_nobody_foresaw_tells_nothing_of_the_inside(
    api: Api, laptop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("s3cr3t inside")

    monkeypatch.setattr(commands, "listed", broken)

    answer = await api.http.get("commands")

    assert answer.status_code == 500
    assert "s3cr3t" not in answer.text
    assert "GET /api/v1/commands failed" in caplog.text


async def test_what_json_cannot_show_does_not_spoil_the_list(api: Api, laptop: str) -> None:
    for value in (float("nan"), "\ud800", 10**400):
        request = a_request("path_info", arguments={"path": value})
        await api.store.write(partial(commands.submit, request=request, actor=ADMIN, now=NOON))

    answer = await api.http.get("commands")

    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 3
