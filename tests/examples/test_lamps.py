"""The example lamps across a power cut: what they did stays done, and what nobody stored is said again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.broker.running import RunningBroker
from tests.conformance.wire_peer import PREFIX, Json, Peer, fresh, stamp
from tests.examples import lamps
from tests.examples.lamps import Lamp

THERE_WITHIN = 20.0  # seconds for a program to start and connect
D = f"{PREFIX}/devices/lamp"


@dataclass
class Desk:
    """A lamp, and somebody who talks to it as a controller."""

    lamp: Lamp
    controller: Peer

    def online(self, *, after: int = 0) -> None:
        self.controller.expect(f"{D}/presence", after=after, within=THERE_WITHIN, state="online")

    def order(self, tool: str = "light", **changes: Any) -> Json:
        command = {
            "id": fresh(),
            "tool": tool,
            "arguments": {"on": True} if tool == "light" else {},
            "issued_at": stamp(),
            "expires_at": stamp(60),
            "timeout_s": 5,
            "reply_to": f"{D}/reply/main",
            "requested_by": {"user": "examiner", "via": "api"},
        } | changes
        self.controller.publish(f"{D}/command", command)
        return command

    def final(self, command: Json, *, after: int = 0) -> Json:
        return self.controller.expect(f"{D}/reply/main", after=after, command_id=command["id"]).json()

    def restart(self) -> int:
        """Take its power away and give it back; where what was heard before it is back ends."""
        self.lamp.kill()
        mark = self.controller.mark()
        self.lamp.start()
        self.online(after=mark)
        return mark


@pytest.fixture(params=["paho", *lamps.boards()])
async def desk(broker: RunningBroker, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    place = await broker.add_device("lamp")
    port, password = broker.settings.port, place.password or ""
    if request.param == "paho":
        lamp = lamps.of_paho(port, "lamp", password, tmp_path)
    else:
        lamp = lamps.of_micropython(port, "lamp", password, tmp_path, board=request.param)
    controller = Peer(port, broker.controller.username, broker.controller.password)
    controller.connect(clean=True)
    controller.subscribe(f"{D}/#")
    with lamps.lit(lamp):
        made = Desk(lamp, controller)
        await asyncio.to_thread(made.online)
        yield made
    controller.close()


async def test_an_id_counts_once_also_across_a_power_cut(desk: Desk) -> None:
    command = desk.order("state")
    first = desk.final(command)
    desk.controller.publish(f"{D}/ack", {"at": stamp(), "replies": [command["id"]]})
    desk.final(desk.order("state"))
    desk.restart()
    mark = desk.controller.mark()
    desk.controller.publish(f"{D}/command", command | {"attempt": 2})

    assert desk.final(command, after=mark) == first
    assert first["result"]["on"] is False


async def test_a_reply_and_an_event_come_again_until_they_are_acked(desk: Desk) -> None:
    command = desk.order()
    assert desk.final(command)["result"]["on"] is True
    event = desk.controller.expect(f"{D}/event", type="switched").json()
    mark = desk.restart()

    assert desk.final(command, after=mark)["status"] == "succeeded"
    desk.controller.expect(f"{D}/event", after=mark, id=event["id"])
    ack = {"at": stamp(), "replies": [command["id"]], "refused": [{"id": event["id"], "code": "not_found"}]}
    desk.controller.publish(f"{D}/ack", ack)
    desk.final(desk.order("state"))
    mark = desk.restart()
    desk.final(desk.order("state"), after=mark)
    assert not desk.controller.all(f"{D}/reply/main", after=mark, command_id=command["id"])
    assert not desk.controller.all(f"{D}/event", after=mark)


async def test_what_waited_at_the_broker_runs_when_the_lamp_is_back(desk: Desk) -> None:
    desk.lamp.kill()
    mark = desk.controller.mark()
    command, late = desk.order(), desk.order(expires_at=stamp(0.2))
    await asyncio.sleep(0.3)  # until the second one's time is over, by anybody's clock
    desk.lamp.start()

    assert desk.final(command, after=mark)["status"] == "succeeded"
    assert desk.final(late, after=mark)["status"] == "expired"


async def test_a_lamp_that_is_stopped_says_so(broker: RunningBroker, tmp_path: Path) -> None:
    place = await broker.add_device("lamp")
    lamp = lamps.of_paho(broker.settings.port, "lamp", place.password or "", tmp_path)
    controller = Peer(broker.settings.port, broker.controller.username, broker.controller.password)
    controller.connect(clean=True)
    controller.subscribe(f"{D}/#")
    with lamps.lit(lamp):
        controller.expect(f"{D}/presence", within=THERE_WITHIN, state="online")
        lamp.stop()
        controller.expect(f"{D}/presence", state="offline", reason="stopped")
    controller.close()
