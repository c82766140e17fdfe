"""How a command is shown to a person: in a line, in full, or as one of many.

What a device found goes to stdout; how it went is talk, on stderr.
"""

import json
from collections.abc import Mapping
from typing import Any

from controller.assistant import sanitize
from orion import exits
from orion.exits import Exit
from orion.following import ENDS, MOVING
from orion.terminal import MAX_CELL, MAX_SHOWN, Terminal, moment
from schemas.builtin import TOOLS

FACTS = (
    "command_id", "device_id", "group", "tool", "arguments", "dry_run", "when_online", "condition", "undoes",
    "parent_id", "requested_by", "via", "user_query", "decision", "risk", "approval_id", "follows",
    "status", "progress", "error", "result", "undoable", "attempt",
    "issued_at", "expires_at", "published_at", "accepted_at", "finished_at", "duration_ms",
)  # fmt: skip
MAX_COLUMNS = 8
MAX_BRIEF = 60  # characters of one value of a result
_PLACES = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def outcome(terminal: Terminal, command: Mapping[str, Any]) -> Exit:
    """Say how a command went, in a line or two; what it found goes to stdout."""
    status, error = command["status"], command.get("error") or {}
    reason = error.get("message") or "; ".join(command.get("reasons") or [])
    subject = what(command)
    code = exits.of_command(status)
    if status in MOVING:
        # why it was asked for says nothing of how it goes
        terminal.say(
            f"{subject}: {status}, no answer yet. Follow it with: orion commands show {command['command_id']}",
            "yellow",
        )
    elif status == "waiting":
        until = clock(command["expires_at"])
        terminal.say(
            f"{subject}: waits for {command['device_id']} until {until}; see: orion commands queue", "yellow"
        )
    elif code is Exit.DONE and command.get("undoes") and not command.get("dry_run"):
        result = command.get("result") or {}
        terminal.say(f"{result.get('tool', 'It')} on {whom(command)} was undone:", "green")
        _sentences(terminal, result.get("done"))
    elif code is Exit.DONE and command.get("dry_run"):
        _dry(terminal, command, command.get("result") or {})
    elif code is Exit.DONE:
        terminal.say(f"{subject}: {status}", "green")
        _found(terminal, command.get("result") or {})
        if command.get("undoable") and terminal.watched:
            terminal.say(f"Put it back with: orion undo {command['command_id']}", "dim")
    else:
        terminal.say(f"{subject}: {status.replace('_', ' ')}. {reason}".rstrip(), "red")
    return code


