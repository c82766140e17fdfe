"""`orion doctor`: what is well, what is not, and what to do about it."""

import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from orion import pages, receipts
from orion.client import Client, ClientError, NotRunning, Refused, Unproven
from orion.config.settings import Settings
from orion.exits import Exit
from orion.verbs import Invocation, verb
from schemas.wire import format_instant

if TYPE_CHECKING:
    from broker.settings import BrokerSettings

AUTHORITY_SOON = timedelta(days=365)
DEVICE_SOON = timedelta(days=30)
MAX_SKEW = 2.0  # seconds between our clock and the controller's
LEAST_FREE = 500_000_000  # bytes
LATE = 2  # times the interval from which on a backup is old
GIGABYTE = 1_000_000_000

Check = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "doctor", example="orion doctor --json")(doctor)


def doctor(invocation: Invocation) -> Exit:
    """Look at the broker, its settings, the controller, the database, the clock and the model.

    Each finding comes with its remedy. Exit code 0 when nothing is wrong; a model that is not there
    is no fault, the offline planner serves.
    """
    checks = [*_here(invocation), *_there(invocation)]
    faults = [check for check in checks if check["state"] == "wrong"]
    terminal = invocation.terminal
    if not terminal.answer({"healthy": not faults, "items": checks}):
        columns = {"check": "check", "state": "state", "found": "found", "remedy": "remedy"}
        terminal.items(checks, columns, none="")
    return Exit.FAILED if faults else Exit.DONE


def _finding(check: str, found: str, *, good: bool, remedy: str = "", state: str = "wrong") -> Check:
    return {
        "check": check,
        "state": "ok" if good else state,
        "found": found,
        "remedy": None if good else remedy,
    }


def _here(invocation: Invocation) -> Iterator[Check]:
    """What can be seen without the controller."""
    from broker import addresses, binary, config, process  # only this command looks at the broker's own parts
    from orion.config import programs

    settings = invocation.settings
    yield _finding("python", f"{platform.python_version()} on {sys.platform}", good=True)
    yield _backups(settings, datetime.now(UTC))
    if settings.mqtt_url is not None:
        yield _finding("broker", "run elsewhere, its settings are not seen from here", good=True)
        return
    try:
        program = binary.find()
        version = ".".join(map(str, binary.version_of(program)))
        yield _finding("mosquitto", f"{version} at {program}", good=True)
    except binary.BrokerUnavailable as error:
        yield _finding("mosquitto", str(error), good=False, remedy=binary.install_command())
    told = programs.for_broker(settings)
    if not told.config_path.exists():
        remedy = "orion up, or orion broker"
        yield _finding("broker settings", "never started with this data folder", good=False, remedy=remedy)
        return
    problems = config.check(told.config_path)
    if addresses.is_loopback(told.host):
        remedy = "restart the broker: it writes its settings anew"
    else:
        remedy = "leave ORION_MQTT_HOST unset and restart the broker; other computers come in by ORION_MQTT_TLS_HOST"
    yield _finding(
        "broker settings", "; ".join(problems) or "as they should be", good=not problems, remedy=remedy
    )
    yield from _listening(told)
    running = process.running(told.directory)
    found = f"pid {running.pid}, port {told.port}" if running else "not running"
    yield _finding("broker process", found, good=running is not None, remedy="orion up, or orion broker")


def _backups(settings: Settings, now: datetime) -> Check:
    """How old the newest backup is, where it should be."""
    from controller.store import backups

    made = [
        each.manifest.made_at for each in backups.of(settings.instance, settings.backup_dir) if each.manifest
    ]
    remedy = "orion db backup; the controller's log says why it made none"
    if not made:
        found = f"none in {settings.backup_dir}"
        return _finding("backup", found, good=False, state="missing", remedy=remedy)
    found = f"the newest was made {receipts.clock(format_instant(made[0]))}"
    fresh = not settings.backup_hours or now - made[0] < LATE * timedelta(hours=settings.backup_hours)
    return _finding("backup", found, good=fresh, state="old", remedy=remedy)


