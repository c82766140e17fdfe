"""Presence at the door: what the broker has in its store proves no life of this moment."""

import asyncio
import os
import signal
from datetime import timedelta

from controller.services import devices, events
from controller.store.store import Session
from controller.store.tables import EventRow
from schemas.topics import Kind
from tests.controller.mqtt.door import Door, arrive, reconnect, until
from tests.controller.mqtt.peer import Peer, peer
from tests.factories import ADMIN, a_heartbeat, a_place, a_presence, a_profile, an_event


async def silence(door: Door) -> None:
    """Three periods pass in which nobody says anything."""
    now = door.clock.now() + timedelta(seconds=91)
    await door.store.write(
        lambda session: devices.call_stale(
            session, now=now, heartbeat_s=30.0, listening_since=now - timedelta(hours=1)
        )
    )


async def beat(door: Door, found: Peer, seq: int, *, ahead: float = 0.0) -> None:
    at = door.clock.now() + timedelta(seconds=ahead)
    await found.say(Kind.HEARTBEAT, a_heartbeat(seq, at=at), retain=True, qos=0)


async def until_beat(door: Door, seq: int) -> None:
    async def stored() -> bool:
        heartbeat = (await door.device()).heartbeat
        return heartbeat is not None and heartbeat["seq"] == seq

    await until(stored)


async def test_what_is_stored_lifts_no_silence_and_a_live_heartbeat_does(door: Door, laptop: Peer) -> None:
    door.clock.ahead += timedelta(seconds=10)  # heartbeats are stored now and then
    await beat(door, laptop, 1)
    await until_beat(door, 1)
    await silence(door)

    await reconnect(door)  # the broker tells presence and heartbeat again
    await laptop.say(Kind.EVENT, b"{}")

    async def heard() -> bool:
        return door.complaints.counts["laptop"] == 1

    await until(heard)
    assert (await door.device()).status == "stale"

    door.clock.ahead += timedelta(seconds=10)
    await beat(door, laptop, 2)
    await door.until_device("online")


async def test_a_heartbeat_is_measured_when_it_came_not_when_it_was_stored(door: Door, laptop: Peer) -> None:
    await beat(door, laptop, 1, ahead=5.0)

    async def kept() -> bool:
        return bool(door.link._inbox._heartbeats)

    await until(kept)
    door.clock.ahead += timedelta(seconds=200)
    await laptop.say(Kind.PRESENCE, a_presence(at=door.clock.now()), retain=True)
    await until_beat(door, 1)

    skew = (await door.device()).clock_skew_s
    assert skew is not None
    assert 3.0 < skew <= 5.0


async def test_two_programs_with_one_id_are_told_of(door: Door) -> None:
    endpoint = await door.broker.add_device("laptop")
    new = a_place("laptop")
    await door.store.write(lambda session: devices.add(session, new, actor=ADMIN, now=door.clock.now()))

    for boot_id in ("program-a", "program-b", "program-a"):
        async with peer(endpoint, door.topics, [], clean_start=False) as found:
            profile = a_profile(boot_id=boot_id, tools=[], at=door.clock.now(), hostname=f"{boot_id}-pc")
            await found.say(Kind.PROFILE, profile, retain=True)
            await found.say(Kind.PRESENCE, a_presence(boot_id=boot_id, at=door.clock.now()), retain=True)

            async def believed(boot_id: str = boot_id) -> bool:
                row = await door.device()
                return (row.status, row.boot_id) == ("online", boot_id)

            await until(believed)
            door.clock.ahead += timedelta(seconds=1)

    told: list[EventRow] = await door.store.read(
        lambda session: events.recent(session, event_type="identity_conflict")
    )
    assert [event.data for event in told] == [
        {"boot_ids": ["program-a", "program-b"], "hostnames": ["program-a-pc", "program-b-pc"]}
    ]


async def test_a_killed_broker_brings_no_old_life_back(door: Door) -> None:
    endpoint = await door.broker.add_device("laptop")
    new = a_place("laptop")
    await door.store.write(lambda session: devices.add(session, new, actor=ADMIN, now=door.clock.now()))
    supervisor = door.broker.supervisor
    for boot_id in ("before", "after"):
        async with peer(endpoint, door.topics, []) as found:
            profile = a_profile(boot_id=boot_id, tools=[], at=door.clock.now())
            await found.say(Kind.PROFILE, profile, retain=True)
            await found.say(Kind.PRESENCE, a_presence(boot_id=boot_id, at=door.clock.now()), retain=True)

            async def believed(boot_id: str = boot_id) -> bool:
                row = await door.device()
                return (row.status, row.boot_id) == ("online", boot_id)

            await until(believed)
            door.clock.ahead += timedelta(seconds=1)
        if boot_id == "before":
            await saved(door)
    killed = supervisor.pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)

    async def works_again() -> bool:
        return supervisor.pid not in (None, killed) and door.link.connected

    await until(works_again)
    async with peer(endpoint, door.topics, [door.topics.device("laptop", Kind.ACK)]) as found:
        await found.say(Kind.EVENT, an_event("e1"))
        await found.heard("/ack")  # what the broker had in its store was told before

    row = await door.device()
    assert (row.status, row.boot_id) == ("online", "after")
    assert await door.store.read(lambda session: events.recent(session, event_type="identity_conflict")) == []


async def saved(door: Door) -> None:
    """Have the broker write what it knows to its disk."""
    pid = door.broker.supervisor.pid
    assert pid is not None
    file = door.broker.settings.directory / "mosquitto.db"

    async def holds_it() -> bool:
        os.kill(pid, signal.SIGUSR1)
        if not await asyncio.to_thread(file.exists):
            return False
        return b'"before"' in await asyncio.to_thread(file.read_bytes)

    await until(holds_it)


async def test_nobody_is_believed_online_by_a_broker_that_forgot_everything(door: Door) -> None:
    endpoint = await door.broker.add_device("laptop")

    def believe(session: Session) -> None:
        devices.add(session, a_place(), actor=ADMIN, now=door.clock.now())
        devices.store_profile(session, "laptop", a_profile(), now=door.clock.now())
        devices.store_presence(session, "laptop", a_presence(), now=door.clock.now())

    await door.store.write(believe)
    assert door.broker.supervisor.pid is not None
    os.kill(door.broker.supervisor.pid, signal.SIGKILL)  # it has saved nothing yet

    async def forgotten() -> bool:
        row = await door.device()
        return (row.status, row.status_reason) == ("offline", "broker_restarted")

    await until(forgotten)
    async with peer(endpoint, door.topics, []) as back:
        await arrive(door, back)
