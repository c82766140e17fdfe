"""Clauses about programs, the machine and devices: what their templates caught becomes calls."""

import re
from collections.abc import Callable

from pydantic import JsonValue

from controller.assistant.language import fold
from controller.assistant.offline.caught import Caught
from controller.assistant.offline.draft import Context, Draft, Reject
from controller.assistant.offline.paths import folder_of, is_file_name, is_site, looks_like_folder
from controller.assistant.offline.tokens import PATH, QUOTED
from controller.assistant.offline.wording import BEHIND, OWN_FOLDERS, SERVICES

COMMANDS = frozenset({"command", "commando", "opdracht", "shellcommando"})
RUNNING = frozenset({"run", "draai", "execute"})
_PROGRAM = re.compile(r"\.(?:exe|app|bat|cmd|desktop|appimage|msi|sh|lnk)$", re.IGNORECASE)


def _app_name(found: Caught, slot: str = "name") -> str:
    span = found.span(slot)
    if found.is_device(slot) or len(span) > 4 or any(each.code == PATH and len(span) > 1 for each in span):
        raise Reject
    words = found.vocabulary
    if (
        span[0].code != QUOTED
        and (span[0].word in words.nouns or span[0].word in words.verbs)
        and not span[0].upper
    ):
        raise Reject
    if any(each.word.startswith("-") or each.word in COMMANDS for each in span) or span[-1].word in BEHIND:
        raise Reject
    said = found.cut(span)
    if found.words[0].word in RUNNING and span[0].code == QUOTED and len(said.split()) > 1:
        raise Reject  # a command rather than a program
    if "://" in said or said.lower().startswith("www.") or not said.strip():
        raise Reject
    return said


def _open_app(found: Caught) -> list[Draft]:
    span = found.span("name")
    if span[0].word.startswith("www.") or "://" in span[0].word:
        raise Reject
    if span[0].code == PATH or (span[0].code == QUOTED and is_file_name(found.cut(span))):
        said = found.cut(span)
        if found.words[0].word != "open" and span[-1] is not found.words[-1]:
            raise Reject
        if is_site(said):
            found.trouble.note("unsupported")
            raise Reject
        if not _PROGRAM.search(said) and len(span) == 1:
            if found.words[0].word != "open" and found.words[-1].word != "openen":
                raise Reject
            found.after = Context(folder=folder_of(said), thing=said)
            return [Draft("list_directory" if looks_like_folder(said) else "read_file", {"path": said})]
    name = _app_name(found)
    if fold(name) in OWN_FOLDERS:
        return [Draft("list_directory", {"path": name})]
    return [Draft("open_app", {"name": name})]


def _stop_process(found: Caught) -> list[Draft]:
    if "number" in found.slots:
        return [Draft("stop_process", {"pid": int(found.raw("number"))})]
    name = _app_name(found)
    return [Draft("stop_process", {"pid": int(name)} if name.isdecimal() else {"name": name})]


def _stop_or_close(found: Caught) -> list[Draft]:
    name = _app_name(found)
    apps = {fold(app) for device in found.known.devices[:500] for app in device.apps}
    return [Draft("close_app" if fold(name) in apps else "stop_process", {"name": name})]


def _list_processes(found: Caught) -> list[Draft]:
    if "number" in found.slots:
        return [Draft("list_processes", {"limit": int(found.raw("number"))})]
    if "name" in found.slots:
        if found.said & {"service", "dienst", "daemon"}:
            raise Reject
        name = fold(_app_name(found))
        apps = {fold(app) for device in found.known.devices[:500] for app in device.apps}
        if name not in apps and name.removesuffix(".service") in SERVICES:
            return [Draft("service_status", {"name": found.raw("name")})]
        if "only" in found.fixed:
            raise Reject
    return [Draft("list_processes", {})]


def _named(tool: str) -> Callable[[Caught], list[Draft]]:
    return lambda found: [Draft(tool, {"name": _app_name(found)})]


def _plain(tool: str) -> Callable[[Caught], list[Draft]]:
    def build(found: Caught) -> list[Draft]:
        device, repaired = found.device()
        return [Draft(tool, {}, device, repaired)]

    return build


def _disk_usage(found: Caught) -> list[Draft]:
    device, repaired = found.device()
    arguments: dict[str, JsonValue] = {"path": found.one("path")} if "path" in found.slots else {}
    return [Draft("disk_usage", arguments, device, repaired)]


def _notify(found: Caught) -> list[Draft]:
    device, repaired = found.device()
    message = found.tail() if "tail" in found.slots else found.raw("text")
    title = found.raw("title") if "title" in found.slots else "Orion"
    return [Draft("notify", {"title": title, "message": message}, device, repaired)]


def _run_command(found: Caught) -> list[Draft]:
    command = found.tail() if "tail" in found.slots else found.raw("text")
    return [Draft("run_command", {"command": command})]


def _unsupported(found: Caught) -> list[Draft]:
    if "device" in found.slots:
        found.device()
    found.trouble.note("unsupported")
    raise Reject


MACHINE_CALLS: dict[str, Callable[[Caught], list[Draft]]] = {
    "open_app": _open_app,
    "app_or_file": _open_app,
    "close_app": _named("close_app"),
    "stop_process": _stop_process,
    "stop_or_close": _stop_or_close,
    "list_processes": _list_processes,
    "service_status": _named("service_status"),
    "disk_usage": _disk_usage,
    "network_info": _plain("network_info"),
    "system_info": _plain("system_info"),
    "take_screenshot": _plain("take_screenshot"),
    "notify": _notify,
    "restart_device": _plain("restart_device"),
    "shutdown_device": _plain("shutdown_device"),
    "list_devices": _plain("list_devices"),
    "device_status": _plain("device_status"),
    "run_command": _run_command,
    "unsupported": _unsupported,
}
