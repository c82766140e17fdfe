"""What a person reads comes from a call's row, in their language, and never says more than it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.assistant import answers, results
from controller.assistant.phrases import CAUSES, DONE, STATUS, WHAT
from controller.services.orders import Status
from controller.store.tables import ToolExecution
from schemas import builtin
from schemas.errors import ErrorCode


def a_row(status: Status = Status.SUCCEEDED, tool: str = "create_directory", **fields: Any) -> ToolExecution:
    values: dict[str, Any] = {"parameters": {"path": "/srv/Test"}, "device_id": "laptop", "reasons": []}
    return ToolExecution(tool_name=tool, status=status.value, **(values | fields))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.SUCCEEDED])
def test_only_a_success_is_called_done(language: Any, status: Status) -> None:
    said = answers.receipt(a_row(status, error_message="No."), language)

    assert not said.startswith(("Done", "Gedaan"))
    assert "/srv/Test" in said


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_status_and_every_built_in_tool_has_its_words(language: Any) -> None:
    assert {status.value for status in Status} <= set(STATUS[language])
    variants = {
        "create_directory_existed", "notify_logged", "recall_all", "recall_nothing", "remember_untrusted",
    }  # fmt: skip
    assert set(DONE[language]) - variants <= set(builtin.TOOLS) | set(builtin.CONTROLLER_TOOLS)
    assert set(WHAT["nl"]) == set(WHAT["en"])
    assert set(STATUS["nl"]) == set(STATUS["en"])
    assert set(CAUSES) == {code.value for code in ErrorCode} - {"bad_signature", "replayed"}


def test_a_folder_that_was_there_is_not_called_made() -> None:
    assert "bestond al" in answers.receipt(a_row(result={"created": False}), "nl")
    assert "gemaakt" in answers.receipt(a_row(result={"created": True}), "nl")


def test_a_preview_is_not_called_done() -> None:
    said = answers.receipt(a_row(dry_run=True, result={"would": "make it"}), "en")

    assert said.startswith("This would happen on laptop")


def test_a_cause_is_said_in_dutch_with_the_exact_words() -> None:
    row = a_row(Status.DENIED, error={"code": "path_not_allowed"}, error_message="/etc is outside.")

    assert answers.receipt(row, "nl").endswith(
        "Die plek ligt buiten de toegestane mappen. (/etc is outside.)"
    )


def test_words_of_a_model_stand_only_beside_changes_that_succeeded() -> None:
    good, bad = a_row(), a_row(Status.FAILED, error_message="It broke.")

    assert "All fine!" in answers.with_words([good], "All fine!", "en")
    assert "All fine!" not in answers.with_words([good, bad], "All fine!", "en")


@pytest.mark.parametrize(
    "words",
    [
        "I have deleted Foo and created Bar.",
        "I deleted it.",
        "Done! The folder is there.",
        "The folder has been created.",
        "Klaar.",
        "Ik heb de map Foo verwijderd.",
        "De map is aangemaakt.",
    ],
)
@pytest.mark.parametrize("question", [True, False])
def test_words_that_tell_of_deeds_are_left_out_when_nothing_was_called(words: str, question: bool) -> None:
    said = answers.without_calls(words, "en", question=question)

    assert said.startswith("Nothing was carried out.")
    assert words not in said


def test_other_words_of_a_model_are_kept() -> None:
    assert answers.without_calls("A folder holds files.", "en", question=True) == "A folder holds files."


def test_a_path_is_said_to_the_letter() -> None:
    said = answers.receipt(a_row(parameters={"path": "/srv/\uff5e/x "}), "en")

    assert "'/srv/\\uff5e/x '" in said


def test_what_a_device_says_cannot_steer_a_terminal() -> None:
    row = a_row(tool="read_file", result={"content": "a\x1b[2Jb\u202ec", "encoding": "utf-8"})

    said = answers.receipt(row, "en")

    assert "\x1b" not in said
    assert "\u202e" not in said


def test_a_long_listing_is_cut_and_says_so() -> None:
    entries = [{"name": f"file{number}", "type": "file", "size": 1} for number in range(500)]

    lines = results.shown("list_directory", {"entries": entries}, "en")

    assert len(lines) == results.MAX_LINES + 1
    assert lines[-1].strip() == "… and more"


def test_a_notification_that_only_reached_a_log_is_not_called_shown() -> None:
    row = a_row(tool="notify", parameters={"title": "a", "message": "b"}, result={"shown": "log"})

    assert "no screen" in answers.receipt(row, "en")


def test_figures_are_put_as_people_read_them() -> None:
    disk = {"mount": "/", "total_bytes": 270_000_000_000, "free_bytes": 85_000_000_000, "percent": 21.6}

    assert results.shown("disk_usage", {"disks": [disk]}, "en") == [
        "  /: 21.6 % of 270.0 GB used, 85.0 GB free"
    ]


NAMES = st.sampled_from(
    [
        "entries",
        "matches",
        "disks",
        "interfaces",
        "listening",
        "processes",
        "devices",
        "content",
        "encoding",
        "size",
        "up",
        "ipv4",
        "ipv6",
        "name",
        "path",
        "type",
        "pid",
        "memory_bytes",
        "total_bytes",
        "shown",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(st.sampled_from(sorted(builtin.TOOLS)), st.dictionaries(NAMES, JSON, max_size=5))
def test_no_result_however_odd_breaks_the_answer(tool: str, result: dict[str, Any]) -> None:
    assert isinstance(answers.receipt(a_row(tool=tool, result=result), "nl"), str)
