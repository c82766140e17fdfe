"""Revoking, and replacing what somebody is let in with: a controller on brokers of both administrations."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.dynsec import Remote
from broker.identities import Local
from broker.session import ConnectFailed, Endpoint, Session, Subscription, Will
from controller.services import revocation
from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from controller.store.store import Store
from schemas.devices import Presence
from schemas.errors import ErrorCode
from tests.broker.administered import DYNSEC, FILES, Administered, administered_broker, joined
from tests.broker.running import RunningBroker
from tests.controller.api.conftest import Api
from tests.factories import ADMIN, NOON, a_presence, a_profile, an_event
from tests.flows.installation import NO_MODEL, installation, running_controller

D = "orion/v1/devices/lamp"
WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Orion:
    """A controller that is ready, and its broker."""

    broker: Administered
    http: httpx.AsyncClient

    async def made(self, path: str, **body: Any) -> Endpoint:
        """What somebody is let in with by this request."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code in (200, 201), answer.text
        given = answer.json()["mqtt"]
        return Endpoint(given["host"], given["port"], given["username"], given["password"])

    async def device(self, device_id: str = "lamp") -> Endpoint:
        return await self.made("devices", device_id=device_id, adopt=True)

    async def until(self, status: str, reason: str | None = None) -> None:
        async with asyncio.timeout(WITHIN):
            while True:
                shown = (await self.http.get("devices/lamp")).json()
                if (shown["status"], shown["status_reason"]) == (status, reason):
                    return
                await asyncio.sleep(0.01)


@pytest.fixture(params=[FILES, DYNSEC])
async def orion(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Orion]:
    """A controller on a broker of either administration."""
    async with administered_broker(request.param, tmp_path_factory.mktemp("broker")) as broker:
        administered: dict[str, Any] = (
            {"identities_dir": broker.folder}
            if isinstance(broker.administration, Local)
            else {"administrator": admin_of(broker)}
        )
        settings = ControllerSettings(
            data_dir=tmp_path,
            endpoint=broker.controller,
            database_url=engine.sqlite_url(tmp_path / "orion.db"),
            http_port=0,
            model=ModelSettings(host=NO_MODEL),
            **administered,
        )
        async with running_controller(settings) as client:
            yield Orion(broker, client)


def admin_of(broker: Administered) -> Endpoint:
    assert isinstance(broker.administration, Remote)
    return broker.administration.admin


async def online(orion: Orion, endpoint: Endpoint, boot_id: str = "boot-1") -> Session:
    """A device that has come online and has a will."""
    lost = a_presence(state="offline", boot_id=boot_id, reason="connection_lost")
    session = Session(endpoint, client_id="lamp", will=Will(f"{D}/presence", lost.encode(), delay_s=0))
    await session.connect()
    await session.subscribe([Subscription(f"{D}/command"), Subscription(f"{D}/cancel")])
    await session.publish(f"{D}/profile", a_profile("lamp", boot_id=boot_id).encode(), retain=True)
    await session.publish(f"{D}/presence", a_presence(boot_id=boot_id).encode(), retain=True)
    await orion.until("online")
    return session


async def until_gone(session: Session) -> None:
    async with asyncio.timeout(WITHIN):
        await session.lost()


async def told_to_newcomers(endpoint: Endpoint, *, reason: str) -> Presence:
    """The retained presence, once it is the one with this reason."""
    async with asyncio.timeout(WITHIN):
        while True:
            async with joined(endpoint) as session:
                await session.subscribe([Subscription(f"{D}/presence")])
                (message,) = await session.receive(1)
            presence = Presence.decode(message.payload)
            if presence.reason == reason:
                assert message.retain
                return presence


async def is_refused(endpoint: Endpoint) -> bool:
    try:
        await Session(endpoint, client_id=endpoint.username or "", session_expiry_s=0).connect()
    except ConnectFailed as error:
        return error.not_let_in
    return False


def an_order(**more: Any) -> dict[str, Any]:
    arguments = {"path": "/srv/files/x"}
    return {"device_id": "lamp", "tool": "create_directory", "arguments": arguments} | more


async def test_a_revoked_device_is_out_and_everybody_is_told(orion: Orion) -> None:
    watcher = await orion.made("users", username="ada", role="viewer")
    endpoint = await orion.device()
    device = await online(orion, endpoint)

    answer = await orion.http.post("devices/lamp/revoke")

    assert answer.status_code == 200, answer.text
    await until_gone(device)
    assert await is_refused(endpoint)
    presence = await told_to_newcomers(watcher, reason="revoked")
    assert (presence.state, presence.boot_id) == ("offline", "boot-1")
    await orion.until("offline", "revoked")
    audited = (await orion.http.get("audit", params={"action": "device.revoked"})).json()["items"]
    assert [each["device_id"] for each in audited] == ["lamp"]
    assert (await orion.http.post("devices/lamp/revoke")).status_code == 200


