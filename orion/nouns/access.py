"""`orion devices revoke|resume|rotate`: who is let in, and with which password."""

from typing import Annotated

import typer

from orion.client import segment
from orion.exits import Exit
from orion.nouns import links
from orion.nouns.device import Id
from orion.verbs import Invocation, verb


def register(devices: typer.Typer) -> None:
    """Add the verbs to the noun `devices`."""
    verb(devices, "revoke", example="orion devices revoke lamp-1 --yes")(revoke)
    verb(devices, "resume", example="orion devices resume lamp-1")(resume)
    verb(devices, "rotate", example="orion devices rotate lamp-1 --json")(rotate)


def revoke(
    invocation: Invocation,
    device_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Let a device in no more, at once: its session ends and nothing of it is believed. Its place stays."""
    terminal = invocation.terminal
    if terminal.asks and not yes:
        links.warn(invocation.client, terminal, device_id)
        if not terminal.confirm(f"Revoke {device_id}?"):
            terminal.say("Nothing was changed")
            return Exit.FAILED
    path = f"/devices/{segment(device_id)}"
    joined = invocation.client.get(path)["signed"]
    device = invocation.client.post(f"{path}/revoke")
    if not terminal.answer(device):
        terminal.say(f"Revoked {device_id}: it is not let in any more")
        how = "invite" if joined and device["can_join"] else "rotate"
        terminal.say(f"Let it in again with: orion devices {how} {device_id}")
    return Exit.DONE


def resume(invocation: Invocation, device_id: Id) -> None:
    """Let a device in again that was shut out because it sent too much, before its time.

    If it goes on as before, it is shut out again.
    """
    device = invocation.client.post(f"/devices/{segment(device_id)}/resume", {})
    if not invocation.terminal.answer(device):
        invocation.terminal.say(f"{device_id} may connect again")


def rotate(invocation: Invocation, device_id: Id) -> None:
    """Give a device another password, and print how it connects; one that was revoked may come again.

    Its session ends, and what is sent to it waits until it is back. The password is said here and never again.
    """
    path = f"/devices/{segment(device_id)}"
    joined = invocation.client.get(path)["signed"]
    made = invocation.client.post(f"{path}/rotate")
    terminal = invocation.terminal
    if not terminal.answer(made):
        terminal.say(f"{device_id} has another password. It connects with:")
        terminal.facts(made["mqtt"])
        if joined and made["mqtt"].get("tls_port"):  # else nobody can join here
            terminal.say(
                f"A computer that joined takes it by joining again: orion devices invite {device_id}"
            )
