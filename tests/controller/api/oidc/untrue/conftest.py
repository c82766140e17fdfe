"""A provider that says whatever a test wants, and the API with it."""

from collections.abc import Iterator
from typing import Any

import pytest

from controller.services import identities, users
from controller.services.users import UserRole
from controller.store.store import Session
from tests.controller.api.oidc import hostile as hostiles
from tests.controller.api.oidc.conftest import Door, Set
from tests.controller.api.oidc.hostile import Hostile
from tests.factories import ADMIN, NOON

Claims = dict[str, Any]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What a provider says is read before any database is asked, so one kind of it will do."""
    return sqlite_url


@pytest.fixture
def provider() -> Iterator[Hostile]:
    with hostiles.running() as running:
        yield running


@pytest.fixture
async def door(set_provider: Set, provider: Hostile) -> Door:
    """The API with that provider, at which mia is `mia-there`."""
    found = await set_provider(provider.issuer)

    def add(session: Session) -> None:
        users.add(session, "mia", UserRole.ADMIN, actor=ADMIN, now=NOON)
        session.flush()
        identities.link(session, "mia", provider.issuer, "mia-there", actor=ADMIN, now=NOON)

    await found.api.store.write(add)
    return found