async def test_a_revoked_device_gets_no_order_and_none_waits_for_it(orion: Orion) -> None:
    device = await online(orion, await orion.device())
    await device.publish(f"{D}/presence", a_presence(state="offline", reason="stopped").encode(), retain=True)
    await orion.until("offline", "stopped")
    waiting = (await orion.http.post("commands", json=an_order(when_online=True))).json()
    assert waiting["status"] == "waiting"

    await orion.http.post("devices/lamp/revoke")

    ended = (await orion.http.get(f"commands/{waiting['command_id']}")).json()
    later = (await orion.http.post("commands", json=an_order(when_online=True))).json()
    for each in (ended, later):
        assert (each["status"], each["error"]["code"]) == ("denied", ErrorCode.PERMISSION_DENIED)
        assert "was revoked" in each["error"]["message"]


async def test_a_revoked_device_may_be_let_in_again(orion: Orion) -> None:
    old = await orion.device()
    await online(orion, old)
    await orion.http.post("devices/lamp/revoke")

    new = await orion.made("devices/lamp/rotate")

    assert await is_refused(old)
    device = await online(orion, new, "boot-2")
    order = asyncio.create_task(orion.http.post("commands", json=an_order()))
    async with asyncio.timeout(WITHIN):
        (command,) = await device.receive(1)
    assert command.topic == f"{D}/command"
    assert (await order).status_code == 202
    await device.close()


async def test_a_replaced_password_loses_no_order(orion: Orion) -> None:
    old = await orion.device()
    device = await online(orion, old)

    new = await orion.made("devices/lamp/rotate")
    await until_gone(device)
    sent = (await orion.http.post("commands", json=an_order(when_online=True))).json()

    assert await is_refused(old)
    device = await online(orion, new, "boot-2")
    async with asyncio.timeout(WITHIN):
        (command,) = await device.receive(1)
    assert sent["command_id"].encode() in command.payload
    await device.close()


async def test_the_controllers_own_password_is_replaced_while_it_works(orion: Orion) -> None:
    device = await online(orion, await orion.device())
    before = orion.broker.controller

    answer = await orion.http.post("identities/controller-main/rotate")

    assert answer.status_code == 200, answer.text
    assert ("password" in answer.json()) == (orion.broker.kind == DYNSEC)
    sent = [f"event-{number}" for number in range(50)]
    for event_id in sent:
        await device.publish(f"{D}/event", an_event(event_id).encode())
    async with asyncio.timeout(WITHIN):
        while len((await orion.http.get("events")).json()["items"]) < len(sent):
            await asyncio.sleep(0.02)
    assert await is_refused(before)
    assert (await orion.http.get("health")).json()["status"] == "ready"
    await device.close()


async def test_names_are_shown_and_only_our_own_are_replaced_there(orion: Orion) -> None:
    await orion.device()
    await orion.made("users", username="ada", role="viewer")

    items = (await orion.http.get("identities")).json()["items"]

    found = {each["username"]: each["role"] for each in items}
    assert found | {"lamp": "device", "ada": "viewer", "controller-main": "controller"} == found
    assert not any("password" in each for each in items)
    for name, status in (("lamp", 409), ("ada", 409), ("nobody", 404)):
        assert (await orion.http.post(f"identities/{name}/rotate")).status_code == status


async def test_where_nobody_can_join_no_code_is_made_and_none_advised(orion: Orion) -> None:
    await orion.device()

    revoked = (await orion.http.post("devices/lamp/revoke")).json()
    invited = await orion.http.post("devices/lamp/invite", json={})

    assert revoked["can_join"] is False
    assert invited.status_code == 409
    remote, told = orion.broker.kind == DYNSEC, invited.json()["detail"]
    assert ("mqtts:// in ORION_MQTT_URL" in told) == remote
    assert ("ORION_MQTT_TLS_PORT" in told) != remote


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
async def test_what_does_not_exist_cannot_be_revoked_or_replaced(orion: Orion, verb: str) -> None:
    assert (await orion.http.post(f"devices/nobody/{verb}")).status_code == 404


@pytest.mark.parametrize("path", ["devices/laptop/revoke", "devices/laptop/rotate", "identities/x/rotate"])
async def test_without_an_administration_a_person_is_told(api: Api, laptop: str, path: str) -> None:
    answer = await api.http.post(path)

    assert (answer.status_code, answer.json()["code"]) == (409, ErrorCode.CONFLICT)
    assert "administered elsewhere" in answer.json()["detail"]


async def test_a_revocation_that_was_interrupted_is_told_at_the_next_start(
    broker: RunningBroker, tmp_path: Path
) -> None:
    debug = await broker.add_debug_user()
    async with installation(broker, tmp_path) as first:
        endpoint = broker.endpoint("lamp", (await first.add_device("lamp", adopt=True))["mqtt"]["password"])
        async with joined(endpoint) as device:
            await device.publish(f"{D}/profile", a_profile("lamp").encode(), retain=True)
            await device.publish(f"{D}/presence", a_presence().encode(), retain=True)
            await first.until_online("lamp")
        database_url = first.settings.database_url
    store = await asyncio.to_thread(Store, database_url)
    await asyncio.to_thread(store.open)
    await store.write(partial(revocation.revoke, device_id="lamp", actor=ADMIN, now=NOON))
    await asyncio.to_thread(store.close)

    async with installation(broker, tmp_path) as second:
        await told_to_newcomers(debug, reason="revoked")
        shown = (await second.http.get("devices/lamp")).json()
        assert (shown["status"], shown["status_reason"]) == ("offline", "revoked")
