"""What is kept: events once, conversations by their owner, and an audit that only grows."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from sqlmodel import Session

from controller.errors import UnknownCommand, UnknownSession
from controller.services import audit, commands, conversations, devices, events, inquiries, settling, waiting
from controller.services.actors import Actor, Role, through
from controller.services.orders import Status
from controller.services.replies import Replies
from controller.store import notices
from controller.store.store import Store
from controller.store.tables import Device, EventRow
from schemas.commands import ReplyStatus, Via
from schemas.wire import JsonObject
from tests.factories import (
    ADMIN,
    NOON,
    OPERATOR,
    a_heartbeat,
    a_place,
    a_presence,
    a_profile,
    a_reply,
    a_request,
    an_event,
    later,
)
from tests.plans import explained


def test_an_event_is_stored_once_however_often_it_comes(session: Session, laptop: Device) -> None:
    assert events.store(session, "laptop", an_event(data={"percent": 91}), now=NOON)
    session.flush()
    assert not events.store(session, "laptop", an_event(data={"percent": 99}), now=later(1))

    (row,) = events.recent(session)
    assert (row.data, row.received_at) == ({"percent": 91}, NOON)


def test_an_event_is_its_own_record_and_leaves_no_line_in_the_audit(session: Session, laptop: Device) -> None:
    before = len(audit.entries(session))

    events.store(session, "laptop", an_event(), now=NOON)

    assert len(audit.entries(session)) == before


def test_two_devices_may_use_the_same_event_id(session: Session, laptop: Device) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)

    assert events.store(session, "laptop", an_event(), now=NOON)
    assert events.store(session, "printer", an_event(), now=NOON)

    assert len(events.recent(session)) == 2
    assert [row.device_id for row in events.recent(session, device_id="printer")] == ["printer"]


def test_an_event_resolves_an_earlier_one_of_its_own_device_only(session: Session, laptop: Device) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
    events.store(session, "laptop", an_event("full"), now=NOON)

    events.store(session, "printer", an_event("clear", resolves="full"), now=later(1))
    row = session.get(EventRow, ("full", "laptop"))
    assert row is not None
    assert not row.resolved

    events.store(session, "laptop", an_event("clear", resolves="full"), now=later(2))
    events.store(session, "laptop", an_event("again", resolves="full"), now=later(3))
    events.store(session, "laptop", an_event("what", resolves="nothing"), now=later(3))
    session.refresh(row)
    assert (row.resolved, row.resolved_at) == (True, later(2))


def test_an_event_that_was_resolved_before_it_came_is_over_as_it_comes(
    session: Session, laptop: Device
) -> None:
    devices.add(session, a_place("printer"), actor=ADMIN, now=NOON)
    events.store(session, "laptop", an_event("clear", resolves="full"), now=NOON)

    events.store(session, "printer", an_event("full"), now=later(1))
    events.store(session, "laptop", an_event("full"), now=later(2))

    (over,) = [row for row in events.recent(session) if row.resolved]
    assert (over.id, over.device_id, over.resolved_at) == ("full", "laptop", later(2))


def test_many_events_are_stored_at_once_each_of_its_device(session: Session, laptop: Device) -> None:
    events.store(session, "laptop", an_event("known"), now=NOON)
    arrivals = [
        events.Arrival("laptop", an_event("full"), later(1)),
        events.Arrival("laptop", an_event("known", severity="critical"), later(1)),
        events.Arrival("printer", an_event("full"), later(1)),
        events.Arrival("laptop", an_event("full", type="said twice"), later(1)),
        events.Arrival("laptop", an_event("clear", resolves="full"), later(1)),
    ]

    assert events.store_all(session, arrivals) == 3

    kept = {(row.device_id, row.id): row for row in events.recent(session)}
    assert sorted(kept) == [("laptop", "clear"), ("laptop", "full"), ("laptop", "known"), ("printer", "full")]
    assert kept["laptop", "known"].severity == "warning"
    assert kept["laptop", "full"].event_type == "low_disk_space"
    assert {key for key, row in kept.items() if row.resolved} == {("laptop", "full")}
    assert kept["laptop", "full"].resolved_at == later(1)
    assert events.store_all(session, arrivals) == 0
    assert events.store_all(session, []) == 0


def test_the_newest_events_come_first_and_are_limited(session: Session, laptop: Device) -> None:
    for number in range(5):
        events.store(session, "laptop", an_event(f"{number}"), now=later(number))

    assert [row.id for row in events.recent(session, limit=2)] == ["4", "3"]


@pytest.mark.parametrize("device_id", [None, "laptop"])
def test_the_newest_events_are_found_without_reading_all(session: Session, device_id: str | None) -> None:
    plan = explained(session, lambda: events.recent(session, device_id=device_id), table="events")

    assert plan.by_index
    assert not plan.sorts


def test_a_conversation_belongs_to_who_began_it(session: Session) -> None:
    row = conversations.begin(session, actor=OPERATOR, now=NOON)
    session.flush()

    assert conversations.get(session, row.id, actor=through(OPERATOR, Via.CLI)) is row
    with pytest.raises(UnknownSession):
        conversations.get(session, row.id, actor=ADMIN)
    with pytest.raises(UnknownSession):
        conversations.get(session, "nothing", actor=OPERATOR)


def test_a_conversation_that_was_removed_cannot_be_continued(session: Session) -> None:
    row = conversations.begin(session, actor=OPERATOR, now=NOON)
    session.flush()
    assert conversations.continued(session, row.id) is row

    session.delete(row)
    session.flush()
    with pytest.raises(UnknownSession):
        conversations.continued(session, row.id)


def test_a_history_is_the_last_messages_oldest_first(session: Session) -> None:
    row = conversations.begin(session, actor=OPERATOR, now=NOON)
    session.flush()
    for number in range(4):
        calls: list[JsonObject] = [{"tool": "x"}] if number == 3 else []
        conversations.say(session, row, "user", f"{number}", now=NOON, tool_calls=calls, tokens_used=number)
        session.flush()

    assert [message.content for message in conversations.history(session, row.id, limit=3)] == ["1", "2", "3"]
    assert (row.message_count, row.tool_execution_count) == (4, 1)


def test_the_audit_only_grows(session: Session, laptop: Device) -> None:
    before: list[str] = []
    steps: list[Callable[[], object]] = [
        lambda: commands.submit(session, a_request(), actor=ADMIN, now=NOON),
        lambda: settling.settle(session, "laptop", a_reply(commands.listed(session)[0].id), now=later(1)),
        lambda: devices.change(session, "laptop", devices.PolicyChange(name="x"), actor=ADMIN, now=later(3)),
        lambda: devices.remove(session, "laptop", actor=ADMIN, now=later(4)),
    ]
    for step in steps:
        step()
        session.flush()
        session.expire_all()
        now = [entry.model_dump_json() for entry in reversed(audit.entries(session))]
        assert now[: len(before)] == before
        assert len(now) > len(before)
        before = now


def test_the_audit_is_found_by_device_and_by_the_start_of_an_action(session: Session, laptop: Device) -> None:
    audit.record(session, "command.sent_100%", now=NOON, device_id="laptop")
    audit.record(session, "commandment", now=NOON)
    session.flush()

    assert [entry.action for entry in audit.entries(session, action="command.")] == ["command.sent_100%"]
    assert audit.entries(session, action="command.sent_1__%") == []
    assert {entry.device_id for entry in audit.entries(session, device_id="laptop")} == {"laptop"}
    assert len(audit.entries(session, limit=1)) == 1


def test_every_audit_row_is_told_as_one_line(session: Session) -> None:
    audit.record(
        session, "x", now=NOON, actor=ADMIN, device_id="d", approval_id="a", trace_id="t", detail={"k": 1}
    )

    (notice,) = notices.of(session)
    assert isinstance(notice, notices.Audited)
    assert notice.line == {
        "at": "2026-02-12T12:00:00.000Z",
        "actor": "ada",
        "via": "api",
        "action": "x",
        "device_id": "d",
        "approval_id": "a",
        "trace_id": "t",
    }


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


def test_the_controller_answers_for_its_registry_and_keeps_a_record(session: Session, laptop: Device) -> None:
    laptop.name, laptop.area = "Ada's laptop", "study"
    devices.store_heartbeat(session, "laptop", a_heartbeat(cpu_percent=7.0), now=later(1))
    request = commands.CommandRequest("", "list_devices", {})

    row = inquiries.answer(session, request, actor=ADMIN, now=later(2), trace_id="t")

    assert row.status == Status.SUCCEEDED
    assert row.result == {
        "devices": [
            {
                "device_id": "laptop",
                "status": "online",
                "adopted": True,
                "name": "Ada's laptop",
                "area": "study",
                "last_seen_at": "2026-02-12T12:00:01.000Z",
                "cpu_percent": 7.0,
            }
        ],
        "total": 1,
        "truncated": False,
    }
    assert audit.entries(session, action="command.succeeded")[0].tool == "list_devices"


def test_the_state_of_one_device_or_of_none(session: Session, laptop: Device) -> None:
    known = commands.CommandRequest("laptop", "device_status", {})
    unknown = commands.CommandRequest("nowhere", "device_status", {"x": float("nan")})

    row = inquiries.answer(session, known, actor=ADMIN, now=NOON, trace_id="t")
    missing = inquiries.answer(session, unknown, actor=ADMIN, now=NOON, trace_id="t")

    assert (row.result or {})["status"] == "online"
    assert (missing.status, (missing.error or {})["code"]) == (Status.FAILED, "unknown_device")
    assert missing.parameters == {}
    assert inquiries.answers("device_status")
    assert not inquiries.answers("delete_path")


def test_an_actor_keeps_its_rights_at_another_door() -> None:
    assert through(Actor("v", Role.VIEWER, Via.API), Via.ASSISTANT) == Actor("v", Role.VIEWER, Via.ASSISTANT)


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

    waiter = asyncio.create_task(waiting.until_settled(store, replies, [row.id], within_s=10))
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

    waiter = asyncio.create_task(waiting.until_settled(store, replies, ids, within_s=10))
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

    seen = await waiting.until_settled(store, replies, [row.id for row in rows], within_s=10)

    assert [row.status for row in seen] == [Status.AWAITING_APPROVAL, Status.QUEUED]


async def test_waiting_ends_when_time_is_up(store: Store) -> None:
    replies = await prepared(store)
    row = await store.write(lambda session: commands.submit(session, a_request(), actor=ADMIN, now=NOON))

    (seen,) = await waiting.until_settled(store, replies, [row.id], within_s=0.01)

    assert seen.status == Status.QUEUED
    assert not replies._waiters
