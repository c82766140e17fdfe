"""Waiting for commands without polling: look, wait for a change, look again."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from functools import partial

from sqlmodel import Session, col, select

from controller.services.orders import Status
from controller.services.replies import Replies
from controller.store.store import Store, StoreFailed
from controller.store.tables import ToolExecution

MAY_TAKE_DAYS = frozenset({Status.AWAITING_APPROVAL, Status.WAITING})  # a person, or a device that is away


def rows(session: Session, command_ids: Sequence[str]) -> list[ToolExecution]:
    """The commands in the order asked for."""
    found = session.exec(select(ToolExecution).where(col(ToolExecution.id).in_(command_ids)))
    by_id = {row.id: row for row in found}
    return [by_id[command_id] for command_id in command_ids]


def is_settled(all_rows: Sequence[ToolExecution]) -> bool:
    """Whether nothing moves by itself any more: all final, or behind a card or a device that is away."""
    waiting: set[str] = set()
    for row in all_rows:
        status = Status(row.status)
        if status in MAY_TAKE_DAYS or row.follows in waiting:
            waiting.add(row.id)
        elif not status.is_final:
            return False
    return True


async def watch(
    store: Store, replies: Replies, command_ids: Sequence[str], *, within_s: float
) -> AsyncGenerator[list[ToolExecution], None]:
    """The commands now and after every change, until nothing moves any more or time is up."""
    deadline = asyncio.get_running_loop().time() + within_s
    with replies.changes(command_ids) as changes:
        found = await store.ask(partial(rows, command_ids=command_ids))
        while True:
            yield found
            if is_settled(found):
                return
            try:
                async with asyncio.timeout_at(deadline):
                    await changes.wait()
            except TimeoutError:
                return
            if (ended := changes.taken()) is None:
                found = await store.ask(partial(rows, command_ids=command_ids))
            else:  # an end stays as it was told: no need to look
                found = [ended.get(row.id, row) for row in found]


async def until_settled(
    store: Store, replies: Replies, recorded: Sequence[ToolExecution], *, within_s: float
) -> list[ToolExecution]:
    """The commands once nothing moves any more, or as they are after `within_s`.

    Where the database goes meanwhile, as they were last seen: they are recorded, and an error would have
    them ordered again.
    """
    found = list(recorded)
    ids = [row.id for row in recorded]
    with suppress(StoreFailed):
        async with aclosing(watch(store, replies, ids, within_s=within_s)) as states:
            async for state in states:
                found = state
    return found
