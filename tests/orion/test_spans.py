"""A collector is told of a command as one unbroken trace, and its troubles are nobody else's."""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from orion import looking_on
from orion.config.fields import resolved
from orion.config.settings import Settings
from schemas.topics import Kind, Topics
from schemas.traces import Trace
from schemas.wire import format_instant
from tests import fakes
from tests.collector import Collector, Told
from tests.orion.installation import Installation, another_node, running, until

CALLER = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
SERVER, PRODUCER, CONSUMER = 2, 4, 5  # kinds, as the protocol numbers them

pytestmark = pytest.mark.on_a_file


def post(installation: Installation, path: str, body: dict[str, Any]) -> httpx.Response:
    """A request of somebody who traces."""
    token = (installation.home / "data" / "controller" / "token").read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "traceparent": CALLER.traceparent, "Prefer": "wait=10"}
    return httpx.post(
        f"http://127.0.0.1:{installation.http_port}/api/v1/{path}", json=body, headers=headers, timeout=30
    )


def parts_of(spans: list[Told], whole: Told) -> list[Told]:
    return [span for span in spans if span.parent_id == whole.span_id]


def one(spans: list[Told], name: str) -> Told:
    (found,) = [span for span in spans if span.name == name]
    return found


def check_unbroken(spans: list[Told]) -> None:
    """Every span is a part of another one, up to the caller's."""
    known = {span.span_id for span in spans} | {CALLER.span_id}
    assert len(known) == len(spans) + 1  # no id is there twice
    assert [span.name for span in spans if span.parent_id not in known] == []
    assert len([span for span in spans if span.parent_id == CALLER.span_id]) == 1


def test_a_command_is_one_unbroken_trace_from_the_request_to_the_device(tmp_path: Path) -> None:
    order = {"device_id": "laptop", "tool": "create_directory", "arguments": {"path": "a secret place"}}
    with Collector() as collector:
        with running(tmp_path, ORION_OTEL_ENDPOINT=collector.url) as installation:
            answer = post(installation, "commands", order)
            assert answer.json()["status"] == "succeeded"
        spans = collector.of(CALLER.trace_id)

    check_unbroken(spans)
    request = one(spans, "POST /api/v1/commands")
    assert (request.parent_id, request.kind) == (CALLER.span_id, SERVER)
    assert request.facts["http.response.status_code"] == 202
    (policy,) = parts_of(spans, request)
    (command,) = parts_of(spans, policy)
    assert (policy.name, command.name) == ("policy", "command create_directory")
    assert command.facts["orion.command_id"] == answer.json()["command_id"]
    assert command.facts["orion.status"] == "succeeded"
    parts = {span.name: span for span in parts_of(spans, command)}
    assert set(parts) == {"mqtt publish", "mqtt reply", "tool create_directory"}
    assert (parts["mqtt publish"].kind, parts["mqtt reply"].kind) == (PRODUCER, CONSUMER)
    assert parts["tool create_directory"].service == "orion-node"
    assert {span.service for span in spans} == {"orion-controller", "orion-node"}
    assert not [span for span in spans if span.failed]
    assert "a secret place" not in str(spans)
    assert set(collector.paths) == {"/v1/traces"}


def test_a_sentence_is_one_trace_over_the_model_and_what_it_ordered(tmp_path: Path) -> None:
    script = [
        fakes.calls(("create_directory", {"path": "Test", "device_id": "laptop"})),
        fakes.says("It is there."),
    ]
    with Collector() as collector, fakes.ScriptedOllama(*script) as ollama:
        settings = {
            "OLLAMA_HOST": ollama.url,
            "ORION_MODEL": fakes.MODEL,
            "ORION_OTEL_ENDPOINT": collector.url,
        }
        with running(tmp_path, **settings) as installation:
            answer = post(installation, "ask", {"text": "Make a folder Test on my laptop"})
            assert json.loads(answer.text.splitlines()[-1])["planner"].startswith("ollama:"), answer.text
        spans = collector.of(CALLER.trace_id)

    check_unbroken(spans)
    turn = one(spans, "turn")
    assert turn.parent_id == one(spans, "POST /api/v1/ask").span_id
    assert sorted(span.name for span in parts_of(spans, turn)) == ["model", "model", "policy"]
    command = one(spans, "command create_directory")
    assert command.parent_id == one(spans, "policy").span_id
    assert one(spans, "tool create_directory").parent_id == command.span_id


def test_a_request_by_mqtt_is_one_trace_of_its_own(tmp_path: Path) -> None:
    with Collector() as collector:
        with running(tmp_path, ORION_OTEL_ENDPOINT=collector.url) as installation:
            say_by_mqtt(installation, "mia", "make a folder Said on my laptop")
            until(lambda: "command create_directory" in {span.name for span in collector.spans})
        request = one(collector.spans, "mqtt request")
        spans = collector.of(request.trace_id)

    assert (request.parent_id, request.kind) == ("", CONSUMER)
    known = {span.span_id for span in spans}
    assert [span.name for span in spans if span.parent_id not in known] == ["mqtt request"]
    assert len(known) == len(spans)
    turn = one(spans, "turn")
    assert turn.parent_id == request.span_id
    command = one(spans, "command create_directory")
    assert (command.facts["orion.user"], command.facts["orion.via"]) == ("mia", "mqtt")
    assert one(spans, "tool create_directory").parent_id == command.span_id


