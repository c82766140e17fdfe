"""Two programs of one name: neither fights, both say so."""

import asyncio
from dataclasses import dataclass, field

import pytest

from broker.session import Backoff, Connected, ConnectionLost, Endpoint, Session, keep_connected
from tests.broker.running import RunningBroker

PATIENT = Backoff(first_s=0.01, longest_s=0.05, taken_over_s=1.0, longest_taken_over_s=2.0)
CONNACK = b"\x20\x03\x00\x00\x00"
TAKEN_OVER = b"\xe0\x02\x8e\x00"


@dataclass
class Program:
    """Keeps itself connected under the name that another one may have too."""

    endpoint: Endpoint
    lost: list[ConnectionLost] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        await keep_connected(self._open, self._serve, stop=self.stop, backoff=PATIENT)

    def _open(self) -> Session:
        return Session(self.endpoint, client_id="controller-main")

    async def _serve(self, session: Session, _connected: Connected) -> None:
        stopping = asyncio.create_task(self.stop.wait())
        losing = asyncio.create_task(session.lost())
        try:
            await asyncio.wait((stopping, losing), return_when=asyncio.FIRST_COMPLETED)
            if losing.done():
                error = losing.result()
                assert isinstance(error, ConnectionLost)
                self.lost.append(error)
                raise error
        finally:
            for task in (stopping, losing):
                task.cancel()
            await asyncio.wait((stopping, losing))


def lines(caplog: pytest.LogCaptureFixture, beginning: str) -> list[str]:
    told = [record.getMessage() for record in caplog.records]
    return [line for line in told if line.startswith(beginning)]


async def test_two_programs_of_one_name_soon_take_turns_slowly(
    broker: RunningBroker, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Program(broker.controller), Program(broker.controller)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        for program in (one, other):
            group.create_task(program.run())
        while len(lines(caplog, "Another program may be connected as controller-main")) < 4:
            await asyncio.sleep(0.01)
        one.stop.set()
        other.stop.set()

    # each turn took at least half a second from then on; before that, a few were quick
    assert len(one.lost) + len(other.lost) <= 2 * 5 + 4


async def test_a_broker_that_tells_of_a_takeover_is_believed_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections: list[float] = []
    program: list[Program] = []

    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        connections.append(asyncio.get_running_loop().time())
        writer.write(CONNACK + TAKEN_OVER)
        if len(connections) == 3:
            program[0].stop.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(tell, "127.0.0.1", 0) as server:
        program.append(Program(Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])))
        async with asyncio.timeout(20):
            await program[0].run()

    assert all(error.taken_over for error in program[0].lost)
    assert connections[1] - connections[0] >= 0.5
    assert connections[2] - connections[1] >= 1.0
    assert lines(caplog, "Another program is connected as controller-main and ended this session")
    assert lines(caplog, "Lost") == []


@pytest.mark.parametrize(("times", "least", "most"), [(1, 15, 30), (2, 30, 60), (3, 60, 120), (50, 150, 300)])
def test_each_takeover_makes_it_wait_longer(times: int, least: float, most: float) -> None:
    waits = [Backoff().after_takeover(times) for _ in range(200)]

    assert least <= min(waits)
    assert max(waits) <= most


@pytest.mark.parametrize(("code", "taken_over"), [(0x8E, True), (0x8D, False), (None, False)])
def test_only_the_brokers_word_tells_of_a_takeover(code: int | None, *, taken_over: bool) -> None:
    assert ConnectionLost("ended", code).taken_over is taken_over
