"""A viewer's and an operator's credentials: what comes by MQTT in a person's name, and what it can cause."""

from pathlib import Path

import pytest

from tests.conformance.wire_peer import PREFIX, Json, Peer, fresh, stamp, until
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in

ROLES = {Attacker.VIEWER: "viewer", Attacker.OPERATOR: "operator"}
ENDS = ("final", "error", "decision_result")


class Person:
    """Somebody who speaks over MQTT."""

    def __init__(self, stand: Stand, role: str) -> None:
        self.stand = stand
        self.name, self.password = stand.user(role)
        self.peer = Peer(stand.site.port, self.name, self.password)
        self.peer.connect(clean=True)
        self.topic = f"{PREFIX}/users/{self.name}"
        self.peer.subscribe(f"{self.topic}/response")

    def ask(self, text: str, **more: str) -> Json:
        """Say it and wait for the end."""
        request = {"id": fresh(), "text": text, "at": stamp()} | more
        self.peer.publish(f"{self.topic}/request", request)
        return self.end(request["id"])

    def end(self, request_id: str) -> Json:
        def over() -> list[Json]:
            found = [one.json() for one in self.peer.all(f"{self.topic}/response", request_id=request_id)]
            return [one for one in found if one["type"] in ENDS]

        until(over, within=20, what="an answer")
        return over()[0]

    def fence(self) -> None:
        """What was published before has been looked at when this returns."""
        self.ask("which devices are there?")

    def decide(self, approval_id: str, card_hash: str) -> Json:
        decision = {"id": fresh(), "approval_id": approval_id, "approval_hash": card_hash}
        self.peer.publish(f"{self.topic}/decision", decision | {"decision": "approve", "at": stamp()})
        return self.end(decision["id"])


def a_folder(stand: Stand) -> Path:
    return stand.files / f"made-{fresh()[:8]}"


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
    Attacker.VIEWER,
    "ask by MQTT for something that changes a device",
    never="it is executed",
    control="an operator asks the same and it is executed",
)
def test_a_viewer_asks(stand: Stand, seen: Seen) -> None:
    person, operator = Person(stand, "viewer"), Person(stand, "operator")
    path, good = a_folder(stand), a_folder(stand)
    person.ask(f"create a folder {path} on victim")
    assert not path.exists()
    operator.ask(f"create a folder {good} on victim")

    seen.control(good.is_dir())
    for one in (person, operator):
        one.peer.close()
    seen.became("denied by the controller", "nothing ran")


@attempt(
    Attacker.OPERATOR,
    "ask by MQTT for what is above `mqtt_max_risk`: delete a folder",
    never="it is executed, or put before a person",
    control="an administrator says the same through the API, a person approves it, and it is executed",
)
def test_an_operator_asks_for_too_much(stand: Stand, seen: Seen) -> None:
    person = Person(stand, "operator")
    path = a_folder(stand)
    stand.victim.make(path)
    text = f"delete the folder {path} on victim"
    person.ask(text)
    assert path.is_dir()
    cards = stand.http.get("approvals", params={"status": "pending"}).json()["items"]
    assert not [card for card in cards if str(path) in str(card)]

    said = stand.ask(text)
    stand.approve(next(line["approval_id"] for line in said if line["type"] == "approval_required"))
    until(lambda: not path.exists(), what="the folder's end")
    seen.control(not path.exists())
    person.peer.close()
    seen.became("denied by the controller", "nothing ran")


@attempt(
    Attacker.OPERATOR,
    "say yes to a card by MQTT, where that is off",
    never="the order goes",
    control="a person says yes through the API",
)
def test_an_operator_decides(stand: Stand, seen: Seen) -> None:
    person = Person(stand, "operator")
    mark = stand.lamp.peer.mark()
    asked = stand.order(stand.lamp.id, "open_door", wait=0)
    topic = f"{PREFIX}/approvals/{asked['approval_id']}"
    card = stand.spy.expect(topic, id=asked["approval_id"]).json()
    told = person.decide(card["id"], card["hash"])
    assert stand.http.get(f"approvals/{card['id']}").json()["status"] == "pending"
    assert not stand.lamp.peer.all(f"{stand.lamp.topic}/command", after=mark)

    stand.approve(card["id"])
    command = stand.lamp.expect_command(after=mark, id=asked["command_id"]).json()
    stand.lamp.reply(command, "succeeded", result={})
    seen.control(command["tool"] == "open_door")
    person.peer.close()
    seen.became(f"answered `{told.get('error', {}).get('code')}`", "the card stays open")


@attempt(
    Attacker.OPERATOR,
    "speak as another user: a request on `users/OTHER/request`, and one of its own that names the other",
    never="something is done in the other's name",
    control="the other one's own request is done in its name",
)
def test_in_anothers_name(stand: Stand, seen: Seen) -> None:
    person, other = Person(stand, "viewer"), Person(stand, "operator")
    path, good = a_folder(stand), a_folder(stand)
    text = f"create a folder {path} on victim"
    person.peer.publish(f"{other.topic}/request", {"id": fresh(), "text": text, "at": stamp()})
    person.ask(text, username=other.name, user=other.name, role="operator")
    assert not path.exists()
    other.ask(f"create a folder {good} on victim")

    seen.control(good.is_dir())
    for one in (person, other):
        one.peer.close()
    seen.became("the first is not delivered; the second counts as its own", "nothing ran")


@attempt(
    Attacker.OPERATOR,
    "have a request done twice: the same id again, and retained",
    never="it is done twice",
    control="it is done once",
)
def test_twice(stand: Stand, seen: Seen) -> None:
    person = Person(stand, "operator")
    path = a_folder(stand)
    request = {"id": fresh(), "text": f"create a folder {path} on victim", "at": stamp()}
    person.peer.publish(f"{person.topic}/request", request)
    person.end(request["id"])
    seen.control(path.is_dir())
    path.rmdir()
    person.peer.publish(f"{person.topic}/request", request)
    person.peer.publish(f"{person.topic}/request", request | {"id": fresh()}, retain=True)
    person.fence()

    assert not path.exists()
    stand.overseer.publish(f"{person.topic}/request", b"", retain=True)
    person.peer.close()
    seen.became("each id once, nothing retained", "nothing ran again")


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
