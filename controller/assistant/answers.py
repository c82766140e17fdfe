"""What a person is told, in Dutch or English, built from receipts: a call's row and nothing else.

Only a row that says `succeeded` is called done.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from controller.assistant import sanitize
from controller.assistant.language import Language
from controller.assistant.phrases import CAUSES, DONE, LAYERS, STATUS, WHAT, Phrases
from controller.assistant.results import shown
from controller.services import inquiries
from controller.services.orders import Status
from controller.services.policy import Verdict
from controller.store.tables import ToolExecution
from schemas import builtin
from schemas.errors import ErrorCode

AWAY = frozenset({ErrorCode.DEVICE_OFFLINE, ErrorCode.RATE_LIMITED})  # of what was never sent
MAX_VALUE = 200  # characters of an argument in a sentence
MAX_REASON = 500  # characters
# how models tell of deeds, in both languages: "I have deleted", "done!", "de map is gemaakt"
_DEEDS = re.compile(
    r"\b(?:i|we)(?:'ve|\s+have|\s+just|\s+already)?(?:\s+\w+)?\s+(?:\w+ed|made|put|sent|ran|did|set|wrote|shut)\b"
    r"|\b(?:has|have|was|were)\s+(?:been\s+)?(?:success\w+\s+)?"
    r"(?:created|deleted|removed|moved|copied|written|renamed|opened|closed|stopped|sent|restarted|made|saved)\b"
    r"|\b(?:done|all\s+set|successfully|completed|gelukt|klaar|gedaan|uitgevoerd)\b"
    r"|\b(?:ik\s+heb|we\s+hebben|is|zijn|werd|werden)\b.{0,80}?\b"
    r"(?:ge(?:maakt|wist|kopieerd|schreven|stopt|start|sloten|opend|stuurd|plaatst|zet)|verwijderd|verplaatst"
    r"|hernoemd|aangemaakt|opgeslagen|weggegooid|herstart|afgesloten)\b",
    re.IGNORECASE,
)


def receipts(rows: Sequence[ToolExecution], language: Language) -> list[str]:
    """One sentence a call, with what it found."""
    return [receipt(row, language) for row in rows]


def receipt(row: ToolExecution, language: Language) -> str:
    """What came of one call."""
    status = Status(row.status)
    if status is Status.SUCCEEDED:
        return _success(row, language)
    offline = status is Status.EXPIRED and (row.error or {}).get("code") in AWAY
    return STATUS[language]["offline" if offline else status.value].format(
        what=_what(row, language),
        where=_where(row),
        reason=_reason(row, language),
        approval_id=row.approval_id,
    )


def _reason(row: ToolExecution, language: Language) -> str:
    """Why it did not come to be; in Dutch the cause, with the exact words in brackets."""
    said = sanitize.exact(row.error_message or "; ".join(row.reasons), MAX_REASON)
    cause = _cause(row) if language == "nl" else None
    return f"{cause} ({said})" if cause else said


def _cause(row: ToolExecution) -> str | None:
    last = str(row.layers[-1]["layer"]) if row.decision == Verdict.DENY.value and row.layers else ""
    return LAYERS.get(last) or CAUSES.get(str((row.error or {}).get("code")))


def with_words(rows: Sequence[ToolExecution], words: str, language: Language) -> str:
    """Receipts and the model's words: its words only where nothing they could claim is untrue."""
    changing = [row for row in rows if not _only_looks(row)]
    if not changing and _DEEDS.search(words):
        words = f"{words}\n{STATUS[language]['only_looked']}"
    if not changing:
        failed = [row for row in rows if row.status != Status.SUCCEEDED.value]
        return (
            "\n".join([*receipts(failed, language), words]) if words else "\n".join(receipts(rows, language))
        )
    lines = receipts(changing, language)
    if words and all(row.status == Status.SUCCEEDED.value for row in rows):
        lines.append(words)
    return "\n".join(lines)


