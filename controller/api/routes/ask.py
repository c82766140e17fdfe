"""The assistant over HTTP: one request, a stream of JSON lines, the report last.

Every line but the last is a `Response` of `docs/wire.md`; the last is
`{"type": "report", …}`. A caller who goes away does not stop the turn.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, StringConstraints

from controller.api import routing, shapes
from controller.api.deps import Asking, Controller, Parts
from controller.api.lines import Lines
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import asked
from controller.assistant.chat import Ask
from controller.errors import OrionError
from controller.services import conversations
from controller.services.actors import Actor
from schemas.assistant import MAX_TEXT, Response
from schemas.errors import ErrorBody, ErrorCode
from schemas.ids import DeviceId, MessageId

logger = logging.getLogger(__name__)

router = routing.router("assistant")

MAX_WAITING = 1_000  # lines for a slow reader; more are dropped, the report never


class NewRequest(BaseModel):
    """What a person says."""

    model_config = asked({"text": "Maak een map Test op mijn laptop"})

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TEXT)]
    session_id: MessageId | None = None
    device_id: DeviceId | None = None  # where they sit


@router.post("/ask", response_class=Lines, responses=refusals(404, 409) | {200: {"model": shapes.Line}})
async def ask(controller: Controller, actor: Asking, wanted: NewRequest) -> Lines:
    """Say what should happen; each step is streamed as it is taken.

    Raises:
        TooOften: enough of one's own turns run, or of everybody's.
        UnknownSession: the session named is not theirs.
        SessionOver: it was ended.
    """
    if wanted.session_id is not None:
        known = partial(conversations.get, session_id=wanted.session_id, actor=actor)
        await controller.store.read(known)
    controller.turns.begin(actor.user)
    lines: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING)
    said = Ask(wanted.text, session_id=wanted.session_id, here=wanted.device_id)
    controller.tasks.create_task(_serve(controller, actor, said, lines), name="turn")
    return Lines(_stream(lines))


async def _serve(controller: Parts, actor: Actor, said: Ask, lines: asyncio.Queue[bytes | None]) -> None:
    async def emit(response: Response) -> None:
        if lines.qsize() < MAX_WAITING - 2:  # a place is kept for the report and the end
            lines.put_nowait(response.encode())

    try:
        report = await controller.assistant.turn(said, actor, emit)
        last: dict[str, Any] = {"type": "report"} | report.model_dump(mode="json")
    except OrionError as error:
        last = {"type": "problem", "error": error.body().to_json()}
    except Exception:  # the controller outlives a turn that failed
        logger.exception("A turn failed")
        body = ErrorBody(code=ErrorCode.INTERNAL, message="Something went wrong here; the log says what.")
        last = {"type": "problem", "error": body.to_json()}
    finally:
        controller.turns.end(actor.user)
    lines.put_nowait(json.dumps(last).encode())
    lines.put_nowait(None)


async def _stream(lines: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
    while (line := await lines.get()) is not None:
        yield line + b"\n"
