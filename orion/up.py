"""`orion up`: broker, controller and node of one data folder together, each proven before the next."""

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

from broker import files
from orion import logs, place
from orion.client import ClientError, Refused
from orion.config.addresses import mqtt_address
from orion.config.settings import Settings
from orion.crew import STOP_WITHIN, Crew, Sink
from orion.exits import Exit
from orion.serving import stopped_by_signals
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, client_of

logger = logging.getLogger(__name__)

COLOURS = {"broker": "magenta", "controller": "cyan", "node": "green"}


def run(invocation: Invocation, *, with_node: bool) -> Exit:
    """Run the installation until Ctrl-C.

    Raises:
        Failure: something did not start, or an `orion up` runs for this folder already.
    """
    logs.begin(invocation.settings, "up")
    # the loop of the standard library: this one has little to do, and begins sooner without another
    return asyncio.run(_run(invocation, with_node=with_node))


async def _run(invocation: Invocation, *, with_node: bool) -> Exit:
    crew = Crew(invocation.loaded, _relay(invocation))
    with only_one(invocation.settings):
        async with stopped_by_signals(again=crew.kill) as stop:
            stopping = asyncio.create_task(stop.wait(), name="stop")
            working = asyncio.create_task(_work(invocation, crew, with_node=with_node), name="up")
            try:
                await asyncio.wait((stopping, working), return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
            finally:
                for task in (stopping, working):
                    task.cancel()
                await asyncio.wait((stopping, working))
                await crew.stop()
    logger.info("Stopped")
    return Exit.DONE


async def _work(invocation: Invocation, crew: Crew, *, with_node: bool) -> None:
    facts = await start(crew, invocation.settings, with_node=with_node)
    invocation.terminal.answer({"program": "up", "state": "ready"} | facts)
    next_step = (
        'Try: orion ask "what is on this computer?"'
        if with_node
        else "Give a computer its place: orion devices add laptop --adopt"
    )
    if invocation.terminal.watched:
        await asyncio.to_thread(_say_first_password, invocation)
    logger.info("Orion is up. %s; Ctrl-C stops everything", next_step)
    await crew.watch()


def _say_first_password(invocation: Invocation) -> None:
    """At the first start, and only to a person who looks on: what is written elsewhere is kept there."""
    try:
        first = client_of(invocation.settings, as_owner=True).post("/auth/first")
    except ClientError as error:
        if not isinstance(error, Refused):  # there is one already
            logger.warning("Whether there is a first password is not known: %s", error)
        return
    invocation.terminal.say(
        f"The first user is {first['username']}. Password for one sign-in, shown now and never again: {first['password']}\n"
        f"Sign in and choose your own: orion login {first['username']}"
    )


async def start(crew: Crew, settings: Settings, *, with_node: bool) -> dict[str, Any]:
    """Start everything in order; where it is found once all of it works.

    Raises:
        Failure: something did not start.
        ClientError: the controller refused.
    """
    ours = settings.mqtt_url is None
    await crew.load([*(["broker"] if ours else []), "controller", *(["node"] if with_node else [])])
    if ours:
        await asyncio.to_thread(_await_earlier, settings)
        await crew.start("broker")
    await crew.start("controller")
    client = client_of(settings, as_owner=True)
    host, port = mqtt_address(settings)
    facts: dict[str, Any] = {
        "mqtt": {"host": host, "port": port, "prefix": settings.prefix},
        "http": {"host": settings.http_host, "port": settings.http_port},
        "device_id": None,
    }
    if with_node:
        await asyncio.to_thread(place.ensure, client, settings)
        await crew.start("node")
        await asyncio.to_thread(place.await_online, client, settings)
        facts["device_id"] = settings.device_id
    return facts


def _await_earlier(settings: Settings) -> None:
    """Give the broker of an `orion up` that was killed a moment ago the time to end."""
    lock = settings.data_dir / "broker" / "supervisor.lock"
    if lock.exists():
        # one that stays is somebody's own `orion broker`; ours will say so
        with contextlib.suppress(files.Locked), files.locked(lock, within_s=STOP_WITHIN):
            return


@contextlib.contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the data folder for one `orion up`.

    Raises:
        Failure: another one holds it.
    """
    with contextlib.ExitStack() as held:
        try:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            held.enter_context(files.locked(settings.data_dir / "up.lock", within_s=0))
        except files.Locked:
            raise Failure(
                f"An `orion up` runs for {settings.data_dir} already. Stop that one, or use another folder "
                "and other ports: ORION_DATA_DIR, ORION_MQTT_PORT, ORION_MQTT_TLS_PORT, ORION_HTTP_PORT.",
                code="conflict",
            ) from None
        except OSError as error:
            raise Failure(f"The data folder {settings.data_dir} cannot be used: {error.strerror}") from error
        yield


def _relay(invocation: Invocation) -> Sink:
    """How the programs' lines go on: as they are where each is an object that names its program."""
    if invocation.settings.log_format != "json":
        return prefixed(invocation.terminal)

    def line(program: str, text: str) -> None:
        if not text.startswith("{"):  # not by our log: Python itself, or a library
            text = json.dumps({"level": "warning", "program": program, "message": text})
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    return line


def prefixed(terminal: Terminal) -> Sink:
    """Log lines of several programs as one stream on stderr."""

    def line(program: str, text: str) -> None:
        if sys.stderr.isatty():
            from rich.text import Text  # only where colours are seen

            shown = Text(f"{program:<10} │ ", COLOURS[program]) + Text(text)
            terminal.err.print(shown, soft_wrap=True)
        else:
            sys.stderr.write(f"{program:<10} | {text}\n")
            sys.stderr.flush()

    return line
