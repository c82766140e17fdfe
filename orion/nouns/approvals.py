"""`orion approvals`: the questions that commands put to a person, and the answers."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from controller.assistant import sanitize
from orion import exits, members, pages, progress
from orion.client import Client, Json, segment
from orion.exits import Exit
from orion.terminal import MAX_SHOWN, Terminal
from orion.verbs import Invocation, noun, verb

RUNS_WITHIN = 120.0  # seconds to wait for what an approval let go
DEVICES_SHOWN = 20  # of those that the same call is for; --json has all

Id = Annotated[str, typer.Argument(metavar="ID", help="The approval's id.")]
Comment = Annotated[str | None, typer.Option("--comment", help="A word for the record.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "approvals", "What waits for a person's yes or no.")
    verb(group, "list", example="orion approvals list --status pending")(listed)
    verb(group, "show", example="orion approvals show 01900000-0000-7000-8000-000000000000")(show)
    verb(group, "approve", example="orion approvals approve 01900000-0000-7000-8000-000000000000")(approve)
    verb(group, "deny", example="orion approvals deny 01900000-0000-7000-8000-000000000000 --comment no")(
        deny
    )


def listed(
    invocation: Invocation,
    status: Annotated[
        str | None, typer.Option("--status", help="pending, approved, denied, expired or cancelled only.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 50,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """Approvals, newest first."""
    columns = {
        "approval_id": "id",
        "created_at": "asked",
        "summary": "what",
        "risk": "risk",
        "requested_by": "by",
        "status": "status",
    }
    return pages.show(
        invocation,
        "/approvals",
        columns,
        none="Nothing waits for a person.",
        limit=limit,
        cursor=cursor,
        everything=everything,
        status=status,
    )


def show(invocation: Invocation, approval_id: Id) -> None:
    """One approval: the exact calls and why a person is asked."""
    card = invocation.client.get(f"/approvals/{segment(approval_id)}")
    if not invocation.terminal.answer(card):
        write(invocation.terminal, card)


def approve(invocation: Invocation, approval_id: Id, comment: Comment = None) -> Exit:
    """Say yes: the commands are checked again and run; waits for how they went."""
    return _decided(invocation, approval_id, "approve", comment)


def deny(invocation: Invocation, approval_id: Id, comment: Comment = None) -> Exit:
    """Say no: the commands never run."""
    return _decided(invocation, approval_id, "deny", comment)


def write(terminal: Terminal, card: Mapping[str, Any]) -> None:
    """A card for a person, with every argument in full; none of it can look like a line of ours."""
    names = (
        "approval_id",
        "summary",
        "risk",
        "requested_by",
        "status",
        "expires_at",
        "decided_by",
        "comment",
    )
    terminal.facts({name: card.get(name) for name in names})
    for reason in card["reasons"]:
        terminal.write(f"  because {_exact(reason)}")
    for calls in _alike(card):
        terminal.write(f"  {_exact(calls[0]['tool'])} on {_several([call['device_id'] for call in calls])}")
        for name, value in calls[0]["arguments"].items():
            terminal.write(f"    {_exact(name)} = {_exact(value)}")


def _alike(card: Mapping[str, Any]) -> list[list[Json]]:
    """The calls of a card; those that differ in nothing but the device together."""
    found: dict[str, list[Json]] = {}
    for call in card["commands"]:
        found.setdefault(json.dumps([call["tool"], call["arguments"]]), []).append(call)
    return list(found.values())


def _several(names: Sequence[str]) -> str:
    shown = ", ".join(_exact(name) for name in names[:DEVICES_SHOWN])
    return shown if len(names) <= DEVICES_SHOWN else f"{shown} and {len(names) - DEVICES_SHOWN} more"


def _exact(value: object) -> str:
    return sanitize.exact(str(value), MAX_SHOWN)


def decide(
    client: Client,
    approval_id: str,
    decision: Literal["approve", "deny"],
    *,
    comment: str | None = None,
    shown_hash: str | None = None,
    wait: bool = True,
) -> Json:
    """Decide a card and wait for what it let go. `shown_hash` binds the word to the card that was seen."""
    body: Json = {"decision": decision}
    body |= {"comment": comment} if comment else {}
    body |= {"hash": shown_hash} if shown_hash else {}
    seconds = RUNS_WITHIN if wait and decision == "approve" else 0.0
    return client.post(f"/approvals/{segment(approval_id)}/decision", body, wait_s=seconds)


def ask_person(
    client: Client, terminal: Terminal, approval_id: str, *, wait: bool = True
) -> list[Json] | None:
    """Show a card to whoever sits here and take their word; None when nobody does."""
    if not terminal.asks:
        return None
    card = client.get(f"/approvals/{segment(approval_id)}")
    write(terminal, card)
    decision: Literal["approve", "deny"] = "approve" if terminal.confirm("Do this?") else "deny"
    with terminal.waiting(_devices(card)):
        decided = decide(client, approval_id, decision, shown_hash=card["hash"], wait=wait)
    results: list[Json] = decided["results"]
    return results


def _devices(card: Mapping[str, Any]) -> str:
    return _several(list(dict.fromkeys(call["device_id"] for call in card["commands"])))


def _decided(
    invocation: Invocation, approval_id: str, decision: Literal["approve", "deny"], comment: str | None
) -> Exit:
    client, terminal = invocation.client, invocation.terminal
    # for a person each command is followed on its own, with how far it is
    decided = decide(client, approval_id, decision, comment=comment, wait=terminal.json)
    if not terminal.json:
        terminal.say(f"{approval_id} is {decided['status']}")
    results = [progress.followed(client, terminal, each) for each in decided["results"]]
    if not terminal.answer(decided | {"results": results}):
        for command in results:
            members.outcome_of(client, terminal, command)
    # A no that was carried out is done, not denied.
    return Exit.DONE if decision == "deny" else exits.of_calls([each["status"] for each in results])
