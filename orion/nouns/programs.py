"""`orion up|broker|controller|node`: the programs of an installation, together or each alone.

What runs them is loaded by the command that is called, and by no other.
"""

from typing import Annotated

import typer

from orion.exits import Exit
from orion.verbs import Invocation, noun_that_runs, verb

Led = Annotated[bool, typer.Option("--led", hidden=True, help="Begin and stop as stdin says.")]

# the settings that say where the broker lets others in
LISTENERS = ("mqtt_tls_host", "mqtt_tls_port", "mqtt_tls_names", "mqtt_cert_port", "max_connections")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    verb(app, "up", example="orion up", shown=LISTENERS)(up)
    verb(app, "broker", example="orion broker --mqtt-port 1884", shown=LISTENERS)(broker)
    verb(app, "controller", example="orion controller --http-port 8181")(controller)
    group = noun_that_runs(app, "node", node, example="orion node")
    verb(group, "join", example="orion node join workshop.lan")(join)


def up(
    invocation: Invocation,
    no_node: Annotated[bool, typer.Option("--no-node", help="Do not make this computer a device.")] = False,
) -> Exit:
    """Run broker, controller and node together until Ctrl-C; whichever dies is started again.

    The first start makes everything that is needed in the data folder. Each setting is a flag as well,
    also those that are not shown here: `orion config show` lists them all.
    """
    from orion import up as together

    return together.run(invocation, with_node=not no_node)


def broker(invocation: Invocation, led: Led = False) -> int:
    """Run the supervised Mosquitto alone until Ctrl-C.

    Each setting is a flag as well, also those that are not shown here: `orion config show` lists them all.
    """
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


def join(
    invocation: Invocation,
    host: Annotated[
        str, typer.Argument(metavar="HOST", help="The broker's computer, as name, address or name:port.")
    ],
    code: Annotated[
        str | None,
        typer.Option(
            "--code", help="The code. Others on this computer can see it here: better leave it out."
        ),
    ] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="Only join; start the node later.")] = False,
) -> int:
    """Make this computer a device, with a code from: orion devices invite ID.

    The code is asked for, or read from stdin. Afterwards the node runs until Ctrl-C; later it is
    started with `orion node`.
    """
    from orion import joining

    return joining.run(invocation, host, code=code, then_run=not no_run)
