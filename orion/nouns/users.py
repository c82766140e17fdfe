"""`orion users`: people and programs that ask, by MQTT or signed in."""

import shlex
from contextlib import nullcontext
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from orion import pages
from orion.client import Json, segment
from orion.exits import Exit
from orion.nouns import signin
from orion.verbs import Invocation, noun, verb

Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name at the broker.")]
Role = Annotated[
    str,
    typer.Option(
        "--role",
        metavar="ROLE",
        help="What they may reach everywhere: guest (nothing), viewer, operator, admin, or home_assistant.",
    ),
]

Subject = Annotated[
    str,
    typer.Option(
        "--issuer-subject", metavar="SUBJECT", help="What the provider calls that person (its `sub`)."
    ),
]
Issuer = Annotated[
    str | None, typer.Option("--issuer", metavar="URL", help="Another provider than the one that is set.")
]
Device = Annotated[str | None, typer.Option("--device", metavar="ID", help="The device it is about.")]
Group = Annotated[str | None, typer.Option("--group", metavar="NAME", help="Or the group.")]


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "users", "People and programs that speak to the controller: add, look, change, remove.")
    verb(group, "list", example="orion users list --json")(listed)
    verb(group, "add", example="orion users add mia --role operator")(add)
    verb(group, "role", example="orion users role mia --role viewer")(change_role)
    verb(group, "grant", example="orion users grant mia --device printer-1 --role operator")(grant)
    verb(group, "ungrant", example="orion users ungrant mia --group lab")(ungrant)
    verb(group, "link", example="orion users link mia --issuer-subject 248289761001")(link)
    verb(group, "unlink", example="orion users unlink mia --issuer-subject 248289761001")(unlink)
    verb(group, "password", example="orion users password mia")(password)
    verb(group, "disable", example="orion users disable mia")(disable)
    verb(group, "enable", example="orion users enable mia")(enable)
    verb(group, "rotate", example="orion users rotate mia")(rotate)
    verb(group, "remove", example="orion users remove mia --yes")(remove)


def listed(invocation: Invocation) -> None:
    """All users."""
    found = {"items": list(pages.every(invocation.client, "/users"))}
    if invocation.terminal.answer(found):
        return
    columns = {
        "username": "name",
        "role": "role",
        "also": "and also",
        "may": "comes in",
        "added_by": "added by",
        "added_at": "added",
    }
    rows = [each | {"also": _also(each), "may": _comes_in(each)} for each in found["items"]]
    invocation.terminal.items(rows, columns, none="There are no users yet: orion users add NAME")


def add(invocation: Invocation, name: Name, role: Role) -> None:
    """Let somebody in. What is printed is for the broker, where programs of theirs speak MQTT, and is said once.

    It is no password to sign in with: for that, orion users password NAME --once makes one. What people
    say by MQTT may cause little: see mqtt_max_risk.
    """
    made = invocation.client.post("/users", {"username": name, "role": role})
    if invocation.terminal.answer(made | ({"sign_in": _to_sign_in(name)} if _is_somebody(made) else {})):
        return
    invocation.terminal.say(f"{name} is let in as {made['role']}. A program that speaks MQTT connects with:")
    _write(invocation, made)


def change_role(invocation: Invocation, name: Name, role: Role) -> None:
    """Give somebody another role. At the broker they get a new password, and the old one opens nothing there any more.

    The password that they sign in with stays.
    """
    changed = invocation.client.patch(f"/users/{segment(name)}", {"role": role})
    if invocation.terminal.answer(changed):
        return
    invocation.terminal.say(
        f"{name} is {changed['role']} from now on. A program that speaks MQTT connects with:"
    )
    _write(invocation, changed)


def grant(
    invocation: Invocation,
    name: Name,
    role: Annotated[
        str, typer.Option("--role", metavar="ROLE", help="What they may reach there: viewer or operator.")
    ],
    device: Device = None,
    group: Group = None,
) -> None:
    """Let somebody reach one device, or those of a group, beside what they may everywhere.

    For somebody who should reach nothing else: orion users add NAME --role guest
    """
    granted = invocation.client.put(_grant(name, device, group), {"role": role})
    if not invocation.terminal.answer(granted):
        invocation.terminal.say(f"{name} is {granted['role']} of {_place(granted)} from now on")


def ungrant(invocation: Invocation, name: Name, device: Device = None, group: Group = None) -> None:
    """Take that back. What they may everywhere stays."""
    invocation.client.delete(_grant(name, device, group))
    if not invocation.terminal.answer({"username": name, "device_id": device, "group": group}):
        invocation.terminal.say(f"{name} has no role of their own there any more")


def _grant(name: str, device: str | None, group: str | None) -> str:
    if (device is None) == (group is None):
        raise typer.BadParameter("name either a device or a group", param_hint="--device or --group")
    place = f"device/{segment(device)}" if device is not None else f"group/{segment(group or '')}"
    return f"/users/{segment(name)}/grants/{place}"


def _place(granted: Json) -> str:
    return str(granted["device_id"] or f"the group {granted['group']}")


def _also(user: Json) -> str:
    return ", ".join(f"{each['role']} of {_place(each)}" for each in user["grants"])


