"""A schedule of an operator's on a device that is there: a folder, each day at seven in Amsterdam."""

import pytest
from sqlmodel import Session

from controller.services import users
from controller.services.users import UserRole
from controller.store.tables import Device, Schedule
from tests.controller.services.schedules.planned import add
from tests.factories import ADMIN, NOON, OPERATOR


@pytest.fixture
def otto(session: Session) -> str:
    """A user who may order things everywhere."""
    users.add(session, OPERATOR.user, UserRole.OPERATOR, actor=ADMIN, now=NOON)
    session.flush()
    return OPERATOR.user


@pytest.fixture
def schedule(session: Session, laptop: Device, otto: str) -> Schedule:
    """His, made at noon: it runs at six in the morning, UTC."""
    return add(session)
