"""The load: somebody who orders, cancels and notes what came back, whatever state the controller is in."""

import asyncio
from collections.abc import Mapping

import httpx

from tests.chance import repeatable
from tests.faults.ledger import Ledger, Submitted
from tests.faults.orders import Order, Orders
from tests.faults.plan import Size
from tests.faults.programs import Program

WORKERS = 6
ANSWER_WITHIN = 6.0  # seconds; after that it is not known whether the order exists
AWAY = 0.1  # seconds until a controller that refuses connections is tried again
FINAL = frozenset({"succeeded", "failed", "denied", "rejected", "expired", "cancelled", "interrupted"})


class Load:
    """Orders through the HTTP API until told that it is enough."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        programs: Mapping[str, Program],
        ledger: Ledger,
        size: Size,
        seed: int,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._every_s = size.submit_every_s * WORKERS
        self._random = repeatable(seed)
        nodes = [name for name in programs if name.startswith("node-")]
        self._orders = Orders(programs, nodes, size, self._random)

    async def run(self, enough: asyncio.Event) -> None:
        """Order until `enough`."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(enough), name=f"load-{number}")

    async def _work(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await self._submit(self._orders.draw())
            await asyncio.sleep(self._every_s * self._random.uniform(0.5, 1.5))

    async def _submit(self, order: Order) -> None:
        ledger = self._ledger
        ledger.trying(order)
        try:
            answer = await self._client.post("/commands", json=order.body)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            ledger.unheard(order)
            await asyncio.sleep(AWAY)
            return
        except httpx.TransportError:
            ledger.cut.add(order.number)
            return
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            raise RuntimeError(f"the API does not understand the harness: {answer.text}")
        if answer.status_code != httpx.codes.ACCEPTED:
            ledger.cut.add(order.number)  # whatever it says, the database decides
            return
        row = answer.json()
        what = Submitted(order.number, order.tool, order.device_id)
        ledger.opened(row["command_id"], what, is_open=row["status"] not in FINAL)
        if order.cancel:
            await self._cancel(row["command_id"])

    async def _cancel(self, command_id: str) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.0, 0.05, 0.3)))
        try:
            answer = await self._client.post(f"/commands/{command_id}/cancel")
        except httpx.TransportError:
            return
        if answer.is_success:
            self._ledger.cancelled.add(command_id)


def client(port: int, token: str) -> httpx.AsyncClient:
    """A client of the controller that gives up on a silent one."""
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=ANSWER_WITHIN,
        limits=httpx.Limits(max_keepalive_connections=0),  # an idle one may end as it is used again
        trust_env=False,
    )
