"""The built-in tools of our own device node, as every program must know them.

Names, parameters and risks are a contract with users and rules: tools are added,
none is renamed. A tool that a device declares counts as built-in only if it is
one of these to the last byte. Parameters are flat, so that any model can fill them.
"""

from collections.abc import Mapping
from typing import Any

from schemas.devices import Risk, Tool, ToolAnnotations

MAX_TEXT_BYTES = 128 * 1024  # of a file's content in one call; as base64 it still fits a result
MAX_RESULT_BYTES = 180 * 1024  # of a result as JSON

_LOW, _MEDIUM, _HIGH, _CRITICAL = Risk
_READS = {"read_only": True, "destructive": False, "idempotent": True, "open_world": False}
_ADDS = {"read_only": False, "destructive": False, "idempotent": False, "open_world": False}
_CHANGES = {"read_only": False, "destructive": True, "idempotent": False, "open_world": False}
_REACHES_OUT = {"read_only": False, "destructive": True, "idempotent": False, "open_world": True}


def _path(description: str) -> dict[str, Any]:
    return {
        "type": "string",
        "format": "path",
        "minLength": 1,
        "maxLength": 4096,
        "description": description,
    }


def _text(description: str, longest: int, *, shortest: int = 1, pattern: str = "") -> dict[str, Any]:
    schema = {"type": "string", "minLength": shortest, "maxLength": longest, "description": description}
    return schema | ({"pattern": pattern} if pattern else {})


def _whole(description: str, least: int, most: int, default: int | None = None) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": least, "maximum": most, "description": description}
    return schema if default is None else schema | {"default": default}


def _choice(description: str) -> dict[str, Any]:
    return {"type": "boolean", "default": False, "description": description}


def _tool(
    name: str,
    description: str,
    risk: Risk,
    kind: dict[str, bool],
    /,
    *required: str,
    timeout_s: float = 15.0,
    limits: Mapping[str, int] | None = None,
    **parameters: dict[str, Any],
) -> Tool:
    schema: dict[str, Any] = {"type": "object", "properties": parameters, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return Tool(
        name=name,
        description=description,
        parameters=schema | dict(limits or {}),
        annotations=ToolAnnotations(**kind),
        risk=risk,
        timeout_s=timeout_s,
    )


_APP = {
    "type": "string",
    "format": "app",
    "minLength": 1,
    "maxLength": 100,
    "description": "Name of one of the device's allowed applications.",
}
_OVERWRITE = _choice("Replace what is already there; it can be put back with undo.")
_DELAY = _whole("Seconds to wait first; undo cancels it meanwhile.", 0, 86_400, 60)
_SERVICE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9@_.:\\ -]*$"

