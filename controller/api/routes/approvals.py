"""Approvals: look at the cards, and decide one, once."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from controller.api import routing, shapes, views
from controller.api.deps import Asking, Controller
from controller.api.paging import Cursor, Pages
from controller.api.preferences import PREFER, applied, patience
from controller.api.shapes import Json, Shown
from controller.api.shapes.problems import refusals
from controller.api.shapes.shown import HASH, asked
from controller.assistant import answers
from controller.assistant.language import language_of
from controller.services import approvals
from controller.services.cards import ApprovalStatus
from controller.services.pages import Page
from controller.services.sight import Sight
from controller.services.waiting import until_settled
from controller.store.store import Session
from controller.store.tables import ApprovalRow, ToolExecution

router = routing.router("approvals", below="/approvals")


class NewDecision(BaseModel):
    """A person's word. `hash`, if given, must be that of the card they were shown."""

    model_config = asked({"decision": "approve", "hash": HASH, "comment": "Go ahead."})

    decision: Literal["approve", "deny"]
    hash: str | None = None
    comment: Annotated[str, Field(max_length=500)] | None = None


@router.get("")
async def listed(
    controller: Controller,
    actor: Asking,
    pages: Pages,
    status: ApprovalStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Cursor = None,
) -> Annotated[Json, Shown(shapes.Approvals)]:
    """Cards, newest first: one's own, and all for who decides."""

    def look(session: Session) -> Page[ApprovalRow]:
        sight = Sight(session, actor)
        return approvals.listed(session, status=status, limit=limit, cursor=cursor, sight=sight)

    return pages.shown(await controller.store.read(look), views.approval)


@router.get("/{approval_id}", responses=refusals(404))
async def one(
    controller: Controller, actor: Asking, approval_id: str
) -> Annotated[Json, Shown(shapes.Approval)]:
    """One card."""
    row = await controller.store.read(
        lambda session: approvals.get(session, approval_id, sight=Sight(session, actor))
    )
    return views.approval(row)


@router.post("/{approval_id}/decision", responses=refusals(404, 409), openapi_extra=PREFER)
async def decide(
    controller: Controller,
    actor: Asking,
    approval_id: str,
    asked: Request,
    wanted: NewDecision,
    response: Response,
) -> Annotated[Json, Shown(shapes.Decided)]:
    """Decide a card; with `Prefer: wait=N` the commands it let go are shown as they ended."""

    def decided(session: Session) -> tuple[ApprovalRow, list[ToolExecution]]:
        card = approvals.decide(
            session,
            approval_id,
            approve=wanted.decision == "approve",
            actor=actor,
            now=datetime.now(UTC),
            shown_hash=wanted.hash,
            comment=wanted.comment,
        )
        return card, approvals.plan_of(session, approval_id)

    card, plan = await controller.store.write(decided)
    patience_s = patience(asked)
    applied(response, patience_s)
    rows = await until_settled(controller.store, controller.replies, plan, within_s=patience_s)
    language = language_of(" ".join(row.user_query or "" for row in rows))
    return views.approval(card) | {
        "results": [views.command(row) for row in rows],
        "text": "\n".join(answers.receipts(rows, language)),
    }
