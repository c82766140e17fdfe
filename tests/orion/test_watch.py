"""`orion watch`: what happens, for a person and for a program, past a controller that was away."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from orion import stream
from orion.client import Client, ClientError
from tests.orion.answering import Answers, a_token, listening
from tests.orion.installation import ORION, READY_WITHIN, Installation, running, until
from tests.orion.looking import Looking
from tests.ports import free_port


def message(number: int, kind: str, **data: Any) -> bytes:
    """One event as the controller sends it."""
    said = {"id": f"e-{number}", "type": kind, "at": "2026-02-12T12:00:00.000Z", "data": data}
    return f"event: {kind}\ndata: {json.dumps(said)}\nid: e-{number}\n\n".encode()


def test_a_person_sees_a_line_for_each_thing_that_happens(installation: Installation) -> None:
    looking = Looking(installation, "watch", "--type", "command", "--type", "user_query")
    until(lambda: "Watching as admin" in looking.seen)

    installation.orion("ask", "make a folder Watched on laptop")

    until(lambda: "create_directory" in looking.seen and "succeeded" in looking.seen)
    assert "make a folder Watched on laptop" in looking.seen
    looking.process.send_signal(signal.SIGINT)
    assert looking.end() == 130


def test_a_program_gets_each_message_on_a_line(installation: Installation) -> None:
    words = [
        *ORION,
        "watch",
        "--json",
        "--device",
        "laptop",
        "--type",
        "tool_execute",
        "--type",
        "tool_result",
    ]
    with subprocess.Popen(
        words, env=installation.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        ready = json.loads(watching.stdout.readline())
        installation.orion("ask", "make a folder Watched2 on laptop")
        left, ended = (json.loads(watching.stdout.readline()) for _ in range(2))
        watching.send_signal(signal.SIGINT)
        assert watching.wait(READY_WITHIN) == 130

    assert (ready["type"], ready["data"]["types"]) == ("ready", ["tool_execute", "tool_result"])
    assert (left["type"], left["data"]["tool"]) == ("tool_execute", "create_directory")
    assert (ended["type"], ended["data"]["status"]) == ("tool_result", "succeeded")


@pytest.mark.parametrize("words", [("--type", "nothing"), ("--device", "NO/")])
def test_what_cannot_be_watched_is_said_at_once(installation: Installation, words: tuple[str, ...]) -> None:
    assert installation.data("watch", *words, exit_code=2)["error"]["code"] == "invalid_arguments"


def test_a_device_that_is_not_there_is_said_not_to_be(installation: Installation) -> None:
    looking = Looking(installation, "watch", "--device", "nope", "--device", "laptop")
    until(lambda: "Watching as admin" in looking.seen)
    looking.process.send_signal(signal.SIGINT)
    looking.end()

    assert "There is no device nope that you see" in looking.seen
    assert "laptop" not in looking.seen.partition("Watching")[0]


def test_a_controller_that_is_started_again_is_waited_for_and_the_gap_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "home", "--no-node") as own:
        looking = Looking(own, "watch", "--type", "device_register")
        until(lambda: "Watching as admin" in looking.seen)
        controller = next(each for each in own.family() if "controller" in each.cmdline())
        controller.kill()
        until(lambda: not controller.is_running() or controller.status() == psutil.STATUS_ZOMBIE)

        until(lambda: "the controller was started again" in looking.seen)
        assert ". It is waited for." in looking.seen
        own.data("devices", "add", "lamp")
        until(lambda: "never_seen" in looking.seen)

        looking.process.send_signal(signal.SIGINT)
        assert looking.end() == 130


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAUSE", 0.0)
    answers = [
        [message(1, "ready", resumed=False), message(2, "event", n=1), b": keep-alive\nid: e-7\n\n",
         message(7, "end", reason="unauthorized", code=4401)],
        [message(7, "ready", resumed=True), message(8, "event", n=2)],
        [message(8, "ready", resumed=True), message(9, "event", n=3)],
    ]  # fmt: skip
    after: list[str | None] = []
    said: list[str] = []

    class Controller(Answers):
        def answer(self) -> None:
            after.append(self.headers["Last-Event-ID"])
            self.say(200, b"".join(answers.pop(0)))

    with listening(Controller) as port:
        following = stream.follow(Client("127.0.0.1", port, a_token(tmp_path)), said.append)
        found: list[int] = []
        while len(found) < 3:
            each = next(following)
            found += [each["data"]["n"]] if each["type"] == "event" else []

    assert found == [1, 2, 3]
    assert after == [None, "e-7", "e-8"]
    assert said == ["Interrupted: the sign-in has to be renewed. It goes on by itself."]


def test_a_controller_that_was_never_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(ClientError):
        next(stream.follow(Client("127.0.0.1", free_port(), a_token(tmp_path)), lambda _said: None))
