"""`orion conform` beside an installation that runs: what it says, and what it leaves behind."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orion.conform import CHECKS
from orion.exits import INTERRUPTED
from tests.examples import lamps
from tests.orion.installation import ORION, READY_WITHIN, Installation, running, until


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation whose devices say every second that they live."""
    home = tmp_path_factory.mktemp("quick")
    with running(home, "--heartbeat-s", "1") as started:
        started.environment["ORION_HEARTBEAT_S"] = "2"
        yield started


@pytest.fixture(scope="module")
def lamp(quick: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A third party's lamp that is online."""
    place = quick.data("devices", "add", "lamp", "--adopt")["mqtt"]
    device = lamps.of_paho(place["port"], "lamp", place["password"], tmp_path_factory.mktemp("lamp"))
    with lamps.lit(device):
        until(lambda: quick.data("devices", "show", "lamp")["status"] == "online")
        yield "lamp"


def states(found: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {item["check"]: item["state"] for item in found["items"]}


def test_our_node_passes_and_nothing_is_left(quick: Installation) -> None:
    found = quick.data("conform", "laptop")

    assert found["holds"], found
    assert list(states(found)) == [check.name for check in CHECKS]
    assert found["passed"] + found["not_tried"] == len(CHECKS)
    assert states(found)["signing.signs"] == "passed"  # `orion up` has it join
    assert states(found)["signing.forged"] == "passed"
    assert not list((quick.home / "data" / "broker").glob("controller-conform*"))
    assert "controller-conform" not in (quick.home / "data" / "broker" / "passwords").read_text()


def test_what_a_device_that_signs_tells_of_the_refused_ones_is_explained(tmp_path: Path) -> None:
    with running(tmp_path, "--heartbeat-s", "1", device_id="signer") as fresh:  # it tells once an hour
        fresh.environment["ORION_HEARTBEAT_S"] = "2"
        found = fresh.data("conform", "signer")
        again = fresh.orion("conform", "signer")

        told = fresh.data("events", "list", "--severity", "critical")["items"]
        audited = fresh.data("audit", "list", "--action", "device.examined")["items"]

    (critical,) = told
    assert found["holds"], found
    assert found["recorded"]
    assert found["events"] == [critical["event_id"]]
    assert critical["resolved"]
    assert [each["device_id"] for each in audited] == ["signer", "signer"]
    assert audited[-1]["detail"]["events"] == [critical["event_id"]]
    assert audited[-1]["detail"]["broken"] == 0
    assert "signer signs" in again.stderr
    assert "bad_signature" in again.stderr


def test_a_device_that_is_offline_breaks_nothing(quick: Installation, tmp_path: Path) -> None:
    place = quick.data("devices", "add", "gone-lamp", "--adopt")["mqtt"]
    with lamps.lit(lamps.of_paho(place["port"], "gone-lamp", place["password"], tmp_path)):
        until(lambda: quick.data("devices", "show", "gone-lamp")["status"] == "online")
    until(lambda: quick.data("devices", "show", "gone-lamp")["status"] == "offline")

    told = quick.data("conform", "gone-lamp", "--within", "1", exit_code=5)["error"]

    assert told["code"] == "device_offline"
    assert "gone-lamp is offline" in told["message"]


def test_the_controller_that_runs_goes_on_and_says_so_in_its_audit(quick: Installation, lamp: str) -> None:
    found = quick.data("conform", lamp)
    entries = quick.data("audit", "list")["items"]
    done = quick.data("run", lamp, "light", "on=true")

    assert found["holds"], found
    assert states(found)["replies.resent"] == "not tried"
    assert done["status"] == "succeeded"
    refused = [entry for entry in entries if entry["action"] == "reply.refused"]
    assert refused
    assert all(entry["detail"]["command_id"].startswith("conform-") for entry in refused)


def test_a_tool_that_changes_something_is_called_only_when_that_is_said(
    quick: Installation, lamp: str
) -> None:
    words = ("conform", lamp, "--tool", "light", "--argument", "on=true")

    assert "--write" in quick.data(*words, exit_code=2)["error"]["message"]
    found = quick.data(*words, "--write")
    assert found["holds"], found
    assert states(found)["commands.once"] == "passed"


@pytest.mark.parametrize(
    ("words", "exit_code", "says"),
    [
        (("nobody",), 5, "heard nothing of nobody"),
        (("No Body",), 2, "not a device id"),
        (("lamp", "--tool", "dance"), 2, "no tool dance"),
        (("lamp", "--argument", "on=true"), 2, "--tool"),
        (("lamp", "--tool", "light", "--argument", "on=7", "--write"), 2, "does not take"),
    ],
)
@pytest.mark.usefixtures("lamp")
def test_what_cannot_be_examined_is_said(
    quick: Installation, words: tuple[str, ...], exit_code: int, says: str
) -> None:
    assert says in quick.data("conform", *words, exit_code=exit_code)["error"]["message"]


def test_a_fault_is_told_to_a_person_with_what_was_seen(quick: Installation, tmp_path: Path) -> None:
    place = quick.data("devices", "add", "broken-lamp", "--adopt")["mqtt"]
    source = lamps.with_faults({'"unknown_tool"': '"not_found"'})
    device = lamps.of_paho(place["port"], "broken-lamp", place["password"], tmp_path, source=source)
    with lamps.lit(device):
        until(lambda: quick.data("devices", "show", "broken-lamp")["status"] == "online")
        done = quick.orion("conform", "broken-lamp")

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("broken")]
    assert "commands.unknown_tool" in lines[at]
    assert "rejected, not_found" in lines[at + 1]
    assert "1 broken" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_ended_in_the_middle_leaves_no_name_behind(
    quick: Installation, lamp: str, how: signal.Signals
) -> None:
    kept = quick.home / "data" / "broker" / "controller-conform.password"
    running = subprocess.Popen(
        [*ORION, "conform", lamp], env=quick.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until(kept.exists)
    running.send_signal(how)
    _, said = running.communicate(timeout=READY_WITHIN)

    assert running.returncode == INTERRUPTED, said
    assert not kept.exists()
    assert b"Traceback" not in said


def test_a_broker_that_is_run_elsewhere_is_not_given_a_name(quick: Installation) -> None:
    told = quick.data("conform", "lamp", ORION_MQTT_URL="mqtt://user:secret@127.0.0.1:1", exit_code=1)

    assert "run elsewhere" in told["error"]["message"]
    assert "secret" not in str(told)