def _dry(terminal: Terminal, command: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """What a dry run brought: a tool that only looks was run, there is nothing else that it could do."""
    known = TOOLS.get(command["tool"])
    if known is not None and known.hints.read_only and "would" not in result:
        terminal.say(f"{what(command)}: only looks, so it was run. It found:", "green")
        _found(terminal, result)
        return
    says = "It would" if "would" in result else "It says"
    terminal.say(f"{what(command)}: only looked at, nothing was changed. {says}:", "green")
    preview(terminal, result)


def _found(terminal: Terminal, result: Mapping[str, Any]) -> None:
    """What a tool answered; on a screen, a list of things is a table."""
    lists = {name: value for name, value in result.items() if terminal.draws and _is_table(value)}
    terminal.facts({name: value for name, value in result.items() if name not in lists})
    for name, things in lists.items():
        columns = {key: key for thing in things for key in thing}
        rows = [{key: _sized(key, value) for key, value in thing.items()} for thing in things]
        terminal.write(f"{sanitize.exact(name, MAX_CELL)}:")
        terminal.items(rows, columns, none="")


def _is_table(value: Any) -> bool:
    """Whether these are things of the same kind, each with a few plain facts."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, Mapping) for each in value)
        and len({key for each in value for key in each}) <= MAX_COLUMNS
        and not any(_nests(fact) for each in value for fact in each.values())
    )


def what(command: Mapping[str, Any]) -> str:
    """What was asked of whom, in a few words."""
    return f"{command['tool']} on {whom(command)}"


def whom(command: Mapping[str, Any]) -> str:
    """The device, or the group, that a command is for."""
    group = command.get("group")
    return f"group {group}" if group else command.get("device_id") or "the controller"


def preview(terminal: Terminal, result: Mapping[str, Any]) -> None:
    """What a dry run says would happen: its sentence, then the particulars."""
    _sentences(terminal, [result.get("would")])
    told = {"would"} if "command_id" not in result else {"would", "command_id", "tool", "undo"}  # an undo's
    _particulars(terminal, {name: value for name, value in result.items() if name not in told}, "  ")


def _sentences(terminal: Terminal, said: Any) -> None:
    for sentence in said if isinstance(said, list) else [said]:
        if sentence:
            terminal.write(f"  {sanitize.exact(str(sentence), MAX_SHOWN)}")


def _particulars(terminal: Terminal, facts: Mapping[str, Any], indent: str) -> None:
    told = {name: value for name, value in facts.items() if value not in (None, "", [], {})}
    width = max((len(name) for name, value in told.items() if not _nests(value)), default=0)
    for name, value in told.items():
        if not _nests(value):
            shown = _sized(name, value)
            if isinstance(shown, str):  # no text of a device begins a line of its own here
                shown = sanitize.exact(shown, MAX_SHOWN)
            terminal.fact(name, shown, width=width, indent=indent)
            continue
        many = value if isinstance(value, list) else [value]
        for each in many:
            terminal.write(f"{indent}{sanitize.exact(name.replace('_', ' '), MAX_CELL)}:")
            _particulars(terminal, each if isinstance(each, Mapping) else {"": each}, f"{indent}  ")


def _nests(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and any(isinstance(each, Mapping) for each in value)
    )


def _sized(name: str, value: Any) -> Any:
    return size(value) if is_size(name, value) else value


def is_size(name: str, value: Any) -> bool:
    """Whether this is a number of bytes."""
    names_bytes = name in ("size", "bytes") or name.endswith(("_bytes", "_size"))
    return names_bytes and isinstance(value, int) and not isinstance(value, bool)


def size(count: int) -> str:
    """Bytes as people read them: `2.5 MB`."""
    if count < 1000:
        return f"{count} bytes"
    scaled, unit = float(count), 0
    while scaled >= 999.95 and unit < len(_SIZES) - 1:
        scaled, unit = scaled / 1000, unit + 1
    return f"{scaled:.1f} {_SIZES[unit]}"


_SIZES = ("bytes", "kB", "MB", "GB", "TB", "PB")


def write(terminal: Terminal, command: Mapping[str, Any]) -> None:
    """One command for a person, with every layer's verdict."""
    error, rollout = command.get("error"), command.get("rollout")
    shown = {name: command.get(name) for name in FACTS}
    shown |= {name: shown[name] or None for name in ("dry_run", "when_online", "undoable", "attempt")}
    shown["error"] = f"{error['code']}: {error['message']}" if error else None
    shown["condition"] = condition(command.get("condition"))
    if command["status"] not in MOVING:
        shown["progress"] = None
    if rollout:
        shown |= {"result": None, "of_the_group": counts(rollout), **pace(rollout)}
    terminal.facts(shown)
    rows = [[layer["layer"], layer["verdict"], layer["reason"]] for layer in command.get("layers") or ()]
    if rows:
        terminal.write("")
        terminal.table(["layer", "verdict", "reason"], rows)


def condition(asked: Any) -> str | None:
    """What must be true before an order leaves, as it is typed after `--if`."""
    if not isinstance(asked, Mapping):
        return None if asked is None else str(asked)
    given = words(asked["arguments"])
    return " ".join([asked["tool"], *given, *([asked["field"]] if asked.get("field") else [])])


def words(arguments: Mapping[str, Any]) -> list[str]:
    """The arguments of a call as they are typed, long ones cut."""
    return [f"{name}={_brief(value)}" for name, value in arguments.items()]


def standing(device: Mapping[str, Any]) -> str:
    """Whether a device is there, and if not why: `offline (sleeping)`."""
    if until := device.get("suspended_until"):
        return f"shut out until {clock(until)}: sends too much"
    status, reason = str(device.get("status", "unknown")), device.get("status_reason")
    return f"{status} ({reason})" if reason and status != "online" else status


def counts(rollout: Mapping[str, Any]) -> str:
    """How a group's commands stand, in words: `24 of 25 succeeded, 1 failed`."""
    others = [f"{rollout[name]} {name}" for name in (*ENDS[1:], "waiting") if rollout[name]]
    return ", ".join([f"{rollout['succeeded']} of {rollout['total']} succeeded", *others])


def pace(rollout: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that somebody set for a group, where there are any."""
    shown = {name: rollout[name] for name in ("rate_per_s", "max_in_flight", "stop_after")}
    return {name: value for name, value in shown.items() if value is not None} | {
        name: True for name in ("stopped",) if rollout[name]
    }


def why(command: Mapping[str, Any]) -> str:
    """What there is to say of how a command stands: what it found, or what kept it."""
    if command["status"] == "succeeded":
        found = command.get("result") or {}
        if command.get("dry_run") and isinstance(found.get("would"), str):
            return str(found["would"])
        return ", ".join(f"{name}={_brief(value)}" for name, value in found.items())
    error = command.get("error") or {}
    asked = command["status"] in ("awaiting_approval", "denied")
    return error.get("message") or ("; ".join(command.get("reasons") or []) if asked else "")


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_BRIEF else f"{text[:MAX_BRIEF]}…"


def clock(instant: str) -> str:
    """A moment to the minute."""
    return moment(instant, "%H:%M")


def ahead(seconds: float) -> str:
    """How far a clock is from the controller's: `5 days ahead`, `31 seconds behind`."""
    left = abs(round(seconds))
    # in the largest unit that says it in at least two: 36 hours, not 1 or 2 days
    length, unit = next(((length, unit) for length, unit in _UNITS if left >= 2 * length), (1, "second"))
    count = round(left / length)
    if count == 0:
        return "right"
    return f"{count} {unit}{'' if count == 1 else 's'} {'ahead' if seconds > 0 else 'behind'}"


def span(seconds: float) -> str:
    """A length of time in its two largest units: `1 h 20 m`."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for length, unit in _PLACES:
        if left >= length and len(parts) < 2:
            parts.append(f"{left // length} {unit}")
            left %= length
        elif parts:
            break
    return " ".join(parts) or "0 s"
