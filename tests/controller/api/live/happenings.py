"""What happens, for those who watch."""

import json
from functools import partial
from typing import Any

from controller.services import devices, events, settling
from controller.services.devices import Beat
from tests.controller.api.conftest import Api
from tests.controller.api.live import watching
from tests.controller.api.live.watching import Stand
from tests.controller.api.routes.orders import CREATE
from tests.factories import NOON, a_heartbeat, a_presence, a_reply, an_event, later

ASK = "Delete the folder Test on laptop"


async def ordered(api: Api, order: dict[str, Any] = CREATE) -> str:
    command_id: str = (await api.http.post("commands", json=order)).json()["command_id"]
    return command_id


async def done(api: Api, command_id: str, **fields: Any) -> None:
    reply = a_reply(command_id, **fields)
    await api.store.write(lambda session: settling.settle(session, "laptop", reply, now=NOON))


async def noticed(api: Api, event_id: str = "event-1", device_id: str = "laptop", **fields: Any) -> None:
    event = an_event(event_id, **fields)
    await api.store.write(partial(events.store, device_id=device_id, event=event, now=NOON))


async def beat(api: Api, device_id: str = "laptop", seq: int = 1) -> None:
    beats = [Beat(device_id, a_heartbeat(seq, cpu_percent=12.5), NOON)]
    await api.store.write(lambda session: devices.store_heartbeats(session, beats))


async def asked(api: Api, text: str = ASK) -> dict[str, Any]:
    answer = await api.http.post("ask", json={"text": text})
    report: dict[str, Any] = json.loads(answer.text.splitlines()[-1])
    return report


async def stopped(api: Api, device_id: str = "laptop") -> None:
    """The device goes."""
    gone = a_presence("offline", reason="stopped")
    await api.store.write(partial(devices.store_presence, device_id=device_id, presence=gone, now=later(1)))


async def settled(stand: Stand) -> None:
    """Everybody has been told everything."""
    readers = stand.live._readers
    await watching.until(lambda: all(each.place == stand.live.backlog.number for each in readers))
