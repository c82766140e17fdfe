"""Exit codes: one for each status and error code, and the worst of several calls."""

import subprocess
from pathlib import Path

import pytest

from controller.services.orders import Status
from orion import exits
from orion.exits import Exit
from schemas.errors import ErrorCode
from tests.orion.installation import ORION, clean_environment


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("succeeded", 0),
        ("failed", 1),
        ("cancelled", 1),
        ("denied", 3),
        ("rejected", 3),
        ("awaiting_approval", 4),
        ("waiting", 4),
        ("expired", 5),
        ("interrupted", 6),
        ("queued", 6),
        ("sent", 6),
        ("accepted", 6),
    ],
)
def test_each_status_has_its_exit_code(status: str, code: int) -> None:
    assert exits.of_command(status) == code


def test_no_status_of_the_controller_is_missing() -> None:
    assert set(exits.STATUSES) == {status.value for status in Status}


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["succeeded", "succeeded"], 0),
        (["succeeded", "failed"], 1),
        (["denied", "failed"], 1),
        (["failed", "interrupted"], 6),
        (["expired", "denied"], 3),
        (["awaiting_approval", "expired"], 5),
        (["succeeded", "awaiting_approval"], 4),
        (["awaiting_approval", "queued"], 4),
        (["waiting", "queued"], 4),
        (["waiting", "failed"], 1),
        (["succeeded", "sent"], 6),
        (["denied", "cancelled"], 3),
        (["cancelled", "denied"], 3),
        (["expired", "cancelled"], 5),
        (["interrupted", "cancelled"], 6),
        (["cancelled"], 1),
        (["succeeded", "cancelled"], 1),
    ],
)
def test_of_several_calls_the_worst_counts(statuses: list[str], code: int) -> None:
    assert exits.of_calls(statuses) == code


@pytest.mark.parametrize(
    ("outcome", "statuses", "code"),
    [
        ("calls", ["succeeded"], 0),
        ("calls", ["expired"], 5),
        ("answer", [], 0),
        ("question", [], 1),
        ("declined", [], 1),
        ("error", [], 1),
        ("error", ["succeeded"], 1),
        ("error", ["interrupted"], 6),
        ("refused", ["denied"], 3),
        ("refused", ["denied", "cancelled"], 3),
        ("refused", [], 3),
    ],
)
def test_a_turn_ends_with_its_outcome_and_its_calls(outcome: str, statuses: list[str], code: int) -> None:
    report = {"outcome": outcome, "calls": [{"status": status} for status in statuses]}

    assert exits.of_report(report) == code


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ErrorCode.PERMISSION_DENIED, Exit.DENIED),
        (ErrorCode.PATH_NOT_ALLOWED, Exit.DENIED),
        (ErrorCode.APP_NOT_ALLOWED, Exit.DENIED),
        (ErrorCode.APPROVAL_DENIED, Exit.DENIED),
        (ErrorCode.DEVICE_OFFLINE, Exit.OFFLINE),
        (ErrorCode.EXPIRED, Exit.OFFLINE),
        (ErrorCode.APPROVAL_EXPIRED, Exit.OFFLINE),
        (ErrorCode.INTERRUPTED, Exit.UNKNOWN),
        (ErrorCode.INVALID_ARGUMENTS, Exit.USAGE),
        (ErrorCode.NOT_FOUND, Exit.FAILED),
        (ErrorCode.UNKNOWN_DEVICE, Exit.FAILED),
        (ErrorCode.INTERNAL, Exit.FAILED),
    ],
)
def test_each_error_of_the_controller_has_its_exit_code(code: ErrorCode, expected: Exit) -> None:
    assert exits.of_code(code.value) == expected


def test_every_code_in_the_table_is_one_of_the_contract() -> None:
    assert set(exits.CODES) <= {code.value for code in ErrorCode}


@pytest.mark.parametrize("words", [["--version"], ["config", "show"], ["config", "show", "--json"]])
def test_an_output_without_room_is_said_in_a_sentence(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*ORION, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
            check=False,
        )

    assert done.returncode == Exit.FAILED
    assert done.stderr == "Not everything could be written: there is no room where the output goes.\n"
