"""`orion identities`: who has a name at the broker, and new passwords for Orion's own programs."""

from typing import Annotated

import typer

from orion.client import segment
from orion.verbs import Invocation, noun, verb

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of one of Orion's own programs.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(
        app, "identities", "Names at the broker: who has one, and new passwords for our own programs."
    )
    verb(group, "list", example="orion identities list --json")(listed)
    verb(group, "rotate", example="orion identities rotate controller-main")(rotate)


def listed(invocation: Invocation) -> None:
    """Everybody who has a name at the broker."""
    found = invocation.client.get("/identities")
    if not invocation.terminal.answer(found):
        columns = {"username": "name", "role": "role"}
        invocation.terminal.items(found["items"], columns, none="This broker is administered elsewhere.")


def rotate(invocation: Invocation, name: Name) -> None:
    """Replace the password of a controller or another program of ours; what is sent to it meanwhile waits.

    For devices and users: orion devices rotate, orion users rotate.
    """
    made = invocation.client.post(f"/identities/{segment(name)}/rotate")
    terminal = invocation.terminal
    if terminal.answer(made):
        return
    terminal.say(f"{name} has another password")
    if "password" in made:
        terminal.say("Put it into the setting mqtt_url; it is not said again:")
        terminal.write(made["password"])
