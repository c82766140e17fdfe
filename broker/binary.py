"""Where Mosquitto is on this machine, and what to type when it is not there."""

import re
import shutil
import subprocess  # nosec B404 # an argument list, never a shell
from pathlib import Path

USUAL_PLACES = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/sbin",
    "/opt/homebrew/opt/mosquitto/sbin",
    "/usr/local/opt/mosquitto/sbin",
    "C:\\Program Files\\mosquitto",
)
INSTALL = {
    "apt-get": "sudo apt-get install mosquitto",
    "dnf": "sudo dnf install mosquitto",
    "pacman": "sudo pacman -S mosquitto",
    "brew": "brew install mosquitto",
}
MAJOR = 2


class BrokerUnavailable(Exception):
    """The broker cannot run here; the message says why and what helps."""


def find(preferred: Path | None = None) -> Path:
    """The Mosquitto to start.

    Raises:
        BrokerUnavailable: there is none, or none of version 2.
    """
    path = preferred or _search()
    version = version_of(path)
    if version[0] != MAJOR:
        raise BrokerUnavailable(
            f"{path} is Mosquitto {'.'.join(map(str, version))}, but version {MAJOR} is needed: {install_command()}"
        )
    return path


def version_of(path: Path) -> tuple[int, ...]:
    """The version that a binary says it has. Blocks for a moment."""
    try:
        said = subprocess.run([path, "-h"], capture_output=True, text=True, timeout=10, check=False)  # nosec B603 # the path of Mosquitto
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerUnavailable(f"{path} cannot be started: {error}") from error
    match = re.search(r"mosquitto version (\d+(?:\.\d+)*)", said.stdout)
    if match is None:
        raise BrokerUnavailable(f"{path} does not say that it is Mosquitto")
    return tuple(int(part) for part in match[1].split("."))


def install_command() -> str:
    """What to type on this system to get Mosquitto."""
    for manager, command in INSTALL.items():
        if shutil.which(manager):
            return command
    return "install Mosquitto 2 from https://mosquitto.org/download"


def _search() -> Path:
    found = shutil.which("mosquitto")
    for place in USUAL_PLACES:
        found = found or shutil.which("mosquitto", path=place)
    if found is None:
        raise BrokerUnavailable(f"Mosquitto is not installed: {install_command()}")
    return Path(found)
