"""`orion devices`: which devices there are, what they may do, and places for new ones."""

from typing import Annotated, Any

import typer

from orion import pages, receipts
from orion.client import Json, segment
from orion.exits import Exit
from orion.nouns import access, history, links, places
from orion.nouns.device import Aliases, Apps, Area, Groups, Id, Name, Paths, Profile, Tools, said
from orion.verbs import Invocation, noun, verb


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "devices", "Computers and machines: look, add, adopt, allow, remove.")
    verb(group, "list", example="orion devices list --group lab --status online")(listed)
    verb(group, "show", example="orion devices show laptop")(show)
    places.register(group)
    verb(group, "adopt", example="orion devices adopt lamp-1")(adopt)
    verb(group, "remove", example="orion devices remove lamp-1 --yes")(remove)
    access.register(group)
    links.register(group)
    history.register(group)
    verb(group, "policy", example="orion devices policy laptop --profile manage --allow-path ~/Documents")(
        policy
    )


def listed(
    invocation: Invocation,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help="With this status only, as online or stale."),
    ] = None,
    group: Annotated[str | None, typer.Option("--group", metavar="NAME", help="Of this group only.")] = None,
    area: Annotated[str | None, typer.Option("--area", metavar="NAME", help="In this area only.")] = None,
    text: Annotated[
        str | None, typer.Option("--find", metavar="TEXT", help="With this in the id, a name or the host's.")
    ] = None,
) -> None:
    """All devices, or those that are looked for."""
    columns = {
        "device_id": "id",
        "name": "name",
        "status": "status",
        "adopted": "adopted",
        "signing": "signing",
        "policy": "profile",
        "os": "system",
        "last_seen_at": "last seen",
    }
    sought = {"status": status, "group": group, "area": area, "q": text}
    found = list(pages.every(invocation.client, "/devices", **sought))
    if invocation.terminal.answer({"items": found}):
        return
    rows = [each | {"status": receipts.standing(each), "signing": _signing(each)} for each in found]
    none = "There are no devices yet: orion devices add ID"
    if any(each is not None for each in sought.values()):
        none = "No device is like that."
    invocation.terminal.items(rows, columns, none=none)


def _signing(device: Json) -> str:
    """Whether it signs; of one that never said anything, or says nothing any more, that is not known."""
    if device["signed"]:
        return "signed"
    return "-" if device["last_seen_at"] is None or device["status_reason"] == "revoked" else "unsigned"


def show(invocation: Invocation, device_id: Id) -> None:
    """One device: what it is, what is allowed on it, which tools it offers."""
    device = invocation.client.get(f"/devices/{segment(device_id)}")
    if not invocation.terminal.answer(device):
        _write(invocation, device)


def adopt(
    invocation: Invocation,
    device_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Show the tools that a device offers now, and accept them."""
    client, terminal = invocation.client, invocation.terminal
    seen, version = client.look(f"/devices/{segment(device_id)}")
    if not terminal.json:
        _write_tools(invocation, seen["tools"])
    if seen["tools"] and terminal.asks and not yes and not terminal.confirm("Accept these tools?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    adopted = client.post(f"/devices/{segment(device_id)}/adopt", {"tools": _hashes(seen)}, match=version)
    if not terminal.answer(adopted):
        terminal.say(f"Accepted {len(adopted['tools'])} tools of {device_id}")
    return Exit.DONE


def remove(
    invocation: Invocation,
    device_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Take a device's place and its password away. What it did stays on record."""
    terminal, path = invocation.terminal, f"/devices/{segment(device_id)}"
    _, version = invocation.client.look(path)
    if terminal.asks and not yes:
        links.warn(invocation.client, terminal, device_id)
        if not terminal.confirm(f"Remove {device_id}?"):
            terminal.say("Nothing was changed")
            return Exit.FAILED
    invocation.client.delete(path, match=version)
    if not terminal.answer({"device_id": device_id, "removed": True}):
        terminal.say(f"Removed {device_id}")
    return Exit.DONE


def policy(
    invocation: Invocation,
    device_id: Id,
    name: Name = None,
    alias: Aliases = None,
    group: Groups = None,
    area: Area = None,
    profile: Profile = None,
    allow_path: Paths = None,
    allow_app: Apps = None,
    allow_tool: Tools = None,
    no_limit: Annotated[
        list[str] | None,
        typer.Option(
            "--no-limit", metavar="LIST", help="paths, apps or tools: only the device itself limits them."
        ),
    ] = None,
) -> None:
    """Show or change what is allowed on a device. A list that is given takes the place of the old one.

    The device's own rules hold as well: the stricter of the two wins.
    """
    unlimited = [each for each in no_limit or () if each not in ("paths", "apps", "tools")]
    if unlimited:
        raise typer.BadParameter(f"{unlimited[0]!r} is none of paths, apps, tools", param_hint="--no-limit")
    body = said(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
    if no_limit:
        body["unlimited"] = [f"allowed_{each}" for each in no_limit]
    client, terminal = invocation.client, invocation.terminal
    path = f"/devices/{segment(device_id)}"
    device, version = client.look(path)
    if body:
        device = client.patch(path, body, match=version)
    if not terminal.answer(device):
        _write_policy(invocation, device)


def _hashes(device: Json) -> dict[str, str]:
    return {tool["name"]: tool["hash"] for tool in device["tools"]}


def _write(invocation: Invocation, device: Json) -> None:
    names = (
        "device_id", "name", "aliases", "groups", "area", "depends_on", "part_of", "needed_by", "parts", "status", "status_reason", "last_seen_at",
        "last_heartbeat", "clock", "signed", "enrolled_at", "hostname", "os", "os_version", "cpu", "ram_gb", "disk_gb", "adopted_at", "heartbeat",
    )  # fmt: skip
    skew = device.get("clock_skew_s")
    shown = device | {"clock": None if skew is None else receipts.ahead(skew)}
    if device.get("suspended_until"):
        shown |= {"status": receipts.standing(device), "status_reason": None}
    invocation.terminal.facts({name: shown.get(name) for name in names})
    _write_policy(invocation, device)
    invocation.terminal.write("")
    _write_tools(invocation, device["tools"])


def _write_policy(invocation: Invocation, device: Json) -> None:
    facts: dict[str, Any] = {"profile": device["policy"]}
    facts |= {f"owner_allows_{name}": limit for name, limit in device["owner_allows"].items()}
    facts |= {"allowed_paths": device["allowed_paths"], "allowed_apps": device["allowed_apps"]}
    invocation.terminal.facts(facts)


def _write_tools(invocation: Invocation, tools: list[Json]) -> None:
    if not tools:
        invocation.terminal.say("It has not said yet which tools it offers")
        return
    columns = {"name": "tool", "risk": "risk", "adopted": "accepted", "description": "description"}
    invocation.terminal.items(tools, columns, none="")
