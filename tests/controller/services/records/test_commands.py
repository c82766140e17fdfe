"""A command is found by its device and status, and whoever waits for it sees its end."""

import asyncio
from functools import partial

import pytest
from sqlmodel import Session

from controller.errors import UnknownCommand
from controller.services import commands, devices, settling, waiting
from controller.services.orders import Status
from controller.services.replies import Replies
from controller.store import notices
from controller.store.store import Store
from controller.store.tables import Device
from schemas.commands import ReplyStatus
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_reply, a_request, later


def test_commands_are_found_by_device_and_status(session: Session, laptop: Device) -> None:
    done = commands.submit(session, a_request(), actor=ADMIN, now=NOON)
    refused = commands.submit(session, a_request(device_id="nowhere"), actor=ADMIN, now=NOON)
    session.flush()

    assert [row.id for row in commands.listed(session)] == [refused.id, done.id]
    assert [row.id for row in commands.listed(session, device_id="laptop")] == [done.id]
    assert [row.id for row in commands.listed(session, status=Status.DENIED)] == [refused.id]
    assert commands.get(session, done.id) is done
    assert commands.on_the_way(session) == [done]
    with pytest.raises(UnknownCommand):
        commands.get(session, "nothing")


async def prepared(store: Store) -> Replies:
    def place(session: Session) -> None:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
        devices.store_profile(session, "laptop", a_profile(), now=NOON)
        devices.store_presence(session, "laptop", a_presence(), now=NOON)

    await store.write(place)
    replies = Replies()

    def hear(heard: list[notices.Notice]) -> None:
        for notice in heard:
            replies.hear(notice)

    store.listen(hear)
    return replies


async def test_who_waits_for_a_command_sees_its_end(store: Store) -> None:
    replies = await prepared(store)
    row = await store.write(lambda session: commands.submit(session, a_request(), actor=ADMIN, now=NOON))

    waiter = asyncio.create_task(waiting.until_settled(store, replies, [row], within_s=10))
    await asyncio.sleep(0)
    await store.write(lambda session: settling.settle(session, "laptop", a_reply(row.id), now=later(1)))
    (seen,) = await waiter

    assert seen.status == Status.SUCCEEDED
    assert not replies._waiters


async def test_each_end_of_a_plan_is_told_as_it_is_stored(store: Store) -> None:
    replies = await prepared(store)
    plan = [a_request(arguments={"path": path}) for path in ("A", "B", "C")]
    rows = await store.write(lambda session: commands.submit_plan(session, plan, actor=ADMIN, now=NOON))
    ids = [row.id for row in rows]

    waiter = asyncio.create_task(waiting.until_settled(store, replies, rows, within_s=10))
    for each, status in zip(ids, (ReplyStatus.SUCCEEDED, ReplyStatus.FAILED), strict=False):
        reply = a_reply(each, status, result={"path": each}, duration_ms=1.5)
        await store.write(partial(settling.settle, device_id="laptop", reply=reply, now=later(1)))
    seen = await waiter

    assert [row.status for row in seen] == [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED]
    stored = await store.read(partial(waiting.rows, command_ids=ids))
    assert [row.model_dump() for row in seen] == [row.model_dump() for row in stored]


async def test_waiting_ends_when_only_a_person_can_go_on(store: Store) -> None:
    replies = await prepared(store)
    plan = [a_request("delete_path", arguments={"path": "A"}), a_request(arguments={"path": "B"})]
    rows = await store.write(lambda session: commands.submit_plan(session, plan, actor=ADMIN, now=NOON))

    seen = await waiting.until_settled(store, replies, rows, within_s=10)

    assert [row.status for row in seen] == [Status.AWAITING_APPROVAL, Status.QUEUED]


async def test_waiting_ends_when_time_is_up(store: Store) -> None:
    replies = await prepared(store)
    row = await store.write(lambda session: commands.submit(session, a_request(), actor=ADMIN, now=NOON))

    (seen,) = await waiting.until_settled(store, replies, [row], within_s=0.01)

    assert seen.status == Status.QUEUED
    assert not replies._waiters
