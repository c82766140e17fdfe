"""Who may say and hear what, judged by what arrives: a SUBACK or PUBACK proves nothing."""

import json
from collections.abc import Iterator

import pytest

from tests.conformance.conftest import Bench, Orion
from tests.conformance.fake_device import FakeDevice, a_tool
from tests.conformance.wire_peer import PREFIX, Json, Peer, Refused, fresh, stamp, until

CONTROLLER = f"{PREFIX}/controllers/judge"


@pytest.fixture
def pair(bench: Bench) -> Iterator[tuple[FakeDevice, FakeDevice]]:
    """Two devices that are there, at the broker whose controller is a stranger."""
    first, second = (FakeDevice(bench.site.port, name, bench.passwords[name]) for name in ("first", "second"))
    for device in (first, second):
        device.listen(clean=True)
        device.profile([a_tool()])
        device.presence()
    yield first, second
    for device in (first, second):
        device.close()


@pytest.fixture
def judge(bench: Bench) -> Peer:
    """Somebody with the controller's rights."""
    return bench.judge


@pytest.fixture
def spy(bench: Bench) -> Peer:
    """Somebody who may see everything."""
    return bench.spy


def word() -> Json:
    return {"at": stamp(), "id": fresh(), "word": fresh()}


def test_a_device_hears_its_own_and_the_controllers_and_nothing_else(
    pair: tuple[FakeDevice, FakeDevice], judge: Peer
) -> None:
    eager, other = pair
    other_word = word()
    eager.peer.subscribe(
        "#",
        f"{PREFIX}/#",
        f"{PREFIX}/devices/+/command",
        f"{other.topic}/#",
        f"{other.topic}/ack",
        f"{PREFIX}/approvals/#",
        f"{PREFIX}/audit",
        f"{PREFIX}/users/#",
        f"{PREFIX}/controllers/#",
        f"$share/group/{PREFIX}/devices/+/command",
        f"$share/group/{other.topic}/#",
        "$SYS/#",
    )
    mark = eager.peer.mark()
    foreign = [
        f"{other.topic}/{kind}" for kind in ("command", "cancel", "ack", "presence", "reply/main", "event")
    ]
    foreign += [f"{PREFIX}/approvals/{fresh()}", f"{PREFIX}/audit", f"{PREFIX}/users/jan/response"]
    for topic in foreign:
        judge.publish(topic, other_word)
    for kind in ("presence", "profile", "heartbeat"):
        judge.publish(f"{other.topic}/{kind}", other_word, retain=True)
        judge.publish(f"{other.topic}/{kind}", b"", retain=True)
    own = [f"{eager.topic}/{kind}" for kind in ("command", "cancel", "ack")]
    heard = [*own, f"{CONTROLLER}/presence", f"{PREFIX}/controllers/keys"]
    for topic in heard:
        judge.publish(topic, word())
    for topic in heard:
        eager.peer.expect(topic, after=mark)

    assert eager.peer.topics(after=mark) == set(heard)
    assert not eager.peer.all(f"{eager.topic}/profile")  # not even what it said itself
    other.peer.expect(f"{other.topic}/command", word=other_word["word"])


def test_a_shared_subscription_brings_nothing_foreign(
    pair: tuple[FakeDevice, FakeDevice], judge: Peer
) -> None:
    eager, other = pair
    thief = eager.again()
    eager.peer.close()
    thief.peer.connect(clean=True)
    thief.peer.subscribe(
        f"$share/thieves/{other.topic}/command", f"$share/thieves/{PREFIX}/devices/+/reply/+"
    )
    thief.peer.subscribe(f"$share/thieves/{eager.topic}/command", f"$share/thieves/{PREFIX}/#")
    thief.peer.subscribe(f"{eager.topic}/ack")
    judge.publish(f"{other.topic}/command", word())
    other.presence()
    other.peer.publish(f"{other.topic}/reply/judge", word())
    judge.publish(f"{eager.topic}/command", word())
    judge.publish(f"{eager.topic}/ack", word())
    thief.peer.expect(f"{eager.topic}/ack")
    thief.close()

    # Mosquitto grants the subscription; what came by it is the thief's own in any case
    own = {f"{eager.topic}/{kind}" for kind in ("command", "ack")}
    assert thief.peer.topics() - {f"{CONTROLLER}/presence", f"{PREFIX}/controllers/keys"} <= own


