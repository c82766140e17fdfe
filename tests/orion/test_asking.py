"""`orion ask` and what it may need: approvals, questions, a person at a terminal or none."""

import json
from pathlib import Path

import pytest

from orion import receipts
from orion.nouns import approvals, ask
from orion.terminal import Terminal
from tests.orion.installation import Installation, another_node
from tests.orion.looking import on_a_terminal


def test_a_sentence_becomes_a_folder(installation: Installation) -> None:
    report = installation.data("ask", "Maak een map Plannen op mijn laptop")

    assert (installation.files / "Plannen").is_dir()
    assert (report["outcome"], report["planner"], report["question"]) == ("calls", "offline", None)
    [call] = report["calls"]
    assert (call["device_id"], call["tool"], call["decision"]) == ("laptop", "create_directory", "allow")
    assert (call["status"], call["error"]) == ("succeeded", None)
    assert {"request_id", "session_id", "text"} <= set(report)


def test_steps_are_told_on_stderr_and_the_answer_on_stdout(installation: Installation) -> None:
    done = installation.orion("ask", "make a folder Letters on my laptop")

    assert done.returncode == 0
    assert "create_directory on laptop" in done.stderr
    assert "create_directory" not in done.stdout
    assert "Letters" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_sentence_can_come_from_stdin(installation: Installation) -> None:
    done = installation.orion("ask", "-", stdin="make a folder Piped on my laptop\n")

    assert done.returncode == 0
    assert (installation.files / "Piped").is_dir()


