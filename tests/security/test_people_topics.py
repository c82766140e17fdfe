"""A viewer's, an operator's and a debugging user's credentials: what they publish and hear beside their own topics."""

import pytest

from tests.conformance.wire_peer import PREFIX, Peer, fresh, stamp
from tests.security.person import Person
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in

ROLES = {Attacker.VIEWER: "viewer", Attacker.OPERATOR: "operator"}

FOREIGN = {
    "a device's `command`": "devices/victim/command",
    "a device's `presence`": "devices/lamp/presence",
    "a device's `ack`": "devices/lamp/ack",
    "`controllers/keys`": "controllers/keys",
    "`approvals/ID`": "approvals/x",
    "another user's `response`": "users/anna/response",
    "`audit`": "audit",
}


def rows(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


def publishes(stand: Stand, seen: Seen, role: str, name: str) -> None:
    person = Person(stand, role)
    where = f"{PREFIX}/{FOREIGN[name]}"
    said = {"id": fresh(), "at": stamp(), "word": fresh()}
    person.peer.publish(where, said, retain=True)
    answer = person.peer.publish(where, said)
    person.fence()
    assert not stand.overheard(said["word"])
    truth = {"id": fresh()}
    mark = stand.spy.mark()
    topic = where.replace("lamp", "other").replace("victim", "other").replace("/keys", "/other/presence")
    stand.overseer.publish(topic, truth)
    seen.control(stand.spy.expect(topic, after=mark, id=truth["id"]))
    person.peer.close()
    seen.became(f"PUBACK “{answer}”", "nothing arrived")


@attempt(
    Attacker.VIEWER,
    "publish on {name}",
    never="anybody receives it, or finds it retained",
    control="somebody with the controller's rights publishes on such a topic",
)
@rows(*FOREIGN)
def test_a_viewer_publishes(stand: Stand, seen: Seen, name: str) -> None:
    publishes(stand, seen, "viewer", name)


@attempt(
    Attacker.OPERATOR,
    "publish on {name}",
    never="anybody receives it, or finds it retained",
    control="somebody with the controller's rights publishes on such a topic",
)
@rows(*FOREIGN)
def test_an_operator_publishes(stand: Stand, seen: Seen, name: str) -> None:
    publishes(stand, seen, "operator", name)


def listens(stand: Stand, seen: Seen, role: str, allowed: tuple[str, ...]) -> None:
    person, other = Person(stand, role), Person(stand, "operator")
    person.peer.subscribe("#", f"{PREFIX}/#", f"$share/x/{PREFIX}/#", "$SYS/#", "$CONTROL/#")
    mark = person.peer.mark()
    real = stand.chatter()
    other.fence()
    person.fence()
    came = person.peer.topics(after=mark)
    person.peer.close()
    foreign = {topic for topic in came if not topic.endswith(allowed) and topic != f"{person.topic}/response"}
    foreign = {topic for topic in foreign if "/approvals/" not in topic or role == "viewer"}

    seen.control(f"{stand.victim.topic}/command" in real and f"{stand.lamp.topic}/presence" in came)
    assert not foreign
    kinds = "presence, heartbeats and its own responses"
    seen.became("granted", f"{kinds} came" if role == "viewer" else f"{kinds}, and cards, came")


@attempt(
    Attacker.VIEWER,
    "subscribe to everything: `#`, `orion/v1/#`, `$share/…`, `$SYS/#`, `$CONTROL/#`",
    never="orders, answers, cards, the audit or another's responses come",
    control="presence, which it may read, comes",
)
def test_a_viewer_listens(stand: Stand, seen: Seen) -> None:
    listens(stand, seen, "viewer", ("/presence", "/heartbeat"))


@attempt(
    Attacker.OPERATOR,
    "subscribe to everything: `#`, `orion/v1/#`, `$share/…`, `$SYS/#`, `$CONTROL/#`",
    never="orders, answers, the audit or another's responses come",
    control="presence, which it may read, comes",
)
def test_an_operator_listens(stand: Stand, seen: Seen) -> None:
    listens(stand, seen, "operator", ("/presence", "/heartbeat"))


@attempt(
    Attacker.OPERATOR,
    "connect with its own credentials and a device's client id",
    never="the device loses its line, or its orders come here",
    control="the device receives its orders",
)
def test_a_devices_client_id(stand: Stand, seen: Seen) -> None:
    person = Person(stand, "operator")
    password = person.password
    person.peer.close()
    masked = Peer(stand.site.port, person.name, password, client_id=stand.lamp.id)
    outcome = let_in(masked)
    masked.subscribe(f"{stand.lamp.topic}/command")
    command = stand.light(stand.lamp)
    masked.close()

    seen.control(command["tool"] == "light" and not stand.lamp.peer.gone)
    assert not masked.all(f"{stand.lamp.topic}/command")
    seen.became(outcome, "it is itself, whatever it calls itself")


@attempt(
    Attacker.OPERATOR,
    "leave a Last Will on a device's `command`",
    never="it is delivered",
    control="what the controller orders is delivered there",
)
def test_a_users_will(stand: Stand, seen: Seen) -> None:
    person = Person(stand, "operator")
    word = fresh()
    password = person.password
    person.peer.close()
    will = (f"{stand.lamp.topic}/command", {"id": word}, 0)
    dying = Peer(stand.site.port, person.name, password, will=will)
    outcome = let_in(dying)
    dying.drop()

    seen.control(stand.light(stand.lamp)["tool"] == "light")
    assert not stand.overheard(word)
    seen.became(outcome, "nothing was delivered")


@attempt(
    Attacker.DEBUG,
    "publish on {name}",
    never="anybody receives it",
    control="somebody with the controller's rights publishes on such a topic",
)
@rows("a device's `command`", "`approvals/ID`")
def test_a_debugging_user_publishes(stand: Stand, seen: Seen, name: str) -> None:
    where = f"{PREFIX}/{FOREIGN[name]}"
    said = {"id": fresh(), "at": stamp(), "word": fresh()}
    answer = stand.spy.publish(where, said)
    stand.victim.fence()
    assert not stand.overheard(said["word"])
    mark = stand.spy.mark()
    topic = where.replace("victim", "other")
    stand.overseer.publish(topic, truth := {"id": fresh()})
    seen.control(stand.spy.expect(topic, after=mark, id=truth["id"]))
    seen.became(f"PUBACK “{answer}”", "nothing arrived")
