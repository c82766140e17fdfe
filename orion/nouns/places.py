"""Places for devices: prepared by hand, by an invitation, or with a certificate."""

from pathlib import Path
from typing import Annotated

import typer

from broker.addresses import is_loopback
from orion import receipts, words
from orion.client import Json, segment
from orion.config.addresses import TLS_PORT, invited_to
from orion.nouns.device import Aliases, Apps, Area, Groups, Id, Name, Paths, Profile, Tools, said
from orion.verbs import Invocation, verb
from schemas.topics import DEFAULT_PREFIX

MAX_CSR = 16_384  # characters
SHORTEST = 10.0  # seconds that a code is good at least, as the controller wants it


def register(group: typer.Typer) -> None:
    """Add the verbs to `orion devices`."""
    verb(group, "add", example='orion devices add lamp-1 --name "Desk lamp" --profile assist --adopt --json')(
        add
    )
    verb(group, "invite", example="orion devices invite nas --profile assist --valid 15m")(invite)
    verb(group, "certificate", example="orion devices certificate lamp-1 lamp-1.csr > lamp-1.pem")(
        certificate
    )


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
    body |= said(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
    made = invocation.client.post("/devices", body)
    terminal = invocation.terminal
    if terminal.answer(made):
        return
    terminal.say(f"Prepared a place for {device_id}. It connects with:")
    terminal.facts(made["mqtt"])
    if made["mqtt"]["host"] in ("127.0.0.1", "::1", "localhost"):
        terminal.say(
            "That port is for this computer. Others come in by TLS: start the broker with "
            "ORION_MQTT_TLS_HOST=0.0.0.0, and give the device `tls_port` and the CA in `ca_file`."
            if "tls_port" in made["mqtt"]
            else "That port is for this computer, and the broker has none for others: ORION_MQTT_TLS_PORT."
        )
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
    try:
        valid_s = words.duration(valid, shortest=SHORTEST)
    except typer.BadParameter as wrong:
        raise typer.BadParameter(wrong.message, param_hint="--valid") from None
    body: Json = {"adopt": adopt, "valid_s": valid_s}
    body |= said(name, alias, group, area, profile, allow_path, allow_app, allow_tool)
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

    Its name is the device's id, whatever the request says. It holds for two years, or until the device is
    revoked or removed. Taken are keys on P-256, P-384 and P-521, and Ed25519; RSA is not.
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
