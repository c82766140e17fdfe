"""Conversations with the assistant: look at them, and end one."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Path, Query

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.paging import Cursor, Pages
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.services import conversations
from controller.services.actors import Actor
from controller.services.pages import Page
from controller.store.store import Session
from controller.store.tables import Conversation, Message

router = routing.router("sessions", below="/sessions")

SessionId = Annotated[str, Path(min_length=1, max_length=64)]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("")
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    user: Annotated[str | None, Query(max_length=64)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    mine: bool = False,
    active: bool = False,
) -> Annotated[Json, Shown(shapes.Conversations)]:
    """Conversations, the last begun first; an admin sees everybody's. `active`: not ended yet."""
    whose = actor.user if mine else user
    wanted = partial(conversations.listed, actor=actor, user=whose, active=active, limit=limit, cursor=cursor)
    return pages.shown(await controller.store.read(wanted), views.conversation)


@router.get("/{session_id}", responses=refusals(404))
async def one(
    controller: Controller,
    actor: Asking,
    session_id: SessionId,
    pages: Pages,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.ConversationWhole)]:
    """One conversation with its last messages, the oldest of them first; `next` leads to earlier ones."""
    row, messages = await controller.store.read(
        partial(_with_messages, session_id=session_id, actor=actor, limit=limit, cursor=cursor)
    )
    pages.link(messages.next)
    said = [views.message(each) for each in messages]
    return views.conversation(row) | {"messages": said, "next": messages.next}


@router.post("/{session_id}/end", responses=refusals(404))
async def end(
    controller: Controller, actor: Asking, session_id: SessionId
) -> Annotated[Json, Shown(shapes.Conversation)]:
    """End a conversation; what was said stays on record."""
    row = await controller.store.write(
        lambda session: conversations.end(session, session_id, actor=actor, now=datetime.now(UTC))
    )
    return views.conversation(row)


def _with_messages(
    session: Session, *, session_id: str, actor: Actor, limit: int, cursor: str | None
) -> tuple[Conversation, Page[Message]]:
    row = conversations.look(session, session_id, actor=actor)
    return row, conversations.history(session, session_id, limit=limit, cursor=cursor)
