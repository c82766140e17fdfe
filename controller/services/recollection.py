"""The assistant's own memory: `remember`, `recall` and `forget`, as the controller answers them.

Only the user's own memory is changed. What a turn says after it read text from elsewhere (its
`doubts`) is untrusted: it is remembered as a device's, and replaces and removes only such.
"""

import json
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session

from controller.errors import InvalidArguments, NotFound, Refused
from controller.services import arguments, memories
from controller.services.actors import FORGEABLE, Actor
from controller.services.memories import NewMemory, Source
from controller.services.requests import CommandRequest
from controller.store.tables import MemoryRow
from schemas import builtin
from schemas.wire import JsonObject, format_instant

MAX_RECALLED = 20
MAX_FORGOTTEN = 10  # at once; more were hardly meant by a few words
MAX_SHOWN = 1_000  # characters of one value
LEAST = 3  # letters of a word that counts by itself

TOOLS = frozenset({"remember", "recall", "forget"})

_WORDS = re.compile(r"\w+")


def act(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> JsonObject:
    """Do what the call says; what came of it.

    Raises:
        InvalidArguments: the call does not fit its tool.
        Refused: a question changes nothing, and untrusted words change nothing that a person said.
        NotFound: there is nothing to forget.
        Conflict: no more can be remembered for this user.
    """
    tool = builtin.CONTROLLER_TOOLS[request.tool]
    if (fault := arguments.signature(tool).fault(request.arguments)) is not None:
        raise InvalidArguments(fault)
    if request.question and not tool.hints.read_only:
        raise Refused("A question only looks and changes nothing; say it as a request.")
    if request.tool == "recall":
        return _recall(session, request, actor=actor, now=now)
    if request.tool == "forget":
        return _forget(session, request, actor=actor, now=now)
    return _remember(session, request, actor=actor, now=now)


def _remember(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> JsonObject:
    text = str(request.arguments["text"]).strip()
    if not text:
        raise InvalidArguments("There is nothing to remember in that.")
    place = memories.own(actor)
    given = request.arguments.get("key")
    key = str(given).strip() if given else ""
    if not key:
        same = memories.listed(session, actor=actor, now=now, place=place, limit=memories.MAX_ROWS)
        key = next((row.key for row in same if row.value == text), "")
    new = NewMemory(key or f"note-{secrets.token_hex(4)}", text, place, _source(request, text))
    row = memories.remember(session, new, actor=actor, now=now)
    return {"key": row.key, "source": row.source}


def _source(request: CommandRequest, text: str) -> Source:
    if request.doubts:
        return Source.DEVICE
    is_quoted = " ".join(text.split()) in " ".join((request.user_query or "").split())
    return Source.PERSON if is_quoted else Source.ASSISTANT


def _recall(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> JsonObject:
    about = _words(str(request.arguments.get("about", "")))
    if about:
        rows = _holding(session, about, request, actor=actor, now=now)
        # a model asks in its own words: then what holds one of them may be what is meant
        alone = [word for word in about if len(word) >= LEAST] if not rows else []
        for word in alone:
            rows += [
                row
                for row in _holding(session, [word], request, actor=actor, now=now)
                if row.id not in {each.id for each in rows}
            ]
    else:
        rows = memories.listed(session, actor=actor, now=now, limit=MAX_RECALLED + 1)
    shown: list[Any] = [_shown(row) for row in rows[:MAX_RECALLED]]
    return {"memories": shown, "truncated": len(rows) > MAX_RECALLED}


def _holding(
    session: Session, words: list[str], request: CommandRequest, *, actor: Actor, now: datetime
) -> list[MemoryRow]:
    found = memories.search(session, " ".join(words), actor=actor, now=now, session_id=request.session_id)
    return [row for row in found if set(words) <= set(_words(_text(row)))]


def _forget(session: Session, request: CommandRequest, *, actor: Actor, now: datetime) -> JsonObject:
    about = str(request.arguments["about"]).strip()
    place = memories.own(actor)
    every = memories.listed(session, actor=actor, now=now, place=place, limit=memories.MAX_ROWS)
    words = set(_words(about))
    rows = [row for row in every if row.key == about] or [
        row for row in every if words and words <= set(_words(_text(row)))
    ]
    if not rows:
        raise NotFound("Nothing of yours is remembered about that.")
    if len(rows) > MAX_FORGOTTEN:
        raise InvalidArguments(
            f"{len(rows)} things are remembered about that; say more of the one that is meant. "
            "See them: orion memory list"
        )
    trusted = not request.doubts and actor.via not in FORGEABLE
    if not trusted and any(row.source != Source.DEVICE for row in rows):
        raise Refused("What a person had remembered is not removed by words from elsewhere; say it yourself.")
    shown: list[Any] = [_shown(row) for row in rows]
    for row in rows:
        memories.forget(session, row.key, place, actor=actor, now=now, trusted=trusted)
    return {"forgotten": shown}


def _text(row: MemoryRow) -> str:
    value = row.value if isinstance(row.value, str) else json.dumps(row.value, ensure_ascii=False)
    return " ".join([row.key, value, *row.tags])


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(_WORDS.findall(text.casefold())))


def _shown(row: MemoryRow) -> JsonObject:
    value = row.value if isinstance(row.value, str) else json.dumps(row.value, ensure_ascii=False)
    return {
        "key": row.key,
        "value": value[:MAX_SHOWN],
        "source": row.source,
        "scope": row.scope,
        "owner": row.owner,
        "since": format_instant(row.updated_at),
    }


def trusted(shown: Iterable[JsonObject]) -> bool:
    """Whether nothing among what was recalled is a device's word."""
    return all(each.get("source") in {Source.PERSON, Source.ASSISTANT} for each in shown)
