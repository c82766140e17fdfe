"""A device that refuses a signature is looked at by a person, and told about once."""

import pytest
from sqlmodel import Session

from controller.services import commands, events, settling
from controller.store.tables import Device
from schemas.commands import ReplyStatus
from tests.factories import ADMIN, NOON, a_reply, a_request, an_error, later


@pytest.mark.parametrize("code", sorted(settling.NEVER_SETTLED_BY))
def test_a_refused_arrival_raises_one_event(session: Session, laptop: Device, code: str) -> None:
    row = commands.submit(session, a_request(), actor=ADMIN, now=NOON)
    for second in (1, 2):
        reply = a_reply(row.id, ReplyStatus.REJECTED, error=an_error(code))
        settling.settle(session, "laptop", reply, now=later(second))

    (event,) = events.recent(session, device_id="laptop")
    assert event.data == {"code": code, "command_id": row.id, "tool": "create_directory"}
