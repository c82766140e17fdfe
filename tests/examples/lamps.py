"""The lamps of `examples/` as programs of their own, on a real broker: whole, or with one fault put in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAHO = ROOT / "examples" / "lamp_paho.py"
MICROPYTHON = ROOT / "examples" / "lamp_micropython.py"
HERE = Path(__file__).parent
CONFIG = (
    'import os\nHOST, PORT, ME, PASSWORD, EVERY = "{host}", {port}, "{name}", os.getenv("LAMP_PASSWORD"), 1\n'
)
BOARD = ".frozen:~/.micropython/lib:/usr/lib/micropython"  # where MicroPython looks unless told otherwise
STOP_WITHIN = 10.0  # seconds


class Lamp:
    """One lamp with its place at a broker and a folder for what it keeps; started and ended as a test likes."""

    def __init__(self, words: list[str], password: str, folder: Path, **environment: str) -> None:
        self._words, self._folder = words, folder
        self._environment = dict(os.environ) | {"LAMP_PASSWORD": password} | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._words, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )

    def said(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_WITHIN)

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(STOP_WITHIN)


def of_paho(port: int, name: str, password: str, folder: Path, *, source: str | None = None) -> Lamp:
    """The lamp that speaks MQTT 5, from its own text or from another."""
    program = folder / "lamp.py"
    program.write_text(PAHO.read_text() if source is None else source)
    words = [sys.executable, str(program), "127.0.0.1", str(port), name]
    return Lamp(words, password, folder, LAMP_HEARTBEAT_S="1")


def of_micropython(port: int, name: str, password: str, folder: Path, *, board: str) -> Lamp:
    """The lamp of a board, run by MicroPython itself or played on CPython."""
    (folder / "config.py").write_text(CONFIG.format(host="127.0.0.1", port=port, name=name))
    program = folder / "main.py"
    program.write_text(MICROPYTHON.read_text())
    if board == "cpython":
        words = [sys.executable, str(HERE / "cpython" / "board.py"), str(program)]
        return Lamp(words, password, folder, PYTHONPATH=os.pathsep.join([str(folder), str(HERE)]))
    return Lamp([board, str(program)], password, folder, MICROPYPATH=f"{folder}:{BOARD}")


def boards() -> list[str]:
    """What can run a board's program here: CPython always, MicroPython where it is with its `umqtt.simple`."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if found is None:
        return ["cpython"]
    asked = subprocess.run([found, "-c", "import umqtt.simple"], capture_output=True, check=False)
    return ["cpython"] if asked.returncode else ["cpython", found]


@contextmanager
def lit(lamp: Lamp) -> Iterator[Lamp]:
    """The lamp runs inside the block."""
    lamp.start()
    try:
        yield lamp
    finally:
        lamp.kill()


def with_faults(faults: Mapping[str, str]) -> str:
    """The paho lamp's text, changed; each text that is to be changed must be there, once."""
    source = PAHO.read_text()
    for whole, faulty in faults.items():
        assert source.count(whole) == 1, whole
        source = source.replace(whole, faulty)
    return source
