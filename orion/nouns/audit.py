"""`orion audit`: who did what, and whether that is still what was recorded.

The proof reads the database itself, or a file: it does not ask the program that it is about.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion import receipts
from orion.client import Json
from orion.config.addresses import heads_path, keys_path
from orion.exits import Exit
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, noun, verb

if TYPE_CHECKING:  # the controller's own parts are loaded for the proof only
    from controller.services import proof
    from controller.services.heads import SignedHead

LONG = 20_000  # rows from which on a bar is drawn
TELL_EVERY = 1_000  # rows

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many, newest first.")]
Device = Annotated[str | None, typer.Option("--device", help="Of this device only.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "audit", "Who did what: requests, decisions, commands, outcomes.")
    verb(group, "list", example="orion audit list --device laptop --limit 20")(audit_list)
    verb(group, "verify", example="orion audit verify\norion audit verify audit.jsonl --key KEY")(verify)
    verb(group, "export", example="orion audit export audit.jsonl")(export)


def audit_list(
    invocation: Invocation,
    limit: Limit = 50,
    device: Device = None,
    action: Annotated[
        str | None, typer.Option("--action", help="Of this kind only, as decision.deny.")
    ] = None,
) -> None:
    """The audit, newest first."""
    found = invocation.client.get("/audit", limit=limit, device_id=device, action=action)
    columns = {
        "at": "at",
        "actor": "who",
        "via": "via",
        "action": "action",
        "device_id": "device",
        "tool": "tool",
        "command_id": "command",
    }
    invocation.terminal.items(found["items"], columns, none="Nothing is on record.")


def verify(
    invocation: Invocation,
    file: Annotated[
        Path | None, typer.Argument(help="An export; the database of this installation unless said.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="KEY", help="Believe what this key signed (`orion keys list`), and no other."
        ),
    ] = None,
) -> Exit:
    """Walk the chain of every controller and name the first row that is not what was recorded.

    Exit code 1 when there is one, or when nobody who is believed has signed the end of a file.
    """
    from controller.services import proof

    believed = frozenset(key) if key else own_keys(invocation)
    if file is not None:
        try:
            exported = proof.Exported(file)
            signers = frozenset(head.key_id for head in exported.heads)  # whom to believe is said apart
            with _bar(invocation.terminal, exported.rows) as tell:
                chains = proof.walk(exported, exported.heads, believed=signers, to_the_head=True, tell=tell)
        except proof.Unreadable as error:
            raise Failure(str(error), code="audit_unreadable") from error
        return _told(invocation, chains, strangers=sorted(signers - believed))
    return _verify_database(invocation, believed)


def _verify_database(invocation: Invocation, believed: frozenset[str]) -> Exit:
    from controller.services import heads, proof
    from controller.store import headfile

    # the heads first: what is added meanwhile stands behind them
    kept, unreadable = heads.read(headfile.lines_of(heads_path(invocation.settings)))
    with _stored(invocation) as (stored, loose):
        with _bar(invocation.terminal, stored.count()) as tell:
            chains = proof.walk(stored, kept, believed=believed, tell=tell)
        return _told(invocation, chains, loose=loose(), unreadable=unreadable)


def export(
    invocation: Invocation,
    file: Annotated[Path | None, typer.Argument(help="Written anew; stdout unless said.")] = None,
) -> Exit:
    """Write the audit as JSON Lines: a row a line, the signed end of each chain last.

    Anybody can check such a file who knows which key signs here: orion audit verify FILE --key KEY.
    """
    from controller.services import proof
    from controller.services.heads import SignedHead

    terminal = invocation.terminal
    if file is None and terminal.json:
        raise typer.BadParameter("name a file: with --json there is one object on stdout", param_hint="FILE")
    signed = [SignedHead.model_validate(head, strict=False) for head in _sign(invocation)]
    with _stored(invocation) as (stored, _):
        total = sum(head.position for head in signed)
        with _bar(terminal, total) as tell:
            lines = _counted(proof.lines(stored, signed), tell)
            if file is None:
                for line in lines:
                    terminal.write(line)
            else:
                _write(file, lines)
    keys = sorted({head.key_id for head in signed})
    if not terminal.answer({"rows": total, "file": str(file), "heads": [_head(head) for head in signed]}):
        terminal.say(
            f"{total} rows, signed with the key {', '.join(keys)}." if signed else "Nothing is on record."
        )
    return Exit.DONE


def _sign(invocation: Invocation) -> list[Json]:
    signed: list[Json] = invocation.client.post("/audit/heads")["items"]
    return signed


def _write(file: Path, lines: Iterator[str]) -> None:
    from broker import files

    try:
        files.replace_by_lines(file, lines)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}.") from error


def _counted(lines: Iterator[str], tell: Callable[[int], None]) -> Iterator[str]:
    for line in lines:
        tell(1)
        yield line


def own_keys(invocation: Invocation) -> frozenset[str]:
    """The ids of the keys that this installation signs with.

    Raises:
        Failure: they cannot be read.
    """
    from controller.store import keyring

    try:
        held = keyring.held(keys_path(invocation.settings), datetime.now(UTC))
    except keyring.KeysUnusable as error:
        raise Failure(str(error), code="configuration") from error
    return frozenset(key.key_id for key in held)


@contextmanager
def _stored(invocation: Invocation) -> "Iterator[tuple[proof.Stored, Callable[[], proof.Unchained]]]":
    """The rows of this installation's database, only looked at, and what stands outside of the chains."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import DBAPIError
    from sqlmodel import Session

    from controller.services import proof
    from controller.store import engine

    url = invocation.settings.database_url
    address = make_url(url)
    if address.get_backend_name() == engine.SQLITE and not Path(address.database or "").is_file():
        raise Failure(f"There is no database {address.database}: nothing is on record.", code="not_found")
    reader = engine.reader(url)

    def loose() -> "proof.Unchained":
        with Session(reader) as session:
            return proof.unchained(session)

    try:
        yield proof.Stored(lambda: Session(reader)), loose
    except DBAPIError as error:
        said = str(error.orig).partition("\n")[0]
        raise Failure(
            f"The database cannot be read: {said}. One of an earlier release is made ready by starting the controller."
        ) from error
    finally:
        reader.dispose()


