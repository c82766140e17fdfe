"""The demo from outside: it passes, leaves nothing, and can be stopped."""

import signal
import subprocess
from pathlib import Path

from orion.demo import SCENES
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


def test_a_sentence_that_comes_out_otherwise_fails_the_demo(tmp_path: Path) -> None:
    report = {
        "outcome": "calls",
        "calls": [{"status": "succeeded", "tool": "create_directory", "reasons": ["x"]}],
    }

    complaints = [
        scene.complaints(report | {"decision": "allow"}, tmp_path) for scene in (SCENES[0], SCENES[3])
    ]

    assert complaints == [[f"there is no folder {tmp_path / 'Test'}"], ["it was not refused"]]


def test_ctrl_c_stops_it_and_leaves_nothing(tmp_path: Path) -> None:
    environment = clean_environment(TMPDIR=str(tmp_path))
    with subprocess.Popen([*ORION, "demo"], env=environment, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        assert "Starting" in demo.stderr.readline()
        demo.send_signal(signal.SIGINT)

        assert demo.wait(READY_WITHIN) == 1
        assert "stopped" in demo.stderr.read()

    assert list(tmp_path.iterdir()) == []
