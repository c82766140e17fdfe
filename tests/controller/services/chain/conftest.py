"""A chain with rows in it."""

import pytest
from sqlmodel import Session

from tests.controller.services.chain.rows import ROWS, note
from tests.factories import later


@pytest.fixture
def chained(session: Session) -> Session:
    for number in range(ROWS):
        note(
            session,
            f"noted.{number}",
            now=later(number),
            device_id="laptop",
            approval_id="a",
            trace_id="t",
            detail={"n": number, "share": 0.5},
        )
    return session