def test_a_command_that_waited_for_a_person_is_one_trace(tmp_path: Path) -> None:
    with Collector() as collector:
        with running(tmp_path, ORION_OTEL_ENDPOINT=collector.url) as installation:
            installation.data("run", "laptop", "create_directory", "path=Old")
            answer = post(installation, "ask", {"text": "Delete the folder Old on my laptop"})
            [call] = json.loads(answer.text.splitlines()[-1])["calls"]
            assert call["status"] == "awaiting_approval"
            decided = installation.data("approvals", "approve", call["approval_id"])
            assert [each["status"] for each in decided["results"]] == ["succeeded"]
        spans = collector.of(CALLER.trace_id)

    check_unbroken(spans)
    assert one(spans, "POST /api/v1/ask").parent_id == CALLER.span_id
    command = of_command(spans, call["command_id"])
    parts = {span.name for span in parts_of(spans, command)}
    assert parts == {"approval", "mqtt publish", "mqtt reply", f"tool {command.facts['orion.tool']}"}
    assert "POST /api/v1/approvals/{approval_id}/approve" not in {span.name for span in spans}


def test_an_order_to_a_group_is_one_trace_over_all_of_its_devices(tmp_path: Path) -> None:
    order = {"group": "lab", "tool": "create_directory", "arguments": {"path": "Lab"}}
    with Collector() as collector:
        with (
            running(tmp_path / "home", ORION_OTEL_ENDPOINT=collector.url) as installation,
            another_node(installation, tmp_path / "nas", "nas"),
        ):
            for device in ("laptop", "nas"):
                installation.data("devices", "policy", device, "--group", "lab")
            parent = post(installation, "commands", order).json()
            until(lambda: len(tools(collector.of(CALLER.trace_id))) == 2)
            until(
                lambda: installation.data("commands", "show", parent["command_id"])["status"] == "succeeded"
            )
        spans = collector.of(CALLER.trace_id)

    check_unbroken(spans)
    whole = of_command(spans, parent["command_id"])
    children = [span for span in parts_of(spans, whole) if span.name == "command create_directory"]
    assert {child.facts["orion.device_id"] for child in children} == {"laptop", "nas"}
    assert {span.parent_id for span in tools(spans)} == {child.span_id for child in children}


def tools(spans: list[Told]) -> list[Told]:
    return [span for span in spans if span.name.startswith("tool ")]


def of_command(spans: list[Told], command_id: str) -> Told:
    (found,) = [
        span
        for span in spans
        if span.name.startswith("command ") and span.facts["orion.command_id"] == command_id
    ]
    return found


def say_by_mqtt(installation: Installation, username: str, text: str) -> None:
    """A request of a new user with a plain client."""
    made = installation.data("users", "add", username, "--role", "operator")["mqtt"]
    request = {"id": "r1", "text": text, "at": format_instant(datetime.now(UTC))}
    words = ["mosquitto_pub", "-h", made["host"], "-p", str(made["port"]), "-V", "mqttv5", "-q", "1"]
    words += ["-u", made["username"], "-P", made["password"], "-i", made["client_id"]]
    words += ["-t", Topics().user(username, Kind.REQUEST), "-m", json.dumps(request)]
    subprocess.run(words, check=True, timeout=30)


def test_what_fails_is_told_as_failed_and_the_standards_variable_does_too(tmp_path: Path) -> None:
    order = {"device_id": "laptop", "tool": "read_file", "arguments": {"path": "nothing.txt"}}
    with Collector() as collector:
        with running(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as installation:
            assert post(installation, "commands", order).json()["status"] == "failed"
        spans = collector.of(CALLER.trace_id)

    assert {span.name for span in spans if span.failed} == {"command read_file", "tool read_file"}


@pytest.mark.parametrize("trouble", [{"hangs": True}, {"status": 500}])
def test_a_collector_in_trouble_holds_up_nothing(tmp_path: Path, trouble: dict[str, Any]) -> None:
    with (
        Collector(**trouble) as collector,
        running(tmp_path, ORION_OTEL_ENDPOINT=collector.url) as installation,
    ):
        for number in range(3):
            made = installation.data("run", "laptop", "create_directory", f"path=Test{number}")
            assert made["status"] == "succeeded"
        until(lambda: trouble.get("hangs", False) or bool(collector.paths))
        assert installation.stop(signal.SIGINT) == 0
        assert "did not stop by itself" not in installation.log


async def test_nobody_is_told_anything_unless_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in looking_on.STANDARD:
        monkeypatch.delenv(name, raising=False)
    async with looking_on.spans_of(Settings.model_validate(resolved({})), "controller", "main") as spans:
        assert not spans.wanted

    assert "orion.telemetry" not in sys.modules


@pytest.mark.parametrize(
    ("configured", "asked"),
    [
        ("http://c:4318", "http://c:4318/v1/traces"),
        ("http://c:4318/", "http://c:4318/v1/traces"),
        ("https://c/otlp/v1/traces", "https://c/otlp/v1/traces"),
    ],
)
def test_an_address_is_read_as_a_collectors_documentation_names_it(configured: str, asked: str) -> None:
    code = f"from orion import telemetry; print(telemetry.traces_of({configured!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == asked
