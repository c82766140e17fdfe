"""Whatever is asked of the API, it answers as its description says, and never with a fault of its own."""

from pathlib import Path

from tests.controller.api.documented import document
from tests.fuzzing.examination import ENDLESS, SHORT, examine
from tests.orion.installation import running

EXAMPLES = 4  # of one operation and phase: `make fuzz` tries more
WITHIN = 300.0  # seconds, on a machine that is busy with other tests


def test_whatever_is_asked_is_answered_as_described(tmp_path: Path) -> None:
    with running(tmp_path / "installation") as installation:
        done = examine(installation, tmp_path, phases=SHORT, examples=EXAMPLES, seed=None, within_s=WITHIN)
        log = installation.log

    assert done.returncode == 0, done.stdout
    every = sum(len(methods) for path, methods in document()["paths"].items() if path != ENDLESS)
    assert f"Tested: {every}\n" in done.stdout, done.stdout
    assert "Traceback" not in log, log
