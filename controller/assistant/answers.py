"""What a person is told, in Dutch or English, built from receipts: a call's row and nothing else.

Only a row that says `succeeded` is called done.
"""

from collections.abc import Sequence
from typing import Any

from controller.assistant import sanitize
from controller.assistant.language import Language
from controller.assistant.phrases import DONE, STATUS, Phrases
from controller.assistant.results import shown
from controller.services.orders import Status
from controller.store.tables import ToolExecution
from schemas import builtin

MAX_VALUE = 200  # characters of an argument in a sentence


def receipts(rows: Sequence[ToolExecution], language: Language) -> list[str]:
    """One sentence a call, with what it found."""
    return [receipt(row, language) for row in rows]


def receipt(row: ToolExecution, language: Language) -> str:
    """What came of one call."""
    phrases = STATUS[language]
    what = _what(row)
    where = row.device_id
    status = Status(row.status)
    if status is Status.SUCCEEDED:
        return _success(row, language)
    reason = sanitize.one_line(row.error_message or "; ".join(row.reasons), 500)
    if status is Status.AWAITING_APPROVAL:
        return phrases["awaiting_approval"].format(what=what, where=where, approval_id=row.approval_id)
    if status is Status.EXPIRED and (row.error or {}).get("code") == "device_offline":
        return phrases["offline"].format(what=what, where=where, reason=reason)
    return phrases[status.value].format(what=what, where=where, reason=reason)


def with_words(rows: Sequence[ToolExecution], words: str, language: Language) -> str:
    """Receipts and the model's words: its words only where nothing they could claim is untrue."""
    changing = [row for row in rows if not _only_looks(row)]
    if not changing:
        failed = [row for row in rows if row.status != Status.SUCCEEDED.value]
        return (
            "\n".join([*receipts(failed, language), words]) if words else "\n".join(receipts(rows, language))
        )
    lines = receipts(changing, language)
    if words and all(row.status == Status.SUCCEEDED.value for row in rows):
        lines.append(words)
    return "\n".join(lines)


def without_model(language: Language) -> str:
    """Said when nothing was understood and no model was there to try."""
    return STATUS[language]["without_model"]


def nothing_done(language: Language) -> str:
    """Said before a model's words when it called nothing."""
    return STATUS[language]["nothing_done"]


def mended(language: Language) -> str:
    """The doubt about a sentence that was understood only after mending its spelling."""
    return STATUS[language]["mended"]


def _only_looks(row: ToolExecution) -> bool:
    known = builtin.TOOLS.get(row.tool_name) or builtin.CONTROLLER_TOOLS.get(row.tool_name)
    return known is not None and known.hints.read_only


def _what(row: ToolExecution) -> str:
    arguments = ", ".join(f"{name}={_short(value)}" for name, value in row.parameters.items())
    return f"{row.tool_name}({arguments})"


def _short(value: Any) -> str:
    return sanitize.one_line(str(value), MAX_VALUE)


def _success(row: ToolExecution, language: Language) -> str:
    templates: Phrases = DONE[language]
    values = {name: _short(value) for name, value in row.parameters.items()}
    result = row.result or {}
    template = templates.get(row.tool_name)
    if row.dry_run or template is None:
        line = STATUS[language]["succeeded"].format(what=_what(row), where=row.device_id)
    else:
        if row.tool_name == "create_directory" and result.get("created") is False:
            template = templates["create_directory_existed"]
        line = template.format_map(_Blank(values | {"where": row.device_id}))
    found = shown(row.tool_name, result, language)
    return "\n".join([line, *found])


class _Blank(dict[str, str]):
    """Template values; one that the call did not have is left empty."""

    def __missing__(self, key: str) -> str:
        return ""
