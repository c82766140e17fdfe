"""`orion stats`, as a person and as a program uses it."""

from datetime import UTC, datetime

import pytest

from orion.nouns import stats
from tests.orion.installation import Installation


@pytest.fixture(scope="module")
def busy(installation: Installation) -> Installation:
    """An installation in which a folder was made, looked at without one, and asked for where none may be."""
    installation.data("run", "laptop", "create_directory", "path=Figures")
    installation.data("run", "laptop", "create_directory", "path=Other", "--dry-run")
    for _ in range(4):
        installation.data("run", "laptop", "create_directory", "path=/etc/figures", exit_code=3)
    return installation


def test_tools_devices_and_failures_are_told_to_a_program(busy: Installation) -> None:
    began = datetime.now(UTC).isoformat()
    before = busy.data("stats", "tools", "--device", "laptop")["items"]
    busy.data("run", "laptop", "create_directory", "path=Figures")
    tools = busy.data("stats", "tools", "--since", began)
    devices = busy.data("stats", "devices", "--since", "2d")
    failures = busy.data("stats", "failures")

    [tool] = tools["items"]
    assert (tool["tool"], tool["count"], tool["success_rate"]) == ("create_directory", 1, 1.0)
    assert tool["mean_duration_ms"] > 0
    assert [each["count"] for each in before if each["tool"] == "create_directory"] >= [5]
    [laptop] = [each for each in devices["items"] if each["device_id"] == "laptop"]
    assert (len(devices["periods"]), sum(laptop["commands_by_period"])) == (2, laptop["count"])
    [denied] = [each for each in failures["items"] if "/etc/figures" in each["message"]]
    assert (denied["device_id"], denied["tool"], denied["denied"]) == ("laptop", "create_directory", 4)


def test_a_person_without_a_terminal_reads_plain_tables(busy: Installation) -> None:
    tools = busy.orion("stats", "tools").stdout.splitlines()
    devices = busy.orion("stats", "devices").stdout.splitlines()
    failures = busy.orion("stats", "failures").stdout.splitlines()

    assert tools[0] == "tool\tcommands\tsuccess\tfailed\tnot run\tmean"
    assert devices[0] == "device\tnow\tcommands\tsuccess\tevents\tlast seen"
    assert failures[0] == "device\ttool\ttimes\thow\tfirst\tlast\tmessage"
    assert any(line.startswith("laptop\tcreate_directory\t4\tdenied\t") for line in failures)
    assert not any("█" in line for line in (*tools, *devices, *failures))


def test_where_nothing_happened_that_is_said(installation: Installation) -> None:
    past = ("--since", "2020-01-01", "--until", "2020-02-01")

    assert installation.orion("stats", "tools", *past).stderr == "No command ended in that time.\n"
    assert installation.orion("stats", "failures", *past).stderr == "Nothing failed more than 3 times.\n"
    one = installation.orion("stats", "failures", *past, "--more-than", "1")
    assert (one.returncode, one.stderr) == (0, "Nothing failed more than 1 time.\n")
    assert installation.data("stats", "tools", *past)["items"] == []


def test_more_than_is_shown_can_be_asked_for(busy: Installation) -> None:
    said = busy.orion("stats", "devices", "--limit", "1")

    assert len(said.stdout.splitlines()) == 2
    assert said.stderr == "Those are the first 1; there may be more: --limit\n"


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("tools", "--since", "soon"), 2),
        (("tools", "--since", "30"), 2),
        (("devices", "--until", "2026-13-01"), 2),
        (("failures", "--more-than", "-1"), 2),
        (("tools", "--limit", "0"), 2),
        (("tools", "--since", "1d", "--until", "2d"), 2),
        (("tools", "--since", "2001-01-01"), 2),
        (("tools", "--device", "laptpo"), 1),
    ],
)
def test_what_cannot_be_meant_is_told(
    installation: Installation, words: tuple[str, ...], exit_code: int
) -> None:
    done = installation.orion("stats", *words)

    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("succeeded", "failed", "said"),
    [(0, 0, None), (0, 3, "0.0 %"), (3, 0, "100.0 %"), (9_999, 1, "99.9 %"), (1, 2, "33.3 %")],
)
def test_all_of_them_is_said_of_no_less(succeeded: int, failed: int, said: str | None) -> None:
    counts = {"succeeded": succeeded, "failed": failed, "rejected": 0, "interrupted": 0}

    assert stats._success(counts) == said
