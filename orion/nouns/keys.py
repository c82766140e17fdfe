"""`orion keys`: what programs of yours come in with, for less than all that you may."""

from typing import Annotated

import typer

from orion import pages, words
from orion.client import Json, segment
from orion.exits import Exit
from orion.terminal.values import moment
from orion.verbs import Invocation, noun, verb

DAYS = "90d"
SHORTEST = 60.0  # seconds
NEVER = "never"
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `orion keys list` has it.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "keys", "API keys: for programs that come in without a person, and may less than you.")
    verb(group, "list", example="orion keys list")(listed)
    verb(group, "create", example="orion keys create grafana --scope devices:read --device 'lab-*'")(create)
    verb(group, "revoke", example="orion keys revoke 4k2m9x0qh7za")(revoke)


def listed(invocation: Invocation) -> None:
    """Your keys, the newest first; an administrator sees everybody's."""
    found = {"items": list(pages.every(invocation.client, "/keys"))}
    if invocation.terminal.answer(found):
        return
    columns = {
        "key_id": "key",
        "name": "for",
        "username": "of",
        "may": "opens",
        "on": "on",
        "until": "until",
        "used": "last used",
    }
    rows = [shown(each) for each in found["items"]]
    invocation.terminal.items(rows, columns, none="There are no keys yet: orion keys create NAME --scope …")


def create(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, so that you know it again.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="WHAT:HOW",
            help="What it opens, as commands:write or devices:read; write holds read. Can be given again.",
        ),
    ],
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device", metavar="ID", help="The only device it opens, or with * some. Can be given again."
        ),
    ] = None,
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="How long it opens anything, or `never`.")
    ] = DAYS,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Whose program it is, if not yours.")
    ] = None,
) -> None:
    """Make a key, and print it. It is said here and never again.

    Whoever has it may what it opens and you may at that moment, and nothing else.
    """
    body: Json = {"name": name, "scopes": scope, "devices": device or []}
    body["expires_in_s"] = (
        None if expires == NEVER else words.duration(expires, longest=3 * words.YEAR, shortest=SHORTEST)
    )
    if user is not None:
        body["username"] = user
    made = invocation.client.post("/keys", body)
    terminal = invocation.terminal
    if terminal.answer(made):
        return
    terminal.say(f"{name} opens {', '.join(made['scopes'])} on {_where(made)}, {_until(made)}.")
    terminal.say("It is shown here once; send it as `Authorization: Bearer …`:")
    terminal.write(made["key"])


def revoke(
    invocation: Invocation,
    key: Key,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Have a key open nothing any more. What was ordered with it and has not left is not sent."""
    terminal = invocation.terminal
    if terminal.asks and not yes and not terminal.confirm(f"Revoke {key}?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    invocation.client.delete(f"/keys/{segment(key)}")
    if not terminal.answer({"key_id": key, "revoked": True}):
        terminal.say(f"{key} opens nothing any more")
    return Exit.DONE


def shown(key: Json) -> Json:
    """A key as a person is shown it, both times by the clock on the wall."""
    used = key["last_used_at"]
    return key | {
        "may": ", ".join(key["scopes"]),
        "on": _where(key),
        "until": _until(key),
        "used": None if used is None else moment(used, "%H:%M"),
    }


def _where(key: Json) -> str:
    return ", ".join(key["devices"]) or "every device you see"


def _until(key: Json) -> str:
    if key["revoked_at"] is not None:
        return "revoked"
    if not key["opens"]:
        return "over"
    return "without an end" if key["expires_at"] is None else f"until {moment(key['expires_at'], '%H:%M')}"
