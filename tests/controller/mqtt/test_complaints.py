"""Complaints are counted for ever and told now and then, in bounded memory."""

import pytest

from controller.mqtt import complaints
from controller.mqtt.complaints import Complaints


def test_each_device_is_told_of_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    found = Complaints(lambda: 0.0)

    for device_id in ("a", "b", "a", "b"):
        found.add(device_id, "why")

    assert [record.getMessage() for record in caplog.records] == [
        "Dropped a message of a: why",
        "Dropped a message of b: why",
    ]
    assert found.counts == {"a": 2, "b": 2}


def test_a_crowd_of_strangers_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "MAX_REMEMBERED", 10)
    found = Complaints(lambda: 0.0)

    for number in range(1_000):
        found.add(f"d{number}", "why")

    assert len(found.counts) <= 10
    assert len(found._told_at) <= 10
