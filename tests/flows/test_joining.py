"""A device joins: the code once, the right broker only, and an identity that its controller obeys and is obeyed by."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from broker.certificates.authority import public_path
from broker.rights import Role
from broker.session import ConnectFailed, Endpoint, PublishProperties, Session, Subscription, tls
from controller.services import invitations
from device_node import app as node
from device_node.joining import JoinFailed, join
from device_node.settings import NodeSettings
from device_node.vault import Identity
from schemas.joining import JoinCode, prove
from schemas.keys import JoinRequest
from schemas.signing import Signer
from schemas.topics import Topics
from tests.broker.administered import joined
from tests.broker.running import RunningBroker, running_broker
from tests.flows.installation import Installation, installation
from tests.ports import free_port

HOST = "localhost"
TOPICS = Topics()


@dataclass(frozen=True, slots=True)
class Site:
    """An installation that devices can join."""

    broker: RunningBroker
    orion: Installation

    @property
    def port(self) -> int:
        assert self.broker.settings.tls_port is not None
        return self.broker.settings.tls_port

    async def invite(self, device_id: str = "nas", **wanted: Any) -> JoinCode:
        answer = await self.orion.http.post(f"devices/{device_id}/invite", json=wanted)
        assert answer.status_code == 201, answer.text
        return JoinCode.read(answer.json()["code"])

    async def join(self, code: JoinCode) -> Identity:
        return await join(code, HOST, self.port, topics=TOPICS, hostname="box")

    async def device(self, device_id: str = "nas") -> dict[str, Any]:
        found: dict[str, Any] = (await self.orion.http.get(f"devices/{device_id}")).json()
        return found

    async def names(self) -> dict[str, Role]:
        return await asyncio.to_thread(self.broker.identities.all)

    async def until_closed(self, code: JoinCode) -> None:
        """The code's name is gone from the list, and the broker has read that."""
        async with asyncio.timeout(15):
            while code.username in await self.names() or await self.lets_in(code):
                await asyncio.sleep(0.05)

    async def lets_in(self, code: JoinCode) -> bool:
        ca = (await asyncio.to_thread(public_path(self.broker.settings.directory).read_text)).strip()
        session = Session(self.at(code, ca), client_id=code.username, session_expiry_s=0, clean_start=True)
        try:
            await session.connect()
        except ConnectFailed:
            return False
        await session.close()
        return True

    def at(self, code: JoinCode, ca: str) -> Endpoint:
        return Endpoint(HOST, self.port, code.username, code.password, tls.context(ca))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "controller").mkdir()
    async with running_broker(tmp_path / "broker", tls_port=free_port()) as broker:
        more: dict[str, Any] = {
            "ca_path": public_path(broker.settings.directory),
            "join_port": broker.settings.tls_port,
        }
        async with installation(broker, tmp_path / "controller", **more) as orion:
            yield Site(broker, orion)


async def test_a_device_joins_and_is_obeyed_and_obeys(site: Site, tmp_path: Path) -> None:
    code = await site.invite(adopt=True, name="The NAS")
    known = await site.join(code)
    assert (known.device_id, known.host, known.port) == ("nas", HOST, site.port)
    assert known.signing_secret
    folder, policy = tmp_path / "files", tmp_path / "policy.toml"
    folder.mkdir()
    policy.write_text(f"allowed_paths = ['{folder}']\n")
    settings = NodeSettings(
        data_dir=tmp_path / "node",
        device_id=known.device_id,
        endpoint=Endpoint(HOST, site.port, known.device_id, known.password, tls.context(known.ca)),
        policy_path=policy,
        signer=Signer.restore(known.signing_secret),
        controller_keys=known.controller_keys,
        joined_at=known.joined_at,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(node.run(settings, stop), name="node")
    try:
        await site.orion.until_online("nas")
        wanted = {"device_id": "nas", "tool": "create_directory", "arguments": {"path": str(folder / "Test")}}
        done = await site.orion.http.post("commands", json=wanted, headers={"Prefer": "wait=10"})
        assert done.json()["status"] == "succeeded", done.text
        assert (folder / "Test").is_dir()
        shown = await site.device()
        assert shown["signed"]
        assert shown["name"] == "The NAS"
    finally:
        stop.set()
        await running


async def test_a_code_is_good_once(site: Site) -> None:
    code = await site.invite()
    await site.join(code)
    await site.until_closed(code)
    with pytest.raises(JoinFailed, match="does not know this code"):
        await site.join(code)


async def test_of_two_at_once_one_gets_in(site: Site) -> None:
    code = await site.invite()
    ca = (await asyncio.to_thread(public_path(site.broker.settings.directory).read_text)).strip()
    topic = TOPICS.join_request(code.invite_id)
    session = Session(site.at(code, ca), client_id=code.username, session_expiry_s=0, clean_start=True)
    await session.connect()
    try:
        await session.subscribe([Subscription(TOPICS.join_response(code.invite_id))])
        asked = [JoinRequest(public_key=Signer.generate().public, hostname="x").encode() for _ in range(2)]
        sent = [
            session.publish(
                topic, each, properties=PublishProperties(user_properties=prove(code.proof_key, topic, each))
            )
            for each in asked
        ]
        await asyncio.gather(*sent, return_exceptions=True)
        async with asyncio.timeout(10):
            first = (await session.receive(1))[0]
    finally:
        await session.close()
    assert b'"device_id":"nas"' in first.payload
    await site.until_closed(code)
    entry = (await site.orion.http.get("audit", params={"action": "device.enrolled"})).json()["items"]
    assert len(entry) == 1


async def test_a_newer_code_voids_the_older(site: Site) -> None:
    code, newer = await site.invite(), await site.invite()
    await site.until_closed(code)
    with pytest.raises(JoinFailed, match="does not know this code"):
        await site.join(code)
    assert (await site.join(newer)).device_id == "nas"


async def test_the_remedy_for_a_code_that_is_over_is_said_once(site: Site) -> None:
    refused = ""
    while (
        "has expired, or was replaced" not in refused
    ):  # the broker may know it no more: that is said otherwise
        code = await site.invite()
        await site.invite()
        with pytest.raises(JoinFailed) as failed:
            await site.join(code)
        refused = str(failed.value)
        assert refused.count("Ask for a new one: orion devices invite ID") == 1


async def test_a_code_without_its_secret_opens_nothing(site: Site) -> None:
    code = await site.invite()
    wrong = replace(code, secret=bytes(16))
    with pytest.raises(JoinFailed, match="does not know this code"):
        await site.join(wrong)
    assert (await site.join(code)).device_id == "nas"


async def test_another_broker_hears_nothing_of_the_code(site: Site) -> None:
    code = replace(await site.invite(), ca=bytes([1]) * 32)
    with pytest.raises(JoinFailed, match=r"between you and the broker|another installation"):
        await site.join(code)


async def test_requests_that_do_not_prove_the_code_void_it(site: Site) -> None:
    code = await site.invite()
    ca = await asyncio.to_thread(public_path(site.broker.settings.directory).read_text)
    session = Session(site.at(code, ca), client_id=code.username, session_expiry_s=0, clean_start=True)
    await session.connect()
    payload = JoinRequest(public_key=Signer.generate().public, hostname="x").encode()
    topic = TOPICS.join_request(code.invite_id)
    try:
        for _ in range(invitations.MAX_FAULTS):
            await session.publish(topic, payload)
        await site.until_closed(code)
    finally:
        await session.close()
    assert not (await site.device())["signed"]


async def test_a_device_that_joins_again_gets_a_new_key_and_its_old_one_is_over(site: Site) -> None:
    first = await site.join(await site.invite())
    second = await site.join(await site.invite())
    assert first.password != second.password
    assert first.signing_secret != second.signing_secret
    with pytest.raises(Exception, match="not authori"):
        await Session(
            Endpoint(HOST, site.port, "nas", first.password, tls.context(first.ca)), client_id="nas"
        ).connect()


async def test_an_invitation_needs_an_encrypted_listener(broker: RunningBroker, tmp_path: Path) -> None:
    async with installation(broker, tmp_path) as orion:
        answer = await orion.http.post("devices/nas/invite", json={})
    assert answer.status_code == 409
    assert "ORION_MQTT_TLS_PORT" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["", "short", "!" * 43, "A" * 65])
