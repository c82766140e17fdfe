"""Programs of other makers that run on Node.js, installed once by their lock file."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent / "node"
MODULES = FOLDER / "node_modules"
INSTALL = "apt-get install nodejs npm"
INSTALLED_WITHIN = 300.0  # seconds
ANSWERS_WITHIN = 60.0  # seconds


class NodeMissing(Exception):
    """Node.js is not on this machine; what needs it is not skipped."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed: {INSTALL}")


def program(name: str) -> str:
    """Where `node` or `npm` is.

    Raises:
        NodeMissing: nowhere.
    """
    found = shutil.which(name)
    if found is None:
        raise NodeMissing(name)
    return found


def install() -> Path:
    """The packages of the lock file, in place; several processes that ask at once install them once."""
    node, npm = program("node"), program("npm")
    wanted = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    stamp = MODULES / ".installed"
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            done = subprocess.run(
                [npm, "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=INSTALLED_WITHIN, check=False
            )
            assert done.returncode == 0, f"npm ci, with {node}: {done.stderr}"
            stamp.write_text(wanted)
    return MODULES


def run(script: str, *arguments: str) -> str:
    """What a script of the folder prints."""
    done = subprocess.run(
        [program("node"), script, *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=ANSWERS_WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
