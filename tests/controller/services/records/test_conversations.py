"""A conversation belongs to who began it, and is read back oldest first."""

import pytest
from sqlmodel import Session

from controller.errors import UnknownSession
from controller.services import conversations
from controller.services.actors import through
from schemas.commands import Via
from schemas.wire import JsonObject
from tests.factories import ADMIN, NOON, OPERATOR


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
