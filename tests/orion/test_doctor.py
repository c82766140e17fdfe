"""The doctor names the devices that a person should look at, and only those."""

from typing import Any

from orion.nouns import doctor

WELL: dict[str, Any] = {"stale": [], "conflicting": [], "skewed": {}}


def test_devices_that_are_well_are_not_mentioned() -> None:
    assert list(doctor._ailing(WELL)) == []


def test_each_ailment_is_found_with_its_remedy() -> None:
    told = {"stale": ["pump", "lamp"], "conflicting": ["laptop"], "skewed": {"laptop": -86_400.2, "pump": 31}}

    found = list(doctor._ailing(told))

    assert [(check["check"], check["state"], check["found"]) for check in found] == [
        ("silent devices", "stale", "pump, lamp"),
        ("doubled devices", "wrong", "laptop"),
        ("device clocks", "wrong", "laptop (24 hours behind), pump (31 seconds ahead)"),
    ]
    assert all(check["remedy"] for check in found)
