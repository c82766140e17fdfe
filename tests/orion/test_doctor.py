"""The doctor names the devices that a person should look at, and only those."""

from typing import Any

from orion import receipts
from orion.nouns import doctor

WELL: dict[str, Any] = {"stale": [], "conflicting": [], "skewed": {}, "shut_out": {}}


def test_devices_that_are_well_are_not_mentioned() -> None:
    assert list(doctor._ailing(WELL)) == []


def test_each_ailment_is_found_with_its_remedy() -> None:
    told = {
        "stale": ["pump", "lamp"],
        "conflicting": ["laptop"],
        "skewed": {"laptop": -86_400.2, "pump": 31},
        "shut_out": {"loud": "2026-02-12T12:05:00.000Z"},
    }

    found = list(doctor._ailing(told))

    assert [(check["check"], check["state"], check["found"]) for check in found] == [
        ("silent devices", "stale", "pump, lamp"),
        ("doubled devices", "wrong", "laptop"),
        (
            "devices shut out",
            "wrong",
            f"loud until {receipts.clock('2026-02-12T12:05:00.000Z')}: sends too much",
        ),
        ("device clocks", "wrong", "laptop (24 hours behind), pump (31 seconds ahead)"),
    ]
    assert all(check["remedy"] for check in found)
