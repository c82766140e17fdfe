"""The audit as a file that anybody can check."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orion.exits import Exit
from orion.nouns.audit.rows import progress, stored_rows
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation

if TYPE_CHECKING:
    from controller.services import proof
    from controller.services.heads import SignedHead


def export(
    invocation: Invocation,
    file: Annotated[Path | None, typer.Argument(help="The file to write; stdout unless said.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> Exit:
    """Write the audit as JSON Lines: a row a line, the signed end of each chain last.

    Anybody can check such a file who knows which key signs here: orion audit verify FILE --key KEY.
    """
    from controller.services.heads import SignedHead

    terminal = invocation.terminal
    if file is None and terminal.json:
        raise typer.BadParameter("name a file: with --json there is one object on stdout", param_hint="FILE")
    if file is not None and file.exists() and not force:
        raise Failure(f"{file} is there. Name another file, or say --force.")
    said = invocation.client.post("/audit/heads")["items"]
    signed = [SignedHead.model_validate(head, strict=False) for head in said]
    with stored_rows(invocation) as (stored, _):
        rows = written(terminal, stored, signed, file)
    keys = sorted({head.key_id for head in signed})
    if not terminal.answer({"rows": rows, "file": str(file), "heads": said}):
        terminal.say(
            f"{rows} rows, signed with the key {', '.join(keys)}." if signed else "Nothing is on record."
        )
    return Exit.DONE


def written(
    terminal: Terminal, stored: "proof.Stored", signed: "Sequence[SignedHead]", file: Path | None
) -> int:
    """Write each chain up to its signed head, from what was archived of it on; how many rows. stdout: no file."""
    from broker import files
    from controller.services import proof

    cuts = stored.cuts()
    rows = sum(
        head.position - (cuts[head.instance].position if head.instance in cuts else 0) for head in signed
    )
    with progress(terminal, rows) as tell:
        lines = (tell(1) or line for line in proof.lines(stored, signed))
        if file is None:
            for line in lines:
                terminal.write(line)
            return rows
        try:
            files.replace_by_lines(file, lines)
        except OSError as error:
            raise Failure(f"{file} cannot be written: {error.strerror}.") from error
    return rows