_ALL = (
    _tool(
        "create_directory",
        "Create a folder, with the folders above it where they are missing.",
        _LOW, _ADDS | {"idempotent": True}, "path",
        path=_path("The folder to create."),
    ),
    _tool(
        "list_directory",
        "List what a folder holds: name, type, size and time of change of each entry.",
        _LOW, _READS, "path",
        path=_path("The folder to list."),
        limit=_whole("At most this many entries.", 1, 1000, 200),
    ),
    _tool(
        "path_info",
        "Tell whether a file or folder exists, and its type, size and times; with its SHA-256 if asked.",
        _LOW, _READS, "path", timeout_s=120.0,
        path=_path("The file or folder to look at."),
        sha256=_choice("Also compute the SHA-256 of a file."),
    ),
    _tool(
        "search_files",
        "Find files and folders by name below a folder, by a part of the name or a pattern like *.pdf.",
        _LOW, _READS, "path", "pattern", timeout_s=60.0,
        path=_path("The folder to search in, with all that is below it."),
        pattern=_text("Part of the name, or a pattern with * and ?; letter case does not count.", 200),
        limit=_whole("At most this many results.", 1, 500, 100),
    ),
    _tool(
        "read_file",
        "Read what a file holds: text as it is, anything else as base64.",
        _MEDIUM, _READS, "path",
        path=_path("The file to read."),
        max_bytes=_whole("Read at most this many bytes from its start.", 1, MAX_TEXT_BYTES, 65_536),
    ),
    _tool(
        "write_file",
        "Write text to a file. An existing file is left alone unless overwrite is true.",
        _MEDIUM, _CHANGES, "path", "content",
        path=_path("The file to write; its folder must exist."),
        content=_text("The whole text of the file.", MAX_TEXT_BYTES, shortest=0),
        overwrite=_OVERWRITE,
    ),
    _tool(
        "copy_path",
        "Copy a file or a whole folder. An existing destination is left alone unless overwrite is true.",
        _MEDIUM, _CHANGES, "source", "destination", timeout_s=600.0,
        source=_path("What to copy."),
        destination=_path("The path of the copy itself, not of the folder that will hold it."),
        overwrite=_OVERWRITE,
    ),
    _tool(
        "move_path",
        "Move or rename a file or folder. An existing destination is left alone unless overwrite is true.",
        _MEDIUM, _CHANGES, "source", "destination", timeout_s=600.0,
        source=_path("What to move."),
        destination=_path("Its new path, its own name included."),
        overwrite=_OVERWRITE,
    ),
    _tool(
        "delete_path",
        "Delete a file or folder by moving it to the trash, from where undo brings it back for 30 days.",
        _HIGH, _CHANGES, "path", timeout_s=600.0,
        path=_path("The file or folder to delete."),
    ),
    _tool(
        "open_app",
        "Start one of the device's allowed applications.",
        _MEDIUM, _ADDS, "name",
        name=_APP,
    ),
    _tool(
        "close_app",
        "Close one of the device's allowed applications: it is asked first, and ended after ten seconds.",
        _MEDIUM, _CHANGES, "name", timeout_s=30.0,
        name=_APP,
    ),
    _tool(
        "list_processes",
        "List running programs with their pid, name, processor and memory use, the busiest first.",
        _LOW, _READS,
        limit=_whole("At most this many processes.", 1, 500, 50),
    ),
    _tool(
        "stop_process",
        "End a running program, by its pid or by its exact name.",
        _HIGH, _CHANGES, timeout_s=30.0, limits={"minProperties": 1, "maxProperties": 1},
        pid=_whole("The number of the process.", 2, 2**31 - 1),
        name=_text("The exact name of the program; all processes of that name are ended.", 255),
    ),
    _tool(
        "service_status",
        "Tell whether a system service is installed, running and started with the system.",
        _LOW, _READS, "name",
        name=_text("The name of the service, such as ssh.", 128, pattern=_SERVICE_NAME),
    ),
    _tool(
        "system_info",
        "Tell the operating system, processor, memory, uptime and signed-in users.",
        _LOW, _READS,
    ),
    _tool(
        "disk_usage",
        "Tell how full the disks are, or the disk that holds one path.",
        _LOW, _READS,
        path=_path("Only the disk that holds this path."),
    ),
    _tool(
        "network_info",
        "Tell the device's network addresses and the ports that programs listen on.",
        _LOW, _READS,
    ),
    _tool(
        "notify",
        "Show a notification on the device's desktop, or write it to the log where there is none.",
        _LOW, _ADDS, "title", "message",
        title=_text("The heading.", 200),
        message=_text("The text.", 2000, shortest=0),
    ),
    _tool(
        "take_screenshot",
        "Take a picture of the screen.",
        _MEDIUM, _READS | {"idempotent": False}, timeout_s=30.0,
    ),
    _tool(
        "run_command",
        "Run a program with its arguments, without a shell, and return what it printed.",
        _CRITICAL, _REACHES_OUT, "command", timeout_s=60.0,
        command=_text("The program and its arguments; quotes group words, nothing else is special.", 4096),
    ),
    _tool(
        "restart_device",
        "Restart the device.",
        _HIGH, _CHANGES,
        delay_s=_DELAY,
    ),
    _tool(
        "shutdown_device",
        "Shut the device down; it has to be switched on again by hand.",
        _HIGH, _CHANGES,
        delay_s=_DELAY,
    ),
    _tool(
        "restart_node",
        "Restart the program that connects the device, not the device itself.",
        _MEDIUM, _CHANGES,
    ),
    _tool(
        "reload_config",
        "Read the device's local settings and policy again.",
        _LOW, _ADDS | {"idempotent": True},
    ),
    _tool(
        "update_node",
        "Update the program that connects the device to its newest version.",
        _HIGH, _REACHES_OUT, timeout_s=600.0,
    ),
    _tool(
        "undo",
        "Put back what an earlier command changed on this device, where that can be undone.",
        _MEDIUM, _CHANGES, "command_id", timeout_s=600.0,
        command_id=_text("The id of the earlier command.", 64),
    ),
)  # fmt: skip

TOOLS: dict[str, Tool] = {tool.name: tool for tool in _ALL}
_MAY_REPLACE = frozenset({"write_file", "copy_path", "move_path"})

CONTROLLER_TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        _tool("list_devices", "List the devices, and which of them are online.", _LOW, _READS),
        _tool(
            "device_status",
            "Tell whether a device is online and how it is doing: load, memory, disks, battery.",
            _LOW, _READS, "device_id",
            device_id=_text("The id of the device.", 63, pattern="^[a-z0-9][a-z0-9_-]*$"),
        ),
        _tool(
            "device_impact",
            "Tell which other devices stop working when this one is off or broken.",
            _LOW, _READS, "device_id",
            device_id=_text("The id of the device.", 63, pattern="^[a-z0-9][a-z0-9_-]*$"),
        ),
        _tool(
            "remember",
            "Remember something for the user that they asked you to remember, in their own words.",
            _LOW, _ADDS, "text",
            text=_text("One whole sentence, as the user said it.", 2000),
            key=_text("A name for it, only if the user gave one; what that name held is replaced.", 200),
        ),
        _tool(
            "recall",
            "Look up what was remembered. Use it when the user asks about something that no device knows.",
            _LOW, _READS,
            about=_text("One or two words that it is about; without them, the latest.", 200),
        ),
        _tool(
            "forget",
            "Forget what was remembered for the user, if they ask for it.",
            _LOW, _CHANGES, "about",
            about=_text("Its key, or the words that it is about: all that holds these words is forgotten.", 200),
        ),
    )
}  # fmt: skip


def risk_of(tool: str, arguments: Mapping[str, Any]) -> Risk:
    """How much harm this call can do; a call that may replace something is `high`.

    A tool that is not built in is `high`, as one that declares nothing.
    """
    spec = TOOLS.get(tool) or CONTROLLER_TOOLS.get(tool)
    if spec is None:
        return Risk.HIGH
    replaces = tool in _MAY_REPLACE and bool(arguments.get("overwrite"))
    return Risk.HIGH if replaces and spec.risk.rank < Risk.HIGH.rank else spec.risk
