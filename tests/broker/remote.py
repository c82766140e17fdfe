"""A second Mosquitto, as somebody else runs one: dynamic security, administered over MQTT alone."""

import asyncio
import getpass
import secrets
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from broker import binary, config
from broker.dynsec import Remote
from broker.identities import await_active
from broker.session import Endpoint
from schemas.topics import Topics
from tests.ports import free_port

ADMIN = "orion-admin"
PLUGIN_PLACES = ("/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")


@dataclass(frozen=True, slots=True)
class RemoteBroker:
    """A broker that works, who administers it, and the controller's way in."""

    admin: Endpoint
    administration: Remote
    controller: Endpoint


def make_plugin_file(path: Path, password: str) -> None:
    """The plugin's file with its administrator; the password goes in by standard input."""
    subprocess.run(
        ["mosquitto_ctrl", "dynsec", "init", str(path), ADMIN],  # noqa: S607 - found on the PATH, as a person does
        input=f"{password}\n{password}\n",
        text=True,
        check=True,
        capture_output=True,
    )


def plugin() -> Path:
    """The plugin as the distribution installs it."""
    for place in PLUGIN_PLACES:
        for found in Path(place).glob("**/mosquitto_dynamic_security.so"):
            return found
    raise FileNotFoundError(f"the dynamic-security plugin is missing: {binary.install_command()}")


def _prepare(folder: Path, port: int, password: str) -> tuple[Path, Path]:
    make_plugin_file(folder / "dynamic-security.json", password)
    lines = [
        f"listener {port} 127.0.0.1",
        f"plugin {plugin()}",
        f"plugin_opt_config_file {folder / 'dynamic-security.json'}",
        f"persistence_location {folder}/",
        f"user {getpass.getuser()}",
    ]
    path = folder / "mosquitto.conf"
    path.write_text(config.base() + "\n".join(lines) + "\n")
    return binary.find(), path


@asynccontextmanager
async def remote_broker(folder: Path, topics: Topics | None = None) -> AsyncIterator[RemoteBroker]:
    """A broker with dynamic security on a free port, and a controller's identity on it."""
    admin = Endpoint("127.0.0.1", free_port(), ADMIN, secrets.token_urlsafe(32))
    program, path = await asyncio.to_thread(_prepare, folder, admin.port, admin.password or "")
    child = await asyncio.create_subprocess_exec(program, "-c", path, stderr=asyncio.subprocess.DEVNULL)
    try:
        await await_active(admin, within_s=10)
        administration = Remote(admin, topics or Topics())
        password = secrets.token_urlsafe(32)
        await administration.ensure_controller("main", password)
        controller = Endpoint(admin.host, admin.port, "controller-main", password)
        yield RemoteBroker(admin, administration, controller)
    finally:
        child.terminate()
        await child.wait()
