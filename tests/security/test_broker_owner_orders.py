"""Full administration of the broker: orders to an enrolled device that its controller did not give, or not so.

The attacker has the controller's rights at the broker, sees every message and may write every
file of the broker. It lacks the controller's private key. `genuine` is an order that the
controller did sign, and that nobody but the attacker has seen yet.
"""

from collections.abc import Callable

import pytest

from schemas.signing import Signer
from tests.conformance.wire_peer import fresh, stamp
from tests.security.forgery import Message, signed
from tests.security.node import Node
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, a_command

BROKER = Attacker.BROKER
RUNS = "it is executed"
THEIRS = Signer.generate()
UNTOUCHED = "the same order, untouched, is executed"

FORGERIES: dict[str, Callable[[Message, Message], Message]] = {
    "with no signature": lambda order, _: order.but(user=()),
    "signed with a key of the attacker's own": lambda order, _: signed(THEIRS, order.topic, order.json()),
    "signed with a key of the attacker's own, under the id of the controller's": lambda order, _: order.but(
        user=(order.user[0], signed(THEIRS, order.topic, order.json()).user[1])
    ),
    "with the controller's signature and the id of the attacker's key": lambda order, _: order.but(
        user=(("key_id", THEIRS.key_id), order.user[1])
    ),
    "with the signature of another order of the controller's": lambda order, other: order.but(
        user=other.user
    ),
    "whose argument was edited": lambda order, other: order.with_fields(arguments=other.json()["arguments"]),
    "whose `expires_at` was put off": lambda order, _: order.with_fields(expires_at=stamp(3600)),
    "whose `reply_to` was changed to another instance": lambda order, _: order.with_fields(
        reply_to=order.json()["reply_to"].replace("/main", "/theirs")
    ),
    "whose `requested_by` was changed": lambda order, _: order.with_fields(
        requested_by={"user": "eve", "via": "api"}
    ),
    "with one blank more in its payload": lambda order, _: order.but(payload=order.payload + b" "),
    "with a field twice, the second one edited": lambda order, other: order.but(
        payload=order.payload[:-1] + b', "arguments": ' + other.payload.split(b'"arguments": ')[1]
    ),
    "signed twice, first by the attacker": lambda order, _: order.but(
        user=(*signed(THEIRS, order.topic, order.json()).user, *order.user)
    ),
    "signed twice, last by the attacker": lambda order, _: order.but(
        user=(*order.user, *signed(THEIRS, order.topic, order.json()).user)
    ),
    "with its signature in the payload instead of the properties": lambda order, _: order.with_fields(
        signature=order.user[1][1], key_id=order.user[0][1]
    ).but(user=()),
    "with a signature but no `key_id`": lambda order, _: order.but(user=order.user[1:]),
    "with a signature that was cut short": lambda order, _: order.but(
        user=(order.user[0], ("signature", order.user[1][1][:-2]))
    ),
    "with a signature of zeros": lambda order, _: order.but(
        user=(order.user[0], ("signature", "A" * len(order.user[1][1])))
    ),
    "signed by the device's own key": lambda order, _: order,  # replaced below: a device's key is its own
}


@attempt(BROKER, "give an enrolled device an order {how}", never=RUNS, control=UNTOUCHED)
@pytest.mark.parametrize("how", FORGERIES)
def test_a_forged_order(stand: Stand, seen: Seen, how: str) -> None:
    node = stand.victim
    path, other_path = node.path(), node.path()
    order, other = stand.genuine(node, path), stand.genuine(node, other_path)
    if how.endswith("device's own key"):
        forged = signed(node.signer, order.topic, order.json())
    else:
        forged = FORGERIES[how](order, other)
    mark = stand.spy.mark()
    forged.send(stand.overseer)
    node.fence()
    assert not path.exists()
    assert not other_path.exists()
    said = sorted({one.json()["error"]["code"] for one in node.replies(order.json(), after=mark)})

    order.send(stand.overseer)
    node.final(order.json(), after=mark)
    seen.control(path.is_dir() and not other_path.exists())
    seen.became("dropped and counted" if not said else f"answered `{said[0]}`", "nothing ran")


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
    "call an enrolled device's order off: a `cancel` {how}",
    never="the order is cancelled",
    control="a cancel that the controller signed cancels it",
)
@pytest.mark.parametrize("how", ["with no signature", "signed with a key of the attacker's own"])
def test_a_forged_cancel(stand: Stand, seen: Seen, how: str) -> None:
    node = stand.victim
    path, never = node.path(), node.path()
    order, called_off = stand.genuine(node, path), stand.genuine(node, never)
    cancel, honest = (
        {"id": fresh(), "command_id": one.json()["id"], "at": stamp(), "expires_at": stamp(60)}
        for one in (order, called_off)
    )
    topic = f"{node.topic}/cancel"
    forged = signed(THEIRS, topic, cancel)
    (forged.but(user=()) if how == "with no signature" else forged).send(stand.overseer)
    order.send(stand.overseer)  # a cancel that was believed would hold though it overtook its order
    node.final(order.json())
    assert path.is_dir()

    signed(stand.key, topic, honest).send(stand.overseer)
    called_off.send(stand.overseer)
    node.fence()
    seen.control(not never.exists() and "cancelled" in node.statuses(called_off.json()))
    seen.became("dropped", "the order ran")


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
