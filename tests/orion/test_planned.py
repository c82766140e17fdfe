"""A schedule in words: every moment of it by the clock of its own zone."""

from typing import Any

from orion import planned

ZONE = "Pacific/Auckland"  # where no computer of these tests is
AT = "2026-07-01T19:00:00.000Z"
THERE = "Thu 2026-07-02 07:00"


def a_schedule(**more: Any) -> dict[str, Any]:
    return {
        "cron": "0 7 * * *",
        "zone": ZONE,
        "tool": "system_info",
        "arguments": {},
        "device_id": "laptop",
        "next_run_at": AT,
        "paused": None,
        "last_run": {"at": AT, "outcome": "ordered", "command_id": "c"},
    } | more


def test_the_next_and_the_last_time_are_by_one_clock() -> None:
    row = planned.in_words(a_schedule())

    assert (row["next"], row["last"]) == (THERE, f"ordered {THERE}")
    assert row["when"] == f"every day at 07:00, {ZONE}"


def test_a_pause_and_a_run_are_by_the_same_clock() -> None:
    paused = {"since": AT, "by": "otto", "reason": "on holiday"}
    assert planned.pause(paused, ZONE) == f"since {THERE} by otto: on holiday"

    run = planned.run({"planned_at": AT, "at": AT, "outcome": "ordered"}, ZONE)
    assert run == {"planned_at": THERE, "at": THERE, "outcome": "ordered"}
