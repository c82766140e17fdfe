"""What a running Mosquitto does with certificates, seen and done by connecting with one.

A session that was opened with a certificate is ended by no reload. It ends when another one
takes it over, so we connect under its name, with a certificate that lives for minutes.
"""

import asyncio
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from broker import addresses, config, process
from broker.certificates import authority, clients
from broker.certificates.authority import Authority
from broker.session import ConnectFailed, Endpoint, Session, tls

TRY_EVERY = 0.02  # seconds
TELL_EVERY = 0.25  # seconds between two signals: the first may have come before Mosquitto could hear it
HANDSHAKE_WITHIN = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Pass:
    """A certificate of our own in a device's name, with its key."""

    serial: int
    pem: str = field(repr=False)


def make_pass(signer: Authority, device_id: str, *, now: datetime) -> Pass:
    """A pass that is valid for minutes. It is never written down but while it is loaded."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = clients.unlisted(signer, device_id, key.public_key(), now=now)
    return Pass(made.serial_number, authority.private_pem(key) + authority.pem(made))


async def await_list(directory: Path, refused: Pass, *, within_s: float) -> bool:
    """Tell Mosquitto to read its list, and return once it refuses `refused`, which is on it.

    False when nobody listens there: whoever starts reads the list that is written.

    Raises:
        ConnectFailed: not in time.
    """
    listener = await asyncio.to_thread(_listener, directory)
    if listener is None:
        return False
    loop = asyncio.get_running_loop()
    deadline, told = loop.time() + within_s, -TELL_EVERY
    while True:
        if loop.time() - told >= TELL_EVERY:
            await asyncio.to_thread(process.reload, directory)
            told = loop.time()
        answer = await asyncio.to_thread(_try, directory, listener, refused)
        if answer in (_Answer.REFUSED, _Answer.NOBODY):
            return answer is _Answer.REFUSED
        if loop.time() >= deadline:
            raise ConnectFailed(
                f"the broker did not take the list of revoked certificates within {within_s:g} s"
            )
        await asyncio.sleep(TRY_EVERY)


async def end_session(
    directory: Path, device_id: str, *, now: datetime, forget: bool = True, within_s: float = 2.0
) -> None:
    """End whatever session a device has; with `forget` what waits for it is dropped as well.

    Only whoever is let in again can come back: take that away first.

    Raises:
        ConnectFailed: the broker does not answer.
    """
    listener = await asyncio.to_thread(_listener, directory)
    if listener is None:
        return
    endpoint = await asyncio.to_thread(_endpoint, directory, listener, device_id, now)
    if forget:
        session = Session(endpoint, client_id=device_id, session_expiry_s=0, clean_start=True)
    else:
        session = Session(endpoint, client_id=device_id)
    await session.connect(within_s=within_s)
    await session.close()


class _Answer(Enum):
    LET_IN = "let in"
    REFUSED = "refused"
    NOBODY = "nobody"
    UNCLEAR = "unclear"


def _try(directory: Path, listener: config.Listener, shown: Pass) -> _Answer:
    host = addresses.reachable(listener.host)
    context = _context(directory, shown)
    # A client of TLS 1.3 believes to be in before the server has looked at its certificate.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with (
            socket.create_connection((host, listener.port), timeout=HANDSHAKE_WITHIN) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return _Answer.LET_IN
    except ConnectionRefusedError:
        return _Answer.NOBODY
    except ssl.SSLError as error:
        return _Answer.REFUSED if "REVOKED" in (error.reason or "") else _Answer.UNCLEAR
    except OSError:
        return _Answer.UNCLEAR


def _endpoint(directory: Path, listener: config.Listener, device_id: str, now: datetime) -> Endpoint:
    ours = make_pass(authority.load(directory), device_id, now=now)
    return Endpoint(addresses.reachable(listener.host), listener.port, tls=_context(directory, ours))


def _listener(directory: Path) -> config.Listener | None:
    """Where the broker lets in by certificate; None when it does not."""
    try:
        parsed = config.parse((directory / process.CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return next((each for each in parsed.listeners if each.by_certificate), None)


def _context(directory: Path, shown: Pass) -> ssl.SSLContext:
    with _written(directory, shown) as path:
        return tls.context(authority.ca_pem(directory), identity=path)


@contextmanager
def _written(directory: Path, shown: Pass) -> Iterator[Path]:
    """A pass as a file, for as long as `ssl` needs to read it: it takes no key from memory."""
    descriptor, name = tempfile.mkstemp(dir=authority.folder(directory), prefix=".pass.")
    path = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(shown.pem)
        yield path
    finally:
        path.unlink(missing_ok=True)
