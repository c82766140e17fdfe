"""`orion demo`: the whole thing once, on real parts, in a folder of its own."""

import typer

from orion.exits import Exit
from orion.verbs import Invocation, verb


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "demo", example="orion demo")(demo)


def demo(invocation: Invocation) -> Exit:
    """Start a broker, a controller and a node, and let four sentences go all the way.

    It uses a fresh folder and free ports and leaves nothing behind. Exit code 0 only if all four
    came out as they should.
    """
    from orion.demo import run  # loads what starting needs

    return run(invocation)
