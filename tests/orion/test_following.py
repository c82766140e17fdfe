"""A command is followed to its end: with a bar, through a Ctrl-C, past a controller that died."""

import email.policy
import http.client
import json
import signal
import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from orion import following, progress
from orion.client import Client, ClientError, NoAnswer, NotRunning, Refused
from orion.exits import Exit
from tests.orion.answering import Answers, a_token, listening
from tests.orion.installation import Installation, running, until
from tests.orion.lamp import Lamp, a_place, lit_up
from tests.orion.looking import Looking
from tests.ports import free_port
from tests.serving import Served


@pytest.fixture
def lamp(installation: Installation) -> Iterator[Lamp]:
    """A lamp that is online and takes its time."""
    with a_place(installation, "lamp") as mqtt:
        lamp = Lamp(mqtt)
        with lit_up(installation, lamp):
            yield lamp


def test_a_person_sees_how_far_it_is(installation: Installation, lamp: Lamp) -> None:
    looking = Looking(installation, "run", "lamp", "light", "on=true")

    until(lambda: "30%" in looking.seen)
    lamp.may_end.set()

    assert looking.end() == 0
    assert "light on lamp: succeeded" in looking.seen


def test_a_program_sees_nothing_but_the_outcome(installation: Installation, lamp: Lamp) -> None:
    lamp.may_end.set()

    done = installation.orion("run", "lamp", "light", "on=true")

    assert (done.stdout, done.stderr) == ("on  yes\n", "light on lamp: succeeded\n")


def test_ctrl_c_ends_the_look_and_not_the_command(installation: Installation, lamp: Lamp) -> None:
    looking = Looking(installation, "run", "lamp", "light", "on=true")
    until(lambda: "30%" in looking.seen)
    [command_id] = lamp.took

    looking.process.send_signal(signal.SIGINT)

    assert looking.end() == 130
    assert f"orion commands cancel {command_id}" in looking.seen
    lamp.may_end.set()
    until(lambda: installation.data("commands", "show", command_id)["status"] == "succeeded")


def test_after_ctrl_c_a_program_has_the_commands_id_all_the_same(
    installation: Installation, lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progress, "followed", ctrl_c)

    command = installation.data("run", "lamp", "light", "on=true", exit_code=130)

    until(lambda: lamp.took == [command["command_id"]])


def test_a_controller_that_dies_meanwhile_is_waited_for(tmp_path: Path) -> None:
    with running(tmp_path / "home", "--no-node") as own, a_place(own, "lamp") as mqtt:
        lamp = Lamp(mqtt)
        with lit_up(own, lamp):
            looking = Looking(own, "run", "lamp", "light", "on=true")
            until(lambda: "30%" in looking.seen)
            controller = next(each for each in own.family() if "controller" in each.cmdline())
            controller.kill()
            until(lambda: not controller.is_running() or controller.status() == psutil.STATUS_ZOMBIE)
            lamp.may_end.set()

            assert looking.end() == 0
            assert "light on lamp: succeeded" in looking.seen


