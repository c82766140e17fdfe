"""The demo from outside: it passes, leaves nothing, and can be stopped."""

import json
import signal
import subprocess
from pathlib import Path

from orion.demo import SCENES
from tests import fakes
from tests.orion.installation import ORION, READY_WITHIN, clean_environment, orion


def test_all_four_sentences_come_out_whatever_the_caller_has_set(tmp_path: Path) -> None:
    theirs = {
        "ORION_DATA_DIR": str(tmp_path / "theirs"),
        "ORION_MQTT_URL": "mqtt://127.0.0.1:9",
        "ORION_HTTP_PORT": "9",
    }

    done = orion("demo", environment=clean_environment(TMPDIR=str(tmp_path), **theirs))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("as promised") == 4
    assert "the demo answers: yes" in done.stdout
    assert "mosquitto_sub" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_answers_is_used_and_the_four_come_out_all_the_same(tmp_path: Path) -> None:
    def calls(tool: str, path: str) -> fakes.Scripted:
        return fakes.calls((tool, {"path": path, "device_id": "laptop"}))

    script = [
        calls("create_directory", "Test"),
        fakes.says("Klaar."),
        calls("list_directory", "Test"),
        fakes.says("It is empty."),
        calls("delete_path", "Test"),
        calls("create_directory", "/etc/orion"),
    ]
    with fakes.ScriptedOllama(*script) as ollama:
        model = {"OLLAMA_HOST": ollama.url, "ORION_MODEL": fakes.MODEL}
        done = orion("demo", "--json", environment=clean_environment(TMPDIR=str(tmp_path), **model))

    shown = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown["passed"] is True
    assert {each["report"]["planner"] for each in shown["items"]} == {f"ollama:{fakes.MODEL}"}


def test_a_sentence_that_comes_out_otherwise_fails_the_demo(tmp_path: Path) -> None:
    call = {"status": "succeeded", "decision": "allow", "tool": "create_directory", "reasons": ["x"]}
    report = {"outcome": "calls", "calls": [call]}

    complaints = [scene.complaints(report, tmp_path) for scene in SCENES]

    assert complaints == [
        [f"there is no folder {tmp_path / 'Test'}"],
        ["it did more than look"],
        ["it was not carried out after a yes"],
        ["it was not refused"],
    ]


def test_ctrl_c_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    environment = clean_environment(TMPDIR=str(tmp_path))
    with subprocess.Popen([*ORION, "demo"], env=environment, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        assert "Starting" in demo.stderr.readline()
        demo.send_signal(signal.SIGINT)

        assert demo.wait(READY_WITHIN) == 1
        assert "stopped" in demo.stderr.read()

    assert list(tmp_path.iterdir()) == []
