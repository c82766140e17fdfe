"""Full administration of the broker: orders to an enrolled device that its controller did not give, or not so.

The attacker has the controller's rights at the broker, sees every message and may write every
file of the broker. It lacks the controller's private key. `genuine` is an order that the
controller did sign, and that nobody but the attacker has seen yet.
"""

import pytest

from tests.conformance.wire_peer import fresh, stamp
from tests.security.forgery import signed
from tests.security.node import Node
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, a_command

BROKER = Attacker.BROKER
RUNS = "it is executed"


@attempt(
    BROKER,
    "move an order of the controller's to another enrolled device's `command`",
    never="the other device executes it",
    control="the device that was meant executes it",
)
def test_a_moved_order(stand: Stand, seen: Seen) -> None:
    path = stand.twin.path()
    order = stand.genuine(stand.twin, path)
    order.but(topic=f"{stand.victim.topic}/command").send(stand.overseer)
    stand.victim.fence()
    assert not path.exists()
    assert not stand.victim.statuses(order.json())

    order.send(stand.overseer)
    stand.twin.final(order.json())
    seen.control(path.is_dir())
    seen.became("dropped: a signature covers its topic", "nothing ran")


@attempt(
    BROKER,
    "have an enrolled device take a `cancel` for a `command`: a signed message moved to another kind of topic",
    never="it is taken for what it is not",
    control="on its own topic it is taken",
)
def test_another_kind(stand: Stand, seen: Seen) -> None:
    node = stand.victim
    path = node.path()
    order = stand.genuine(node, path)
    order.but(topic=f"{node.topic}/cancel").send(stand.overseer)
    order.but(topic=f"{node.topic}/ack").send(stand.overseer)
    node.fence()
    assert not path.exists()

    order.send(stand.overseer)
    node.final(order.json())
    seen.control(path.is_dir())
    seen.became("dropped: a signature covers its topic", "nothing ran")


@attempt(
    BROKER,
    "have the answer go elsewhere: another Response Topic and Correlation Data on a signed order",
    never="the answer goes there",
    control="it goes to the `reply_to` that was signed",
)
def test_another_response_topic(stand: Stand, seen: Seen) -> None:
    node = stand.victim
    path = node.path()
    order = stand.genuine(node, path)
    elsewhere = f"{node.topic}/reply/elsewhere"
    order.but(extra=(("ResponseTopic", elsewhere), ("CorrelationData", b"theirs"))).send(stand.overseer)

    seen.control(node.final(order.json()) and path.is_dir())
    assert not stand.spy.all(elsewhere)
    seen.became("the order ran", "the payload, which is signed, wins")


@attempt(
    BROKER,
    "stretch an order's life: a larger Message Expiry Interval on one that has expired",
    never=RUNS,
    control="before its expiry it is executed",
)
def test_a_stretched_expiry(stand: Stand, seen: Seen) -> None:
    node = stand.victim
    late, good = node.path(), node.path()
    in_time = stand.genuine(node, good)
    in_time.but(expiry_s=3600).send(stand.overseer)
    node.final(in_time.json())
    seen.control(good.is_dir())
    expired = stand.genuine(node, late, issued_at=stamp(-60), expires_at=stamp(-5))
    mark = stand.spy.mark()
    expired.but(expiry_s=3600).send(stand.overseer)
    node.fence()

    assert not late.exists()
    seen.became(f"answered `{node.statuses(expired.json(), after=mark)[0]}`", "nothing ran")


@attempt(
    BROKER,
    "take the Message Expiry Interval off an order that has expired",
    never=RUNS,
    control="an order without it that has not expired is executed",
)
def test_no_expiry(stand: Stand, seen: Seen) -> None:
    node = stand.victim
    late, good = node.path(), node.path()
    in_time = stand.genuine(node, good)
    in_time.but(expiry_s=None).send(stand.overseer)
    node.final(in_time.json())
    seen.control(good.is_dir())
    expired = stand.genuine(node, late, issued_at=stamp(-60), expires_at=stamp(-5))
    mark = stand.spy.mark()
    expired.but(expiry_s=None).send(stand.overseer)
    node.fence()

    assert not late.exists()
    seen.became(f"answered `{node.statuses(expired.json(), after=mark)[0]}`", "nothing ran")


