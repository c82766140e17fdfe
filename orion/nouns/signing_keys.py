"""`orion signing-keys`: what the controller signs with, and how it begins anew."""

import contextlib
from datetime import UTC, datetime
from typing import Annotated

import typer

from orion import receipts, words
from orion.client import ClientError, Json
from orion.config.addresses import keys_path
from orion.exits import Exit
from orion.verbs import Failure, Invocation, client_of, noun, verb


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(
        app, "signing-keys", "What the controller signs with: devices that joined obey nothing else."
    )
    verb(group, "list", example="orion signing-keys list")(listed)
    verb(group, "rotate", example="orion signing-keys rotate")(rotate)
    verb(group, "new", example="orion signing-keys new")(new)


def listed(invocation: Invocation) -> None:
    """The keys that devices believe now."""
    columns = {"key_id": "key", "not_before": "from", "not_after": "until", "signs": "signs now"}
    found = invocation.client.get("/signing-keys")
    if not invocation.terminal.answer(found):
        invocation.terminal.items(found["items"], columns, none="")


def rotate(
    invocation: Invocation,
    settle: Annotated[
        str | None,
        typer.Option(
            "--settle",
            metavar="TIME",
            help="Between telling devices of the new key and using it: 5m unless said.",
        ),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(
            "--overlap",
            metavar="TIME",
            help="How long a device may be away without joining again: 30d unless said.",
        ),
    ] = None,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once",
            help="The present key is in wrong hands: it counts no more from now on, and only tells devices that are "
            "away which key follows, for as long as --overlap says.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Make the next key. Devices learn of it, then it signs, then the old one ends.

    With --at-once a device that is away is told when it comes back, signed with the old key: whoever
    has that key and your broker can tell it something else until then.
    """
    if at_once and settle is not None:
        raise typer.BadParameter("a key that is replaced at once settles nothing", param_hint="--settle")
    terminal = invocation.terminal
    if at_once and terminal.asks and not yes and not terminal.confirm("Replace the key at once?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    body: Json = {"at_once": at_once}
    if settle is not None:
        body["settle_s"] = words.duration(settle)
    if overlap is not None:
        body["overlap_s"] = words.duration(overlap, longest=words.YEAR)
    made = invocation.client.post("/signing-keys/rotate", body)
    if not terminal.answer(made):
        begins = receipts.clock(made["not_before"])
        terminal.say(f"Made the key {made['key_id']}, which signs from {begins}.")
    return Exit.DONE


def new(invocation: Invocation) -> None:
    """Make keys where they are lost and no backup is left; every device that joined has to join again.

    For a controller that does not start without them. It refuses where there are keys.
    """
    from controller.errors import Conflict  # the controller's own parts, for this command only
    from controller.store.keyring import KeyRing

    with contextlib.suppress(ClientError):
        client_of(invocation.settings, as_owner=True).get("/signing-keys")
        raise Failure(
            "The controller runs and has its keys in memory: `orion signing-keys rotate` writes them down again.",
            code="conflict",
        )
    path = keys_path(invocation.settings)
    ring = KeyRing(path, lambda: datetime.now(UTC))
    try:
        ring.begin()
    except Conflict as error:
        raise Failure(str(error), code="conflict") from error
    terminal = invocation.terminal
    if not terminal.answer({"key_id": ring.signer.key_id}):
        terminal.say(f"Made the key {ring.signer.key_id} in {path}.")
        terminal.say("Start the controller, then let each device join again: orion devices invite ID")
