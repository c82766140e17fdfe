"""`orion up|broker|controller|node`: the programs of an installation, together or each alone.

What runs them is loaded by the command that is called, and by no other.
"""

from typing import Annotated

import typer

from orion.exits import Exit
from orion.verbs import Invocation, verb

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
    from orion import up as together

    return together.run(invocation, with_node=not no_node)


def broker(invocation: Invocation, led: Led = False) -> int:
    """Run the supervised Mosquitto alone until Ctrl-C."""
    from orion import alone

    return alone.broker(invocation, led=led)


def controller(invocation: Invocation, led: Led = False) -> int:
    """Run the controller alone until Ctrl-C; it waits for its broker."""
    from orion import alone

    return alone.controller(invocation, led=led)


def node(
    invocation: Invocation,
    led: Led = False,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Only make this device's place at the controller, and end.")
    ] = False,
) -> int:
    """Run this computer's node alone until Ctrl-C; it waits for its broker."""
    from orion import alone, place

    if not prepare:
        return alone.node(invocation, led=led)
    place.ensure(invocation.client, invocation.settings)
    if not invocation.terminal.answer({"device_id": invocation.settings.device_id, "state": "prepared"}):
        invocation.terminal.say(f"{invocation.settings.device_id} has its place")
    return Exit.DONE
