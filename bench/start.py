"""How long a controller takes from its start to ready, beside an interpreter that imports FastAPI alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from bench.figures import Figure, Spread
from bench.stand import free_port
from broker.session import Endpoint

GOAL = 2.0  # seconds
REPEATS = 5


def measure(data_dir: Path, controller: Endpoint) -> list[Figure]:
    """Starts in turns with the baseline, each with an existing database."""
    ours: list[float] = []
    bare: list[float] = []
    for number in range(REPEATS + 1):
        took = _start(data_dir, controller)
        if number:  # the first start makes the database
            ours.append(took)
            bare.append(_timed([sys.executable, "-c", "import fastapi, sqlmodel"]))
    return [
        Figure(
            "controller, start to ready",
            Spread.of(ours).said("s"),
            f"importing FastAPI and SQLModel {Spread.of(bare).said('s')}",
            Spread.of(ours).median / Spread.of(bare).median,
            f"under {GOAL:.0f} s",
            Spread.of(ours).median < GOAL,
        )
    ]


def _timed(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begun


def _start(data_dir: Path, controller: Endpoint) -> float:
    url = f"mqtt://{controller.username}:{controller.password}@{controller.host}:{controller.port}"
    environment = os.environ | {
        "ORION_DATA_DIR": str(data_dir),
        "ORION_HTTP_PORT": str(free_port()),
        "ORION_MQTT_URL": url,
        "ORION_INSTANCE": "start",
        "OLLAMA_HOST": "http://127.0.0.1:9",
    }
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "orion", "controller"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        lines: list[str] = []
        for line in process.stderr or ():
            lines.append(line)
            if "Ready" in line:
                break
        took = time.perf_counter() - begun
        ended = process.poll()
        process.terminate()
        if ended is not None:
            raise RuntimeError(f"the controller did not start: {json.dumps(lines[-5:])}")
    return took
