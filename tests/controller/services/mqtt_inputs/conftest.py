"""One person of each role."""

import pytest
from sqlmodel import Session

from controller.services import users
from controller.services.users import UserRole
from controller.store.tables import Device
from tests.factories import ADMIN, NOON


@pytest.fixture(autouse=True)
def people(session: Session, laptop: Device) -> None:
    """One of each role."""
    for role in UserRole:
        users.add(session, f"the.{role.value}", role, actor=ADMIN, now=NOON)
    session.flush()
