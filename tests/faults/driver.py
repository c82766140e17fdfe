"""Starts the programs of a run: imports once, then forks one real process per order.

Orders are lines of JSON on standard input, so no password stands in an argument list;
what happens is said in lines of JSON on standard output. Each program dies with this one.
"""

import asyncio
import ctypes
import dataclasses
import gc
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from broker.session import Backoff, Endpoint
from broker.session.connection import Session
from broker.settings import BrokerSettings
from broker.supervisor import Supervisor
from controller import app as controller
from controller.assistant.offline import Planner
from controller.services.settling import clock
from controller.settings import ControllerSettings, ModelSettings
from device_node import app as node
from device_node import spool
from device_node.settings import NodeSettings
from schemas.keys import Key
from schemas.signing import Signer
from tests.faults import happenings, marks, points, sabotage

KEEP_ALIVE = 2  # seconds: a pause need not be long to be longer
# the reconnect's backoff: a run has minutes for what takes days elsewhere
WAITS = {
    "first_s": 0.05,
    "longest_s": 0.5,
    "not_let_in_s": 0.5,
    "taken_over_s": 0.5,
    "longest_taken_over_s": 0.5,
}
REPEATED_WITHIN = 10.0  # seconds between two sendings of a reply without an Ack
NO_MODEL = "http://127.0.0.1:9"
_PR_SET_PDEATHSIG = 1

Order = dict[str, Any]


def main() -> None:
    """Serve orders until standard input ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits: the harness watches by pidfd
    points.check()
    hasten()
    gc.freeze()
    say(loaded=True)
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(order)
        say(key=order["key"], started=pid)


def hasten() -> None:
    """What is no part of the promise is made quick: keep-alive, waits, the planner's first sentence.

    A controller still waits longer for a reply than a device to send it again.
    """
    Session.__init__.__kwdefaults__ = (Session.__init__.__kwdefaults__ or {}) | {"keepalive_s": KEEP_ALIVE}
    Backoff.__init__.__defaults__ = tuple(
        WAITS.get(field.name, field.default) for field in dataclasses.fields(Backoff)
    )
    vars(spool)["LONGEST_WAIT"] = REPEATED_WITHIN
    vars(clock)["LISTENS_FOR"] = REPEATED_WITHIN + clock.GRACE
    Planner().plan("hello", [])  # the templates are read once, for all that are begun from here


def become(order: Order) -> None:
    """Be the ordered program, in the child; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    die_with_parent()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    ended = "clean"
    try:
        if order.get("sabotage"):
            sabotage.SABOTAGES[order["sabotage"]].apply()
        if die_at := order.get("die_at"):
            points.arm(
                die_at["point"],
                nth=die_at["nth"],
                after_s=die_at["after_s"],
                last_words=lambda: say(key=order["key"], pid=os.getpid(), reached=die_at["point"]),
            )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(PROGRAMS[order["be"]], order))
    except BaseException:  # the process ends here, and the harness judges by its last words
        ended = traceback.format_exc()
        logging.getLogger(__name__).exception("It ended by itself")
    say(key=order["key"], pid=os.getpid(), ended=ended[-2000:])
    os._exit(0)


async def _until_told(program: Callable[[Order, asyncio.Event], Awaitable[None]], order: Order) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await program(order, stop)


async def _broker(order: Order, stop: asyncio.Event) -> None:
    settings = BrokerSettings(data_dir=Path(order["data_dir"]), port=order["port"])
    supervisor = Supervisor(settings, backoff=Backoff(first_s=0.05, longest_s=0.2))
    await supervisor.start()
    say(key=order["key"], pid=os.getpid(), ready=True)
    watching = asyncio.create_task(supervisor.watch(), name="broker-watch")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
    watching.cancel()
    await supervisor.stop()


async def _controller(order: Order, stop: asyncio.Event) -> None:
    settings = ControllerSettings(
        data_dir=Path(order["data_dir"]),
        endpoint=Endpoint(**order["endpoint"]),
        identities_dir=Path(order["identities_dir"]),
        database_url=order["database_url"],
        http_port=order["http_port"],
        model=ModelSettings(host=NO_MODEL),
    )
    await controller.run(settings, stop, lambda _port: say(key=order["key"], pid=os.getpid(), ready=True))


async def _node(order: Order, stop: asyncio.Event) -> None:
    endpoint = Endpoint(**order["endpoint"])
    settings = NodeSettings(
        data_dir=Path(order["data_dir"]),
        device_id=order["tag"],
        endpoint=endpoint,
        policy_path=Path(order["policy"]),
        signer=Signer.restore(order["signing_secret"]),
        controller_keys=tuple(Key.restore(json.dumps(key)) for key in order["controller_keys"]),
        heartbeat_s=2.0,
        will_delay_s=1,
    )
    marks.install(Path(order["marks"]))
    born = points.Moment("device_node.link", "Link", "_be_born", after=True)
    points.wrap(born, lambda: say(key=order["key"], pid=os.getpid(), ready=True))
    async with happenings.produced(order["tag"], Path(order["events"]), every_s=order["event_every_s"]):
        await node.run(settings, stop)


PROGRAMS: dict[str, Callable[[Order, asyncio.Event], Awaitable[None]]] = {
    "broker": _broker,
    "controller": _controller,
    "node": _node,
}


def say(**facts: Any) -> None:
    """One line to the harness, whole or not at all, also from a program about to die."""
    os.write(1, json.dumps(facts).encode() + b"\n")


def die_with_parent() -> None:
    """Ask the system to kill this process when its parent has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
