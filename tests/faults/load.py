"""The load: somebody who orders, cancels and notes what came back, whatever state the controller is in."""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

import httpx

from tests.faults import marks
from tests.faults.ledger import Ledger, Submitted
from tests.faults.plan import CONTROLLER, Size
from tests.faults.points import Needs
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
        self._programs = programs
        self._nodes = [name for name in programs if name.startswith("node-")]
        self._ledger = ledger
        self._size = size
        self._random = Random(seed)  # noqa: S311 - repeatable, not secret
        self._number = 0
        self.can_wait = True  # whether orders may wait for their device; the API says

    async def run(self, enough: asyncio.Event) -> None:
        """Order until `enough`."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(enough), name=f"load-{number}")

    async def _work(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await self._one()
            await asyncio.sleep(self._size.submit_every_s * WORKERS * self._random.uniform(0.5, 1.5))

    async def _one(self) -> None:
        pressing = self._pressing()
        device_id = self._device(pressing)
        wanted = self._wanted(device_id, pressing)
        self._number += 1
        number = wanted["arguments"]["number"] = self._number
        self._ledger.tried[number] += 1
        try:
            answer = await self._client.post("/commands", json=wanted)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            del self._ledger.tried[number]  # nobody heard it
            await asyncio.sleep(AWAY)
            return
        except httpx.TransportError:
            self._ledger.cut.add(number)
            return
        if answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY and "when_online" in wanted:
            self.can_wait = False
            return
        if answer.status_code != httpx.codes.ACCEPTED:
            self._ledger.cut.add(number)  # whatever it says, the database decides
            return
        row = answer.json()
        what = Submitted(number, wanted["tool"], device_id)
        self._ledger.opened(row["command_id"], what, is_open=row["status"] not in FINAL)
        if "when_online" in wanted:
            self._ledger.waiting_orders += 1
        if self._random.random() < (0.7 if pressing.get(Needs.CANCEL) else 0.08):
            await self._cancel(row["command_id"])

    async def _cancel(self, command_id: str) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.0, 0.05, 0.3)))
        try:
            answer = await self._client.post(f"/commands/{command_id}/cancel")
        except httpx.TransportError:
            return
        if answer.is_success:
            self._ledger.cancelled.add(command_id)

    def _pressing(self) -> dict[Needs, list[str]]:
        """What the programs' next points need, and of which device."""
        found: dict[Needs, list[str]] = {}
        for name, program in self._programs.items():
            if program.wanted is not None and program.up.is_set():
                found.setdefault(program.wanted, []).extend(self._nodes if name == CONTROLLER else [name])
        return found

    def _device(self, pressing: dict[Needs, list[str]]) -> str:
        urgent = [*pressing.get(Needs.CANCEL, []), *pressing.get(Needs.COMMAND, [])]
        up = [name for name in self._nodes if self._programs[name].up.is_set()]
        if urgent and self._random.random() < 0.6:
            return self._random.choice(urgent)
        return self._random.choice(up if up and self._random.random() < 0.95 else self._nodes)

    def _wanted(self, device_id: str, pressing: dict[Needs, list[str]]) -> dict[str, Any]:
        random = self._random
        if device_id in pressing.get(Needs.CANCEL, ()):
            tool, seconds = marks.SLOW, 0.8
        else:
            tool, seconds = random.choices(
                (
                    (marks.QUICK, 0.0),
                    (marks.SLOW, round(random.uniform(0.1, 1.2), 2)),
                    (marks.DEAF, random.choice((0.4, 1.5))),
                    (marks.FAILING, 0.0),
                    (marks.LOOK, round(random.uniform(0.0, 0.3), 2)),
                ),
                weights=(60, 20, 4, 4, 12),
            )[0]
        short = random.random() < 0.1
        wanted: dict[str, Any] = {
            "device_id": device_id,
            "tool": tool,
            "arguments": {"seconds": seconds},
            "valid_s": round(random.uniform(0.3, 2.0), 2) if short else self._size.valid_s,
            "timeout_s": self._size.timeout_s,
        }
        waits = not self._programs[device_id].up.is_set() or random.random() < 0.1
        if self.can_wait and waits:
            wanted["when_online"] = True
        return wanted


def client(port: int, token: str) -> httpx.AsyncClient:
    """A client of the controller that gives up on a silent one."""
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}/api/v1",
        headers={"Authorization": f"Bearer {token}"},
        timeout=ANSWER_WITHIN,
        trust_env=False,
    )
