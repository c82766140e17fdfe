"""Join codes: stolen after their use, guessed, replaced, expired, used twice; and what the broker sees of them."""

import json
import threading

import pytest

from broker.identities import Identities
from schemas.joining import JoinCode, prove
from schemas.signing import Signer, to_text
from tests.conformance.wire_peer import PREFIX, Json, MQTTv311, Peer, fresh, until
from tests.security.forgery import Message
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, a_command, let_in

CODE = Attacker.JOIN_CODE


class Joiner:
    """Somebody who holds a code and asks for the place that it is for."""

    def __init__(self, stand: Stand, code: JoinCode) -> None:
        self.stand, self.code = stand, code
        self.signer = Signer.generate()
        self.peer = Peer(stand.site.port, code.username, code.password)
        self.topic = f"{PREFIX}/join/{code.invite_id}"

    def come(self) -> str:
        """Connect and listen for the answer; what the broker says."""
        said = let_in(self.peer, clean=True)
        if said == "let in":
            self.peer.subscribe(f"{self.topic}/response")
        return said

    def request(self, proof_key: str | None = None, **changes: str) -> Message:
        payload = json.dumps({"public_key": self.signer.public, "hostname": "box"} | changes).encode()
        topic = f"{self.topic}/request"
        return Message(topic, payload, prove(proof_key or self.code.proof_key, topic, payload))

    def answer(self) -> Json:
        return self.peer.expect(f"{self.topic}/response").json()

    def join(self) -> Json:
        assert self.come() == "let in"
        self.request().send(self.peer)
        return self.answer()


def until_void(joiner: Joiner) -> None:
    """The broker has put out who came with this code, and lets nobody in with it any more."""
    until(lambda: joiner.peer.gone, within=15, what="the end of the line")
    names = Identities(joiner.stand.site.directory / "data" / "broker")
    until(lambda: joiner.code.username not in names.all(), within=15, what="the end of the code")
    joiner.stand.place(f"dev-{fresh()[:8]}")  # a later change: the broker has read this one


@attempt(
    CODE,
    "use a code that was used, {how}",
    never="another device is let in or given the place",
    control="the first one to use it got the place",
)
@pytest.mark.parametrize("how", ["by MQTT 5.0", "by MQTT 3.1.1"])
def test_a_used_code(stand: Stand, seen: Seen, how: str) -> None:
    name, code = stand.invited()
    first = Joiner(stand, code)
    seen.control(first.join()["device_id"] == name)
    until_void(first)
    version: Json = {} if "5.0" in how else {"protocol": MQTTv311}
    outcome = let_in(Peer(stand.site.port, code.username, code.password, **version))

    assert outcome != "let in"
    seen.became(outcome)


@attempt(
    CODE,
    "use one code twice at the same moment, with two keys",
    never="both are given the place",
    control="one of them is",
)
def test_a_code_used_twice_at_once(stand: Stand, seen: Seen) -> None:
    name, code = stand.invited()
    one, other = Joiner(stand, code), Joiner(stand, code)
    assert one.come() == "let in"
    requests = [one.request(), other.request()]
    sending = [threading.Thread(target=each.send, args=(one.peer,)) for each in requests]
    for thread in sending:
        thread.start()
    for thread in sending:
        thread.join()
    until(lambda: one.peer.gone, what="the end of the code")
    answers = [seen_one.json() for seen_one in one.peer.all(f"{one.topic}/response")]
    granted = [answer for answer in answers if answer.get("device_id") == name]

    seen.control(len(granted) == 1)
    assert stand.public_key(name) in (one.signer.public, other.signer.public)
    refused = [answer["error"]["code"] for answer in answers if "error" in answer]
    assert refused in ([], ["conflict"])
    seen.became("one place for one key; the other is refused or put out")


@attempt(
    CODE,
    "use a code that was replaced by a newer one for the same device",
    never="it is given the place",
    control="the newer code is good",
)
def test_a_replaced_code(stand: Stand, seen: Seen) -> None:
    name, old = stand.invited()
    _, new = stand.invited(name)
    joiner = Joiner(stand, old)
    if joiner.come() == "let in":  # the broker is told within seconds
        joiner.request().send(joiner.peer)
        until(lambda: joiner.peer.gone or joiner.peer.seen, what="an end")
        assert all("error" in seen_one.json() for seen_one in joiner.peer.seen)

    seen.control(Joiner(stand, new).join()["device_id"] == name)
    seen.became("expired at once, and put out")


@attempt(
    CODE,
    "use a code after its time",
    never="it is given the place",
    control="a code within its time is good",
)
def test_an_expired_code(stand: Stand, seen: Seen) -> None:
    _, code, expires_at = stand.short_code
    until(lambda: stand.now() > expires_at, within=20, what="its end")
    outcome = let_in(Peer(stand.site.port, code.username, code.password))
    name, good = stand.invited()

    seen.control(Joiner(stand, good).join()["device_id"] == name)
    assert outcome != "let in"
    seen.became(outcome)


@attempt(
    CODE,
    "guess the secret of an invite id that somebody saw, a hundred times",
    never="one of them is let in",
    control="who has the code is let in",
)
def test_guessing(stand: Stand, seen: Seen) -> None:
    name, code = stand.invited()
    outcomes = {
        let_in(
            Peer(
                stand.site.port,
                code.username,
                JoinCode(code.invite_id, fresh()[:16].encode(), code.ca).password,
            )
        )
        for _ in range(100)
    }

    assert "let in" not in outcomes
    seen.control(Joiner(stand, code).join()["device_id"] == name)
    seen.became(*sorted(outcomes), "of 2¹²⁸ secrets")


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
