"""`orion devices`: which devices there are, what they may do, and places for new ones."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orion import receipts, words
from orion.client import Json, segment
from orion.config.addresses import TLS_PORT, invited_to, is_loopback
from orion.exits import Exit
from orion.nouns import access
from orion.verbs import Invocation, noun, verb
from schemas.topics import DEFAULT_PREFIX

MAX_CSR = 16_384  # characters
LISTS = ("tools", "paths", "apps", "aliases", "groups")

Id = Annotated[str, typer.Argument(metavar="ID", help="The device's id.")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What people call it.")]
Aliases = Annotated[
    list[str] | None, typer.Option("--alias", metavar="NAME", help="Another name for it; repeat for more.")
]
Groups = Annotated[
    list[str] | None, typer.Option("--group", metavar="NAME", help="A group it belongs to; repeat for more.")
]
Area = Annotated[str | None, typer.Option("--area", metavar="NAME", help="The room it stands in.")]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="PROFILE", help="How much it may be asked to do: observe, assist or manage."
    ),
]
Paths = Annotated[
    list[str] | None,
    typer.Option("--allow-path", metavar="FOLDER", help="A folder tools may use; repeat for more."),
]
Apps = Annotated[
    list[str] | None, typer.Option("--allow-app", metavar="NAME", help="An application; repeat for more.")
]
Tools = Annotated[
    list[str] | None, typer.Option("--allow-tool", metavar="NAME", help="A tool; repeat for more.")
]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "devices", "Computers and machines: look, add, adopt, allow, remove.")
    verb(group, "list", example="orion devices list --json")(listed)
    verb(group, "show", example="orion devices show laptop")(show)
    verb(group, "add", example='orion devices add lamp-1 --name "Desk lamp" --profile assist --adopt --json')(
        add
    )
    verb(group, "invite", example="orion devices invite nas --profile assist --valid 15m")(invite)
    verb(group, "certificate", example="orion devices certificate lamp-1 lamp-1.csr > lamp-1.pem")(
        certificate
    )
    verb(group, "adopt", example="orion devices adopt lamp-1")(adopt)
    verb(group, "resume", example="orion devices resume lamp-1")(resume)
    verb(group, "remove", example="orion devices remove lamp-1 --yes")(remove)
    access.register(group)
    verb(group, "policy", example="orion devices policy laptop --profile manage --allow-path ~/Documents")(
        policy
    )


def listed(invocation: Invocation) -> None:
    """All devices."""
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
    found = invocation.client.get("/devices")
    if invocation.terminal.answer(found):
        return
    rows = [
        each | {"status": receipts.standing(each), "signing": "signed" if each["signed"] else "unsigned"}
        for each in found["items"]
    ]
    invocation.terminal.items(rows, columns, none="There are no devices yet: orion devices add ID")


def show(invocation: Invocation, device_id: Id) -> None:
    """One device: what it is, what is allowed on it, which tools it offers."""
    device = invocation.client.get(f"/devices/{segment(device_id)}")
    if not invocation.terminal.answer(device):
        _write(invocation, device)


def add(
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
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Accept the tools of its first profile unseen.")
    ] = False,
) -> None:
    """Prepare a place for a device, ours or anybody's, and print how it connects.

    The password is said here and never again. Any program that speaks MQTT can use it.
    """
    body: Json = {"device_id": device_id, "adopt": adopt}
    body |= _names(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
    made = invocation.client.post("/devices", body)
    terminal = invocation.terminal
    if terminal.answer(made):
        return
    terminal.say(f"Prepared a place for {device_id}. It connects with:")
    terminal.facts(made["mqtt"])
    if made["mqtt"]["host"] in ("127.0.0.1", "::1", "localhost"):
        terminal.say("The broker is for this computer only; ORION_MQTT_HOST lets others in.")
    if not adopt:
        terminal.say(f"Once it has said what it offers, accept that with: orion devices adopt {device_id}")


def invite(
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
    valid: Annotated[
        str, typer.Option("--valid", metavar="TIME", help="How long the code is good: 15m, 2h, 1d.")
    ] = "15m",
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Accept the tools of its first profile unseen.")
    ] = False,
) -> None:
    """Make a code with which one computer joins as this device, and print what to run there.

    The code is good once. It is said here and never again; an earlier one for the device is void.
    """
    body: Json = {"adopt": adopt, "valid_s": words.duration(valid)}
    body |= _names(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
    made = invocation.client.post(f"/devices/{segment(device_id)}/invite", body)
    host, port = invited_to(invocation.settings), made["port"]
    where = host if port == TLS_PORT else f"{host}:{port}"
    command = f"orion node join {where}"
    if made["prefix"] != DEFAULT_PREFIX:
        command += f" --prefix {made['prefix']}"
    terminal = invocation.terminal
    if terminal.answer(made | {"command": command}):
        return
    terminal.say(
        f"Within {receipts.span(body['valid_s'])}, run this on the computer that is to be {device_id}:"
    )
    terminal.write(f"  {command}")
    terminal.say("and give it this code when it asks:")
    terminal.write(f"  {made['code']}")
    if is_loopback(host):
        terminal.say(
            "The broker listens on this computer only: other computers reach it once ORION_MQTT_TLS_HOST=0.0.0.0 "
            "is set and the broker restarted.",
            "yellow",
        )
    if not adopt:
        terminal.say(f"Once it is there, look at what it offers: orion devices adopt {device_id}")


def certificate(
    invocation: Invocation,
    device_id: Id,
    csr: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Its signing request in PEM: openssl req -new -key KEY -subj /CN=x"
        ),
    ],
) -> None:
    """Give a device a client certificate: it needs no password then, on the port ORION_MQTT_CERT_PORT.

    Its name is the device's id, whatever the request says. It holds until the device is revoked or removed.
    """
    with csr.open(encoding="ascii", errors="replace") as file:
        text = file.read(MAX_CSR)
    made = invocation.client.post(f"/devices/{segment(device_id)}/certificate", {"csr": text})
    terminal = invocation.terminal
    if terminal.answer(made):
        return
    terminal.write(made["certificate"].strip())
    terminal.say(
        f"{device_id} connects with it to port {made['port']}; the broker's authority: orion devices certificate --json"
    )


def adopt(
    invocation: Invocation,
    device_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Show the tools that a device offers now, and accept them."""
    client, terminal = invocation.client, invocation.terminal
    seen = client.get(f"/devices/{segment(device_id)}")
    if not terminal.json:
        _write_tools(invocation, seen["tools"])
    if seen["tools"] and terminal.asks and not yes and not terminal.confirm("Accept these tools?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    adopted = client.post(f"/devices/{segment(device_id)}/adopt", {"tools": _hashes(seen)})
    if not terminal.answer(adopted):
        terminal.say(f"Accepted {len(adopted['tools'])} tools of {device_id}")
    return Exit.DONE


def resume(invocation: Invocation, device_id: Id) -> None:
    """Let a device in again that was shut out because it sent too much, before its time.

    If it goes on as before, it is shut out again.
    """
    device = invocation.client.post(f"/devices/{segment(device_id)}/resume", {})
    if not invocation.terminal.answer(device):
        invocation.terminal.say(f"{device_id} may connect again")


def remove(
    invocation: Invocation,
    device_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Take a device's place and its password away. What it did stays on record."""
    terminal = invocation.terminal
    if terminal.asks and not yes and not terminal.confirm(f"Remove {device_id}?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    invocation.client.delete(f"/devices/{segment(device_id)}")
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
    body = _names(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
    if no_limit:
        body["unlimited"] = [f"allowed_{each}" for each in no_limit]
    client, terminal = invocation.client, invocation.terminal
    path = f"/devices/{segment(device_id)}"
    device = client.patch(path, body) if body else client.get(path)
    if not terminal.answer(device):
        _write_policy(invocation, device)


def _names(
    name: str | None,
    alias: list[str] | None,
    group: list[str] | None,
    area: str | None,
    profile: str | None,
    allow_path: list[str] | None,
    allow_app: list[str] | None,
    allow_tool: list[str] | None,
) -> Json:
    given: Json = {
        "name": name,
        "aliases": alias or None,
        "groups": group or None,
        "area": area,
        "policy": profile,
        "allowed_paths": allow_path or None,
        "allowed_apps": allow_app or None,
        "allowed_tools": allow_tool or None,
    }
    return {key: value for key, value in given.items() if value is not None}


def _hashes(device: Json) -> dict[str, str]:
    return {tool["name"]: tool["hash"] for tool in device["tools"]}


def _write(invocation: Invocation, device: Json) -> None:
    names = (
        "device_id", "name", "aliases", "groups", "area", "status", "status_reason", "last_seen_at",
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
