"""A device's credentials: too much, too large, malformed, or never read."""

import time

import pytest

from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import fresh, stamp
from tests.security.raw import Line, packet, publish, text
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand

DEVICE = Attacker.DEVICE
IN_TIME = 3.0  # seconds for another device's order, on a machine that is busy
LIMIT = 256 * 1024


@attempt(
    DEVICE,
    "send a packet of {size}",
    never="others lose their lines, or the controller stops",
    control="a message of a kilobyte on the same topic is stored",
)
@pytest.mark.parametrize("size", ["300 KiB", "200 MiB, announced and begun"])
def test_oversize(stand: Stand, seen: Seen, size: str) -> None:
    thief = stand.device(born=False)
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        if size.startswith("300"):
            line.send(publish(f"{thief.topic}/event", b"x" * 300 * 1024))
        else:
            line.send(b"\x30\x80\x80\x80\x64" + text(f"{thief.topic}/event") + b"x" * 300 * 1024)
        ended = not line.survives()
    stand.victim.fence()
    sender = thief.again()
    stand.others.append(sender)
    sender.birth([a_tool()])
    own = sender.event(data={"text": "x" * 1024})
    sender.fence()

    seen.control(own in stand.events())
    assert ended
    assert not stand.lamp.peer.gone
    seen.became("the broker ends this connection", "nobody else notices")


MALFORMED = {
    "a CONNECT on a connection that has one": packet(
        0x10, text("MQTT") + b"\x05\x02\x00\x3c\x00" + text("x")
    ),
    "a length of five digits": b"\x30\xff\xff\xff\xff\x7f",
    "a SUBSCRIBE without a filter": packet(0x82, b"\x00\x01\x00"),
    "a PUBLISH of QoS 3": packet(0x36, text("a") + b"\x00\x01\x00"),
    "a packet of kind 0": packet(0x00, b""),
    "a PUBACK for nothing": packet(0x40, b"\x00\x09"),
    "a property that does not exist": packet(0x30, text("a") + b"\x02\x7f\x00"),
}


@attempt(
    DEVICE,
    "send {what}",
    never="the broker falls, or others lose their lines",
    control="a PING, by the same hand, is answered",
)
@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_packets(stand: Stand, seen: Seen, what: str) -> None:
    thief = stand.device(born=False)
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        seen.control(line.survives())
        line.send(MALFORMED[what])
        lives = line.survives()
    stand.victim.fence()

    assert not stand.lamp.peer.gone
    seen.became("ignored" if lives else "the broker ends this connection", "nobody else notices")


@attempt(
    DEVICE,
    "send what is no message on its own topics: {what}",
    never="the controller stops, or takes half of it",
    control="a good event behind it is stored",
)
@pytest.mark.parametrize(
    "what", ["no JSON", "JSON 100,000 levels deep", "256 KiB of keys", "numbers too large"]
)
def test_malformed_messages(stand: Stand, seen: Seen, what: str) -> None:
    thief = stand.device()
    payload = {
        "no JSON": b"\xff\x00{",
        "JSON 100,000 levels deep": b"[" * 100_000,
        "256 KiB of keys": b"{" + b",".join(b'"%d":1' % n for n in range(28_000)) + b"}",
        "numbers too large": b'{"id": 1e999999, "at": ' + b"9" * 10_000 + b"}",
    }[what]
    for kind in ("event", "profile", "presence", "heartbeat", "reply/main"):
        thief.peer.publish(f"{thief.topic}/{kind}", payload)
    own = thief.event()
    thief.fence()

    seen.control(own in stand.events())
    assert [tool["name"] for tool in stand.show(thief.id)["tools"]] == ["light"]
    seen.became("counted and dropped", "what came before stands")


@attempt(
    DEVICE,
    "flood: 3,000 events as fast as they leave",
    never="another device's order takes longer than 3 s",
    control="another device's order is executed meanwhile",
)
def test_a_flood(stand: Stand, seen: Seen) -> None:
    thief = stand.device()
    for _ in range(3_000):
        event = {"id": fresh(), "type": "noise", "severity": "info", "data": {}, "at": stamp()}
        thief.peer.send(f"{thief.topic}/event", event, qos=0)
    path = stand.victim.path()
    begun = time.monotonic()
    made = stand.victim.make(path)
    took = time.monotonic() - begun

    seen.control(made["status"] == "succeeded" and path.is_dir())
    assert took < IN_TIME
    seen.became("the other order is executed in time")


@attempt(
    DEVICE,
    "stop reading: subscribe to its own Acks, with 4 MB of them on the way, and read nothing",
    never="another device's order takes longer than 3 s",
    control="another device's order is executed meanwhile",
)
def test_a_slow_subscriber(stand: Stand, seen: Seen) -> None:
    thief = stand.device(born=False)
    with Line(stand.site.port, buffer=4_096) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        line.subscribe(f"{thief.topic}/ack")
        for _ in range(200):
            stand.overseer.send(f"{thief.topic}/ack", b"x" * 20_000)
        path = stand.victim.path()
        begun = time.monotonic()
        made = stand.victim.make(path)
        took = time.monotonic() - begun

    seen.control(made["status"] == "succeeded" and path.is_dir())
    assert took < IN_TIME
    assert not stand.lamp.peer.gone
    seen.became("its messages wait for it alone", "the other order is executed in time")
