"""A message that must come back: the only proof that a broker works.

As a program (`python -m broker.probe DATA_DIR`) it is a health check: exit code 0 when the
message came back, 1 with the reason when it did not.
"""

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

import aiomqtt

from broker import process
from broker.config import ConfigError, Listener, parse
from broker.identities import Credentials, Identities, IdentityError
from broker.rights import PROBE_ROOT

HEALTH = "probe.health"


class ProbeFailed(Exception):
    """The message did not come back; the message says what happened instead."""


async def probe(host: str, port: int, credentials: Credentials, *, within_s: float = 3.0) -> None:
    """Send a message to ourselves through the broker and wait for it.

    Raises:
        ProbeFailed: it did not come back in time.
    """
    nonce = secrets.token_hex(8)
    topic = f"{PROBE_ROOT}/{nonce}"
    try:
        async with (
            asyncio.timeout(within_s),
            aiomqtt.Client(
                host,
                port,
                username=credentials.username,
                password=credentials.password,
                identifier=credentials.username,
                protocol=aiomqtt.ProtocolVersion.V5,
                timeout=within_s,
            ) as client,
        ):
            await client.subscribe(topic, qos=1)
            await client.publish(topic, nonce, qos=1)
            async for message in client.messages:
                if message.payload == nonce.encode():
                    break
            else:
                raise ProbeFailed(f"{host}:{port} ended the connection")
    except TimeoutError as error:
        _not_cancelled()
        raise ProbeFailed(f"no answer from {host}:{port} within {within_s:g} s") from error
    except aiomqtt.MqttError as error:
        _not_cancelled()
        raise ProbeFailed(f"{host}:{port}: {error}") from error
    _not_cancelled()


def _not_cancelled() -> None:
    """Go on being cancelled: an error on the client's way out can stand in the place of it.

    Until Python 3.12 so can an answer that comes in the same moment (`asyncio.wait_for`).
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def main(arguments: list[str] | None = None) -> int:
    """The health check of the broker whose data folder is named."""
    parser = argparse.ArgumentParser(prog="python -m broker.probe", description="Is the broker well?")
    parser.add_argument("data_dir", type=Path)
    directory = parser.parse_args(arguments).data_dir / "broker"
    try:
        credentials = Identities(directory).kept(HEALTH)
        listener = _plain(directory / process.CONFIG_FILE)
        asyncio.run(probe(listener.host, listener.port, credentials))
    except (OSError, ConfigError, IdentityError, ProbeFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _plain(path: Path) -> Listener:
    for listener in parse(path.read_text(encoding="utf-8")).listeners:
        if not listener.encrypted:
            return listener
    raise ConfigError(f"{path} has no listener for the broker's own programs")


if __name__ == "__main__":
    sys.exit(main())
