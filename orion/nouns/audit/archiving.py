"""Moving the oldest rows of the audit into a file: written, proved, and only then taken away."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orion import words
from orion.exits import Exit
from orion.nouns.audit.exporting import written
from orion.nouns.audit.rows import own_keys, progress, stored_rows
from orion.verbs import Failure, Invocation

if TYPE_CHECKING:
    from controller.services.heads import SignedHead

LONGEST = 100 * 366 * 86_400.0  # seconds


def archive(
    invocation: Invocation,
    file: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Rows that are older: 365d, 2h.")
    ] = "365d",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Move the oldest rows of the audit into a file, and go on proving what stays.

    The file is written and proved first: anybody can check it with orion audit verify FILE --key KEY. Keep
    it well: its rows are nowhere else then. What goes is signed, so that it does not look as if somebody
    had taken it away.
    """
    from controller.services.heads import SignedHead

    until = datetime.now(UTC) - timedelta(seconds=words.duration(older_than, longest=LONGEST))
    terminal, client = invocation.terminal, invocation.client
    if not yes and not terminal.asks:
        raise Failure(
            "This takes rows out of the database. Say --yes if it is meant.",
            code="usage",
            exit_code=Exit.USAGE,
        )
    if file.exists():
        raise Failure(f"{file} is there already: an archive is never written over. Name another file.")
    offered = client.post("/audit/archive", {"until": until.isoformat(timespec="milliseconds")})["items"]
    signed = [SignedHead.model_validate(head, strict=False) for head in offered]
    if not signed:
        if not terminal.answer({"rows": 0, "file": None, "sha256": None, "cuts": []}):
            terminal.say(f"No row of the audit is older than {older_than}: there is nothing to archive.")
        return Exit.DONE
    with stored_rows(invocation) as (stored, _):
        rows = written(terminal, stored, signed, file)
    _prove(invocation, file, signed)
    if not yes:
        question = f"{rows} rows are in {file}, each as recorded. Take them out of the database?"
        if not terminal.confirm(question):
            terminal.say(f"Nothing was taken away. {file} stays, as an export.")
            return Exit.FAILED
    sha256 = _sha256(file)
    cuts = client.post("/audit/cuts", {"heads": offered, "sha256": sha256})["items"]
    if not terminal.answer({"rows": rows, "file": str(file), "sha256": sha256, "cuts": cuts}):
        terminal.say(f"{rows} rows are in {file} and go from the database now, a little at a time.")
        terminal.say(f"Keep the file: they are nowhere else. Its SHA-256 is {sha256}.")
    return Exit.DONE


def _prove(invocation: Invocation, file: Path, signed: "list[SignedHead]") -> None:
    """Read what was written, as whoever checks it later."""
    from controller.services import proof

    keys = own_keys(invocation) | {head.key_id for head in signed}
    exported = proof.Exported(file)
    with progress(invocation.terminal, exported.rows) as tell:
        chains = proof.walk(exported, exported.heads, believed=keys, to_the_head=True, tell=tell)
    for found in chains:
        if found.fault is not None:
            file.unlink()
            raise Failure(
                f"The audit of {found.instance} is not what was recorded: {found.fault.sentence}. Nothing was "
                "archived; see orion audit verify",
                code="audit_broken",
            )


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