def _listening(told: "BrokerSettings") -> Iterator[Check]:
    """Where the broker listens, and how long its certificates hold."""
    from broker import config

    try:
        listeners = config.parse(told.config_path.read_text(encoding="utf-8")).listeners
    except (OSError, config.ConfigError):
        return  # said above
    yield _finding("listeners", ", ".join(map(str, listeners)), good=True)
    if any(listener.encrypted for listener in listeners):
        yield from _certificates(told.directory, datetime.now(UTC))


def _certificates(directory: Path, now: datetime) -> Iterator[Check]:
    """How long the broker's certificates hold, whom they are for, and which devices' end soon."""
    from broker import certificates

    try:
        facts, given = certificates.look(directory), certificates.given(directory)
    except certificates.CertificateError as error:
        yield _finding("certificates", str(error), good=False, remedy="restart the broker, and read its log")
        return
    ends = facts.server_until
    found = "missing or damaged" if ends is None else f"until {ends:%Y-%m-%d}, for {', '.join(facts.names)}"
    good = ends is not None and ends > now
    yield _finding("certificate", found, good=good, remedy="restart the broker: it makes a new one")
    left = facts.authority_until - now
    remedy = (
        "before that day: stop the broker, move its folder `certificates` away, start it, and let every "
        "device that uses TLS join anew"
    )
    yield _finding(
        "authority", f"until {facts.authority_until:%Y-%m-%d}", good=left > AUTHORITY_SOON, remedy=remedy
    )
    ending = [
        f"{device_id} ({last:%Y-%m-%d})"
        for device_id, mine in given.items()
        if (last := max((each.until for each in mine if each.state == "good"), default=None)) is not None
        and last - now < DEVICE_SOON
    ]
    if ending:
        remedy = "give these devices new certificates"
        yield _finding("devices' certificates", ", ".join(ending), good=False, state="ending", remedy=remedy)


def _there(invocation: Invocation) -> Iterator[Check]:
    """What the controller knows of itself."""
    client = invocation.client
    try:
        asked_at = datetime.now(UTC)
        told = client.get("/system/doctor")
        answered_at = datetime.now(UTC)
        devices = list(pages.every(client, "/devices")) if told["devices"] is not None else None
    except Refused as refused:
        if refused.status != HTTPStatus.FORBIDDEN:
            yield _unreached(refused)
            return
        yield from _for_anybody(client)
        return
    except ClientError as error:
        yield _unreached(error)
        return
    yield _finding("controller", f"{told['instance']} at {client.site.shown}", good=True)
    broker = told["broker"]
    found = f"{broker['host']}:{broker['port']}, {'connected' if broker['connected'] else 'not connected'}"
    remedy = "start the broker; the controller's log says why it is not let in"
    yield _finding("connection", found, good=broker["connected"], remedy=remedy)
    yield from _identities(told["identities"])
    yield _database(told["database"])
    free = told["disk_free_bytes"]
    remedy = f"make room where {invocation.settings.data_dir} is"
    yield _finding("disk", f"{free / GIGABYTE:.1f} GB free", good=free >= LEAST_FREE, remedy=remedy)
    at = datetime.fromisoformat(told["at"])
    skew = max(0.0, (at - answered_at).total_seconds(), (asked_at - at).total_seconds())
    remedy = "set the clocks by NTP: timedatectl set-ntp true"
    yield _finding("clock", f"{skew:.1f} s apart from the controller's", good=skew < MAX_SKEW, remedy=remedy)
    model, trouble = told["model"], told["model"]["trouble"]
    remedy = f"ollama pull {model['name']}, or set ORION_MODEL and OLLAMA_HOST; until then sentences are planned offline"
    found = trouble or f"{model['name']} at {model['host']}"
    yield _finding("model", found, good=trouble is None, remedy=remedy, state="missing")
    if devices is None:
        return  # nobody knows now
    online = sum(device["status"] == "online" for device in devices)
    yield _finding("devices", f"{len(devices)}, of which {online} online", good=True)
    yield from _ailing(told["devices"])
    waiting = [device["device_id"] for device in devices if not device["adopted"]]
    if waiting:
        remedy = f"orion devices adopt {waiting[0]}"
        yield _finding(
            "adoption", f"waiting: {', '.join(waiting)}", good=False, remedy=remedy, state="waiting"
        )


