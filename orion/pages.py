"""Long lists on the command line: one page, the one behind it, or all of them as they come."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from orion.client import Client, ClientError, Json
from orion.exits import Exit
from orion.terminal import Terminal
from orion.verbs import Invocation

AT_ONCE = 200  # rows of a page where all are wanted

Cursor = Annotated[
    str | None,
    typer.Option("--cursor", metavar="CURSOR", help="Go on behind an earlier page: its `next` with --json."),
]
Everything = Annotated[
    bool, typer.Option("--all", help="All of them as they come, whatever --limit says.", show_default=False)
]


def show(
    invocation: Invocation,
    path: str,
    columns: Mapping[str, str],
    *,
    none: str,
    limit: int,
    cursor: str | None,
    everything: bool,
    in_words: Callable[[Json], Json] = lambda item: item,
    if_filled: bool = False,
    **query: Any,
) -> Exit:
    """A list of the API as a table. `in_words`: a row as a person reads it; `if_filled`: no empty columns."""
    terminal = invocation.terminal
    pages = _turned(invocation.client, path, query, limit=AT_ONCE if everything else limit, cursor=cursor)
    first = next(pages)
    if everything and terminal.json:
        return _streamed(terminal, first, pages)
    if terminal.answer(first):
        return Exit.DONE
    is_headed = True
    for page in _chained(first, pages if everything else ()):
        rows = [in_words(each) for each in page["items"]]
        shown = _filled(columns, rows) if if_filled and (terminal.draws or not everything) else columns
        terminal.items(rows, shown, none=none, headed=is_headed or terminal.draws)
        is_headed = False
    if not everything:
        hint(terminal, first["next"])
    return Exit.DONE


def every(client: Client, path: str, **query: Any) -> Iterator[Json]:
    """All rows of a list of the API, however long it is; a page is asked for as it is needed."""
    for page in _turned(client, path, query, limit=AT_ONCE, cursor=None):
        yield from page["items"]


def hint(terminal: Terminal, cursor: str | None) -> None:
    """Say that there is more than was shown, and how to see it."""
    if cursor is not None:
        terminal.say(f"… and there is more: --all, or the next ones with --cursor {cursor}", "dim")


def _turned(
    client: Client, path: str, query: dict[str, Any], *, limit: int, cursor: str | None
) -> Iterator[Json]:
    while True:
        page = client.get(path, limit=limit, cursor=cursor, **query)
        yield page
        if (cursor := page["next"]) is None:
            return


def _chained(first: Json, others: Iterator[Json] | Sequence[Json]) -> Iterator[Json]:
    yield first
    yield from others


def _filled(columns: Mapping[str, str], rows: Sequence[Json]) -> dict[str, str]:
    return {
        key: name for key, name in columns.items() if any(each.get(key) not in (None, []) for each in rows)
    }


def _streamed(terminal: Terminal, first: Json, others: Iterator[Json]) -> Exit:
    """One object on stdout, however long the list is; one that broke off says so in it."""
    separator = '{"items": ['
    try:
        for page in _chained(first, others):
            for item in page["items"]:
                sys.stdout.write(separator + json.dumps(item))
                separator = ", "
    except ClientError as error:
        failure: dict[str, Any] = {"code": error.code, "message": str(error)}
        sys.stdout.write(f'], "error": {json.dumps(failure)}}}\n')
        terminal.say(str(error))
        return error.exit_code
    sys.stdout.write(("" if separator == ", " else separator) + '], "next": null}\n')
    sys.stdout.flush()
    return Exit.DONE