async def test_a_key_that_is_none_is_refused_at_the_door(site: Site, key: str) -> None:
    await site.orion.add_device("lamp")
    assert (await site.orion.http.post("devices/lamp/enrol", json={"public_key": key})).status_code == 422
    answer = await site.orion.http.post("devices", json={"device_id": "new", "public_key": key})
    assert answer.status_code == 422
    assert (await site.orion.http.get("devices/new")).status_code == 404


async def test_a_device_never_gets_the_name_of_a_user(site: Site) -> None:
    http = site.orion.http
    made = (await http.post("users", json={"username": "boss", "role": "admin"})).json()["mqtt"]
    boss = replace(site.broker.controller, username="boss", password=made["password"])

    for path, body in {
        "devices/boss/invite": {},
        "devices": {"device_id": "boss"},
    }.items():
        answer = await http.post(path, json=body)
        assert answer.status_code == 409
        assert "users and devices share their names" in answer.json()["detail"]
    assert (await http.get("devices/boss")).status_code == 404
    async with joined(boss):
        pass


async def test_a_code_of_a_place_that_is_gone_does_not_open_what_has_its_name_now(site: Site) -> None:
    code = await site.invite("boss")
    taken = await site.orion.http.post("users", json={"username": "boss", "role": "admin"})
    assert taken.status_code == 409
    assert (await site.orion.http.delete("devices/boss", headers={"If-Match": "*"})).status_code == 204
    made = (await site.orion.http.post("users", json={"username": "boss", "role": "admin"})).json()["mqtt"]

    with pytest.raises(JoinFailed):
        await site.join(code)
    assert (await site.names())["boss"] is Role.ADMIN
    async with joined(replace(site.broker.controller, username="boss", password=made["password"])):
        pass


async def test_a_name_that_only_the_broker_knows_is_not_given_away(site: Site) -> None:
    made = (await site.orion.http.post("debug-users", json={"username": "watcher"})).json()
    code = await site.invite("watcher")

    with pytest.raises(JoinFailed, match="belongs to a debugging user"):
        await site.join(code)
    enrolled = await site.orion.http.post(
        "devices/watcher/enrol", json={"public_key": Signer.generate().public}
    )
    assert enrolled.status_code == 409
    assert not (await site.orion.http.get("devices/watcher")).json()["signed"]
    for path in ("devices/watcher/rotate", "devices/watcher/revoke"):
        await site.orion.http.post(path)
    assert (await site.orion.http.delete("devices/watcher", headers={"If-Match": "*"})).status_code == 204
    async with joined(replace(site.broker.controller, username="watcher", password=made["password"])):
        pass


@pytest.mark.parametrize("name", ["controller-main", "join-abc"])
async def test_a_name_of_orions_own_is_refused_when_it_is_invited(site: Site, name: str) -> None:
    answer = await site.orion.http.post(f"devices/{name}/invite", json={})
    assert answer.status_code == 422
    assert answer.json()["detail"] == f"Device ids cannot begin with {name.partition('-')[0]}-."
    assert (await site.orion.http.get(f"devices/{name}")).status_code == 404
