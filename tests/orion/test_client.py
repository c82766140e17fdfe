"""What the command line says when the controller is not there, refuses, or is somebody else."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orion.client import Client, ClientError, NotRunning, Refused
from orion.exits import Exit
from orion.signin import Kept, SignIn
from tests.orion.answering import TOKEN, Answers, a_token, listening
from tests.orion.installation import clean_environment, orion
from tests.ports import free_port


@pytest.fixture
def server() -> Iterator[tuple[int, type[Answers]]]:
    """A port, and what answers there."""
    answers = type("Here", (Answers,), {})
    with listening(answers) as port:
        yield port, answers


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return a_token(tmp_path / "data")


def a_problem(code: str, detail: str = "Because.") -> bytes:
    return json.dumps({"code": code, "detail": detail}).encode()


def test_a_controller_that_is_not_running_is_said_with_the_remedy(token: Path) -> None:
    with pytest.raises(NotRunning, match=r"not running at .* orion up") as error:
        Client("127.0.0.1", free_port(), token).get("/devices")

    assert error.value.exit_code == Exit.FAILED


def test_a_data_folder_that_never_ran_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="orion login NAME; to start one: orion up"):
        Client("127.0.0.1", 1, tmp_path / "controller" / "token").get("/devices")


def test_without_a_controller_the_command_line_fails_with_one(tmp_path: Path) -> None:
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path))

    done = orion("devices", "list", "--json", environment=environment)

    assert done.returncode == 1
    assert "orion up" in json.loads(done.stdout)["error"]["message"]
    assert "Traceback" not in done.stderr


def test_the_token_goes_in_a_header(server: tuple[int, type[Answers]], token: Path) -> None:
    port, answers = server

    Client("127.0.0.1", port, token).get("/devices")

    assert answers.heard["Authorization"] == f"Bearer {TOKEN}"
    assert answers.heard["Orion-Via"] == "cli"


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (403, "permission_denied", Exit.DENIED),
        (409, "conflict", Exit.FAILED),
        (404, "unknown_device", Exit.FAILED),
        (422, "invalid_arguments", Exit.USAGE),
        (409, "device_offline", Exit.OFFLINE),
    ],
)
def test_a_problem_is_said_in_the_controllers_words(
    server: tuple[int, type[Answers]], token: Path, status: int, code: str, exit_code: Exit
) -> None:
    port, answers = server
    answers.status, answers.body = status, a_problem(code)

    with pytest.raises(Refused, match=r"Because\.") as error:
        Client("127.0.0.1", port, token).post("/commands")

    assert (error.value.code, error.value.exit_code) == (code, exit_code)


def test_another_folders_controller_is_recognised(server: tuple[int, type[Answers]], token: Path) -> None:
    port, answers = server
    answers.status, answers.body = 401, a_problem("permission_denied")

    with pytest.raises(Refused, match="another data folder"):
        Client("127.0.0.1", port, token).get("/devices")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (TOKEN.encode() + b"\nX-More: y\n", "has more than one line"),
        (TOKEN.encode() + b"\r" + TOKEN.encode(), "has more than one line"),
        (b"\xff", "holds characters that no token has"),
        (TOKEN.encode() + b"\xc3\xa9", "holds characters that no token has"),
        (TOKEN.encode() + b" and more", "holds characters that no token has"),
        (TOKEN[:31].encode(), "has 31 characters"),
    ],
)
def test_a_token_file_that_holds_none_is_said_with_the_remedy(
    server: tuple[int, type[Answers]], tmp_path: Path, content: bytes, said: str
) -> None:
    port, answers = server
    token = a_token(tmp_path, content)
    client = Client("127.0.0.1", port, token)

    with pytest.raises(ClientError, match=said) as error:
        client.get("/devices")
    with pytest.raises(ClientError, match=said):  # nor does it count as one that is not here
        client.form("/auth/token", {"password": "secret"})

    assert str(token) in str(error.value)
    assert "start the controller again" in str(error.value)
    assert answers.asked == []


def test_a_token_file_that_is_a_folder_is_said(server: tuple[int, type[Answers]], tmp_path: Path) -> None:
    port, _ = server
    (tmp_path / "controller" / "token").mkdir(parents=True)

    with pytest.raises(ClientError, match=r"controller/token cannot be read"):
        Client("127.0.0.1", port, tmp_path / "controller" / "token").get("/devices")


class Forgetful(Answers):
    """A controller whose answer to the first renewal is lost on its way."""

    forms: list[str]

    def answer(self) -> None:
        if self.sent:
            self.forms.append(self.sent.decode())
        if len(self.forms) == 1:
            self.close_connection = True
        else:
            super().answer()


def test_a_renewal_whose_answer_was_lost_is_asked_for_again(token: Path) -> None:
    Forgetful.forms = []
    grant = {"username": "mia", "access_token": "a2", "refresh_token": "r2", "expires_in": 900}
    Forgetful.body = json.dumps(grant).encode()
    with listening(Forgetful) as port:
        client = Client("127.0.0.1", port, token)
        client.sign_in.write(SignIn("mia", "a1", "r1", 0.0))

        client.get("/devices")

    assert Forgetful.forms == ["grant_type=refresh_token&refresh_token=r1"] * 2
    assert Forgetful.heard["Authorization"] == "Bearer a2"
    assert client.sign_in.read() is not None


def test_what_was_asked_as_one_is_not_asked_again_as_another(token: Path) -> None:
    kept: list[Kept] = []

    class Changing(Answers):
        """A controller that lets nobody in, while somebody else signs in beside."""

        status, body = 401, a_problem("permission_denied")

        def answer(self) -> None:
            kept[0].write(SignIn("max", "m1", "r2", time.time() + 900))
            super().answer()

    with listening(Changing) as port:
        client = Client("127.0.0.1", port, token)
        client.sign_in.write(SignIn("mia", "a1", "r1", time.time() + 900))
        kept.append(client.sign_in)

        with pytest.raises(Refused):
            client.get("/devices")

    assert Changing.heard["Authorization"] == "Bearer a1"


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (200, b"[]"), (404, b"<html>"), (500, b"")])
def test_what_is_no_controller_is_an_error(
    server: tuple[int, type[Answers]], token: Path, status: int, body: bytes
) -> None:
    port, answers = server
    answers.status, answers.body = status, body

    with pytest.raises(ClientError):
        Client("127.0.0.1", port, token).get("/devices")


@pytest.mark.parametrize("status", [200, 204, 401, 404])
def test_whoever_else_has_the_port_is_said_with_the_remedy(
    server: tuple[int, type[Answers]], token: Path, status: int
) -> None:
    port, answers = server
    answers.status, answers.is_ours = status, False
    client = Client("127.0.0.1", port, token)

    with pytest.raises(
        ClientError, match=f"Something else answers at 127.0.0.1:{port}.*ORION_HTTP_PORT"
    ) as e:
        client.get("/devices")

    assert e.value.exit_code == Exit.FAILED
    assert not client.is_ready()


def test_a_list_that_somebody_else_answers_is_no_traceback(
    server: tuple[int, type[Answers]], token: Path
) -> None:
    port, answers = server
    answers.is_ours = False
    environment = clean_environment(ORION_DATA_DIR=str(token.parents[1]), ORION_HTTP_PORT=str(port))

    done = orion("devices", "list", environment=environment)

    assert done.returncode == 1
    assert "Something else answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_that_is_cut_off_is_an_unknown_outcome(
    server: tuple[int, type[Answers]], token: Path
) -> None:
    port, answers = server
    answers.body = b'{"type": "tool_call", "tool": "create_directory"}\n'
    steps = Client("127.0.0.1", port, token).ask("x")

    assert next(steps)["type"] == "tool_call"
    with pytest.raises(ClientError, match="orion commands list") as error:
        next(steps)

    assert error.value.exit_code == Exit.UNKNOWN


def test_a_problem_in_the_stream_is_the_controllers_word(
    server: tuple[int, type[Answers]], token: Path
) -> None:
    port, answers = server
    problem = {"type": "problem", "error": {"code": "payload_too_large", "message": "Too long."}}
    answers.body = json.dumps(problem).encode() + b"\n"

    with pytest.raises(Refused, match=r"Too long\.") as error:
        list(Client("127.0.0.1", port, token).ask("x"))

    assert error.value.code == "payload_too_large"
