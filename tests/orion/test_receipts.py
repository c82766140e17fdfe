"""How a command is shown: sizes, times, what waits for what, and nothing that a device could forge."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orion import members, queue, receipts
from orion.exits import Exit
from orion.nouns import records
from orion.terminal import Terminal
from tests.orion.screen import a_screen, seen_on


def a_command(**changes: Any) -> dict[str, Any]:
    """A command as the API shows it."""
    return {
        "command_id": "c-1",
        "device_id": "laptop",
        "group": None,
        "tool": "create_directory",
        "status": "queued",
        "error": None,
        "reasons": [],
        "rollout": None,
        "follows": None,
        "parent_id": None,
        "condition": None,
        "approval_id": None,
        "published_at": None,
        "attempt": 0,
    } | changes


def a_rollout(**changes: Any) -> dict[str, Any]:
    """The counts of a group, as the API shows them."""
    ends = ("succeeded", "failed", "denied", "cancelled", "expired", "interrupted", "rejected")
    nothing: dict[str, Any] = dict.fromkeys((*ends, "total", "open", "waiting"), 0)
    limits = {"rate_per_s": None, "max_in_flight": None, "stop_after": None, "stopped": False}
    return nothing | limits | changes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_549_000, "2.5 MB"),
        (999_960, "1.0 MB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_a_size_is_said_as_people_read_it(count: int, text: str) -> None:
    assert receipts.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 m"), (61, "1 m 1 s"), (3605, "1 h"), (93_780, "1 d 2 h")],
)
def test_a_span_is_said_in_its_largest_units(seconds: float, text: str) -> None:
    assert receipts.span(seconds) == text


def test_a_moment_of_another_day_has_its_date() -> None:
    now = datetime.now(UTC)

    assert len(receipts.clock(now.isoformat())) == len("18:42")
    assert receipts.clock((now + timedelta(days=2)).isoformat()).startswith(
        (now + timedelta(days=2)).astimezone().strftime("%Y-%m-%d ")
    )


def test_a_preview_says_what_would_happen_and_shows_the_particulars(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = {
        "would": "Copy /a to /b.",
        "bytes": 2_500_000,
        "undo": True,
        "empty": [],
        "overwrites": [{"path": "/b\nundo  no", "size": 12}],
    }

    receipts.outcome(Terminal(), a_command(status="succeeded", dry_run=True, result=result))

    said = capsys.readouterr()
    assert said.err == "create_directory on laptop: only looked at, nothing was changed. It would:\n"
    assert said.out == (
        "  Copy /a to /b.\n  bytes  2.5 MB\n  undo   yes\n  overwrites:\n"
        "    path  /b\\nundo  no\n    size  12 bytes\n"
    )


def test_what_was_undone_is_said_step_by_step(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"command_id": "c-0", "tool": "move_path", "done": ["Move /b back to /a.", "And\nthis."]}

    receipts.outcome(Terminal(), a_command(status="succeeded", tool="undo", undoes="c-0", result=result))

    said = capsys.readouterr()
    assert said.err == "move_path on laptop was undone:\n"
    assert said.out == "  Move /b back to /a.\n  And\\nthis.\n"


def test_on_a_screen_a_list_of_things_is_a_table_that_nothing_in_it_can_steer() -> None:
    things = [{"name": "a", "size": 2_000_000}, {"name": "\x1b[2Jb", "up\x1b[2J[red]": True}]
    nested = [{"deep": {"er": 1}}]
    command = a_command(status="succeeded", result={"total": 2, "entries": things, "more": nested})
    with a_screen() as screen:
        receipts.outcome(Terminal(), command)
        sys.stdout.write("end")
        sys.stdout.flush()

        seen = seen_on(screen, "end").replace("\x1b[0m", "")

    assert "2.0 MB" in seen
    assert r"up\x1b[2J[red]" in seen
    assert '[{"deep": {"er": 1}}]' in seen
    assert "\x1b" not in seen


def test_a_name_of_a_result_cannot_look_like_another_line(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().facts({"a\nstatus  succeeded": 1})

    assert capsys.readouterr().out == "a\\nstatus  succeeded  1\n"


def test_an_order_that_waits_says_until_when_and_where_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    until = datetime.now(UTC) + timedelta(seconds=5)

    code = receipts.outcome(Terminal(), a_command(status="waiting", expires_at=until.isoformat()))

    said = capsys.readouterr().err
    assert code is Exit.WAITING
    assert f"waits for laptop until {receipts.clock(until.isoformat())}; see: orion commands queue" in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"status": "awaiting_approval", "approval_id": "a-1"},
            "a person's yes: orion approvals approve a-1",
        ),
        ({"status": "waiting"}, "its device: offline (sleeping)"),
        ({"status": "waiting", "device_id": "gone"}, "its device: unknown"),
        ({"follows": "c-0"}, "the command before it: c-0"),
        ({"follows": "c-0", "condition": {"tool": "path_info", "arguments": {}}}, "path_info to answer true"),
        ({"parent_id": "c-0"}, "its turn in the group"),
        ({}, "the broker to take it"),
        ({"status": "sent", "attempt": 1}, "its device to take it"),
        ({"status": "sent", "attempt": 3}, "its device to take it, sent 3 times"),
    ],
)
def test_the_queue_says_what_each_command_waits_for(changes: dict[str, Any], reason: str) -> None:
    devices = {"laptop": {"status": "offline", "status_reason": "sleeping"}}

    assert queue.waits_for(a_command(**changes), devices) == reason


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        ("online", "condition   online"),
        (
            {"tool": "path_info", "arguments": {"path": "/b"}, "field": "exists"},
            "condition   path_info path=/b exists",
        ),
        ({"tool": "t", "arguments": {}, "checked_by": "c-2"}, "condition   t"),
    ],
)
def test_a_condition_is_shown_as_it_is_typed(
    capsys: pytest.CaptureFixture[str], condition: Any, line: str
) -> None:
    receipts.write(Terminal(), a_command(condition=condition))

    assert line in capsys.readouterr().out.splitlines()


def test_the_counts_of_a_group_name_only_what_there_is() -> None:
    rollout = a_rollout(total=25, succeeded=20, failed=2, denied=1, waiting=2)

    assert receipts.counts(rollout) == "20 of 25 succeeded, 2 failed, 1 denied, 2 waiting"


@pytest.mark.parametrize(
    ("status", "rollout", "code"),
    [
        ("succeeded", a_rollout(total=2, succeeded=2), Exit.DONE),
        ("failed", a_rollout(total=2, succeeded=1, denied=1), Exit.FAILED),
        ("cancelled", a_rollout(total=2, succeeded=1, cancelled=1), Exit.FAILED),
        ("awaiting_approval", a_rollout(total=2), Exit.WAITING),
        ("accepted", a_rollout(total=2, succeeded=1, waiting=1), Exit.WAITING),
        ("accepted", a_rollout(total=3, succeeded=1, waiting=1), Exit.UNKNOWN),
    ],
)
def test_a_group_is_done_only_when_all_succeeded(status: str, rollout: dict[str, Any], code: Exit) -> None:
    assert members.exit_of(a_command(status=status, rollout=rollout, device_id=None, group="lab")) is code


def test_a_dry_run_of_a_tool_that_only_looks_says_that_it_was_run(capsys: pytest.CaptureFixture[str]) -> None:
    command = a_command(tool="disk_usage", status="succeeded", dry_run=True, result={"percent": 40})

    receipts.outcome(Terminal(), command)

    said = capsys.readouterr()
    assert said.err == "disk_usage on laptop: only looks, so it was run. It found:\n"
    assert said.out == "percent  40\n"


def test_a_preview_without_a_sentence_is_not_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    receipts.outcome(
        Terminal(), a_command(tool="light", status="succeeded", dry_run=True, result={"on": True})
    )

    said = capsys.readouterr()
    assert said.err == "light on laptop: only looked at, nothing was changed. It says:\n"
    assert said.out == "  on  yes\n"


def test_a_result_says_why_it_cannot_be_undone(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"undo": False, "undo_note": "How to undo it could not be kept: No space left on device."}

    receipts.outcome(Terminal(), a_command(status="succeeded", result=result))

    assert "undo note  How to undo it could not be kept: No space" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("skew", "text"),
    [
        (431_999.998, "5 days ahead"),
        (-432_000, "5 days behind"),
        (86_400, "24 hours ahead"),
        (-90, "90 seconds behind"),
        (120, "2 minutes ahead"),
        (1, "1 second ahead"),
        (-0.4, "right"),
    ],
)
def test_how_far_a_clock_is_off_is_said_in_words(skew: float, text: str) -> None:
    assert receipts.ahead(skew) == text


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"type": "clock_skew", "data": {"skew_s": -432_000}}, "5 days behind"),
        ({"type": "clock_skew", "data": {"skew_s": "far"}}, {"skew_s": "far"}),
        ({"type": "clock_skew", "data": {"skew_s": 31, "source": "gps"}}, {"skew_s": 31, "source": "gps"}),
        ({"type": "too_hot", "data": {"skew_s": 31}}, {"skew_s": 31}),
    ],
)
def test_an_event_of_a_wrong_clock_is_shown_in_words(event: dict[str, Any], shown: Any) -> None:
    assert records.in_words(event) == shown


def test_the_queue_tells_orders_of_the_same_tool_apart() -> None:
    condition = {"tool": "path_info", "arguments": {"path": "/b"}, "field": "exists"}
    plain = a_command(arguments={"path": "Test"})

    assert queue.asked(plain) == "path=Test"
    assert queue.asked(plain | {"condition": condition}) == "path=Test --if 'path_info path=/b exists'"
    assert queue.asked(plain | {"condition": "online", "arguments": {}}) == "--if online"
    assert queue.asked(plain | {"dry_run": True}) == "path=Test --dry-run"
    assert len(queue.asked(a_command(arguments={"content": "x" * 9_000}))) < 100


def test_a_device_that_is_shut_out_is_said_to_be_so() -> None:
    until = "2026-02-12T12:05:00.000Z"
    shut_out = {"status": "offline", "status_reason": "rate_limited", "suspended_until": until}

    assert receipts.standing(shut_out) == f"shut out until {receipts.clock(until)}: sends too much"
    assert receipts.standing(shut_out | {"suspended_until": None}) == "offline (rate_limited)"
