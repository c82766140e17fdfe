"""A request to join without the code, with another key, a second time or for another's place; and what is seen of it."""

import pytest

from schemas.joining import JoinCode
from schemas.signing import Signer, to_text
from tests.conformance.wire_peer import PREFIX, Peer, fresh
from tests.security.joiner import CODE, Joiner, until_void
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, a_command, let_in


@attempt(
    Attacker.BROKER,
    "join in a device's place: let oneself in as `join-ID` and ask without the code, again and again",
    never="the place is given away",
    control="who has the code gets the place",
)
def test_joining_without_the_code(stand: Stand, seen: Seen) -> None:
    name, code = stand.invited()
    joiner = Joiner(stand, code)
    wrong = to_text(bytes(32))
    for _ in range(3):
        joiner.request(proof_key=wrong).send(stand.overseer)
        joiner.request().but(user=()).send(stand.overseer) if _ == 0 else None

    seen.control(joiner.join()["device_id"] == name)
    assert stand.public_key(name) == joiner.signer.public
    seen.became("not answered, counted; five such requests make the code void")


@attempt(
    Attacker.BROKER,
    "put the attacker's key into a request to join that passes by",
    never="the device's place is given to that key",
    control="the request as the device made it is granted",
)
def test_another_key_in_a_request(stand: Stand, seen: Seen) -> None:
    name, code = stand.invited()
    joiner = Joiner(stand, code)
    theirs = Signer.generate()
    joiner.request().with_fields(public_key=theirs.public).send(stand.overseer)

    seen.control(joiner.join()["device_id"] == name)
    assert stand.public_key(name) == joiner.signer.public
    seen.became("not proven by the code: not answered")


@attempt(
    Attacker.TRAFFIC,
    "replay a request to join that was granted",
    never="the device's key or password changes",
    control="the device that joined is let in and believed",
)
def test_a_replayed_request(stand: Stand, seen: Seen) -> None:
    name, code = stand.invited()
    joiner = Joiner(stand, code)
    given = joiner.join()
    until_void(joiner)
    joiner.request().send(stand.overseer)
    stand.lamp.fence()

    assert stand.public_key(name) == joiner.signer.public
    seen.control(let_in(Peer(stand.site.port, name, given["password"])) == "let in")
    seen.became("the code is worth nothing any more: not answered")


@attempt(
    CODE,
    "with a good code, before joining: {act}",
    never="it reaches anything but its own request and answer",
    control="with the same code it joins",
)
@pytest.mark.parametrize(
    "act", ["publish a command to a device", "subscribe to everything", "listen to another code's answer"]
)
def test_beyond_joining(stand: Stand, seen: Seen, act: str) -> None:
    name, code = stand.invited()
    joiner = Joiner(stand, code)
    assert joiner.come() == "let in"
    path = stand.victim.path()
    word = fresh()
    if act.startswith("publish"):
        order = a_command(stand.victim.topic, "create_directory", {"path": str(path)}, id=word)
        joiner.peer.publish(f"{stand.victim.topic}/command", order)
        stand.victim.fence()
    elif "everything" in act:
        joiner.peer.subscribe("#", f"{PREFIX}/#", f"$share/x/{PREFIX}/#")
        stand.chatter()
    else:
        _, other = stand.invited()
        joiner.peer.subscribe(f"{PREFIX}/join/+/response", f"{PREFIX}/join/{other.invite_id}/response")
        assert "device_id" in Joiner(stand, other).join()
    joiner.request().send(joiner.peer)
    answer = joiner.answer()

    assert not stand.overheard(word)
    assert joiner.peer.topics() == {f"{joiner.topic}/response"}
    seen.control(answer["device_id"] == name)
    seen.became("nothing arrived but its own answer")


@attempt(
    Attacker.DEBUG,
    "read the answer to a device that joins, which holds its password",
    never="the answer comes",
    control="the device that joins receives it",
)
def test_reading_anothers_answer(stand: Stand, seen: Seen) -> None:
    _, code = stand.invited()
    joiner = Joiner(stand, code)
    password = joiner.join()["password"]
    stand.lamp.fence()

    seen.control(password)
    assert not stand.overheard(password)
    seen.became("hidden from who may read everything else")


@attempt(
    CODE,
    "get a code for a device that has {whose} name, and join with it",
    never="the device is let in under that name",
    control="who has the name is let in as before",
)
@pytest.mark.parametrize("whose", ["an admin's", "a debugging user's", "the controller's"])
def test_a_name_that_is_somebodys(stand: Stand, seen: Seen, whose: str) -> None:
    name, password = _somebody(stand, whose)
    answer = stand.http.post(f"devices/{name}/invite", json={})
    if answer.is_success:  # the broker alone knows who has it
        refused = Joiner(stand, JoinCode.read(answer.json()["code"])).join()
        assert "password" not in refused
        outcome = "the code is given; its use is refused"
    else:
        outcome = "no code is given"

    if password is None:
        seen.control(stand.http.get("health").json()["status"] == "ready")
    else:
        seen.control(let_in(Peer(stand.site.port, name, password)) == "let in")
    seen.became(outcome)


def _somebody(stand: Stand, whose: str) -> tuple[str, str | None]:
    """A name that a device could have, and its password."""
    if whose.startswith("the controller"):
        return "controller-main", None
    name = f"boss-{fresh()[:8]}"
    if whose.startswith("a debugging"):
        return name, stand.http.post("debug-users", json={"username": name}).json()["password"]
    return name, stand.http.post("users", json={"username": name, "role": "admin"}).json()["mqtt"]["password"]
