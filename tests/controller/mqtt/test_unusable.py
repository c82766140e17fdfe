"""What cannot be used is dropped, counted and told once, and stops nothing."""

import json

import pytest

from schemas.topics import Kind
from tests.controller.mqtt.door import Door, stored, until
from tests.controller.mqtt.peer import Peer
from tests.factories import an_event

UNUSABLE = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"id": 1}',
    b'{"id": "' + b"x" * 10_000 + b'"}',
    b'{"id": NaN}',
    b'{"at": "\xed\xa0\x80"}',
    b'{"id":"\\ud800","type":"t","severity":"info","data":{},"at":"2026-02-12T12:00:00Z"}',
    b'{"id":"e","type":"t","severity":"info","data":{"a":1e999},"at":"2026-02-12T12:00:00Z"}',
    b'{"id":"e","type":"t","severity":"bad","data":{},"at":"2026-02-12T12:00:00Z"}',
    b'{"id":"e","type":"t","severity":"info","data":[],"at":"2026-02-12T12:00:00Z"}',
    b'{"id":"e","type":"t","severity":"info","data":{},"at":1770897600}',
    b'{"id":"e","type":"t","severity":"info","data":{},"at":"2026-02-12T12:00:00"}',
    b'{"data": "' + b"x" * (257 * 1024) + b'"}',
]


async def test_no_unusable_message_stops_the_next_good_one(door: Door, laptop: Peer) -> None:
    for kind in (Kind.PROFILE, Kind.PRESENCE, Kind.HEARTBEAT, Kind.EVENT, Kind.REPLY):
        for payload in UNUSABLE:
            await laptop.say(kind, payload)

    await laptop.say(Kind.EVENT, an_event("good"))

    assert (await laptop.heard("/ack")).json["events"] == ["good"]
    assert (await door.device()).status == "online"
    assert await door.store.read(stored) == ["good"]
    assert door.complaints.counts["laptop"] >= 5 * (len(UNUSABLE) - 2)


async def test_a_device_is_complained_of_once_a_minute(
    door: Door, laptop: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async def complain(times: int) -> None:
        before = door.complaints.counts["laptop"]
        for _ in range(times):
            await laptop.say(Kind.EVENT, b"nonsense")

        async def counted() -> bool:
            return door.complaints.counts["laptop"] == before + times

        await until(counted)

    await complain(5)
    door.clock.monotonic += 59.0
    await complain(1)
    assert caplog.text.count("Dropped a message of laptop") == 1

    door.clock.monotonic += 1.1
    await complain(2)
    assert caplog.text.count("Dropped a message of laptop") == 2


async def test_a_complaint_names_the_fault_and_no_value(
    door: Door, laptop: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    await laptop.say(Kind.EVENT, b'{"id": "s3cr3t", "type": ["s3cr3t"]}')
    await laptop.say(Kind.EVENT, an_event("good"))
    await laptop.heard("/ack")

    assert "Dropped a message of laptop: malformed Event: type: " in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_a_name_from_outside_cannot_write_log_lines_of_its_own(
    door: Door, laptop: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    name = "x\n2026 CRITICAL all is lost" + "y" * 5_000
    beat = json.dumps({"at": "2026-02-12T12:00:00Z", "seq": 1, "boot_id": "b", "temperatures": {name: "hot"}})
    await laptop.say(Kind.HEARTBEAT, beat.encode())
    await laptop.say(Kind.EVENT, an_event("good"))
    await laptop.heard("/ack")

    (line,) = [record.getMessage() for record in caplog.records if "Dropped" in record.getMessage()]
    assert "\n" not in line
    assert len(line) < 500
