"""The audit only grows, and every row of it is told as one line."""

from collections.abc import Callable

from sqlmodel import Session

from controller.services import audit, commands, devices, settling
from controller.store import notices
from controller.store.tables import Device
from tests.factories import ADMIN, NOON, a_reply, a_request, later


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
