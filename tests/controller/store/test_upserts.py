"""What may be there already is said in the words of the database that is spoken to."""

import pytest
from sqlalchemy.dialects import registry

from controller.store import upserts
from controller.store.tables import METADATA


@pytest.mark.parametrize("name", ["sqlite", "postgresql"])
def test_a_known_key_is_left_as_it_is_on_either_database(name: str) -> None:
    dialect = registry.load(name)()
    statement = upserts.insert_new(dialect, METADATA.tables["events"])

    said = str(statement.compile(dialect=dialect))

    assert said.startswith("INSERT INTO events (id, device_id")
    assert said.endswith("ON CONFLICT DO NOTHING")
