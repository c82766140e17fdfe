"""A user's name is given once, and what is done to users is audited."""

import pytest
from sqlmodel import Session

from controller.errors import AlreadyExists, Refused, UnknownUser
from controller.services import audit, users
from controller.services.users import UserRole
from tests.factories import ADMIN, NOON


@pytest.mark.parametrize(
    "name", ["admin", "Admin", "system", "controller-main", "join-x", "debug.user", "probe.health"]
)
def test_a_name_that_is_kept_is_given_to_nobody(session: Session, name: str) -> None:
    with pytest.raises(Refused):
        users.add(session, name, UserRole.VIEWER, actor=ADMIN, now=NOON)


@pytest.mark.parametrize("name", ["laptop", "the.viewer", "The.Viewer", "THE.VIEWER"])
def test_a_name_is_given_once(session: Session, name: str) -> None:
    with pytest.raises(AlreadyExists):
        users.add(session, name, UserRole.VIEWER, actor=ADMIN, now=NOON)


def test_what_is_done_to_users_is_audited(session: Session) -> None:
    users.change_role(session, "the.viewer", UserRole.OPERATOR, actor=ADMIN, now=NOON)
    users.note_rotation(session, "the.viewer", actor=ADMIN, now=NOON)
    users.remove(session, "the.viewer", actor=ADMIN, now=NOON)
    session.flush()

    actions = [entry.action for entry in audit.entries(session, action="user", limit=3)]
    assert actions == ["user.removed", "user.rotated", "user.role_changed"]
    assert [row.username for row in users.listed(session)] == [
        "the.admin",
        "the.guest",
        "the.home_assistant",
        "the.operator",
    ]
    with pytest.raises(UnknownUser):
        users.get(session, "the.viewer")
