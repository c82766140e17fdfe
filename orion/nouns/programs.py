"""`orion up|broker|controller|node`: the programs of an installation, together or each alone."""

import asyncio
from typing import Annotated

import typer

from orion.exits import Exit
from orion.verbs import Failure, Invocation, verb

Led = Annotated[bool, typer.Option("--led", hidden=True, help="Begin and stop as stdin says.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    verb(app, "up", example="orion up")(up)
    verb(app, "broker", example="orion broker --mqtt-port 1884")(broker)
    verb(app, "controller", example="orion controller --http-port 8181")(controller)
    verb(app, "node", example="orion node")(node)


def up(
    invocation: Invocation,
    no_node: Annotated[bool, typer.Option("--no-node", help="Do not make this computer a device.")] = False,
) -> Exit:
    """Run broker, controller and node together until Ctrl-C; whichever dies is started again.

    The first start makes everything that is needed in the data folder.
    """
    from orion import up as together  # loads what starting needs

    return together.run(invocation, with_node=not no_node)


def broker(invocation: Invocation, led: Led = False) -> int:
    """Run the supervised Mosquitto alone until Ctrl-C."""
    from broker.binary import BrokerUnavailable  # a program is loaded by the command that runs it
    from broker.config import ConfigError as Unwritable
    from broker.supervisor import supervised
    from orion import serving
    from orion.config import programs

    settings = invocation.settings
    told = programs.for_broker(settings)

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        try:
            # before the start: then Mosquitto knows the controller from its first moment
            await asyncio.to_thread(programs.ensure_controller, settings)
            async with supervised(told):
                ready({"host": told.host, "port": told.port})
                await stop.wait()
        except (BrokerUnavailable, Unwritable) as error:
            raise Failure(_sentence(error), code="broker_unavailable") from error
        return Exit.DONE

    return serving.serve(invocation, "broker", program, led=led)


def controller(invocation: Invocation, led: Led = False) -> int:
    """Run the controller alone until Ctrl-C; it waits for its broker."""
    from controller import app
    from controller.errors import OrionError
    from controller.store.store import StoreFailed
    from orion import serving
    from orion.config import programs

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        told = await asyncio.to_thread(programs.for_controller, invocation.settings)
        try:
            await app.run(told, stop, lambda port: ready({"host": told.http_host, "port": port}))
        except StoreFailed as error:
            raise Failure(f"The database cannot be used: {error} See ORION_DATABASE_URL.") from error
        except OrionError as error:
            raise Failure(str(error), code=error.code.value) from error
        return Exit.DONE

    return serving.serve(invocation, "controller", program, led=led)


def node(
    invocation: Invocation,
    led: Led = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only make this device's place at the controller, and end.")
    ] = False,
) -> int:
    """Run this computer's node alone until Ctrl-C; it waits for its broker."""
    from device_node import app
    from device_node.safety.policy import PolicyError
    from orion import place, serving
    from orion.config import programs

    if prepare:
        place.ensure(invocation.client, invocation.settings)
        if not invocation.terminal.answer({"device_id": invocation.settings.device_id, "state": "prepared"}):
            invocation.terminal.say(f"{invocation.settings.device_id} has its place")
        return Exit.DONE

    async def program(stop: asyncio.Event, ready: serving.Ready) -> int:
        # not earlier: its password may be made while the program loads
        told = await asyncio.to_thread(programs.for_node, invocation.loaded)
        ready({"device_id": told.device_id})
        try:
            return await app.run(told, stop)
        except PolicyError as error:
            raise Failure(str(error), code="policy", exit_code=Exit.USAGE) from error

    return serving.serve(invocation, "node", program, led=led)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return f"{text[:1].upper()}{text[1:]}"