@attempt(
    BROKER,
    "keep a signed order for ever: publish it retained, {when}",
    never="it is executed, now or at any later connect",
    control="the same order, not retained, is executed",
)
@pytest.mark.parametrize("when", ["while the device is connected", "before the device connects"])
def test_a_retained_order(stand: Stand, seen: Seen, when: str) -> None:
    node = stand.node()
    path = node.path()
    order = stand.genuine(node, path)
    if when == "before the device connects":
        node.stop()
        order.but(retain=True).send(stand.overseer)
        node.start()
    else:
        order.but(retain=True).send(stand.overseer)
        node.fence()
        assert not path.exists()
        node.stop()
        node.start()
    node.fence()
    assert not path.exists()
    stand.overseer.publish(order.topic, b"", retain=True)

    order.send(stand.overseer)
    node.final(order.json())
    seen.control(path.is_dir())
    node.stop()
    seen.became("refused: a retained order would run again and again", "nothing ran")


@attempt(
    BROKER,
    "use a device that does not sign as a way to one that does: take an unsigned device's order there",
    never="the enrolled device executes it",
    control="a device that does not sign receives it",
)
def test_an_unsigned_devices_order(stand: Stand, seen: Seen) -> None:
    path = stand.victim.path()
    order = a_command(stand.victim.topic, "create_directory", {"path": str(path)})
    mark = stand.lamp.peer.mark()
    stand.overseer.publish(f"{stand.lamp.topic}/command", order)
    stand.overseer.publish(f"{stand.victim.topic}/command", order)
    stand.victim.fence()

    seen.control(stand.lamp.expect_command(after=mark, id=order["id"]))
    assert not path.exists()
    seen.became("dropped", "nothing ran")


@attempt(
    BROKER,
    "reorder: deliver a signed `cancel` that came after an order before it, and the order twice",
    never="the order runs, or runs twice",
    control="an order that nobody cancelled runs, once",
)
def test_reordered(stand: Stand, seen: Seen) -> None:
    node = stand.victim
    path, good = node.path(), node.path()
    order, other = stand.genuine(node, path), stand.genuine(node, good)
    cancel = {"id": fresh(), "command_id": order.json()["id"], "at": stamp(), "expires_at": stamp(60)}
    signed(stand.key, f"{node.topic}/cancel", cancel).send(stand.overseer)
    for one in (order, order, other):
        one.send(stand.overseer)
    node.final(other.json())
    node.fence()

    seen.control(good.is_dir())
    assert not path.exists()
    good.rmdir()
    other.send(stand.overseer)
    node.fence()
    assert not good.exists()
    seen.became("answered `cancelled`", "nothing ran that was cancelled, and nothing twice")


@attempt(
    BROKER,
    "drop messages: lose an order and its repetitions",
    never="somebody believes that it was done",
    control="an order that arrives is told as done",
)
def test_dropped(stand: Stand, seen: Seen) -> None:
    node: Node = stand.node()
    path, good = node.path(), node.path()
    seen.control(node.make(good)["status"] == "succeeded")
    boot_id = stand.spy.all(f"{node.topic}/presence")[-1].json()["boot_id"]
    node.stop()
    # the broker says that it is there: presence is not signed
    lie = {"state": "online", "at": stamp(), "boot_id": boot_id}
    stand.overseer.publish(f"{node.topic}/presence", lie, retain=True)
    body = {
        "device_id": node.name,
        "tool": "create_directory",
        "arguments": {"path": str(path)},
        "valid_s": 2,
    }
    told = stand.http.post("commands", json=body, headers={"Prefer": "wait=3"}).json()

    assert told["status"] not in ("succeeded", "running")
    assert not path.exists()
    seen.became("not told as done", "nothing ran")
