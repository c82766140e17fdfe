"""Full administration of the broker: orders and cancels that look as if the controller had signed them.

The attacker has the controller's rights at the broker, sees every message and may write every
file of the broker. It lacks the controller's private key. `genuine` is an order that the
controller did sign, and that nobody but the attacker has seen yet.
"""

from collections.abc import Callable

import pytest

from schemas.signing import Signer
from tests.conformance.wire_peer import fresh, stamp
from tests.security.forgery import Message, signed
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand

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
