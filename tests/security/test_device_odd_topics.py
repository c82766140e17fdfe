"""A device's credentials: topics that no decent client publishes on, written by hand."""

import json

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.conformance.wire_peer import PREFIX, fresh, properties, until
from tests.security.raw import V5, V311, Line, packet, publish, text
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand

ODD: dict[str, str | bytes] = {
    "an empty level, `devices//command`": f"{PREFIX}/devices//command",
    "an empty last level, `devices/victim/command/`": f"{PREFIX}/devices/victim/command/",
    "an empty first level, `/orion/v1/devices/victim/command`": f"/{PREFIX}/devices/victim/command",
    "dots as in paths, `devices/thief/../victim/command`": f"{PREFIX}/devices/thief/../victim/command",
    "its own name in capitals, `devices/THIEF/event`": f"{PREFIX}/devices/THIEF/event",
    "another device's name with a Cyrillic letter": f"{PREFIX}/devices/v\u0456ctim/command",
    "another device's name with a space that has no width": f"{PREFIX}/devices/victim\u200b/command",
    "its own topic with a NUL, `devices/thief/event␀`": f"{PREFIX}/devices/thief/event\x00",
    "bytes that are no UTF-8": f"{PREFIX}/devices/victim/".encode() + b"\xff\xfe/command",
    "a wildcard, `devices/+/command`": f"{PREFIX}/devices/+/command",
    "a wildcard, `devices/#`": f"{PREFIX}/devices/#",
    "a shared subscription's name, `$share/x/orion/v1/devices/victim/command`": (
        f"$share/x/{PREFIX}/devices/victim/command"
    ),
    "the broker's own, `$SYS/broker/version`": "$SYS/broker/version",
    "no topic at all": "",
    "another device's `command`, speaking MQTT 3.1.1": f"{PREFIX}/devices/victim/command",
}


@attempt(
    Attacker.DEVICE,
    "publish on {topic}",
    never="anybody receives it",
    control="a message on its own `event`, by the same hand, arrives",
)
@pytest.mark.parametrize("topic", ODD, ids=lambda topic: topic.partition(",")[0].replace(" ", "-"))
def test_odd_topics(stand: Stand, seen: Seen, topic: str) -> None:
    word, truth = fresh(), fresh()
    number = V311 if topic.endswith("3.1.1") else V5
    stand.overseer.subscribe("$SYS/#", "#")
    thief = stand.device(born=False)
    where = ODD[topic]
    if isinstance(where, str):
        where = where.replace("thief", thief.id)
    else:
        where = where.replace(b"thief", thief.id.encode())
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password, level=number) == 0
        line.send(publish(where, json.dumps({"word": word}).encode(), level=number))
        lives = line.survives()
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password, level=number) == 0
        line.send(publish(f"{thief.topic}/event", json.dumps({"word": truth}).encode(), level=number))
        seen.control(stand.spy.expect(f"{thief.topic}/event", word=truth))

    assert not stand.overheard(word)
    everywhere = (*stand.overseer.seen, *stand.lamp.peer.seen, *stand.thief.peer.seen)
    assert not any(word.encode() in one.payload for one in everywhere)
    seen.became("dropped, the line stays" if lives else "the broker ends the connection", "nothing arrived")


@attempt(
    Attacker.DEVICE,
    "publish on another device's `command` by a topic alias, told once and used without its name",
    never="anybody receives either message",
    control="an alias of its own `event` carries a message",
)
def test_a_topic_alias(stand: Stand, seen: Seen) -> None:
    word, truth = fresh(), fresh()
    thief = stand.device()
    foreign, own = (properties(PacketTypes.PUBLISH, TopicAlias=number) for number in (1, 2))
    thief.peer.publish(f"{stand.victim.topic}/command", {"word": word}, extra=foreign)
    thief.peer.publish(f"{thief.topic}/event", {"word": truth, "nth": 1}, extra=own)
    # paho refuses an empty topic, so the name is taken away on the wire
    thief.close()
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        for number, topic in ((1, f"{stand.victim.topic}/command"), (2, f"{thief.topic}/event")):
            for name in (topic, ""):
                line.send(aliased(number, name, word if number == 1 else truth))
        assert line.survives()

    def heard() -> int:
        return sum(truth.encode() in one.payload for one in stand.spy.all(f"{thief.topic}/event"))

    until(lambda: heard() == 3, what="its own three messages")
    seen.control(heard() == 3)
    assert not stand.overheard(word)
    seen.became("dropped, with its name and without", "nothing arrived")


def aliased(number: int, topic: str, word: str) -> bytes:
    """A PUBLISH of QoS 0 with a topic alias."""
    extra = bytes([3, 0x23, 0, number])
    return packet(0x30, text(topic) + extra + json.dumps({"word": word}).encode())