def link(invocation: Invocation, name: Name, subject: Subject, issuer: Issuer = None) -> None:
    """Let somebody sign in as who they are at the identity provider, which tells who was refused their subject."""
    linked = invocation.client.post(
        f"/users/{segment(name)}/identities", {"subject": subject, "issuer": issuer}
    )
    if not invocation.terminal.answer(linked):
        invocation.terminal.say(f"{name} signs in as {subject} at {linked['issuer']} from now on")


def unlink(invocation: Invocation, name: Name, subject: Subject, issuer: Issuer = None) -> None:
    """Let them sign in so no more; what they have open is over."""
    invocation.client.delete(f"/users/{segment(name)}/identities", subject=subject, issuer=issuer)
    if not invocation.terminal.answer({"username": name, "subject": subject, "issuer": issuer}):
        invocation.terminal.say(f"{name} signs in as {subject} no more")


def password(
    invocation: Invocation,
    name: Name,
    once: Annotated[
        bool, typer.Option("--once", help="Make one for one sign-in and print it; another is chosen there.")
    ] = False,
) -> None:
    """Give somebody another password to sign in with (orion login). What is open by the old one is over.

    It is asked for; without a terminal it is a line of stdin, and for whoever is signed in here as
    this user the current one is the line before. At the broker programs have another one: orion users rotate.
    """
    terminal, kept = invocation.terminal, invocation.client.sign_in
    signed_in = invocation.client.speaker.signed_in()
    is_own = signed_in is not None and signed_in.username == name
    body: Json = {"current": terminal.secret("Current password: ")} if is_own else {}
    if not once:
        body["password"] = signin.chosen(terminal)
    with kept.alone() if is_own else nullcontext():
        changed = invocation.client.put(f"/users/{segment(name)}/password", body)
        if is_own:
            kept.forget()  # the controller has ended it
    if terminal.answer(changed):
        return
    if once:
        terminal.say(f"For one sign-in of {name}, who chooses another one there:")
        terminal.write(changed["password"])
    else:
        again = f" Sign in again: orion login {name}" if is_own else ""
        terminal.say(f"{name} has another password from now on.{again}")


def disable(invocation: Invocation, name: Name) -> None:
    """Let somebody in nowhere, until they are enabled again. What they have open is over."""
    changed = invocation.client.post(f"/users/{segment(name)}/disable")
    if not invocation.terminal.answer(changed):
        invocation.terminal.say(f"{name} is let in nowhere. Again: orion users enable {name}")


def enable(invocation: Invocation, name: Name) -> None:
    """Let somebody in again as before; at the broker with a new password, said here and never again."""
    changed = invocation.client.post(f"/users/{segment(name)}/enable")
    if invocation.terminal.answer(changed):
        return
    invocation.terminal.say(f"{name} is let in again as {changed['role']}.")
    if "password" in changed["mqtt"]:
        _write(invocation, changed)


def rotate(invocation: Invocation, name: Name) -> None:
    """Replace somebody's password at the broker; the new one is said here and never again."""
    changed = invocation.client.post(f"/users/{segment(name)}/rotate")
    if not invocation.terminal.answer(changed):
        _write(invocation, changed)


def remove(
    invocation: Invocation,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> Exit:
    """Take somebody's name and password away. What they did stays on record."""
    terminal = invocation.terminal
    if terminal.asks and not yes and not terminal.confirm(f"Remove {name}?"):
        terminal.say("Nothing was changed")
        return Exit.FAILED
    invocation.client.delete(f"/users/{segment(name)}")
    if not terminal.answer({"username": name, "removed": True}):
        terminal.say(f"Removed {name}")
    return Exit.DONE


def _comes_in(user: Json) -> str:
    if user["disabled_at"] is not None:
        return "nowhere: disabled"
    ways = ["with a password"] if user["signs_in"] else []
    ways += ["by " + urlsplit(each["issuer"]).netloc for each in user["identities"]]
    ways += [] if user["username"] == "admin" else ["at the broker"]
    return ", ".join(ways) or "not yet"


def _write(invocation: Invocation, made: Json) -> None:
    mqtt: dict[str, Any] = made["mqtt"]
    terminal = invocation.terminal
    terminal.facts(mqtt)
    if "password" not in mqtt:
        terminal.say("The broker is administered elsewhere: make the same name there.")
    if _is_somebody(made):
        if made["signs_in"]:
            terminal.say(f"The password that {made['username']} signs in with is another one, and stays.")
        else:
            terminal.say(f"It is for MQTT alone. To sign in (orion login): {_to_sign_in(made['username'])}")
        terminal.say("With -P and the password in ~/.config/mosquitto_sub, the answers are heard with:")
        terminal.write(hearing(mqtt))


def _is_somebody(user: Json) -> bool:
    """Whether they sign in at all: a program of Home Assistant's speaks at the broker alone."""
    return bool(user["role"] != "home_assistant")


def _to_sign_in(name: str) -> str:
    return f"orion users password {name} --once"


def hearing(mqtt: Json) -> str:
    """The command that hears a user's answers. One name is one session, which asking takes over: it is kept."""
    words = ["mosquitto_sub", "-h", mqtt["host"], "-p", mqtt["port"], "-u", mqtt["username"]]
    words += ["-i", mqtt["client_id"], "-V", "mqttv5", "-c", "-x", 3600, "-q", 1]
    words += ["-t", f"{mqtt['prefix']}/users/{mqtt['username']}/response"]
    return shlex.join(str(word) for word in words)
