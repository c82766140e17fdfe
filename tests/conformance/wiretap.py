"""A wire between a client and the broker that can be read, packet by packet, and cut.

What a program asks of the broker (Clean Start, Session Expiry, Last Will, subscription
options, what comes before what) is visible nowhere else. It changes no byte.
"""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.packettypes import PacketTypes

from tests.conformance.wire_peer import PROPERTIES

CHUNK = 65536


@dataclass(frozen=True)
class Packet:
    """One MQTT packet on a connection; `line` counts the connections."""

    line: int
    from_client: bool
    kind: int
    flags: int
    body: bytes


@dataclass
class Connect:
    """What a CONNECT asked for."""

    level: int
    clean_start: bool
    keep_alive: int
    extra: Any
    client_id: str
    will_extra: Any = None
    will_topic: str = ""
    will_payload: bytes = b""
    will_retain: bool = False
    will_qos: int = 0
    unread: bytes = field(default=b"", repr=False)


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    length = struct.unpack_from("!H", body, at)[0]
    return body[at + 2 : at + 2 + length], at + 2 + length


def _properties(kind: int, body: bytes, at: int) -> tuple[Any, int]:
    found, used = PROPERTIES(kind).unpack(body[at:])
    return found, at + used


def read_connect(packet: Packet) -> Connect:
    _, at = _text(packet.body, 0)
    level, flags, keep_alive = struct.unpack_from("!BBH", packet.body, at)
    extra, at = _properties(PacketTypes.CONNECT, packet.body, at + 4)
    client_id, at = _text(packet.body, at)
    found = Connect(level, bool(flags & 2), keep_alive, extra, client_id.decode())
    if flags & 4:
        found.will_extra, at = _properties(PacketTypes.WILLMESSAGE, packet.body, at)
        topic, at = _text(packet.body, at)
        found.will_topic = topic.decode()
        found.will_payload, at = _text(packet.body, at)
        found.will_retain, found.will_qos = bool(flags & 32), (flags >> 3) & 3
    return found


def read_subscribe(packet: Packet) -> dict[str, tuple[int, bool, int]]:
    """Filter → (QoS, Retain As Published, Retain Handling)."""
    _, at = _properties(PacketTypes.SUBSCRIBE, packet.body, 2)
    found = {}
    while at < len(packet.body):
        name, at = _text(packet.body, at)
        options = packet.body[at]
        found[name.decode()] = (options & 3, bool(options & 8), (options >> 4) & 3)
        at += 1
    return found


def read_topic(packet: Packet) -> str:
    return _text(packet.body, 0)[0].decode()


class Wiretap:
    """Listens on a port of its own and passes everything on to the broker's."""

    def __init__(self, port: int) -> None:
        self._broker = port
        self._packets: list[Packet] = []
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="wiretap")
        self._accepting.start()

    @property
    def lines(self) -> int:
        """How many connections there were."""
        return len(self._pairs)

    def packets(self, *, line: int | None = None, kind: int | None = None) -> list[Packet]:
        with self._lock:
            known = list(self._packets)
        return [packet for packet in known if line in (None, packet.line) and kind in (None, packet.kind)]

    def cut(self) -> None:
        """Break every connection that stands, without a DISCONNECT."""
        for pair in list(self._pairs):
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()
        self._accepting.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker))
            except OSError:
                return
            for end in (client, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = len(self._pairs)
            self._pairs.append((client, broker))
            for source, sink, from_client in ((client, broker, True), (broker, client, False)):
                thread = threading.Thread(
                    target=self._pass_on, args=(line, source, sink), kwargs={"from_client": from_client}
                )
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, line: int, source: socket.socket, sink: socket.socket, *, from_client: bool) -> None:
        held = b""
        try:
            while chunk := source.recv(CHUNK):
                held = self._note(line, held + chunk, from_client=from_client)
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()

    def _note(self, line: int, held: bytes, *, from_client: bool) -> bytes:
        """Keep every whole packet; what is left is the beginning of the next."""
        while len(held) >= 2:
            length, at, shift = 0, 1, 0
            while True:
                if at >= len(held):
                    return held
                length |= (held[at] & 127) << shift
                at, shift = at + 1, shift + 7
                if not held[at - 1] & 128:
                    break
            if len(held) < at + length:
                return held
            packet = Packet(line, from_client, held[0] >> 4, held[0] & 15, held[at : at + length])
            with self._lock:
                self._packets.append(packet)
            held = held[at + length :]
        return held
