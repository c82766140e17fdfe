"""`orion devices link|unlink|impact`: what hangs on what, and what stops when a device does."""

from typing import Annotated

import typer

from orion.client import Client, Json, segment
from orion.exits import Exit
from orion.nouns.device import Id
from orion.terminal import Terminal
from orion.verbs import Invocation, verb

NAMED = 5  # devices that a warning names

DependsOn = Annotated[
    str | None, typer.Option("--depends-on", metavar="ID", help="The device that it does not work without.")
]
PartOf = Annotated[
    str | None, typer.Option("--part-of", metavar="ID", help="The device that it is a part of.")
]
WORDS = {"depends_on": "depends on", "part_of": "is part of"}


def register(devices: typer.Typer) -> None:
    """Add the verbs to the noun `devices`."""
    verb(devices, "link", example="orion devices link tv --depends-on nas")(link)
    verb(devices, "unlink", example="orion devices unlink tv --depends-on nas")(unlink)
    verb(devices, "impact", example="orion devices impact nas")(impact)


def link(invocation: Invocation, device_id: Id, depends_on: DependsOn = None, part_of: PartOf = None) -> Exit:
    """Say that a device depends on another one, or is a part of it: either way it stops with that one."""
    kind, other_id = _meant(depends_on, part_of)
    found = invocation.client.put(_path(device_id, kind, other_id), {})
    if not invocation.terminal.answer(found):
        invocation.terminal.say(f"{device_id} {WORDS[kind]} {other_id}")
    return Exit.DONE


def unlink(
    invocation: Invocation, device_id: Id, depends_on: DependsOn = None, part_of: PartOf = None
) -> Exit:
    """Take back what was said with `link`."""
    kind, other_id = _meant(depends_on, part_of)
    invocation.client.delete(_path(device_id, kind, other_id))
    gone = {"device_id": device_id, "kind": kind, "other_id": other_id, "unlinked": True}
    if not invocation.terminal.answer(gone):
        invocation.terminal.say(f"No longer: {device_id} {WORDS[kind]} {other_id}")
    return Exit.DONE


def impact(invocation: Invocation, device_id: Id) -> None:
    """What stops working when a device does, by however many links; the nearest first."""
    found = invocation.client.get(f"/devices/{segment(device_id)}/impact")
    terminal = invocation.terminal
    if terminal.answer(found):
        return
    rows = [each | {"because": f"{WORDS[each['kind']]} {each['via']}"} for each in found["items"]]
    columns = {"device_id": "stops", "name": "name", "status": "is now", "because": "because it"}
    none = (
        f"Nothing is said to hang on {device_id}. Say it with: orion devices link ID --depends-on {device_id}"
    )
    terminal.items(rows, columns, none=none)


def warn(client: Client, terminal: Terminal, device_id: str) -> None:
    """Before a person takes a device away: which others it takes along."""
    others: list[Json] = client.get(f"/devices/{segment(device_id)}/impact")["items"]
    if others:
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        names = ", ".join(each["device_id"] for each in others[:NAMED])
        terminal.say(f"Without {device_id} these stop working: {names}{more}.", "yellow")


def _meant(depends_on: str | None, part_of: str | None) -> tuple[str, str]:
    given = {"depends_on": depends_on, "part_of": part_of}
    said = [(kind, other_id) for kind, other_id in given.items() if other_id is not None]
    if len(said) != 1:
        raise typer.BadParameter("choose one of --depends-on and --part-of")
    return said[0]


def _path(device_id: str, kind: str, other_id: str) -> str:
    return f"/devices/{segment(device_id)}/links/{kind}/{segment(other_id)}"
