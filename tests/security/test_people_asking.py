"""A viewer's and an operator's credentials: what comes by MQTT in a person's name, and what it can cause."""

from tests.conformance.wire_peer import PREFIX, fresh, stamp, until
from tests.security.person import Person, a_folder
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand


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
