"""Proving the audit: the first row of each chain that is not what was recorded, or that there is none."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orion import receipts
from orion.client import Json
from orion.config.addresses import heads_path
from orion.exits import Exit
from orion.nouns.audit.rows import own_keys, progress, stored_rows
from orion.verbs import Failure, Invocation

if TYPE_CHECKING:  # the controller's own parts are loaded for the proof only
    from controller.services import proof


def verify(
    invocation: Invocation,
    file: Annotated[
        Path | None, typer.Argument(help="An export; the database of this installation unless said.")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Believe what this key signed (`orion signing-keys list`), and no other.",
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
            with progress(invocation.terminal, exported.rows) as tell:
                chains = proof.walk(exported, exported.heads, believed=signers, to_the_head=True, tell=tell)
        except proof.Unreadable as error:
            raise Failure(str(error), code="audit_unreadable") from error
        return told(invocation, chains, strangers=sorted(signers - believed))
    return _verify_database(invocation, believed)


def _verify_database(invocation: Invocation, believed: frozenset[str]) -> Exit:
    from controller.services import heads, proof
    from controller.store import headfile

    # the heads first: what is added meanwhile stands behind them
    kept, unreadable = heads.read(headfile.lines_of(heads_path(invocation.settings)))
    with stored_rows(invocation) as (stored, loose):
        with progress(invocation.terminal, stored.count()) as tell:
            chains = proof.walk(stored, kept, believed=believed, tell=tell)
        return told(invocation, chains, loose=loose(), unreadable=unreadable)


def told(
    invocation: Invocation,
    chains: "list[proof.Chain]",
    *,
    loose: "proof.Unchained | None" = None,
    unreadable: int = 0,
    strangers: list[str] | None = None,
    more: Json | None = None,
) -> Exit:
    """Say what was found of each chain; `more` is said to programs beside it."""
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
    if not terminal.answer((more or {}) | report):
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
                "controller for the id of its key (`orion signing-keys list`), and name it with --key."
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
    rows = f"{found.rows} rows"
    if found.cut is not None:
        archived = receipts.clock(found.cut.model_dump(mode="json")["at"])
        rows = f"rows {found.cut.position + 1} to {found.rows} (those before were archived at {archived})"
    if found.signed is None:
        return f"{found.instance}: {rows}, each as recorded; none signed yet, so the end could be missing."
    when = receipts.clock(found.signed.model_dump(mode="json")["at"])
    return f"{found.instance}: {rows}, each as recorded; signed up to row {found.signed.position} at {when}."


def _chain(found: "proof.Chain") -> Json:
    fault = found.fault
    told: dict[str, Any] = {
        "instance": found.instance,
        "cut": None if found.cut is None else found.cut.model_dump(mode="json"),
        "rows": found.rows,
        "hash": found.hash,
        "signed": None if found.signed is None else found.signed.model_dump(mode="json"),
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