def without_calls(words: str, language: Language, *, question: bool) -> str:
    """A model's words when it called nothing: none that tell of deeds, and said to be words only.

    Only a receipt says that something was done, and here there is none.
    """
    if _DEEDS.search(words):
        return f"{STATUS[language]['nothing_done']} {STATUS[language]['words_left_out']}"
    return words if question else f"{STATUS[language]['nothing_done']}\n{words}"


def without_model(language: Language) -> str:
    """Said when nothing was understood and no model was there to try."""
    return STATUS[language]["without_model"]


def nothing_done(language: Language) -> str:
    """Said before a model's words when it called nothing."""
    return STATUS[language]["nothing_done"]


def nothing_to_repeat(language: Language) -> str:
    """Said when a conversation has no order that can be given once more."""
    return STATUS[language]["nothing_to_repeat"]


def mended(language: Language) -> str:
    """The doubt about a sentence that was understood only after mending its spelling."""
    return STATUS[language]["mended"]


def tool_of(row: ToolExecution) -> str:
    """The tool by a name that has words here; empty where a device has its own by a name of the controller's."""
    tool = row.tool_name
    is_other = tool in builtin.CONTROLLER_TOOLS and not inquiries.answers(tool, row.device_id)
    return "" if is_other else tool


def _only_looks(row: ToolExecution) -> bool:
    tool = tool_of(row)
    known = builtin.TOOLS.get(tool) or builtin.CONTROLLER_TOOLS.get(tool)
    return known is not None and known.hints.read_only


def _what(row: ToolExecution, language: Language) -> str:
    """The call in a few words, made from its exact arguments."""
    if template := WHAT[language].get(tool_of(row)):
        return _filled(template, row)
    arguments = ", ".join(f"{name}={_short(value)}" for name, value in row.parameters.items())
    return f"{row.tool_name}({arguments})"


def _where(row: ToolExecution) -> str:
    """The device, or the group that an order went to; the controller for what it does itself."""
    return row.device_id or sanitize.exact(row.group_name or "Orion", MAX_VALUE)


def _filled(template: str, row: ToolExecution) -> str:
    values = {name: _short(value) for name, value in row.parameters.items()}
    return template.format_map(_Blank(values | {"where": _where(row)}))


def _short(value: Any) -> str:
    return sanitize.exact(str(value), MAX_VALUE)


def _success(row: ToolExecution, language: Language) -> str:
    templates: Phrases = DONE[language]
    result = row.result or {}
    tool = tool_of(row)
    template = templates.get(tool)
    if row.group_name is not None:  # what each device said is with its own command
        return STATUS[language]["succeeded"].format(what=_what(row, language), where=_where(row))
    if row.dry_run:
        line = STATUS[language]["preview"].format(what=_what(row, language), where=_where(row))
    elif template is None:
        line = STATUS[language]["succeeded"].format(what=_what(row, language), where=_where(row))
    else:
        line = _filled(templates.get(_variant(row, result), template), row)
    if tool == "recall" and not result.get("memories") and row.parameters:
        return line  # it says already that there is nothing
    return "\n".join([line, *shown(tool, result, language)])


def _variant(row: ToolExecution, result: Mapping[str, Any]) -> str:
    """The name of the sentence for a success that is not the usual one."""
    tool = tool_of(row)
    if tool == "create_directory" and result.get("created") is False:
        return "create_directory_existed"
    if tool == "notify" and result.get("shown") == "log":
        return "notify_logged"
    if tool == "recall" and "about" not in row.parameters:
        return "recall_all"
    if tool == "recall" and not result.get("memories"):
        return "recall_nothing"
    if tool == "remember" and result.get("source") == "device":
        return "remember_untrusted"
    return tool


class _Blank(dict[str, str]):
    """Template values; one that the call did not have is left empty."""

    def __missing__(self, key: str) -> str:
        return ""
