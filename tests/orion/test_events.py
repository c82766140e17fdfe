"""`orion events`: what devices noticed, by device, type and severity, and what is not over yet."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import aiomqtt
import pytest

from tests.orion.installation import Installation, until

NOTICED: tuple[dict[str, Any], ...] = (
    {"id": "disk-1", "type": "low_disk_space", "severity": "warning", "data": {"percent": 91}},
    {"id": "heat-1", "type": "too_hot", "severity": "critical", "data": {"name": "\x1b[2Jnozzle"}},
    {"id": "disk-2", "type": "disk_space_back", "severity": "info", "data": {}, "resolves": "disk-1"},
)


async def _report(mqtt: dict[str, Any]) -> None:
    async with aiomqtt.Client(
        mqtt["host"],
        mqtt["port"],
        username=mqtt["username"],
        password=mqtt["password"],
        identifier=mqtt["client_id"],
    ) as device:
        for event in NOTICED:
            payload = json.dumps(event | {"at": datetime.now(UTC).isoformat(timespec="milliseconds")})
            await device.publish(f"{mqtt['prefix']}/devices/{mqtt['username']}/event", payload, qos=1)


@pytest.fixture(scope="module")
def reported(installation: Installation) -> Iterator[Installation]:
    """An installation with a device that has reported three things."""
    made = installation.data("devices", "add", "oven", "--adopt")
    asyncio.run(_report(made["mqtt"]))
    until(lambda: len(installation.data("events", "list", "--device", "oven")["items"]) == len(NOTICED))
    yield installation
    installation.data("devices", "remove", "oven")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {"disk-1", "heat-1", "disk-2"}),
        (("--severity", "critical"), {"heat-1"}),
        (("--type", "low_disk_space"), {"disk-1"}),
        (("--open",), {"heat-1"}),  # what only says that another is over is not open
        (("--open", "--severity", "critical", "--type", "low_disk_space"), set()),
    ],
)
def test_events_are_found_by_what_they_are(
    reported: Installation, words: tuple[str, ...], expected: set[str]
) -> None:
    found = reported.data("events", "list", "--device", "oven", *words)["items"]

    assert {each["event_id"] for each in found} == expected


def test_what_is_over_says_since_when(reported: Installation) -> None:
    [event] = reported.data("events", "list", "--device", "oven", "--type", "low_disk_space")["items"]

    assert event["resolved"] is True
    assert event["resolved_at"] >= event["received_at"]


def test_what_a_device_noticed_cannot_steer_the_terminal(reported: Installation) -> None:
    done = reported.orion("events", "list", "--device", "oven", "--severity", "critical")

    assert r"\u001b[2Jnozzle" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_severity_that_there_is_not_is_a_usage_error(reported: Installation) -> None:
    done = reported.orion("events", "list", "--severity", "awful")

    assert done.returncode == 2
    assert "critical" in done.stderr


def test_people_take_note_of_events_and_end_them(reported: Installation) -> None:
    def listed(*words: str) -> set[str]:
        return {
            each["event_id"] for each in reported.data("events", "list", "--device", "oven", *words)["items"]
        }

    (noted,) = reported.data("events", "ack", "oven", "heat-1")["items"]
    assert (noted["event_id"], noted["acknowledged_by"], noted["resolved"]) == ("heat-1", "admin", False)
    assert listed("--new") == {"disk-1", "disk-2"}
    assert "Took note of 2 events of oven" in reported.orion("events", "ack", "oven").stderr
    assert "Nothing of oven is new." in reported.orion("events", "ack", "oven").stderr
    assert "Resolved 1 event of oven" in reported.orion("events", "resolve", "oven").stderr
    assert listed("--open") == set()
    assert reported.orion("events", "resolve", "oven", "nothing").returncode == 1
