"""Join codes: stolen after their use, guessed, replaced, expired, used twice."""

import threading

import pytest

from schemas.joining import JoinCode
from tests.conformance.wire_peer import Json, MQTTv311, Peer, fresh, until
from tests.security.joiner import CODE, Joiner, until_void
from tests.security.rows import Seen, attempt
from tests.security.stand import Stand, let_in


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
