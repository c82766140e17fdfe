"""Figures over HTTP: what they are called, what may be asked, and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.services import commands, events, settling
from controller.store.store import Session
from schemas.commands import ReplyStatus
from schemas.wire import format_instant
from tests.controller.api.conftest import Api
from tests.factories import ADMIN, a_reply, a_request, an_error, an_event

ENDS = ("succeeded", "failed", "denied", "rejected", "expired", "cancelled", "interrupted")


@pytest.fixture
async def busy(api: Api, laptop: str) -> Api:
    """A laptop that succeeded once, failed four times in the same words, and noticed something."""

    def work(session: Session) -> None:
        now = datetime.now(UTC)
        for number in range(5):
            row = commands.submit(session, a_request(), actor=ADMIN, now=now)
            status = ReplyStatus.FAILED if number else ReplyStatus.SUCCEEDED
            reply = a_reply(row.id, status, error=an_error() if number else None, duration_ms=20.0)
            settling.settle(session, laptop, reply, now=now)
        events.store(session, laptop, an_event(), now=now)

    await api.store.write(work)
    return api


async def asked(api: Api, path: str, **query: Any) -> dict[str, Any]:
    answer = await api.http.get(f"stats/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_tools_are_told_with_every_way_to_end(busy: Api) -> None:
    found = await asked(busy, "tools")

    assert found["items"] == [
        {
            "tool": "create_directory",
            "count": 5,
            **dict.fromkeys(ENDS, 0),
            "succeeded": 1,
            "failed": 4,
            "success_rate": 0.2,
            "mean_duration_ms": 20.0,
        }
    ]
    length = datetime.fromisoformat(found["until"]) - datetime.fromisoformat(found["since"])
    assert length == timedelta(days=30)


async def test_devices_are_told_period_by_period(busy: Api) -> None:
    found = await asked(busy, "devices", device_id="laptop")

    [laptop] = found["items"]
    assert (laptop["device_id"], laptop["status"], laptop["count"]) == ("laptop", "online", 5)
    assert (laptop["success_rate"], laptop["events"]) == (0.2, 1)
    assert (len(found["periods"]), found["period_s"]) == (30, 86_400.0)
    assert laptop["commands_by_period"] == [0] * 29 + [5]
    assert laptop["events_by_period"] == [0] * 29 + [1]
    assert found["periods"][0] == found["since"] < laptop["last_command_at"] <= found["until"]


async def test_failures_are_told_with_their_words(busy: Api) -> None:
    found = await asked(busy, "failures")

    [failure] = found["items"]
    assert (failure["device_id"], failure["tool"], failure["message"]) == (
        "laptop", "create_directory", "It broke.",
    )  # fmt: skip
    assert (found["more_than"], failure["count"], failure["failed"], failure["expired"]) == (3, 4, 4, 0)
    assert failure["first_at"] == failure["last_at"]
    assert (await asked(busy, "failures", more_than=4))["items"] == []


async def test_only_what_ended_in_the_window_is_told(busy: Api) -> None:
    past = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00+01:00"}

    for path in ("tools", "failures"):
        assert (await asked(busy, path, **past))["items"] == []
    [idle] = (await asked(busy, "devices", **past))["items"]
    assert (idle["count"], idle["events"], idle["success_rate"]) == (0, 0, None)
    assert (await asked(busy, "tools", **past))["until"] == "2026-01-01T23:00:00.000Z"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"since": "yesterday"}, 422, "invalid_arguments"),
        ({"since": "2026-01-01T00:00:00"}, 422, "invalid_arguments"),
        ({"since": "1767225600"}, 422, "invalid_arguments"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 422, "invalid_arguments"),
        ({"since": "2000-01-01T00:00:00Z"}, 422, "invalid_arguments"),
        ({"until": "0001-01-02T00:00:00Z"}, 422, "invalid_arguments"),
        ({"limit": 0}, 422, "invalid_arguments"),
        ({"limit": 1001}, 422, "invalid_arguments"),
        ({"device_id": "../etc"}, 422, "invalid_arguments"),
        ({"device_id": "laptpo"}, 404, "unknown_device"),
    ],
)
async def test_what_cannot_be_asked_is_said_with_a_code(
    api: Api, query: dict[str, Any], status: int, code: str
) -> None:
    for path in ("tools", "devices", "failures"):
        answer = await api.http.get(f"stats/{path}", params=query)

        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_figures_are_for_those_who_may_look(api: Api) -> None:
    answer = await api.http.get("stats/tools", headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


async def test_the_last_moment_of_the_calendar_is_no_fault(api: Api) -> None:
    latest = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    found = await asked(
        api, "devices", since=format_instant(latest - timedelta(days=9)), until=format_instant(latest)
    )

    assert len(found["periods"]) == 9