@pytest.fixture(scope="module")
def elsewhere(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the token of another folder would be, in which somebody has signed in: as behind a tunnel."""
    folder = tmp_path_factory.mktemp("elsewhere")
    installation.data("users", "add", "ada", "--role", "admin")
    assert installation.orion("users", "password", "ada", stdin=f"{PASSWORD}\n").returncode == 0
    there = {"ORION_DATA_DIR": str(folder)}
    assert installation.orion("login", "ada", stdin=f"{PASSWORD}\n", **there).returncode == 0
    return folder / "controller" / "token"


@contextmanager
def losing(port: int, answers: int) -> Iterator[tuple[int, list[bytes]]]:
    """A port that leads to another one and loses the first answers; and the requests that came."""
    requests: list[bytes] = []

    class Relay(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = self.rfile.readline()
            headers = http.client.parse_headers(self.rfile)
            body = self.rfile.read(int(headers["Content-Length"]))  # it may come apart from the headers
            headers["Connection"] = "close"
            requests.append(asked + headers.as_bytes(policy=email.policy.HTTP) + body)
            with socket.create_connection(("127.0.0.1", port)) as onward:
                onward.sendall(requests[-1])
                answer = b""
                while part := onward.recv(65_536):
                    answer += part
            if len(requests) > answers:
                self.wfile.write(answer)

    with Served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)) as served:
        yield served.port, requests


PASSWORD = "nine lives of a cat"
ORDER = {"device_id": "lamp", "tool": "light", "arguments": {"on": True}}


def test_an_order_whose_answer_is_lost_goes_out_again_and_is_made_once(
    installation: Installation, lamp: Lamp, elsewhere: Path
) -> None:
    before = len(installation.data("commands", "list", "--device", "lamp")["items"])

    with losing(installation.http_port, 2) as (port, requests):
        made = following.submitted(Client("127.0.0.1", port, elsewhere), "/commands", ORDER)

    assert len(requests) == 3
    found = installation.data("commands", "list", "--device", "lamp")["items"]
    assert len(found) == before + 1
    assert found[0]["command_id"] == made["command_id"]
    lamp.may_end.set()


def test_an_order_whose_answers_stay_away_may_have_been_recorded(
    installation: Installation, lamp: Lamp, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BACK_WITHIN", 0.0)

    with (
        losing(installation.http_port, 1) as (port, _),
        pytest.raises(NoAnswer, match="orion commands list") as error,
    ):
        following.submitted(Client("127.0.0.1", port, elsewhere), "/commands", ORDER)

    assert error.value.exit_code is Exit.UNKNOWN
    lamp.may_end.set()


def test_an_order_that_was_refused_or_never_left_does_not_go_out_again(
    installation: Installation, elsewhere: Path
) -> None:
    with losing(installation.http_port, 0) as (port, requests), pytest.raises(Refused):
        following.submitted(Client("127.0.0.1", port, elsewhere), "/commands", {"tool": "light"})
    assert len(requests) == 1
    with pytest.raises(NotRunning):
        following.submitted(Client("127.0.0.1", free_port(), elsewhere), "/commands", ORDER)


def test_a_controller_that_stays_away_is_given_up_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BACK_WITHIN", 0.0)
    token = a_token(tmp_path)
    command = {"command_id": "c-1", "status": "accepted", "rollout": None}

    with pytest.raises(ClientError, match="orion commands show c-1") as error:
        following.follow(Client("127.0.0.1", free_port(), token), command, lambda _news: None)

    assert error.value.exit_code is Exit.UNKNOWN


def test_without_news_the_look_ends_and_says_how_to_go_on(installation: Installation, lamp: Lamp) -> None:
    client = Client("127.0.0.1", installation.http_port, installation.home / "data" / "controller" / "token")
    submitted = client.post("/commands", {"device_id": "lamp", "tool": "light", "arguments": {"on": True}})
    news: list[object] = []

    found = following.follow(client, submitted, lambda each: news.append(each["progress"]), quiet_s=1.0)

    assert (found["status"], found["progress"]) == ("accepted", 0.3)
    assert news[-1] == 0.3


def test_a_database_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    token = a_token(tmp_path)
    command = {"command_id": "c-1", "status": "accepted", "rollout": None}
    answers = [
        (503, {"code": "internal", "detail": "The database is away."}),
        (200, command | {"status": "succeeded"}),
    ]

    class Controller(Answers):
        def answer(self) -> None:
            status, body = answers.pop(0)
            self.say(status, json.dumps(body).encode() + b"\n")

    with listening(Controller) as port:
        client = Client("127.0.0.1", port, token)
        ended = following.follow(client, command, lambda _news: None)

    assert ended["status"] == "succeeded"
    assert answers == []