def test_a_device_speaks_as_itself_only(spy: Peer, pair: tuple[FakeDevice, FakeDevice]) -> None:
    liar, victim = pair
    mark = spy.mark()
    kinds = ("presence", "profile", "heartbeat", "event", "reply/main", "command", "cancel", "ack")
    forbidden = [f"{victim.topic}/{kind}" for kind in kinds]
    forbidden += [
        f"{liar.topic}/{kind}" for kind in ("command", "cancel", "ack", "reply", "reply/a/b", "other")
    ]
    forbidden += [
        liar.topic,
        f"{CONTROLLER}/presence",
        f"{PREFIX}/controllers/keys",
        f"{PREFIX}/approvals/{fresh()}",
        f"{PREFIX}/audit",
        f"{PREFIX}/users/jan/request",
        f"{PREFIX}/users/jan/decision",
        f"{PREFIX}/users/{liar.id}/request",
        f"{PREFIX}/homeassistant/x",
        f"{PREFIX}/join/x/request",
    ]
    lie = word()
    for topic in forbidden:
        liar.peer.publish(topic, lie, retain=True)
        liar.peer.publish(topic, lie)
        liar.peer.publish(topic, lie, qos=0)
    allowed = [f"{liar.topic}/{kind}" for kind in ("presence", "profile", "heartbeat", "event", "reply/main")]
    truth = word()
    for topic in allowed:
        liar.peer.publish(topic, truth)
    for topic in allowed:
        spy.expect(topic, after=mark, word=truth["word"])

    assert {seen.topic for seen in spy.seen if seen.has({"word": lie["word"]})} == set()
    assert not liar.peer.gone
    assert not victim.peer.gone


def test_a_last_will_reaches_no_foreign_topic(
    bench: Bench, spy: Peer, pair: tuple[FakeDevice, FakeDevice]
) -> None:
    liar, victim = pair
    said = word() | {"state": "offline", "boot_id": victim.boot_id, "reason": "connection_lost"}
    password = liar.password
    liar.peer.close()
    spy.expect(f"{victim.topic}/presence", boot_id=victim.boot_id)  # what is true has come before
    dying = Peer(bench.site.port, liar.id, password, will=(f"{victim.topic}/presence", said, 0))
    mark = spy.mark()
    try:
        dying.connect()
    except Refused:
        return  # a broker that lets no such client in says it even more clearly
    dying.drop()
    after = liar.again()
    after.peer.connect()
    after.presence()
    spy.expect(f"{liar.topic}/presence", after=mark)
    after.close()

    assert not spy.all(f"{victim.topic}/presence", after=mark)


def test_nobody_comes_in_without_name_and_password(bench: Bench, pair: tuple[FakeDevice, FakeDevice]) -> None:
    device, other = pair
    for name, password in (
        (None, None),
        ("", ""),
        (device.id, ""),
        (device.id, "wrong"),
        (device.id, other.password),
        ("nobody", device.password),
        ("controller-judge", device.password),
    ):
        with pytest.raises(Refused):
            # a client id of its own: Mosquitto 2.0.11 loses a device's session to a nameless one with its id
            Peer(bench.site.port, name, password, client_id=f"stranger-{fresh()[:8]}").connect()
    assert not device.peer.gone


def test_a_foreign_client_id_inherits_neither_session_nor_commands(
    bench: Bench, pair: tuple[FakeDevice, FakeDevice], judge: Peer
) -> None:
    thief, victim = pair
    victim.peer.close()  # its session stays at the broker and gathers what is sent
    queued = word()
    judge.publish(f"{victim.topic}/command", queued)
    thief.peer.close()
    masked = Peer(bench.site.port, thief.id, thief.password, client_id=victim.id)
    try:
        masked.connect()
        judge.publish(f"{thief.topic}/ack", queued)
        masked.expect(f"{thief.topic}/ack", word=queued["word"])  # it is itself, whatever it calls itself
        masked.close()
    except Refused:
        pass
    owner = victim.again()
    owner.peer.connect()
    owner.peer.expect(f"{victim.topic}/command", word=queued["word"])
    owner.close()

    assert not masked.all(f"{victim.topic}/command")


def test_a_debugging_user_reads_all_and_says_nothing(
    spy: Peer, pair: tuple[FakeDevice, FakeDevice], judge: Peer
) -> None:
    device, _ = pair
    mark, heard = device.peer.mark(), spy.mark()
    lie, truth = word(), word()
    for topic in (
        f"{device.topic}/command",
        f"{device.topic}/ack",
        f"{CONTROLLER}/presence",
        f"{PREFIX}/audit",
    ):
        spy.publish(topic, lie)
    judge.publish(f"{device.topic}/ack", truth)
    device.peer.expect(f"{device.topic}/ack", after=mark)
    spy.expect(f"{device.topic}/ack", after=heard, word=truth["word"])

    assert [seen.json()["word"] for seen in device.peer.all(f"{device.topic}/ack", after=mark)] == [
        truth["word"]
    ]
    assert not any(seen.has({"word": lie["word"]}) for seen in (*spy.seen, *device.peer.seen))


def test_a_removed_device_is_out_and_its_words_are_gone(orion: Orion) -> None:
    device = orion.born(a_tool())
    beat = {"at": stamp(), "seq": 1, "boot_id": device.boot_id}
    device.peer.publish(f"{device.topic}/heartbeat", beat, retain=True, qos=0)
    device.fence()
    mark = orion.spy.mark()
    orion.site.cli("devices", "remove", device.id, "--yes")
    until(lambda: device.peer.gone, what="the end of its connection")
    kinds = ("presence", "profile", "heartbeat")
    until(
        lambda: all(
            [seen.payload for seen in orion.spy.all(f"{device.topic}/{kind}", after=mark)][-1:] == [b""]
            for kind in kinds
        ),
        what="the end of what it had retained",
    )

    with pytest.raises(Refused):
        device.again().peer.connect()
    assert device.id not in json.dumps(orion.site.cli("devices", "list"))
