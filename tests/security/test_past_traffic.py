"""A copy of all past traffic, and the broker to send it again: orders, cancels, Acks and keys of before."""

from datetime import UTC, datetime

import pytest

from schemas.signing import Signer
from tests.conformance.wire_peer import PREFIX, Json, fresh, stamp, until
from tests.security.forgery import Message, copied, signed
from tests.security.node import Node
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand

TRAFFIC = Attacker.TRAFFIC
HOUR = 3600.0


def an_ack(stand: Stand, node: Node, seconds: float = 0.0) -> Message:
    """An Ack that the controller signed, written so many seconds from now."""
    said: Json = {"at": stamp(seconds), "replies": [fresh()]}
    return signed(stand.key, f"{node.topic}/ack", said)


def told_at(stand: Stand, node: Node) -> float:
    """How far the time that the node writes on its answers is from the hour, in seconds."""
    order = stand.genuine(node, node.path())
    order.send(stand.overseer)
    at = datetime.fromisoformat(node.final(order.json()).json()["at"])
    return (at - datetime.now(UTC)).total_seconds()


@attempt(
    TRAFFIC,
    "replay a signed order {when}",
    never="it is executed again",
    control="it was executed the first time, and a new order is executed now",
)
@pytest.mark.parametrize(
    "when", ["at once", "after a restart of the device", "after a restart of the controller and the device"]
)
def test_a_replayed_order(stand: Stand, seen: Seen, when: str) -> None:
    node = stand.node()
    path, good = node.path(), node.path()
    mark = stand.spy.mark()
    seen.control(node.make(path)["status"] == "succeeded" and path.is_dir())
    past = copied(stand.spy.expect(f"{node.topic}/command", after=mark))
    path.rmdir()
    if when != "at once":
        node.stop()
    if "controller" in when:
        stand.restart_controller()
    if when != "at once":
        node.start()
    past.send(stand.overseer)
    assert node.make(good)["status"] == "succeeded"

    assert not path.exists()
    seen.became("answered with what it came to then", "nothing ran again")
    node.stop()


@attempt(
    TRAFFIC,
    "replay a signed order whose id the device has forgotten, with a long Message Expiry, {clock}",
    never="it is executed again",
    control="it was executed the first time, and a new order is executed now",
)
@pytest.mark.parametrize("clock", ["to a device with a right clock", "to one whose clock is a day behind"])
def test_a_forgotten_id(stand: Stand, seen: Seen, clock: str) -> None:
    node = stand.node()
    behind = 0.0 if "right" in clock else 24 * HOUR
    path = node.path()
    past = stand.genuine(node, path, expires_at=stamp(1))
    past.send(stand.overseer)
    node.final(past.json())
    seen.control(path.is_dir())
    path.rmdir()
    until(lambda: stamp() > past.json()["expires_at"], what="its expiry")
    node.fence()  # a later message of the controller moves the mark past that expiry
    node.stop()
    node.start(slow_by=behind)  # it forgets what has expired by the mark
    mark = stand.spy.mark()
    past.but(expiry_s=3600).send(stand.overseer)
    node.fence()

    assert not path.exists()
    seen.became(f"answered `{node.statuses(past.json(), after=mark)[0]}`", "nothing ran again")
    node.stop()


@attempt(
    TRAFFIC,
    "hold a signed order back and deliver it after its expiry, the device's clock a day behind, "
    "replaying old signed Acks to turn its idea of the time back",
    never="it is executed",
    control="an order in time is executed by the same device",
)
def test_old_acks_do_not_turn_a_clock_back(stand: Stand, seen: Seen) -> None:
    node = stand.node()
    node.fence()
    old = [copied(one) for one in stand.spy.all(f"{node.topic}/ack")]
    old += [an_ack(stand, node, -HOUR), an_ack(stand, node, -24 * HOUR)]
    path, good = node.path(), node.path()
    held_back = stand.genuine(node, path, expires_at=stamp(1))
    until(lambda: stamp() > held_back.json()["expires_at"], what="its expiry")
    node.fence()
    node.stop()
    node.start(slow_by=24 * HOUR)
    for ack in old:
        ack.send(stand.overseer)
    mark = stand.spy.mark()
    held_back.but(expiry_s=3600).send(stand.overseer)

    seen.control(node.make(good)["status"] == "succeeded" and good.is_dir())
    assert not path.exists()
    seen.became(f"answered `{node.statuses(held_back.json(), after=mark)[0]}`", "nothing ran")
    node.stop()