def _unreached(error: ClientError) -> Check:
    is_away = isinstance(error, NotRunning) and not isinstance(error, Unproven)
    remedy = "orion up, or orion controller" if is_away else "as it says"
    return _finding("controller", str(error), good=False, remedy=remedy)


def _for_anybody(client: Client) -> Iterator[Check]:
    """What the controller tells of itself to whoever is no administrator."""
    try:
        me, release, health = (client.get(path) for path in ("/auth/me", "/system/version", "/health"))
    except ClientError as error:
        yield _unreached(error)
        return
    yield _finding("controller", f"{release['instance']} at {client.site.shown}, it runs", good=True)
    remedy = "tell whoever runs it"
    found = "the broker is reached" if health["status"] == "ready" else "the broker is not reached"
    yield _finding("connection", found, good=health["status"] == "ready", remedy=remedy)
    found = f"as {me['username']}, {me['role']}: the database, the model and the devices are looked at for an administrator"
    remedy = "sign in as one, or orion logout if the data folder is yours"
    yield _finding("signed in", found, good=False, state="limited", remedy=remedy)


def _identities(told: dict[str, Any]) -> Iterator[Check]:
    """Names at the broker: whether there are more than it carries well, and whether they hold."""
    if not told:
        return
    count, bound = told["count"], told["bound"]
    if count is not None:
        found = f"{count} names" if bound is None else f"{count} names; it carries {bound} well"
        remedy = (
            "every change takes longer with each name more; the broker that `orion up` runs has no such bound"
        )
        good = bound is None or count <= bound
        yield _finding("identities", found, good=good, state="crowded", remedy=remedy)
    for fault in told["faults"]:
        remedy = "mosquitto_ctrl dynsec, or that broker's settings: docs/operations.md"
        yield _finding("broker's rules", fault, good=False, state="open", remedy=remedy)


def _ailing(told: dict[str, Any]) -> Iterator[Check]:
    """Devices that are silent, doubled, shut out or have a wrong clock; nothing when all are well."""
    skewed = [f"{device_id} ({receipts.ahead(skew_s)})" for device_id, skew_s in told["skewed"].items()]
    shut_out = [
        f"{device_id} until {receipts.clock(until)}: sends too much"
        for device_id, until in told["shut_out"].items()
    ]
    kinds = (
        ("silent devices", told["stale"], "stale", "look whether they run and are connected"),
        (
            "doubled devices",
            told["conflicting"],
            "wrong",
            "stop the second program that connects with the same id",
        ),
        (
            "devices shut out",
            shut_out,
            "wrong",
            "see what it sends: orion events; to let it in before its time: orion devices resume ID",
        ),
        ("device clocks", skewed, "wrong", "set the clocks of these devices by NTP"),
    )
    for check, found, state, remedy in kinds:
        if found:
            yield _finding(check, ", ".join(found), good=False, state=state, remedy=remedy)


def _database(database: dict[str, Any]) -> Check:
    if (trouble := database.get("trouble")) is not None:
        remedy = "look at the database's server, or at the disk that it is on; Orion goes on by itself"
        return _finding("database", trouble, good=False, remedy=remedy)
    integrity = database.get("integrity", "ok")
    journal = database.get("journal_mode")
    found = ", ".join(
        filter(None, [database["kind"], f"revision {database['revision']}", journal, integrity])
    )
    good = integrity == "ok" and journal in (None, "wal")
    return _finding("database", found, good=good, remedy="stop Orion and restore the database from a backup")
