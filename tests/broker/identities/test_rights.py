"""Everybody reads and writes what their role says and nothing else, judged by what is received."""

import asyncio
from collections.abc import Iterable

import pytest

from broker.identities import await_active
from broker.rights import Role
from broker.session import PublishRefused, Received, Session, Subscription
from tests.broker.encrypted import joined
from tests.broker.identities.topics import A, B
from tests.broker.running import RunningBroker

PUBLISHED = ("presence", "profile", "heartbeat", "event", "reply/main")
RECEIVED = ("command", "cancel", "ack")


async def heard(session: Session, topics: Iterable[str], *, sender: Session, marker: str) -> set[str]:
    """Which of the topics reach `session`; what is refused or not delivered is missing."""
    for topic in (*topics, marker):
        try:
            await sender.publish(topic, b"{}")
        except PublishRefused:
            continue
    got: list[Received] = []
    async with asyncio.timeout(5):
        while marker not in {message.topic for message in got}:
            got += await session.receive(100)
    return {message.topic for message in got} - {marker}


async def test_device_receives_its_own_commands_and_nobody_elses(broker: RunningBroker) -> None:
    async with joined(await broker.add_device("a")) as device, joined(broker.controller) as controller:
        await device.subscribe(
            [Subscription("#"), Subscription(f"{B}/command"), Subscription("$share/g/orion/v1/#")]
        )
        own = {f"{A}/{name}" for name in RECEIVED}
        shared = {"orion/v1/controllers/keys", "orion/v1/controllers/main/presence"}
        foreign = {
            *(f"{B}/{name}" for name in (*RECEIVED, *PUBLISHED)),
            "orion/v1/users/a/response",
            "orion/v1/approvals/1",
            "orion/v1/audit",
        }
        assert await heard(device, own | shared | foreign, sender=controller, marker=f"{A}/ack") == (
            own | shared
        ) - {f"{A}/ack"}


async def test_device_publishes_as_itself_and_no_commands(broker: RunningBroker) -> None:
    async with joined(await broker.add_device("a")) as device, joined(broker.controller) as controller:
        await controller.subscribe([Subscription("orion/v1/#")])
        own = {f"{A}/{name}" for name in PUBLISHED}
        foreign = {
            *(f"{B}/{name}" for name in PUBLISHED),
            *(f"{device_topics}/{name}" for device_topics in (A, B) for name in RECEIVED),
            f"{A}/reply/main/deeper",
            "orion/v1/users/a/request",
            "orion/v1/controllers/main/presence",
            "orion/v1/controllers/keys",
            "orion/v1/approvals/1",
            "orion/v1/audit",
        }
        assert await heard(controller, own | foreign, sender=device, marker=f"{A}/event") == own - {
            f"{A}/event"
        }


async def test_debugging_user_reads_all_and_publishes_nothing(broker: RunningBroker) -> None:
    debug = await broker.add_debug_user("debug.anna")
    async with joined(debug) as reader, joined(broker.controller) as controller:
        await reader.subscribe([Subscription("orion/v1/#")])
        assert await heard(
            reader, {f"{A}/command", "orion/v1/audit"}, sender=controller, marker="orion/v1/x"
        ) == {
            f"{A}/command",
            "orion/v1/audit",
        }
        await controller.subscribe([Subscription("orion/v1/#")])
        for topic in (f"{A}/command", f"{A}/presence", "orion/v1/audit"):
            with pytest.raises(PublishRefused):
                await reader.publish(topic, b"{}")


@pytest.mark.parametrize(
    "role", [Role.DEBUG, Role.ADMIN, Role.OPERATOR, Role.VIEWER, Role.GUEST, Role.HOME_ASSISTANT]
)
async def test_the_answer_to_a_device_that_joins_holds_a_password_and_reaches_nobody_else(
    broker: RunningBroker, role: Role
) -> None:
    answer = "orion/v1/join/abcd/response"
    name = "user.anna"
    reading = broker.endpoint(name, await asyncio.to_thread(broker.identities.add_user, name, role))
    joining = await asyncio.to_thread(broker.identities.add_joining, "abcd", "the-code's")
    await await_active(reading)
    ends = {Role.HOME_ASSISTANT: "orion/v1/homeassistant/x", Role.GUEST: f"orion/v1/users/{name}/response"}
    end = ends.get(role, f"{A}/presence")
    async with (
        joined(reading) as reader,
        joined(broker.endpoint(joining, "the-code's")) as device,
        joined(broker.controller) as controller,
    ):
        for each in ("orion/v1/#", "orion/v1/join/#", answer, "#", end):
            await reader.subscribe([Subscription(each)])
        await device.subscribe([Subscription(answer)])

        assert await heard(reader, {answer}, sender=controller, marker=end) == set()
        await controller.publish(answer, b"{}")
        async with asyncio.timeout(5):
            assert {message.topic for message in await device.receive(1)} == {answer}


async def test_controller_shares_subscriptions(broker: RunningBroker) -> None:
    async with joined(broker.controller) as controller:
        await controller.subscribe([Subscription("$share/g/orion/v1/#")])
        assert await heard(controller, {f"{A}/event"}, sender=controller, marker="orion/v1/end") == {
            f"{A}/event"
        }