@contextmanager
def _bar(terminal: Terminal, total: int) -> Iterator[Callable[[int], None]]:
    """How far a long walk is, for whoever looks on."""
    if not terminal.watched or total < LONG:
        yield lambda _rows: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("audit"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.err, transient=True) as drawn:
        task = drawn.add_task("", total=total)
        rows = 0

        def tell(more: int) -> None:
            nonlocal rows
            rows += more
            if rows % TELL_EVERY == 0:
                drawn.update(task, completed=rows)

        yield tell


def _told(
    invocation: Invocation,
    chains: "list[proof.Chain]",
    *,
    loose: "proof.Unchained | None" = None,
    unreadable: int = 0,
    strangers: list[str] | None = None,
) -> Exit:
    stray = loose.first_stray if loose else None
    whole = stray is None and not strangers and all(found.fault is None for found in chains)
    terminal = invocation.terminal
    report: Json = {
        "whole": whole,
        "chains": [_chain(found) for found in chains],
        "earlier_rows": loose.earlier if loose else 0,
        "first_stray": stray,
        "unreadable_heads": unreadable,
        "unknown_keys": strangers or [],
    }
    if not terminal.answer(report):
        for found in chains:
            terminal.write(sentence(found))
        if stray is not None:
            terminal.write(
                f"The row number {stray} is in no chain: it was put in, or taken out of its chain."
            )
        if loose and loose.earlier:
            terminal.write(
                f"{loose.earlier} rows of an earlier release are older than the chain, and not protected."
            )
        if strangers:
            terminal.write(
                f"Signed with {', '.join(strangers)}, which is no key that is believed here. Ask who runs that "
                "controller for the id of its key (`orion keys list`), and name it with --key."
            )
        if unreadable:
            terminal.say(f"{unreadable} lines of the file of signed heads cannot be read.")
        if not chains:
            terminal.say("Nothing is on record.")
    return Exit.DONE if whole else Exit.FAILED


def sentence(found: "proof.Chain") -> str:
    """What was found of a chain, for a person."""
    if found.fault is not None:
        fault = found.fault
        named = "" if fault.number is None else f" (number {fault.number} in `orion audit list`)"
        return f"{found.instance}: {fault.kind} at row {fault.position}{named}: {fault.sentence}."
    if found.signed is None:
        return f"{found.instance}: {found.rows} rows, each as recorded; none signed yet, so the end could be missing."
    when = receipts.clock(_head(found.signed)["at"])
    return f"{found.instance}: {found.rows} rows, each as recorded; signed up to row {found.signed.position} at {when}."


def _chain(found: "proof.Chain") -> Json:
    fault = found.fault
    told: dict[str, Any] = {
        "instance": found.instance,
        "rows": found.rows,
        "hash": found.hash,
        "signed": None if found.signed is None else _head(found.signed),
        "fault": None,
    }
    if fault is not None:
        told["fault"] = {
            "kind": fault.kind.value,
            "position": fault.position,
            "number": fault.number,
            "sentence": fault.sentence,
        }
    return told


def _head(head: "SignedHead") -> Json:
    return head.model_dump(mode="json")
