"""`orion sessions`: conversations with the assistant, and what was said in them."""

from typing import Annotated

import typer

from orion import pages, talks
from orion.client import Json, segment
from orion.exits import Exit
from orion.terminal import Terminal, moment
from orion.verbs import Invocation, noun, verb

SessionId = Annotated[
    str, typer.Argument(metavar="ID", help="The session's id, or `last`: your own that goes on.")
]
COLUMNS = {
    "session_id": "session",
    "user": "user",
    "active": "goes on",
    "messages_count": "messages",
    "calls_count": "calls",
    "started_at": "since",
}
SAYS = {"user": "cyan", "assistant": "", "tool": "dim"}


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "sessions", "Conversations with the assistant: look, read back, end.")
    verb(group, "list", example="orion sessions list --active")(listed)
    verb(group, "show", example="orion sessions show 0198c2f3-… --limit 10")(show)
    verb(group, "end", example="orion sessions end 0198c2f3-…")(end)


def listed(
    invocation: Invocation,
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help="Of this user only.")] = None,
    active: Annotated[bool, typer.Option("--active", help="Only those that were not ended.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=500, help="At most so many, the last begun first.")
    ] = 50,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> Exit:
    """Conversations, the last begun first. Go on with one: orion ask --session ID."""
    return pages.show(
        invocation,
        "/sessions",
        COLUMNS,
        none='There is no conversation yet: orion ask "what is on my laptop?"',
        limit=limit,
        cursor=cursor,
        everything=everything,
        user=user,
        active=active or None,
    )


def show(
    invocation: Invocation,
    session_id: SessionId,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=500, help="At most so many messages, the last ones.")
    ] = 100,
    cursor: pages.Cursor = None,
    everything: pages.Everything = False,
) -> None:
    """One conversation and what was said in it, with the calls that came of it."""
    client, terminal = invocation.client, invocation.terminal
    path = f"/sessions/{segment(talks.meant(invocation, session_id))}"
    found = client.get(path, limit=limit, cursor=cursor)
    while everything and found["next"] is not None:
        earlier = client.get(path, limit=pages.AT_ONCE, cursor=found["next"])
        found |= {"messages": earlier["messages"] + found["messages"], "next": earlier["next"]}
    if terminal.answer(found):
        return
    terminal.facts({name: value for name, value in found.items() if name not in {"messages", "next"}})
    for message in found["messages"]:
        _write(terminal, message)
    pages.hint(terminal, found["next"])


def end(invocation: Invocation, session_id: SessionId) -> None:
    """End a conversation. What was said stays on record; what was remembered for it alone is forgotten."""
    ended = invocation.client.post(f"/sessions/{segment(talks.meant(invocation, session_id))}/end")
    if not invocation.terminal.answer(ended):
        invocation.terminal.say(f"Ended {ended['session_id']}")


def _write(terminal: Terminal, message: Json) -> None:
    terminal.write(f"\n{message['role']}, {moment(message['created_at'])}", "bold")
    terminal.write(message["content"], SAYS.get(message["role"], ""))
    for call in message["tool_calls"]:
        where = call["device_id"] or "the controller"
        terminal.write(f"  {call['tool']} on {where}: {call['status']} ({call['command_id']})", "dim")
