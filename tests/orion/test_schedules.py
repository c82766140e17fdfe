"""`orion schedules`: made, read back, looked at, paused, and taken away."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.orion.installation import Installation


@pytest.fixture
def made(installation: Installation) -> Iterator[dict[str, Any]]:
    """One of a folder each working day, taken away in the end."""
    words = ("--cron", "0 7 * * 1-5", "--zone", "Europe/Amsterdam", "--name", "Today")
    found = installation.data("schedules", "add", *words, "--run", "laptop", "create_directory", "path=Today")
    yield found
    installation.orion("schedules", "remove", found["schedule_id"])


def test_it_is_read_back_in_plain_words_with_its_next_times(installation: Installation) -> None:
    words = ("--cron", "0 7 * * 1-5", "--zone", "Europe/Amsterdam", "--name", "Today")
    done = installation.orion("schedules", "add", *words, "--run", "laptop", "create_directory", "path=Today")

    assert done.returncode == 0, done.stderr
    said = "Today: every Monday to Friday at 07:00, Europe/Amsterdam; next: "
    assert done.stderr.startswith(said)
    assert done.stderr.removeprefix(said).count(" 07:00") == 3
    schedule_id = done.stdout.strip()

    shown = installation.orion("schedules", "list").stdout.splitlines()
    assert any(
        line.startswith(schedule_id) and "create_directory path=Today on laptop" in line for line in shown
    )
    assert "every Monday to Friday at 07:00" in installation.orion("schedules", "show", schedule_id).stdout
    removed = installation.orion("schedules", "remove", schedule_id)
    assert removed.stderr == f"Removed {schedule_id}\n"
    assert installation.data("schedules", "show", schedule_id, exit_code=1)["error"]["code"] == "not_found"


def test_one_is_paused_with_a_reason_and_resumed(installation: Installation, made: dict[str, Any]) -> None:
    paused = installation.data("schedules", "pause", made["schedule_id"], "--reason", "on holiday")
    assert (paused["paused"]["reason"], paused["next_run_at"], paused["upcoming"]) == ("on holiday", None, [])
    assert "on holiday" in installation.orion("schedules", "show", made["schedule_id"]).stdout

    resumed = installation.data("schedules", "resume", made["schedule_id"])
    assert (resumed["paused"], len(resumed["upcoming"])) == (None, 3)
    assert installation.data("schedules", "runs", made["schedule_id"])["items"] == []


def test_the_audit_names_the_schedule_that_a_row_is_about(
    installation: Installation, made: dict[str, Any]
) -> None:
    installation.orion("schedules", "pause", made["schedule_id"])

    listed = installation.orion("audit", "list", "--action", "schedule.paused", "--limit", "1")

    assert f"Today ({made['schedule_id']})" in listed.stdout


def test_a_group_has_its_pace(installation: Installation) -> None:
    installation.data("devices", "policy", "laptop", "--group", "all-of-it")
    words = ("--cron", "@", "--group", "all-of-it", "--rate", "30/m", "--stop-after", "2", "disk_usage")
    refused = installation.data("schedules", "add", *words, exit_code=2)
    assert refused["error"]["code"] == "invalid_arguments"

    words = ("--cron", "*/15 * * * *", *words[2:])
    made = installation.data("schedules", "add", *words)
    assert (made["group"], made["device_id"]) == ("all-of-it", None)
    assert made["pace"] == {"rate_per_s": 0.5, "max_in_flight": 20, "stop_after": 2}
    installation.data("schedules", "remove", made["schedule_id"])


def test_what_each_run_is_and_on_what_terms_is_read_back_and_shown(installation: Installation) -> None:
    words = ("--cron", "0 3 1 1 *", "--when-online", "--expires", "2h", "--if", "online", "--run", "laptop")
    made = installation.orion("schedules", "add", *words, "delete_path", "path=Test")

    assert made.returncode == 0, made.stderr
    _, order, asks = made.stderr.splitlines()
    assert order == (
        "Each run: delete_path path=Test on laptop; when online waits up to 2 h for a device that is away; "
        "only if online; expires 2 h after it was ordered"
    )
    assert asks == "Each run will wait for a person's yes, as your policy asks."
    schedule_id = made.stdout.strip()
    installation.orion("schedules", "pause", schedule_id)
    assert order in installation.orion("schedules", "resume", schedule_id).stderr
    shown = dict(
        line.split("  ", 1)
        for line in installation.orion("schedules", "show", schedule_id).stdout.splitlines()
    )
    told = {name.strip(): value.strip() for name, value in shown.items()}
    assert (told["tool"], told["arguments"], told["device"]) == ("delete_path", "path=Test", "laptop")
    assert (told["only if"], told["expires"]) == ("online", "2 h after it was ordered")
    installation.orion("schedules", "remove", schedule_id)


def test_the_pace_of_a_group_is_told_in_words(installation: Installation) -> None:
    installation.data("devices", "policy", "laptop", "--group", "told")
    words = ("--cron", "0 3 1 1 *", "--group", "told", "--rate", "30/m", "--stop-after", "2", "disk_usage")
    made = installation.orion("schedules", "add", *words)

    pace = "at most 0.5 a second, at most 20 at the same time, none more after 2 failed"
    assert f"disk_usage on the group told; pace {pace}; expires 1 m after it was ordered" in made.stderr
    assert "yes" not in made.stderr
    assert pace in installation.orion("schedules", "show", made.stdout.strip()).stdout
    installation.orion("schedules", "remove", made.stdout.strip())


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("--cron", "0 7 * * *", "create_directory", "path=X"), 2, "on which device?"),
        (
            ("--cron", "0 7 * * *", "--run", "laptop", "--group", "lab", "disk_usage"),
            2,
            "either --run DEVICE or",
        ),
        (("--cron", "0", "7", "a.txt", "a.txt", "1-5", "--run", "laptop", "disk_usage"), 2, "quotes"),
        (("--cron", "*/100 * * * *", "--run", "laptop", "disk_usage"), 2, "the step of"),
        (("--cron", "0 7 * *  ", "--run", "laptop", "system_info"), 2, "five fields"),
        (("--cron", "0 7 * * 9", "--run", "laptop", "system_info"), 2, "no day of the week"),
        (("--cron", "0 7 * * *", "--zone", "Mars/Base", "--run", "laptop", "system_info"), 2, "no time zone"),
        (("--cron", "0 7 * * *", "--missed", "never", "--run", "laptop", "system_info"), 2, "missed"),
        (("--cron", "0 7 * * *", "--run", "nobody", "system_info"), 1, "no device 'nobody'"),
        (("--cron", "0 7 * * *", "--run", "laptop", "fly"), 2, "does not offer 'fly'"),
        (("--cron", "0 7 * * *", "--run", "laptop", "create_directory"), 2, "path"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    installation: Installation, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    done = installation.orion("schedules", "add", *words)

    assert (done.returncode, said in done.stderr) == (exit_code, True), done.stderr
