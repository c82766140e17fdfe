"""`orion search`: words in what is on record, the newest first."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from orion import words
from orion.client import Json
from orion.terminal import Terminal, moment
from orion.verbs import Invocation, verb
from schemas.wire import format_instant

COLUMNS = ("at", "kind", "device", "by", "what", "text", "untrusted")


class Kind(StrEnum):
    """What can be found."""

    AUDIT = "audit"
    EVENT = "event"
    MESSAGE = "message"
    MEMORY = "memory"


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "search", example='orion search "disk full" --kind event --device nas --since 30d')(search)


def search(
    invocation: Invocation,
    text: Annotated[
        list[str], typer.Argument(metavar="WORD...", help="All of these words, in Dutch or English.")
    ],
    kind: Annotated[
        list[Kind] | None,
        typer.Option("--kind", metavar="KIND", help=f"Only {', '.join(Kind)}; repeat it."),
    ] = None,
    device: Annotated[str | None, typer.Option("--device", metavar="ID", help="Of this device only.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="From then on: 30d ago, or 2026-11-01.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Before that: 2h ago, or 2026-11-01T12:00.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="At most so many.")] = 20,
    cursor: Annotated[
        str | None, typer.Option("--cursor", metavar="NUMBER", help="Go on behind the page before.")
    ] = None,
) -> None:
    """What the audit, events, messages and memories say about some words, the newest first.

    Each word is found in its other forms too: meterkasten finds meterkast, printing finds printer. Signs
    between words mean nothing. What stands under `untrusted` are a device's words, or may be forged.
    """
    now = datetime.now(UTC)
    found = invocation.client.get(
        "/search",
        q=" ".join(text),
        kind=[each.value for each in kind] if kind else None,
        device_id=device,
        since=None if since is None else format_instant(words.instant(since, now=now, option="--since")),
        until=None if until is None else format_instant(words.instant(until, now=now, option="--until")),
        limit=limit,
        cursor=cursor,
    )
    terminal = invocation.terminal
    if terminal.answer(found):
        return
    if terminal.draws:
        for hit in found["items"]:
            _draw(terminal, hit)
    elif found["items"]:
        terminal.table(COLUMNS, [_cells(hit) for hit in found["items"]])
    if found["next"] is not None:
        terminal.say(f"There may be more: --cursor {found['next']}", "dim")
    elif not found["items"]:
        terminal.say("Nothing that is on record holds all of that.")


def _draw(terminal: Terminal, hit: Json) -> None:
    told = [moment(hit["at"]), hit["kind"], *([hit["device_id"]] if hit["device_id"] else []), hit["title"]]
    terminal.marked(" · ".join(told), hit["found"], "bold")
    if hit["text"]:
        said = "untrusted: " if hit["untrusted"] else ""
        terminal.marked(said + hit["text"], hit["found"])
    terminal.write("")


def _cells(hit: Json) -> list[str]:
    untrusted = "untrusted" if hit["untrusted"] else ""
    return [hit["at"], hit["kind"], hit["device_id"] or "-", hit["by"], hit["title"], hit["text"], untrusted]
