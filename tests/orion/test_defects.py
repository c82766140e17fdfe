"""Errors are told to Sentry where that is wanted, and nothing else is, nor any secret."""

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.orion.installation import clean_environment, running
from tests.serving import Quiet, Served

PROGRAM = """
import logging, sys
from orion import logs, looking_on
from orion.config import load
from schemas import context, traces

settings = load({}).settings
logs.begin(settings, "controller")
with looking_on.errors_told(settings, "controller"):
    with context.about(traces.parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), user="mia", command_id="c-1"):
        local_variable = "a password in a variable"
        logging.info("A fact")
        logging.warning("A warning")
        try:
            int("password=swordfish of-the-model Bearer abcdefgh12345678")
        except ValueError:
            logging.exception("Command %s failed with token=abcdefgh", "c-1")
print("sentry_sdk" in sys.modules)
"""


class Sentry(Served):
    """A server on a loopback port that takes envelopes; one that `hangs` never answers."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.envelopes: list[list[Any]] = []
        self.over = threading.Event()
        sentry = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if hangs:
                    sentry.over.wait()
                    return
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                sentry.envelopes.append([json.loads(line) for line in body.splitlines() if line])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    @property
    def dsn(self) -> str:
        return f"http://public@127.0.0.1:{self.port}/1"


@pytest.fixture(params=[False])
def sentry(request: pytest.FixtureRequest) -> Iterator[Sentry]:
    with Sentry(hangs=request.param) as made:
        yield made
        made.over.set()  # who hangs goes on


def program(tmp_path: Path, said: str = PROGRAM, **settings: str) -> str:
    """Run it to its end; what it printed."""
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path), OLLAMA_API_KEY="of-the-model", **settings)
    done = subprocess.run(
        [sys.executable, "-c", said],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.strip()


def test_an_error_is_told_with_what_it_is_about_and_without_anything_secret(
    tmp_path: Path, sentry: Sentry
) -> None:
    program(tmp_path, ORION_SENTRY_DSN=sentry.dsn)

    (envelope,) = sentry.envelopes
    said = json.dumps(envelope)
    event = envelope[-1]
    assert event["level"] == "error"
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["tags"] == {
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "command_id": "c-1",
        "program": "controller",
    }
    assert event["server_name"] == "orion-controller"
    for secret in (
        "swordfish",
        "of-the-model",
        "abcdefgh",
        "in a variable",
        "mia",
        "A warning",
        str(tmp_path),
    ):
        assert secret not in said.replace(sentry.dsn, ""), secret
    assert not {"request", "user", "breadcrumbs", "modules"} & set(event)


def test_the_same_error_again_is_told_once(tmp_path: Path, sentry: Sentry) -> None:
    repeated = PROGRAM.replace(
        "local_variable =",
        """for number in range(50):
            try:
                [][number % 2]
            except IndexError:
                logging.exception("It fell")
            try:
                {}["x"]
            except KeyError:
                logging.exception("It fell")
            logging.error("It is over")
            logging.error("Of %d", number % 2)
        local_variable =""",
    )
    program(tmp_path, repeated, ORION_SENTRY_DSN=sentry.dsn)

    assert len(sentry.envelopes) == 1 + 2 + 1 + 2


def test_nothing_is_loaded_or_told_unless_it_is_wanted(tmp_path: Path) -> None:
    assert program(tmp_path) == "False"


@pytest.mark.parametrize("sentry", [True], indirect=True)
def test_a_server_that_never_answers_holds_up_nothing(tmp_path: Path, sentry: Sentry) -> None:
    assert program(tmp_path, ORION_SENTRY_DSN=sentry.dsn) == "True"


def test_what_is_no_dsn_is_said_and_not_shown(tmp_path: Path) -> None:
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path), ORION_SENTRY_DSN="hunter2://x")
    done = subprocess.run(
        [sys.executable, "-m", "orion", "config", "show"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "sentry_dsn" in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.on_a_file
def test_what_goes_wrong_for_a_user_is_no_defect(tmp_path: Path, sentry: Sentry) -> None:
    with running(tmp_path, ORION_SENTRY_DSN=sentry.dsn) as installation:
        installation.data("run", "laptop", "read_file", "path=nothing.txt", exit_code=1)
        installation.data("trace", "nothing", exit_code=1)
        there = f"127.0.0.1:{installation.http_port}"
        for origin, query in (
            (None, "?types=bla"),
            (None, "?device_id=../x"),
            (None, f"?last_event_id={'x' * 100}"),
            (Origin(f"http://{there}"), ""),
            (Origin("https://evil.example"), ""),
        ):
            shown = {"Authorization": "Bearer wrong"}
            address = f"ws://{there}/api/v1/stream{query}"
            with (
                pytest.raises(InvalidStatus) as refused,
                connect(address, origin=origin, additional_headers=shown, proxy=None),
            ):
                pass
            assert refused.value.response.status_code in (401, 403, 422)

    assert sentry.envelopes == []