def test_without_a_terminal_an_approval_waits_and_can_be_decided_later(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Old")

    report = installation.data("ask", "Delete the folder Old on my laptop", exit_code=4)
    [call] = report["calls"]
    assert (call["decision"], call["status"]) == ("ask", "awaiting_approval")
    assert (installation.files / "Old").is_dir()

    card = installation.data("approvals", "show", call["approval_id"])
    assert card["commands"][0]["arguments"] == {"path": str(installation.files / "Old")}
    decided = installation.data("approvals", "approve", call["approval_id"])
    assert [each["status"] for each in decided["results"]] == ["succeeded"]
    assert not (installation.files / "Old").exists()

    again = installation.data("approvals", "approve", call["approval_id"], exit_code=1)
    assert again["error"]["code"] == "conflict"


def test_a_step_behind_an_undecided_card_is_not_waited_for(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Early")

    # `orion` is ended by the test when it waits for a person who is not there
    asked = installation.orion("ask", "delete the folder Early and create a folder Late on my laptop")

    assert asked.returncode == 4, asked.stderr
    [card] = [each for each in installation.data("approvals", "list")["items"] if each["status"] == "pending"]
    decided = installation.data("approvals", "approve", card["approval_id"])
    assert [each["status"] for each in decided["results"]] == ["succeeded", "succeeded"]
    assert (installation.files / "Late").is_dir()


def test_a_denied_approval_never_runs(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Kept")
    waiting = installation.data("run", "laptop", "delete_path", "path=Kept", exit_code=4)

    installation.data("approvals", "deny", waiting["approval_id"], "--comment", "not that one")

    shown = installation.data("commands", "show", waiting["command_id"])
    assert (shown["status"], shown["error"]["code"]) == ("denied", "approval_denied")
    assert (installation.files / "Kept").is_dir()


def test_on_a_terminal_the_card_is_shown_and_answered(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Shown")
    words = ("ask", "Delete the folder Shown on my laptop")

    code, seen = on_a_terminal(installation, *words, prompt=b"[y/N] ", reply=b"y\n")

    assert code == 0
    assert f"path = {installation.files / 'Shown'}" in seen
    assert "orion approvals approve" not in seen
    assert not (installation.files / "Shown").exists()


def test_on_a_terminal_anything_but_yes_is_no(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Stays")
    words = ("run", "laptop", "delete_path", "path=Stays")

    code, _ = on_a_terminal(installation, *words, prompt=b"[y/N] ", reply=b"\n")

    assert code == 3
    assert (installation.files / "Stays").is_dir()
    latest = installation.data("commands", "list", "--limit", "1")["items"][0]
    assert (latest["status"], latest["error"]["code"]) == ("denied", "approval_denied")


@pytest.mark.parametrize("status", ["queued", "sent", "accepted"])
def test_a_command_without_an_answer_is_said_with_how_to_follow_it(
    capsys: pytest.CaptureFixture[str], status: str
) -> None:
    command = {
        "command_id": "c-1",
        "tool": "delete_path",
        "device_id": "laptop",
        "status": status,
        "reasons": ["under the policy balanced, a change asks"],
        "error": None,
    }

    code = receipts.outcome(Terminal(), command)

    said = capsys.readouterr().err
    assert code == 6
    assert "no answer yet" in said
    assert "orion commands show c-1" in said
    assert "policy" not in said


def test_only_the_hints_for_cards_that_follow_are_left_out() -> None:
    report = {
        "text": "Done.\nWaits: x. Decide with: orion approvals approve a-1\nSee orion approvals approve a-2",
        "calls": [
            {"status": "awaiting_approval", "approval_id": "a-1"},
            {"status": "succeeded", "approval_id": "a-2"},
        ],
    }

    assert ask.without_hints(report) == "Done.\nSee orion approvals approve a-2"
    assert ask.without_hints(report | {"calls": []}) == report["text"]


def test_an_argument_cannot_look_like_a_line_of_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    card = {
        "reasons": ["asks\nfirst"],
        "commands": [{"tool": "t", "device_id": "d", "arguments": {"path": "a\n    path = b", "n": 1}}],
    }

    approvals.write(Terminal(), card)

    assert capsys.readouterr().out == (
        "  because asks\\nfirst\n  t on d\n    path = a\\n    path = b\n    n = 1\n"
    )


def test_the_same_call_on_many_devices_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    same = [{"tool": "t", "device_id": f"d{number}", "arguments": {"n": 1}} for number in range(25)]
    other = {"tool": "t", "device_id": "e", "arguments": {"n": 2}}

    approvals.write(Terminal(), {"reasons": [], "commands": [*same, other]})

    shown = ", ".join(f"d{number}" for number in range(20))
    assert capsys.readouterr().out == f"  t on {shown} and 5 more\n    n = 1\n  t on e\n    n = 2\n"


def test_on_a_terminal_a_question_is_answered_by_number(installation: Installation, tmp_path: Path) -> None:
    with another_node(installation, tmp_path, "tower"):
        code, seen = on_a_terminal(installation, "ask", "make a folder Picked", prompt=b"> ", reply=b"2\n")

    assert code == 0, seen
    assert "  1. " in seen
    assert (tmp_path / "files" / "Picked").is_dir() or (installation.files / "Picked").is_dir()


def test_what_is_outside_the_allowed_folders_is_denied(installation: Installation) -> None:
    report = installation.data("ask", "Maak een map /etc/elders op mijn laptop", exit_code=3)

    assert report["outcome"] == "refused"
    assert report["calls"][0]["error"]["code"] == "path_not_allowed"
    assert not Path("/etc/elders").exists()


def test_what_is_not_understood_is_declined(installation: Installation) -> None:
    report = installation.data("ask", "blorp the frobnicator", exit_code=1)

    assert (report["outcome"], report["calls"]) == ("declined", [])


def test_a_question_back_lists_its_options_and_goes_on_in_the_session(
    installation: Installation, tmp_path: Path
) -> None:
    with another_node(installation, tmp_path, "workstation"):
        report = installation.data("ask", "make a folder Chosen", exit_code=1)
        assert report["outcome"] == "question"
        assert len(report["question"]["options"]) == 2

        option = next(each for each in report["question"]["options"] if "workstation" in each)
        answered = installation.data("ask", "--session", report["session_id"], option)

    assert answered["session_id"] == report["session_id"]
    assert (tmp_path / "files" / "Chosen").is_dir()


@pytest.mark.parametrize(
    "words", [("ask", " "), ("run", "laptop", "system_info", "nonsense"), ("ask", "\udcff")]
)
def test_what_cannot_be_meant_is_a_usage_error(installation: Installation, words: tuple[str, ...]) -> None:
    done = installation.orion(*words)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_text_that_is_too_long_is_refused_in_words(installation: Installation) -> None:
    done = installation.orion("ask", "-", "--json", stdin="x" * 10_001)

    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "invalid_arguments"
