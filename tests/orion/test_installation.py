"""A running installation, used as a person or a program uses it: by `orion` alone."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiomqtt
import psutil
import pytest

from tests.orion.installation import ORION, READY_WITHIN, Installation, until


@contextlib.contextmanager
def another_node(installation: Installation, home: Path, device_id: str) -> Iterator[subprocess.Popen[bytes]]:
    """A second computer: its own folder, its own node, the same controller."""
    place = installation.data("devices", "add", device_id, "--adopt")
    environment = installation.environment | {
        "ORION_DATA_DIR": str(home),
        "ORION_DEVICE_ID": device_id,
        "ORION_NODE_PASSWORD": place["mqtt"]["password"],
    }
    node = subprocess.Popen([*ORION, "node"], env=environment, stderr=subprocess.DEVNULL)
    try:
        until(lambda: installation.data("devices", "show", device_id)["status"] == "online")
        yield node
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(READY_WITHIN)
        installation.data("devices", "remove", device_id)


def test_this_computer_is_a_device_that_was_adopted(installation: Installation) -> None:
    [device] = installation.data("devices", "list")["items"]

    assert (device["device_id"], device["status"], device["adopted"]) == ("laptop", "online", True)
    assert "this computer" in device["aliases"]


def test_secrets_are_readable_by_their_owner_only(installation: Installation) -> None:
    data = installation.home / "data"
    private = [
        data / "controller" / "token",
        data / "node" / "laptop" / "password",
        data / "broker" / "passwords",
    ]

    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600] * 3
    assert [stat.S_IMODE(path.parent.stat().st_mode) for path in private] == [0o700] * 3


def test_no_secret_stands_on_a_command_line(installation: Installation) -> None:
    data = installation.home / "data"
    secrets = [path.read_text().strip() for path in [data / "controller" / "token", *data.rglob("*password")]]

    lines = [" ".join(process.cmdline()) for process in installation.family()]

    assert len(secrets) >= 4
    assert not [line for line in lines for secret in secrets if secret in line]


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


def test_a_denied_approval_never_runs(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Kept")
    waiting = installation.data("run", "laptop", "delete_path", "path=Kept", exit_code=4)

    installation.data("approvals", "deny", waiting["approval_id"], "--comment", "not that one")

    shown = installation.data("commands", "show", waiting["command_id"])
    assert (shown["status"], shown["error"]["code"]) == ("denied", "approval_denied")
    assert (installation.files / "Kept").is_dir()


def on_a_terminal(installation: Installation, *words: str, prompt: bytes, reply: bytes) -> tuple[int, str]:
    """Run a command with a person in front of it, who answers one prompt."""
    leader, follower = pty.openpty()
    environment = installation.environment | {"TERM": "xterm", "NO_COLOR": "1"}
    asked = subprocess.Popen(
        [*ORION, *words], env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    seen, answered = b"", False
    with contextlib.suppress(OSError):  # how a terminal's end reads on Linux
        while chunk := os.read(leader, 4096):
            seen += chunk
            if not answered and seen.endswith(prompt):
                os.write(leader, reply)
                answered = True
    os.close(leader)
    return asked.wait(READY_WITHIN), seen.decode().replace("\r\n", "")


def test_on_a_terminal_the_card_is_shown_and_answered(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Shown")
    words = ("ask", "Delete the folder Shown on my laptop")

    code, seen = on_a_terminal(installation, *words, prompt=b"[y/N] ", reply=b"y\n")

    assert code == 0
    assert f"path = {installation.files / 'Shown'}" in seen
    assert not (installation.files / "Shown").exists()


def test_on_a_terminal_anything_but_yes_is_no(installation: Installation) -> None:
    installation.data("run", "laptop", "create_directory", "path=Stays")
    words = ("run", "laptop", "delete_path", "path=Stays")

    code, _ = on_a_terminal(installation, *words, prompt=b"[y/N] ", reply=b"\n")

    assert code == 3
    assert (installation.files / "Stays").is_dir()
    latest = installation.data("commands", "list", "--limit", "1")["items"][0]
    assert (latest["status"], latest["error"]["code"]) == ("denied", "approval_denied")


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


def test_a_device_that_went_away_is_offline(installation: Installation, tmp_path: Path) -> None:
    with another_node(installation, tmp_path, "desktop") as node:
        assert installation.data("run", "desktop", "system_info")["status"] == "succeeded"
        node.send_signal(signal.SIGINT)
        assert node.wait(READY_WITHIN) == 0
        until(lambda: installation.data("devices", "show", "desktop")["status"] == "offline")

        command = installation.data("run", "desktop", "system_info", exit_code=5)

    assert (command["status"], command["error"]["code"]) == ("expired", "device_offline")


def test_run_reads_values_by_the_tools_schema(installation: Installation) -> None:
    words = ("run", "laptop", "write_file", "path=five.txt", "content=5", "overwrite=true")

    # replacing is risky: had `true` been text, the arguments would have been denied instead
    assert installation.data(*words, exit_code=4)["arguments"]["overwrite"] is True


def test_a_preview_changes_nothing(installation: Installation) -> None:
    command = installation.data("run", "laptop", "create_directory", "path=Preview", "--dry-run")

    assert (command["status"], command["dry_run"]) == ("succeeded", True)
    assert not (installation.files / "Preview").exists()


def test_a_command_that_is_not_waited_for_can_be_followed(installation: Installation) -> None:
    command = installation.data("run", "laptop", "system_info", "--no-wait")

    until(lambda: installation.data("commands", "show", command["command_id"])["status"] == "succeeded")


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


def test_an_unknown_device_or_tool_is_denied_and_recorded(installation: Installation) -> None:
    nobody = installation.data("run", "nobody", "system_info", exit_code=3)
    nothing = installation.data("run", "laptop", "no_such_tool", exit_code=3)

    assert (nobody["error"]["code"], nothing["error"]["code"]) == ("unknown_device", "unknown_tool")
    listed = installation.data("commands", "list", "--status", "denied")["items"]
    assert {nobody["command_id"], nothing["command_id"]} <= {each["command_id"] for each in listed}


def test_a_place_for_any_device_says_how_it_connects(installation: Installation) -> None:
    words = ("devices", "add", "lamp-1", "--name", "Desk lamp", "--alias", "bureaulamp", "--alias", "lamp")
    made = installation.data(*words, "--profile", "manage", "--allow-path", "/lamp", "--allow-tool", "shine")
    try:
        mqtt = made["mqtt"]
        assert (mqtt["host"], mqtt["port"]) == ("127.0.0.1", installation.mqtt_port)
        assert (mqtt["username"], mqtt["client_id"], mqtt["prefix"]) == ("lamp-1", "lamp-1", "orion/v1")
        shown = installation.data("devices", "show", "lamp-1")
        assert mqtt["password"] not in json.dumps(shown)
        assert (shown["name"], shown["aliases"], shown["policy"]) == (
            "Desk lamp",
            ["bureaulamp", "lamp"],
            "manage",
        )
        assert shown["owner_allows"] == {"paths": ["/lamp"], "apps": None, "tools": ["shine"]}

        taken = installation.data("devices", "add", "lamp-1", exit_code=1)
        assert taken["error"]["code"] == "already_exists"
    finally:
        installation.data("devices", "remove", "lamp-1")
    assert installation.data("devices", "show", "lamp-1", exit_code=1)["error"]["code"] == "unknown_device"


def test_tools_are_shown_and_accepted(installation: Installation, tmp_path: Path) -> None:
    nothing_yet = installation.data("devices", "add", "shelf")
    assert nothing_yet["adopted"] is False
    assert installation.data("devices", "adopt", "shelf", exit_code=1)["error"]["code"] == "conflict"
    installation.data("devices", "remove", "shelf")

    shown = installation.orion("devices", "adopt", "laptop")

    assert shown.returncode == 0
    assert "create_directory\tlow\tyes\tCreate a folder" in shown.stdout


def test_the_policy_of_a_device_can_be_changed(installation: Installation) -> None:
    changed = installation.data("devices", "policy", "laptop", "--allow-tool", "system_info")
    assert changed["owner_allows"]["tools"] == ["system_info"]
    assert (
        installation.data("run", "laptop", "network_info", exit_code=3)["error"]["code"]
        == "permission_denied"
    )

    restored = installation.data("devices", "policy", "laptop", "--no-limit", "tools")

    assert restored["owner_allows"]["tools"] is None
    assert installation.data("run", "laptop", "network_info")["status"] == "succeeded"


async def test_a_debugging_user_sees_a_command_and_is_gone_afterwards(installation: Installation) -> None:
    made = await asyncio.to_thread(installation.data, "debug-user", "create", "debug.test")
    assert f"-i {made['username']}" in made["command"]
    seen: set[str] = set()
    async with (
        asyncio.timeout(READY_WITHIN),
        aiomqtt.Client(
            made["host"],
            made["port"],
            username=made["username"],
            password=made["password"],
            identifier=made["username"],
        ) as watcher,
    ):
        await watcher.subscribe(made["topic"], qos=1)
        await asyncio.to_thread(installation.data, "run", "laptop", "system_info")
        async for message in watcher.messages:
            seen.add(str(message.topic).removeprefix("orion/v1/devices/laptop/"))
            if {"command", "reply/main"} <= seen:
                break

    await asyncio.to_thread(installation.data, "debug-user", "remove", "debug.test")
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client(
            made["host"], made["port"], username=made["username"], password=made["password"], timeout=1
        ):
            pass
    gone = await asyncio.to_thread(installation.data, "debug-user", "remove", "debug.test", exit_code=1)
    assert gone["error"]["code"] == "not_found"


def test_the_audit_tells_what_happened(installation: Installation) -> None:
    installation.data("run", "laptop", "system_info")

    actions = [each["action"] for each in installation.data("audit", "list", "--device", "laptop")["items"]]

    assert actions[0] == "command.succeeded"
    assert "decision.allow" in actions
    assert installation.data("events", "list")["items"] == []


def test_the_doctor_finds_a_healthy_installation(installation: Installation) -> None:
    found = installation.data("doctor")

    states = {each["check"]: each["state"] for each in found["items"]}
    assert found["healthy"] is True
    assert states["model"] == "missing"
    assert {states[name] for name in ("mosquitto", "broker settings", "connection", "database", "clock")} == {
        "ok"
    }
    assert all(each["remedy"] for each in found["items"] if each["state"] != "ok")


def test_the_doctor_says_what_is_wrong_without_a_controller(
    tmp_path: Path, installation: Installation
) -> None:
    done = installation.orion("doctor", "--json", "--data-dir", str(tmp_path))

    wrong = [each["check"] for each in json.loads(done.stdout)["items"] if each["state"] == "wrong"]
    assert done.returncode == 1
    assert {"broker settings", "controller"} <= set(wrong)


def test_a_second_up_on_the_same_folder_says_so(installation: Installation) -> None:
    done = installation.orion("up", "--json")

    assert done.returncode == 1
    assert "already" in json.loads(done.stdout)["error"]["message"]
    assert psutil.pid_exists(installation.family()[0].pid)
