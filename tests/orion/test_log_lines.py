"""A log line says what it is about, to a person or a program, and never a secret."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orion import logs
from orion.config.fields import resolved
from orion.config.settings import Settings
from orion.logs.redaction import Redaction, secrets_of
from schemas import context
from schemas.traces import Trace
from tests.orion.installation import Installation, clean_environment, orion, running

TRACE = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
LOGGER = logging.getLogger("somebody")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_for_a_program_has_its_time_and_the_ids_of_what_it_is_about(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", form="json", program="controller")
    with context.about(TRACE, user="ada", command_id="c-1", device_id="laptop"):
        LOGGER.info("Command %s is %s", "c-1", "queued")
    LOGGER.warning("Nobody asked for this")

    about, alone = written(capsys)
    assert about["message"] == "Command c-1 is queued"
    assert (about["level"], about["program"], about["logger"]) == ("info", "controller", "somebody")
    assert (about["trace_id"], about["user"]) == (TRACE.trace_id, "ada")
    assert (about["command_id"], about["device_id"]) == ("c-1", "laptop")
    at = datetime.fromisoformat(about["timestamp"])
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert "trace_id" not in alone


def test_a_line_for_a_person_has_the_ids_that_it_does_not_say_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info")
    with context.about(TRACE, user="ada", command_id="c-1"):
        LOGGER.info("Command %s is queued", "c-1")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"INFO    Command c-1 is queued  user=ada trace_id={TRACE.trace_id}")


@pytest.mark.parametrize("form", ["console", "json"])
def test_what_somebody_made_up_is_still_one_line(capsys: pytest.CaptureFixture[str], form: logs.Form) -> None:
    logs.configure("info", form=form)
    with context.about(user="ada\u2028\x1b[31m\nERROR forged"):
        LOGGER.info("said: %s", "a\u2028b\nERROR forged \x1b[2J")

    lines = capsys.readouterr().err.splitlines()
    assert "\x1b" not in "".join(lines)
    assert [line for line in lines if not line.startswith(" ")] == lines[:1]


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_defect_is_written_with_its_traceback_and_without_the_secret_in_it(
    capsys: pytest.CaptureFixture[str], form: logs.Form
) -> None:
    logs.configure("info", form=form, redaction=Redaction(["hunter2hunter2"]))
    try:
        int("no hunter2hunter2 here, and no mqtt://mia:swordfish@host")
    except ValueError:
        LOGGER.exception("It failed")

    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "no *** here" in said
    assert "swordfish" not in said


SECRET = "s3cr3t-s3cr3t-s3cr3t"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJtaWEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}",
        f"GET /x?access_token={SECRET}&a=1",
        f"password={SECRET}",
        f"new_password = '{SECRET}'",
        f'{{"password": "{SECRET}", "name": "mia"}}',
        f"{{'refresh_token': '{SECRET}'}}",
        json.dumps(json.dumps({"client_secret": SECRET})),
        f"ORION_NODE_PASSWORD={SECRET}",
        f"OLLAMA_API_KEY={SECRET}",
        f"cannot reach mqtts://mia:{SECRET}@broker.lan:8883",
        f"postgresql+psycopg://orion:{SECRET}@db/orion",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_secret_is_not_written(text: str) -> None:
    assert SECRET not in Redaction().of(text)


def test_a_token_a_join_code_and_an_api_key_are_known_by_their_looks() -> None:
    code = "aha64f-3yotso-7cs3r4-d4w5tl-fakcg5-og6wos-24iwik-3snmce-afrhzk-p3vqzp-lsctb6-yzapge-3mbclb-yxsine-ramuro-zq"

    key = "orion_0123456789ab_" + "x-Y" * 14 + "z"

    assert Redaction().of(f"given {JWT}, {code} and {key}.") == "given ***, *** and ***."


@pytest.mark.parametrize(
    "sentence",
    [
        "The controller does not know our token: it belongs to another data folder.",
        "A valid token is needed: sign in with `orion login`.",
        "Command 01900000-0000-7000-8000-000000000000 for laptop is queued",
        "Ready: HTTP on port 8180, see http://127.0.0.1:8180/readyz",
        "2 passwords were replaced; secret arguments are shown as ***",
    ],
)
def test_an_ordinary_sentence_stays_as_it_is(sentence: str) -> None:
    assert Redaction().of(sentence) == sentence


def test_every_secret_among_the_settings_is_known(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        resolved(
            {
                "data_dir": tmp_path,
                "mqtt_url": "mqtts://controller-main:from%20the%20url@host",
                "node_password": "of the node",
                "ollama_api_key": "of the model",
            }
        )
    )

    assert {"from%20the%20url", "from the url", "of the node", "of the model"} <= set(secrets_of(settings))


def colours_of(**environment: str) -> bool:
    """Whether a warning on a terminal has a colour."""
    leader, follower = pty.openpty()
    code = "import logging; from orion import logs; logs.configure('info'); logging.warning('look')"
    subprocess.run(
        [sys.executable, "-c", code],
        stderr=follower,
        check=True,
        env=clean_environment(TERM="xterm") | environment,
    )
    os.close(follower)
    said = os.read(leader, 1000)
    os.close(leader)
    assert b"look" in said
    return b"\x1b[" in said


def test_a_terminal_has_colours_unless_somebody_wants_none() -> None:
    assert colours_of()
    assert not colours_of(NO_COLOR="1")


@pytest.mark.on_a_file
def test_all_programs_of_an_installation_write_objects_and_no_secret(tmp_path: Path) -> None:
    with running(tmp_path, ORION_LOG_FORMAT="json", ORION_LOG_LEVEL="debug") as installation:
        secrets = _what_is_secret(installation)
        installation.data("run", "laptop", "create_directory", "path=Test")
    lines = [json.loads(line) for line in io.StringIO(installation.log)]

    assert {line["program"] for line in lines} == {"up", "broker", "controller", "node"}
    assert all({"timestamp", "level", "message"} <= set(line) for line in lines)
    assert not [secret for secret in secrets if secret in installation.log]


def _what_is_secret(installation: Installation) -> set[str]:
    """Passwords and tokens that were just used."""
    token = (installation.home / "data" / "controller" / "token").read_text(encoding="utf-8").strip()
    password = "nine lives of a cat"
    once = installation.data("users", "password", "admin", "--once")["password"]
    device = installation.data("devices", "add", "lamp")["mqtt"]["password"]
    elsewhere = installation.environment | {"ORION_DATA_DIR": str(installation.home / "elsewhere")}
    signing_in = orion("login", "admin", environment=elsewhere, stdin=f"{once}\n{password}\n")
    assert signing_in.returncode == 0, signing_in.stderr
    assert orion("login", "admin", environment=elsewhere, stdin="wrong wrong wrong\n").returncode != 0
    kept = json.loads((installation.home / "elsewhere" / "sign-in.json").read_text(encoding="utf-8"))
    tokens = {value for name, value in kept.items() if name.endswith("token")}
    assert tokens
    return {token, once, device, password, "wrong wrong wrong"} | tokens
