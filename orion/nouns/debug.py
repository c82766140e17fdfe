"""`orion debug-user`: somebody who may read every message and send none."""

from typing import Annotated

import typer

from orion.client import segment
from orion.verbs import Invocation, noun, verb

Name = Annotated[str, typer.Argument(help="The user's name.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(
        app, "debug-user", "Let somebody watch every message on the broker. There is none by default."
    )
    verb(group, "create", example="orion debug-user create")(create)
    verb(group, "remove", example="orion debug-user remove debug.user")(remove)


def create(invocation: Invocation, name: Name = "debug.user") -> None:
    """Make the user and print how to watch; the password is said once."""
    from orion import watching

    made = invocation.client.post("/debug-users", {"username": name})
    command = watching.prepare(invocation.settings, made)
    terminal = invocation.terminal
    if terminal.answer(made | {"command": command}):
        return
    terminal.facts({key: made[key] for key in ("host", "port", "username", "password", "topic")})
    terminal.say("Watch everything that happens with:")
    terminal.write(command)
    terminal.say(f"Take the user away again with: orion debug-user remove {name}")


def remove(invocation: Invocation, name: Name = "debug.user") -> None:
    """Take a debugging user away."""
    from orion import watching

    invocation.client.delete(f"/debug-users/{segment(name)}")
    watching.clear(invocation.settings, name)
    if not invocation.terminal.answer({"username": name, "removed": True}):
        invocation.terminal.say(f"Removed {name}")
