"""One running installation for all tests that only use one."""

from collections.abc import Iterator

import pytest

from tests.orion.installation import Installation, running


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Broker, controller and the node `laptop`, as `orion up` runs them."""
    with running(tmp_path_factory.mktemp("installation")) as started:
        yield started
