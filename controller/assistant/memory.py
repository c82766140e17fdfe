"""What a conversation remembers between turns: the user's words and the receipts, no device's text.

A question that was asked back is remembered with the sentence it was about, so that
its answer completes that sentence.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from controller.assistant.language import parts, word_set
from controller.assistant.outcome import TurnReport
from controller.assistant.providers.provider import ChatMessage
from controller.assistant.turn import Ordered
from controller.services import conversations
from controller.services.actors import Actor
from schemas.wire import JsonObject

_FILLERS = word_set(
    "op on at in bij van of de het the mijn my onze our deze this die that graag please doe do"
)
HISTORY = 20  # messages that a model is shown of earlier turns
MAX_ORDER = 20_000  # characters of what can be repeated
MAX_REMEMBERED = 2_000  # characters of one message


@dataclass(frozen=True, slots=True)
class Exchange:
    """A turn's place in its conversation.

    `text` is the sentence to act on: what was said now, or the earlier sentence that
    an answer completes; `chosen` is then the device that the answer names.
    """

    session_id: str
    message_id: str
    said: str
    text: str
    chosen: str | None = None

    @classmethod
    def open(
        cls, session: Any, text: str, session_id: str | None, *, actor: Actor, now: datetime
    ) -> "Exchange":
        """Begin or continue a conversation with the user's words.

        Raises:
            UnknownSession: there is no such conversation of this user's.
        """
        if session_id is None:
            row = conversations.begin(session, actor=actor, now=now)
        else:
            row = conversations.get(session, session_id, actor=actor)
        asked = conversations.open_question(row)
        conversations.keep_question(row, None)
        message = conversations.say(session, row, "user", text, now=now)
        named = _named(text, asked["options"]) if asked else []
        if asked is None or not named:
            return cls(row.id, message.id, text, text)
        if len(named) > 1:  # no answer: the sentence that was asked about is asked about again
            return cls(row.id, message.id, text, asked["text"])
        return cls(row.id, message.id, text, _completed(asked["text"], asked["about"], named[0]), named[0])


def _named(text: str, options: list[str]) -> list[str]:
    """The device ids of the options that the answer can mean: by its words or number, or else by id or name."""
    said = tuple(word for word in parts(text) if word not in _FILLERS)
    to_the_letter: list[str] = []
    nearly: list[str] = []
    for number, option in enumerate(options, start=1):
        name, _, tail = option.rpartition("(")
        device_id = tail.rstrip(")") if name else option
        if said in (parts(option), (str(number),)):
            to_the_letter.append(device_id)
        if said and said in (parts(device_id), parts(name)):
            nearly.append(device_id)
    return to_the_letter or nearly


def _completed(text: str, about: str, chosen: str) -> str:
    """The sentence with the chosen device in the place of the words that were asked about."""
    words = about.split()
    while words and words[0].casefold() in _FILLERS:
        del words[0]
    phrase = " ".join(words)
    return text.replace(phrase, chosen, 1) if phrase and phrase in text else text


def remember(
    report: TurnReport,
    exchange: Exchange,
    about: str,
    ordered: Sequence[Ordered],
    now: datetime,
    session: Any,
) -> None:
    """Keep the answer with its calls; a question with what it was about; an order, to be given once more."""
    row = conversations.continued(session, exchange.session_id)
    calls: list[JsonObject] = [
        {
            "command_id": call.command_id,
            "device_id": call.device_id,
            "tool": call.tool,
            "arguments": call.arguments,
            "status": call.status.value,
        }
        for call in report.calls
    ]
    conversations.say(session, row, "assistant", report.text, now=now, tool_calls=calls)
    if ordered:
        conversations.keep_order(row, _kept(ordered))
    if report.question is not None:
        options = list(report.question.options)
        conversations.keep_question(row, {"text": exchange.text, "options": options, "about": about})


def _kept(ordered: Sequence[Ordered]) -> JsonObject | None:
    """What can be repeated of an order, all or nothing: no secret is kept, and nothing long."""
    calls: list[JsonValue] = []
    for each in ordered:
        call: JsonObject = {
            "tool": each.tool,
            "arguments": each.arguments,
            "doubts": list(each.doubts),
        }
        if call not in calls:
            calls.append(call)
    too_long = len(json.dumps(calls)) > MAX_ORDER
    return None if too_long or any(each.secret for each in ordered) else {"calls": calls}


def last_order(session_id: str, session: Any) -> list[Ordered] | None:
    """The last order of a conversation; None where there is none, or none that may be repeated."""
    order = conversations.last_order(conversations.continued(session, session_id))
    if order is None:
        return None
    return [Ordered(call["tool"], call["arguments"], tuple(call["doubts"])) for call in order["calls"]]


def recall(session_id: str, before: str, session: Any) -> list[ChatMessage]:
    """Earlier turns for a model: the user's own words, and receipts in place of our answers.

    Answers may quote files and events, so they are left out: what is recalled here
    was written by the user or by code, and does not taint the turn.
    """
    recalled: list[ChatMessage] = []
    for message in conversations.history(session, session_id, limit=HISTORY):
        if message.id == before:
            continue
        if message.role == "user":
            recalled.append(ChatMessage("user", message.content[:MAX_REMEMBERED]))
        elif message.role == "assistant":
            recalled.append(ChatMessage("assistant", _receipt(message.tool_calls or [])))
    return recalled


def _receipt(calls: list[dict[str, Any]]) -> str:
    if not calls:
        return "(answered without calling a tool)"
    return "; ".join(
        f"{call['tool']} on {call['device_id'] or 'the registry'}: {call['status']}" for call in calls
    )
