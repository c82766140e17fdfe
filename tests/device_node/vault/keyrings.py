"""A real keyring for a test: GNOME's, on a message bus of its own, open or locked."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from jeepney.io.blocking import open_dbus_connection
from secretstorage import Collection
from secretstorage.exceptions import SecretStorageException

from tests.orion.installation import until

DEFAULT = "/org/freedesktop/secrets/aliases/default"
# no service files: what is not started here is not there, whatever this machine has installed
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={folder}/bus</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is missing: sudo apt-get install {package}")
    return found


@contextmanager
def message_bus(folder: Path) -> Iterator[str]:
    """A message bus that nobody has started a service on; its address."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    bus = subprocess.Popen(
        [
            _program("dbus-daemon", "dbus-daemon"),
            f"--config-file={config}",
            "--nofork",
            "--nopidfile",
            "--print-address=1",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert bus.stdout is not None
        with bus.stdout as said:
            yield said.readline().strip()
    finally:
        bus.terminate()
        bus.wait(10)


@contextmanager
def gnome_keyring(folder: Path, address: str, *, unlocked: bool) -> Iterator[None]:
    """GNOME's keyring on that bus; what it keeps is in the folder and there again the next time."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "share"),
        "XDG_RUNTIME_DIR": str(folder),
        "DBUS_SESSION_BUS_ADDRESS": address,
    }
    daemon = subprocess.Popen(
        [
            _program("gnome-keyring-daemon", "gnome-keyring"),
            "--foreground",
            "--components=secrets",
            *(["--unlock"] if unlocked else []),
        ],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert daemon.stdin is not None
        with daemon.stdin as words:
            words.write(b"the owner's login")
        until(lambda: _is_there(address, locked=not unlocked))
        yield
    finally:
        daemon.terminate()
        daemon.wait(10)


def _is_there(address: str, *, locked: bool) -> bool:
    with closing(open_dbus_connection(address)) as connection:
        try:
            return Collection(connection, DEFAULT).is_locked() is locked
        except SecretStorageException:  # not there yet
            return False
