"""What an enrolled device says counts with its signature only; what the controller says carries its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.services import devices, events
from controller.services.devices import DeviceStatus
from controller.services.orders import Status
from controller.store.keyring import KeyRing
from controller.store.store import Store
from schemas.commands import ReplyStatus
from schemas.keys import KEY_ID_PROPERTY, Keys
from schemas.signing import Signer, Verifier
from schemas.topics import Kind
from tests.broker.running import RunningBroker
from tests.controller.mqtt.door import Clock, Door, arrive, device, opened, until
from tests.controller.mqtt.peer import Heard, Peer, peer
from tests.factories import ADMIN, a_presence, a_profile, a_reply, a_request, an_error, an_event

OWN = Signer.generate()
FORGER = Signer.generate()


@pytest.fixture
async def ring(tmp_path: Path) -> KeyRing:
    made = KeyRing(tmp_path / "keys.json", Clock().now)
    await asyncio.to_thread(made.open)
    return made


@pytest.fixture
async def signing(broker: RunningBroker, store: Store, ring: KeyRing) -> AsyncIterator[Door]:
    """A door that signs."""
    async with opened(broker, store, keyring=ring) as door:
        yield door


@pytest.fixture
async def enrolled(signing: Door) -> AsyncIterator[Peer]:
    """A device that was enrolled, and is online."""
    async with device(signing) as found:
        await enrol(signing, found)
        await arrive(signing, found)
        yield found


async def enrol(door: Door, found: Peer, signer: Signer = OWN) -> None:
    found.signer = signer
    await door.store.write(
        lambda session: devices.enrol(
            session, found.device_id, signer.public, actor=ADMIN, now=door.clock.now()
        )
    )


def signed_by(message: Heard) -> tuple[tuple[str, str], ...]:
    return tuple(message.properties.get("UserProperty", ()))


async def codes(door: Door) -> list[str]:
    rows = await door.store.read(events.recent)
    return [row.data["code"] for row in rows if row.event_type == "error_occurred"]


async def test_what_the_controller_says_to_a_device_is_signed(
    signing: Door, enrolled: Peer, ring: KeyRing
) -> None:
    believed = Verifier.of([ring.signer.public])
    row = await signing.submit(a_request())
    command = await enrolled.heard("/command")
    believed.check(command.topic, command.payload, signed_by(command))
    await enrolled.say(Kind.REPLY, a_reply(row.id))
    ack = await enrolled.heard("/ack")
    believed.check(ack.topic, ack.payload, signed_by(ack))
    assert (await signing.until_status(row.id, Status.SUCCEEDED)).success


async def test_the_keys_are_told_retained_and_signed(signing: Door, enrolled: Peer, ring: KeyRing) -> None:
    debug = await signing.broker.add_debug_user("debug.keys")
    async with peer(debug, signing.topics, [signing.topics.keys()]) as watcher:
        told = await watcher.heard("/keys")
    Verifier.of([ring.signer.public]).check(told.topic, told.payload, signed_by(told))
    assert told.retain
    assert Keys.decode(told.payload).keys == ring.keys


async def test_keys_replaced_at_once_are_told_again_to_a_device_that_comes(
    signing: Door, enrolled: Peer, ring: KeyRing
) -> None:
    first = ring.signer
    second = await asyncio.to_thread(ring.rotate, at_once=True)
    third = await asyncio.to_thread(ring.rotate, at_once=True)
    debug = await signing.broker.add_debug_user("debug.again")
    async with peer(debug, signing.topics, [signing.topics.keys()]) as watcher:
        await watcher.heard("/keys")  # what was retained before
        await enrolled.say(Kind.PRESENCE, a_presence("offline"), retain=True)
        await enrolled.say(Kind.PRESENCE, a_presence("online"), retain=True)
        told = [await watcher.heard("/keys") for _ in range(3)]
    by = [dict(signed_by(each))[KEY_ID_PROPERTY] for each in told]
    assert by == [second.key_id, third.key_id, first.key_id]
    assert all(Keys.decode(each.payload).keys == ring.keys == [third] for each in told)


@pytest.mark.parametrize("forger", [None, FORGER])
async def test_a_reply_that_is_not_the_devices_settles_nothing(
    signing: Door, enrolled: Peer, forger: Signer | None
) -> None:
    row = await signing.submit(a_request())
    await enrolled.heard("/command")
    enrolled.signer = forger
    await enrolled.say(Kind.REPLY, a_reply(row.id))

    async def noted() -> bool:
        return bool(await signing.audited("device.bad_signature"))

    await until(noted)
    assert not Status((await signing.command(row.id)).status).is_final
    assert await codes(signing) == ["bad_signature"]
    enrolled.signer = OWN
    await enrolled.say(Kind.REPLY, a_reply(row.id))
    await signing.until_status(row.id, Status.SUCCEEDED)


async def test_forged_events_and_profiles_are_not_kept(signing: Door, enrolled: Peer) -> None:
    enrolled.signer = FORGER
    for number in range(20):
        await enrolled.say(Kind.EVENT, an_event(f"forged-{number}"))
    await enrolled.say(Kind.PROFILE, a_profile(enrolled.device_id, boot_id="forged"), retain=True)
    enrolled.signer = OWN
    await enrolled.say(Kind.EVENT, an_event("true"))
    assert (await enrolled.heard("/ack")).json["events"] == ["true"]
    row = await signing.device()
    assert row.profile is not None
    assert '"boot-1"' in row.profile
    kinds = [each.detail["kind"] for each in await signing.audited("device.bad_signature") if each.detail]
    # once for each kind, however many there were
    assert sorted(kinds) == ["event", "profile"]
    assert signing.complaints.counts["laptop"] == 21


async def test_a_retained_profile_from_before_it_was_enrolled_counts_no_more(
    signing: Door, store: Store
) -> None:
    async with device(signing) as found:
        await arrive(signing, found)
        await enrol(signing, found)
        await signing.link.look_again(found.device_id)

        async def noted() -> bool:
            return bool(await signing.audited("device.bad_signature"))

        await until(noted)


async def test_unsigned_devices_are_not_heard_where_they_are_forbidden(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store, allow_unsigned=False) as door, device(door) as lamp:
        profile = a_profile(lamp.device_id, boot_id="boot-1", at=door.clock.now())
        await lamp.say(Kind.PROFILE, profile, retain=True)
        await lamp.say(Kind.PRESENCE, a_presence("online", "boot-1"), retain=True)
        await lamp.say(Kind.EVENT, an_event("e1"))

        async def dropped() -> bool:
            return door.complaints.counts["laptop"] >= 3

        await until(dropped)
        row = await door.device()
        assert (row.profile, row.status) == (None, DeviceStatus.NEVER_SEEN)
        # the same device, once it signs
        await enrol(door, lamp)
        await arrive(door, lamp)


async def test_a_device_that_was_there_is_away_once_unsigned_ones_are_forbidden(
    broker: RunningBroker, store: Store
) -> None:
    async with opened(broker, store) as door, device(door) as lamp:
        await arrive(door, lamp)
    await store.write(devices.forbid_unsigned)
    row = await store.read(lambda session: devices.get(session, "laptop"))
    assert (row.status, row.status_reason) == ("offline", "unsigned_and_forbidden")
    assert "unsigned and forbidden" in devices.absence(row, now=row.updated_at)


async def test_a_command_whose_signature_its_device_refuses_is_tried_until_it_expires(
    signing: Door, enrolled: Peer
) -> None:
    row = await signing.submit(a_request())
    await enrolled.heard("/command")
    await enrolled.say(Kind.REPLY, a_reply(row.id, ReplyStatus.REJECTED, error=an_error("bad_signature")))

    async def told() -> bool:
        return await codes(signing) == ["bad_signature"]

    await until(told)
    assert not Status((await signing.command(row.id)).status).is_final
    signing.pass_time(6)
    assert (await enrolled.heard("/command")).json["id"] == row.id