@attempt(
    TRAFFIC,
    "replay old signed Acks and orders to a device that knows the time, whose own clock is an hour behind",
    never="the time that it writes on its answers moves",
    control="the device writes the controller's time, not its own",
)
def test_old_messages_do_not_move_the_time(stand: Stand, seen: Seen) -> None:
    node = stand.node(slow_by=HOUR)
    node.fence()
    seen.control(abs(told_at(stand, node)) < 30)
    for seconds in (-60, -HOUR, -24 * HOUR):
        an_ack(stand, node, seconds).send(stand.overseer)
        late = stand.genuine(node, node.path(), issued_at=stamp(seconds - 60), expires_at=stamp(seconds))
        late.but(expiry_s=3600).send(stand.overseer)
    drift = abs(told_at(stand, node))

    assert drift < 30
    seen.became("an older message changes nothing", "the time stays")
    node.stop()


@attempt(
    TRAFFIC,
    "tell the device that it is ten years later: an Ack {how}",
    never="orders in time expire",
    control="an order in time is executed",
)
@pytest.mark.parametrize("how", ["with no signature", "of today whose `at` was edited"])
def test_an_ack_from_the_future(stand: Stand, seen: Seen, how: str) -> None:
    node = stand.victim
    good = node.path()
    ack = an_ack(stand, node)
    (ack.but(user=()) if "no signature" in how else ack).with_fields(at=stamp(87_600 * HOUR)).send(
        stand.overseer
    )

    seen.control(node.make(good)["status"] == "succeeded" and good.is_dir())
    seen.became("dropped", "the time stays")


@attempt(
    TRAFFIC,
    "drain a device's spool: replay an Ack of another device, which names what this one has not been acknowledged",
    never="it forgets an answer that the controller has not stored",
    control="the controller's own Ack lets it go",
)
def test_anothers_ack(stand: Stand, seen: Seen) -> None:
    node = stand.node()
    order = stand.genuine(node, node.path())
    stand.controller.stop()  # so that nobody acknowledges
    order.send(stand.overseer)
    node.final(order.json())
    said = {"at": stamp(), "replies": [order.json()["id"]]}
    signed(stand.key, f"{stand.twin.topic}/ack", said).but(topic=f"{node.topic}/ack").send(stand.overseer)
    mark = stand.spy.mark()
    node.stop()
    node.start(known=False)  # it publishes again what was not acknowledged
    kept = node.final(order.json(), after=mark)
    stand.restart_controller()

    seen.control(kept and stand.spy.expect(f"{node.topic}/ack", after=mark))
    seen.became("dropped: a signature covers its topic", "the answer is sent again")
    node.stop()


@attempt(
    TRAFFIC,
    "replay the controller's earlier `controllers/keys` after a rotation, {when}",
    never="the device goes back to the old keys",
    control="an order that is signed with the new key is executed",
)
@pytest.mark.parametrize("when", ["to a device that is connected", "to a device that starts anew"])
def test_old_keys(stand: Stand, seen: Seen, when: str) -> None:
    node = stand.node()
    earlier, latest = stand.rotated()
    node.fence()  # by an order that was signed with the new key
    if "anew" in when:
        node.stop()
    earlier.but(retain=True, expiry_s=None).send(stand.overseer)
    if "anew" in when:
        node.start(known=False)
    path = node.path()
    stand.genuine(node, path).send(stand.overseer)
    try:
        until(path.is_dir, what="an order signed with the new key")
    finally:
        latest.but(retain=True, expiry_s=None).send(stand.overseer)

    seen.control(path.is_dir())
    seen.became("older than what the device knows: ignored", "the new key counts on")
    node.stop()


@attempt(
    Attacker.BROKER,
    "announce keys of the attacker's own on `controllers/keys`, {how}",
    never="the device believes them",
    control="keys that the controller announced are believed",
)
@pytest.mark.parametrize("how", ["with no signature", "signed with one of them", "added to a signed list"])
def test_forged_keys(stand: Stand, seen: Seen, how: str) -> None:
    theirs = Signer.generate()
    topic = f"{PREFIX}/controllers/keys"
    node = stand.node()
    genuine = copied(stand.retained(topic))
    key = genuine.json()["keys"][0] | {"key_id": theirs.key_id, "public": theirs.public}
    said = {"keys": [*genuine.json()["keys"], key], "at": stamp()}
    forged = {
        "with no signature": signed(theirs, topic, said).but(user=()),
        "signed with one of them": signed(theirs, topic, said),
        "added to a signed list": genuine.with_fields(**said),
    }[how]
    forged.but(retain=True, expiry_s=None).send(stand.overseer)
    path, good = node.path(), node.path()
    order = stand.genuine(node, path)
    signed(theirs, order.topic, order.json()).send(stand.overseer)
    genuine.but(retain=True, expiry_s=None).send(stand.overseer)

    seen.control(node.make(good)["status"] == "succeeded" and good.is_dir())
    assert not path.exists()
    seen.became("dropped", "an order signed with such a key does not run")
    node.stop()
