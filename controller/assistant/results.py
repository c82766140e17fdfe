"""What a tool found, as lines for a person: names and numbers first, the rest as it came."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from controller.assistant import sanitize
from controller.assistant.language import Language

MAX_LINES = 50
MAX_LINE = 300  # characters
MAX_CONTENT = 8_000  # characters of a file

Result = Mapping[str, Any]

_EMPTY: Mapping[Language, str] = {"nl": "  (niets)", "en": "  (nothing)"}
_MORE: Mapping[Language, str] = {"nl": "  … en meer", "en": "  … and more"}
_SILENT = frozenset({"undo", "created", "truncated"})


def shown(tool: str, result: Result, language: Language) -> list[str]:
    """The lines of a result, cleaned and bounded; none where the sentence says it all."""
    if tool in _SAID:
        return []
    lines = _SHAPES.get(tool, _generic)(result)
    if not lines:
        return [_EMPTY[language]]
    cut = [_MORE[language]] if len(lines) > MAX_LINES or result.get("truncated") else []
    return [*lines[:MAX_LINES], *cut]


def says_all(tool: str) -> bool:
    """Whether a model need not be shown more of a success of this tool than that it happened."""
    return tool in _SAID or tool == "forget"


def _line(text: str) -> str:
    return "  " + sanitize.exact(text, MAX_LINE)


def _entries(result: Result) -> list[str]:
    lines = []
    found = result.get("entries") or result.get("matches")
    for entry in found if isinstance(found, list) else []:
        if not isinstance(entry, dict):
            lines.append(_line(str(entry)))
            continue
        name = str(entry.get("path") or entry.get("name") or "?")
        is_folder = entry.get("type") == "directory"
        size = entry.get("size")
        lines.append(
            _line(name + ("/" if is_folder else f"  ({_bytes(size)})" if isinstance(size, int) else ""))
        )
    return lines


def _memories(result: Result) -> list[str]:
    return [
        _line(f"{row.get('value')}  ({row.get('key')}, {row.get('source')})")
        for row in _rows(result, "memories") + _rows(result, "forgotten")
    ]


def _content(result: Result) -> list[str]:
    if result.get("encoding") == "base64":
        return [_line(f"({_size(result.get('size'))}, binary)")]
    text = sanitize.clean(str(result.get("content") or ""), MAX_CONTENT)
    return ["  " + line for line in text.splitlines()]


def _processes(result: Result) -> list[str]:
    return [
        _line(
            f"{row.get('pid')!s:>7}  {row.get('name')}  "
            f"{row.get('cpu_percent', '?')} % cpu  {_size(row.get('memory_bytes'))}"
        )
        for row in _rows(result, "processes")
    ]


def _devices(result: Result) -> list[str]:
    return [
        _line(f"{row.get('name') or row.get('device_id')} ({row.get('device_id')}): {row.get('status')}")
        for row in _rows(result, "devices")
    ]


def _stopping(result: Result) -> list[str]:
    return [
        _line(f"{row.get('name') or row.get('device_id')} ({row.get('device_id')}) → {row.get('via')}")
        for row in _rows(result, "stops")
    ]


def _disks(result: Result) -> list[str]:
    return [
        _line(
            f"{row.get('mount')}: {row.get('percent')} % of {_size(row.get('total_bytes'))} used, "
            f"{_size(row.get('free_bytes'))} free"
        )
        for row in _rows(result, "disks")
    ]


def _network(result: Result) -> list[str]:
    up = [row for row in _rows(result, "interfaces") if row.get("up")]
    interfaces = [
        _line(f"{row.get('name')}: {', '.join(_texts(row.get('ipv4')) + _texts(row.get('ipv6'))) or '-'}")
        for row in up
    ]
    listening = [
        _line(f"{row.get('protocol')} {row.get('address')}:{row.get('port')}  {row.get('program', '')}")
        for row in _rows(result, "listening")
    ]
    return interfaces + listening


def _texts(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _rows(result: Result, name: str) -> list[dict[str, Any]]:
    found = result.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _generic(result: Result) -> list[str]:
    return [
        _line(f"{name.removesuffix('_bytes')}: {_size(value) if name.endswith('_bytes') else _value(value)}")
        for name, value in result.items()
        if name not in _SILENT and value not in (None, [], {})
    ]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _size(count: Any) -> str:
    return _bytes(count) if isinstance(count, int | float) else "?"


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


_SHAPES: Mapping[str, Callable[[Result], list[str]]] = {
    "list_directory": _entries,
    "search_files": _entries,
    "read_file": _content,
    "list_processes": _processes,
    "list_devices": _devices,
    "device_impact": _stopping,
    "disk_usage": _disks,
    "network_info": _network,
    "recall": _memories,
    "forget": _memories,
}
# the sentence says it all
_SAID = frozenset(
    {
        "create_directory",
        "write_file",
        "copy_path",
        "move_path",
        "delete_path",
        "open_app",
        "close_app",
        "stop_process",
        "notify",
        "remember",
    }
)
