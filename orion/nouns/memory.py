"""`orion memory`: what the assistant remembers for you, and what you have it remember."""

import json
import sys
from typing import Annotated, Any

import typer

from orion import pages, talks, words
from orion.client import Json, segment
from orion.exits import Exit
from orion.verbs import Invocation, noun, verb

MAX_INPUT = 100_000  # characters that are read from stdin; the controller says what is too long

Key = Annotated[str, typer.Argument(metavar="KEY", help="Its name, as nas-place.")]
Everybody = Annotated[bool, typer.Option("--global", help="What is everybody's, rather than yours.")]
Device = Annotated[str | None, typer.Option("--device", metavar="ID", help="What belongs to this device.")]
Session = Annotated[
    str | None,
    typer.Option(
        "--session", metavar="ID", help="What is for this conversation alone; or for your `last` one."
    ),
]
User = Annotated[str | None, typer.Option("--user", metavar="NAME", help="What is this user's.")]
Category = Annotated[str | None, typer.Option("--category", help="Of this kind, as place.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, the latest first.")]

COLUMNS = {
    "key": "key",
    "value": "value",
    "scope": "scope",
    "owner": "of",
    "category": "category",
    "tags": "tags",
    "source": "said by",
    "updated_at": "since",
    "expires_at": "until",
}


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "memory", "What is remembered: for you, for everybody, of a device, in a conversation.")
    verb(group, "set", example='orion memory set nas-place "in the meter cupboard" --tag nas --expires 30d')(
        remember
    )
    verb(group, "get", example="orion memory get nas-place")(get)
    verb(group, "list", example="orion memory list --device laptop")(listed)
    verb(group, "search", example="orion memory search nas cupboard")(search)
    verb(group, "forget", example="orion memory forget nas-place")(forget)


def remember(
    invocation: Invocation,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="What to remember; - for stdin.")],
    everybody: Everybody = False,
    device: Device = None,
    session: Session = None,
    user: User = None,
    category: Category = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A word to find it by; repeat it.")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Forget it after so long, as 30d; else never.")
    ] = None,
    as_data: Annotated[
        bool, typer.Option("--parse", help="VALUE is JSON, as a number or an object, rather than a text.")
    ] = False,
) -> None:
    """Remember something, in the place of what that key held.

    Whatever has access to this controller may read it: it is no place for a password.
    """
    text = sys.stdin.read(MAX_INPUT).rstrip("\n") if value == "-" else value
    body: Json = {"value": _parsed(text) if as_data else text, "category": category, "tags": tag or []}
    body |= _place(invocation, everybody, device, session, user)
    if expires is not None:
        body["expires_in_s"] = words.duration(expires, longest=10 * words.YEAR)
    kept = invocation.client.put(f"/memory/{segment(key)}", body)
    if not invocation.terminal.answer(kept):
        invocation.terminal.say(f"Remembered {key}")


def get(
    invocation: Invocation,
    key: Key,
    everybody: Everybody = False,
    device: Device = None,
    session: Session = None,
    user: User = None,
) -> None:
    """What one key holds, with who said it and since when."""
    found = invocation.client.get(
        f"/memory/{segment(key)}", **_place(invocation, everybody, device, session, user)
    )
    terminal = invocation.terminal
    if not terminal.answer(found):
        terminal.facts({"user" if name == "user" else COLUMNS.get(name, name): found[name] for name in found})


def listed(
    invocation: Invocation,
    everybody: Everybody = False,
    device: Device = None,
    session: Session = None,
    user: User = None,
    category: Category = None,
    limit: Limit = 100,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """What is remembered, the latest first: yours, everybody's and the devices', or one place."""
    return pages.show(
        invocation,
        "/memory",
        COLUMNS,
        none='Nothing is remembered yet: orion memory set KEY "…"',
        limit=limit,
        cursor=cursor,
        everything=everything,
        if_filled=True,
        category=category,
        **_place(invocation, everybody, device, session, user),
    )


def search(
    invocation: Invocation,
    text: Annotated[list[str], typer.Argument(metavar="WORD...", help="It holds all of these words.")],
    everybody: Everybody = False,
    device: Device = None,
    session: Session = None,
    user: User = None,
    limit: Limit = 50,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """What holds all of these words, in its key, its value or its tags."""
    return pages.show(
        invocation,
        "/memory",
        COLUMNS,
        none="Nothing that is remembered holds all of that.",
        limit=limit,
        cursor=cursor,
        everything=everything,
        if_filled=True,
        q=" ".join(text),
        **_place(invocation, everybody, device, session, user),
    )


def forget(
    invocation: Invocation,
    key: Key,
    everybody: Everybody = False,
    device: Device = None,
    session: Session = None,
    user: User = None,
) -> Exit:
    """Forget what a key holds. What was said about it in conversations stays on record."""
    place = _place(invocation, everybody, device, session, user)
    invocation.client.delete(f"/memory/{segment(key)}", **place)
    if not invocation.terminal.answer({"key": key, "forgotten": True} | place):
        invocation.terminal.say(f"Forgot {key}")
    return Exit.DONE


def _place(
    invocation: Invocation, everybody: bool, device: str | None, session: str | None, user: str | None
) -> dict[str, Any]:
    """The scope and owner that the options mean; nothing: the caller's own."""
    named = {"device": device, "session": session, "user": user}
    given = {scope: owner for scope, owner in named.items() if owner is not None}
    if len(given) + everybody > 1:
        raise typer.BadParameter("choose one of --global, --device, --session and --user")
    if everybody:
        return {"scope": "global"}
    if session is not None:
        given["session"] = talks.meant(invocation, session)
    return {
        name: value for scope, owner in given.items() for name, value in (("scope", scope), ("owner", owner))
    }


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter("it is no JSON; leave --parse out for a text", param_hint="VALUE") from error
