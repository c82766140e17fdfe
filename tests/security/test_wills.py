"""A device's credentials: what its Last Will can say where it cannot speak itself."""

import pytest

from tests.conformance.wire_peer import PREFIX, fresh, stamp
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in

WILLS = {
    "another device's `presence`": "devices/victim/presence",
    "another device's `command`": "devices/victim/command",
    "its own `command`": "devices/thief/command",
    "`approvals/ID`": "approvals/will",
    "the controller's `presence`": "controllers/other/presence",
    "`controllers/keys`": "controllers/keys",
}


@attempt(
    Attacker.DEVICE,
    "leave a retained Last Will on {topic}, {delay}",
    never="it is delivered or retained",
    control="its own will on its own `presence` is delivered when its line breaks",
)
@pytest.mark.parametrize(
    ("topic", "delay"),
    [
        *((topic, "at once") for topic in WILLS),
        ("another device's `presence`", "1 s later"),
        ("its own `command`", "1 s later"),
    ],
)
def test_a_foreign_will(stand: Stand, seen: Seen, topic: str, delay: str) -> None:
    thief, honest = stand.device(born=False), stand.device(born=False)
    word, truth = fresh(), fresh()
    seconds = 0 if delay == "at once" else 1
    said = {"state": "offline", "at": stamp(), "reason": "connection_lost"}
    where = f"{PREFIX}/{WILLS[topic]}".replace("thief", thief.id)
    dying = stand.peer(thief, will=(where, said | {"boot_id": word}, seconds))
    outcome = let_in(dying, session_s=60)
    if outcome == "let in":
        dying.drop()
    own = stand.peer(honest, will=(f"{honest.topic}/presence", said | {"boot_id": truth}, seconds))
    own.connect(session_s=60)
    own.drop()

    # dropped later, and due as long after: when it has come, the other has been decided
    seen.control(stand.spy.expect(f"{honest.topic}/presence", boot_id=truth))
    assert not stand.overheard(word)
    seen.became(outcome, "nothing was delivered")
