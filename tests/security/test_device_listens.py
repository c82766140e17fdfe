"""A device's credentials: what its owner can hear. Every subscription is granted; what counts is what comes."""

import pytest

from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.wire_peer import PREFIX, MQTTv5, MQTTv311, until
from tests.security.raw import Line
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand

KINDS = ("command", "ack", "reply/main")
OWN = ("command", "cancel", "ack")


def hears_of_others(stand: Stand, thief: FakeDevice, *, after: int = 0) -> set[str]:
    """The topics that came and are neither its own nor the controllers'."""
    allowed = {f"{thief.topic}/{kind}" for kind in OWN}
    came = thief.peer.topics(after=after)
    return {topic for topic in came - allowed if not topic.startswith(f"{PREFIX}/controllers/")}


FILTERS = {
    "`#`": "#",
    "`orion/v1/#`": f"{PREFIX}/#",
    "`+/+/+/+/+`": "+/+/+/+/+",
    "`orion/v1/devices/+/command`": f"{PREFIX}/devices/+/command",
    "`orion/v1/devices/victim/#`": f"{PREFIX}/devices/victim/#",
    "`orion/v1/devices/victim/reply/main`": f"{PREFIX}/devices/victim/reply/main",
    "`orion/v1/devices/+/profile`, which is retained": f"{PREFIX}/devices/+/profile",
    "`orion/v1/approvals/#`": f"{PREFIX}/approvals/#",
    "`orion/v1/audit`": f"{PREFIX}/audit",
    "`$share/x/orion/v1/#`": f"$share/x/{PREFIX}/#",
    "`$share/x/orion/v1/devices/victim/command`": f"$share/x/{PREFIX}/devices/victim/command",
}


@attempt(
    Attacker.DEVICE,
    "subscribe to {name}",
    never="a message of others comes",
    control="a user who may read all receives these very messages; the device's own Ack comes",
)
@pytest.mark.parametrize("name", FILTERS, ids=lambda name: name.split("`")[1])
def test_a_filter(stand: Stand, seen: Seen, name: str) -> None:
    thief = stand.device()
    answer = thief.peer.subscribe(FILTERS[name])
    mark = thief.peer.mark()
    real = stand.chatter()
    thief.fence()  # an event of its own is acknowledged: the line is alive

    seen.control(
        real >= {f"{stand.victim.topic}/{kind}" for kind in KINDS} | {f"{PREFIX}/audit"}
        and any(topic.startswith(f"{PREFIX}/approvals/") for topic in real)
    )
    assert not hears_of_others(stand, thief)
    assert thief.peer.all(f"{thief.topic}/ack", after=mark)
    seen.became(f"SUBACK “{answer[0]}”", "only its own came")


@attempt(
    Attacker.DEVICE,
    "subscribe to everything as an MQTT {version} client, and come back to the session",
    never="a message of others comes, then or from the queue",
    control="a user who may read all receives these very messages; the device's own Ack comes",
)
@pytest.mark.parametrize("version", ["5.0", "3.1.1"])
def test_a_session_that_listened(stand: Stand, seen: Seen, version: str) -> None:
    thief = stand.device(protocol=MQTTv5 if version == "5.0" else MQTTv311)
    thief.peer.subscribe("#", f"{stand.victim.topic}/command")
    thief.close()  # its session stays, and gathers what it may have
    real = stand.chatter()
    again = thief.again()
    stand.others.append(again)
    again.listen()
    again.profile([a_tool()])
    again.presence()
    again.fence()

    seen.control(f"{stand.victim.topic}/command" in real)
    assert not hears_of_others(stand, again)
    seen.became("granted", "only its own came")


@attempt(
    Attacker.DEVICE,
    "subscribe to `$SYS/#`",
    never="it learns how the broker is used",
    control="somebody with the controller's rights reads it",
)
def test_the_brokers_figures(stand: Stand, seen: Seen) -> None:
    thief = stand.device()
    answer = thief.peer.subscribe("$SYS/#")
    stand.overseer.subscribe("$SYS/broker/version")
    seen.control(stand.overseer.expect("$SYS/broker/version"))
    thief.fence()

    assert not hears_of_others(stand, thief)
    seen.became(f"SUBACK “{answer[0]}”", "nothing came")


@attempt(
    Attacker.DEVICE,
    "read its own words: `profile` and `event` of its own",
    never="a device reads more than orders and Acks",
    control="a user who may read all receives them; the device's own Ack comes",
)
def test_its_own_words(stand: Stand, seen: Seen) -> None:
    thief = stand.device()
    answer = thief.peer.subscribe(f"{thief.topic}/profile", f"{thief.topic}/event")
    own = thief.event()
    thief.fence()

    seen.control(stand.spy.expect(f"{thief.topic}/event", id=own))
    assert not hears_of_others(stand, thief)
    seen.became(f"SUBACK “{answer[0]}”", "nothing came")


@attempt(
    Attacker.DEVICE,
    "subscribe by a filter that is none: `{name}`",
    never="a message of others comes",
    control="a filter of its own, on a line like it, is granted",
)
@pytest.mark.parametrize("name", ["orion/v1/dev#", "orion/v1/+victim/command", "$share//orion/v1/#"])
def test_filters_that_are_none(stand: Stand, seen: Seen, name: str) -> None:
    thief = stand.device(born=False)
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        line.subscribe(f"{thief.topic}/ack")
        seen.control(line.survives())
    with Line(stand.site.port) as line:
        assert line.connect(thief.id, thief.id, thief.password) == 0
        answered = line.try_subscribe(name)
        stand.victim.fence()
        came = line.published()

    assert not [body for body in came if b"/controllers/" not in body]
    seen.became(answered, "nothing came")


@attempt(
    Attacker.DEVICE,
    "listen on in a session whose rights were taken: removed while it is subscribed to everything",
    never="a message comes after the removal",
    control="before the removal its own Ack came",
)
def test_listening_on(stand: Stand, seen: Seen) -> None:
    thief = stand.device()
    thief.peer.subscribe("#")
    thief.fence()
    seen.control(thief.peer.all(f"{thief.topic}/ack"))
    stand.http.delete(f"devices/{thief.id}", headers={"If-Match": "*"}).raise_for_status()
    mark = thief.peer.mark()
    until(lambda: thief.peer.gone, what="the end of its connection")
    stand.chatter()

    assert not hears_of_others(stand, thief, after=mark)
    seen.became("the broker ends the connection", "nothing came")
