"""A device that sends as fast as a socket takes it, and minds nothing that it is told.

It speaks just enough MQTT 3.1.1 for that: a client of ours would not be fast enough to harm.
"""

import json
import socket
import struct
import threading
import time
from datetime import UTC, datetime
from typing import Any

from broker.session import Endpoint
from schemas.ids import new_id
from schemas.topics import Kind, Topics
from schemas.wire import format_instant

AT_ONCE = 64 * 1024  # bytes given to the socket in one go
AGAIN_AFTER = 0.5  # seconds between two attempts to come back
KEEP_ALIVE = 600


def play(wanted: dict[str, Any], endpoint: Endpoint) -> None:
    """Flood for so many seconds with one kind of message, come back whenever it is put out, then tell how it went."""
    topics, kind = Topics(wanted["prefix"]), Kind(wanted["kind"])
    until = time.monotonic() + wanted["seconds"]
    told = {"sent": 0, "connects": 0, "refused": 0, "heard_for": 0.0}
    while (begun := time.monotonic()) < until:
        try:
            with _connected(endpoint) as connection:
                if not told["connects"]:
                    print("ready", flush=True)
                told["connects"] += 1
                begun = time.monotonic()
                threading.Thread(target=_drain, args=(connection,), daemon=True).start()
                _pour(connection, topics, kind, endpoint.username or "", until, told)
                told["heard_for"] += time.monotonic() - begun
        except OSError:
            told["refused"] += 1
            time.sleep(AGAIN_AFTER)
    print(json.dumps(told), flush=True)


def _pour(
    connection: socket.socket, topics: Topics, kind: Kind, device_id: str, until: float, told: dict[str, Any]
) -> None:
    numbers = 0
    begun = time.monotonic()
    try:
        while time.monotonic() < until:
            batch = bytearray()
            while len(batch) < AT_ONCE:
                numbers += 1
                batch += _publish(topics, kind, device_id, numbers)
                told["sent"] += 1
            connection.sendall(batch)
    except OSError:
        told["heard_for"] += time.monotonic() - begun
        raise


def _publish(topics: Topics, kind: Kind, device_id: str, number: int) -> bytes:
    at = format_instant(datetime.now(UTC))
    if kind is Kind.HEARTBEAT:
        payload = b'{"at":"%s","seq":%d,"boot_id":"bench"}' % (at.encode(), number)
        return _packet(0x30, _text(topics.device(device_id, kind)) + payload)
    if kind is Kind.REPLY:
        topic = topics.reply(device_id, "main")
        payload = b'{"command_id":"%s","status":"succeeded","boot_id":"bench","at":"%s"}' % (
            new_id().encode(),
            at.encode(),
        )
    else:
        topic = topics.device(device_id, kind)
        payload = b'{"id":"%s","type":"noise","severity":"info","data":{},"at":"%s"}' % (
            new_id().encode(),
            at.encode(),
        )
    return _packet(0x32, _text(topic) + struct.pack("!H", number % 65_535 + 1) + payload)


def _connected(endpoint: Endpoint) -> socket.socket:
    """A session of this device; `OSError` when it is not let in."""
    name, password = endpoint.username or "", endpoint.password or ""
    body = (
        _text("MQTT") + struct.pack("!BBH", 4, 0xC2, KEEP_ALIVE) + _text(name) + _text(name) + _text(password)
    )
    connection = socket.create_connection((endpoint.host, endpoint.port), timeout=10)
    connection.sendall(_packet(0x10, body))
    answer = connection.recv(4)
    if len(answer) < 4 or answer[3] != 0:
        connection.close()
        raise ConnectionRefusedError
    return connection


def _drain(connection: socket.socket) -> None:
    try:
        while connection.recv(65_536):
            pass
    except OSError:
        return


def _packet(first: int, body: bytes) -> bytes:
    length, left = bytearray(), len(body)
    while True:
        left, digit = divmod(left, 128)
        length.append(digit | (0x80 if left else 0))
        if not left:
            return bytes((first,)) + bytes(length) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded
