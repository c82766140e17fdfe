"""MQTT packets by hand: what no decent client would send, and one that does not read what it gets."""

import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

from tests.conformance.wire_peer import WITHIN

V5, V311 = 5, 4
CONNACK, PUBLISH, SUBACK, PINGRESP, DISCONNECT = 2, 3, 9, 13, 14


def text(value: str | bytes) -> bytes:
    """A length and so many bytes."""
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return struct.pack("!H", len(raw)) + raw


def packet(first: int, body: bytes) -> bytes:
    """A whole packet; `first` holds its kind and flags."""
    length, size = len(body), b""
    while True:
        length, digit = divmod(length, 128)
        size += bytes([digit | (128 if length else 0)])
        if not length:
            return bytes([first]) + size + body


def publish(topic: str | bytes, payload: bytes, *, retain: bool = False, level: int = V5) -> bytes:
    """A PUBLISH of QoS 0, whatever the topic is."""
    return packet(0x30 | retain, text(topic) + (b"\x00" if level == V5 else b"") + payload)


class Line:
    """One TCP connection to the broker."""

    def __init__(self, port: int, *, buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if buffer is not None:  # before connecting, or the window is agreed already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._socket.settimeout(WITHIN)
        self._socket.connect(("127.0.0.1", port))
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Say it; a line that the broker closed meanwhile takes no more."""
        with contextlib.suppress(ConnectionError):
            self._socket.sendall(data)

    def connect(
        self, client_id: str, username: str, password: str, *, level: int = V5, clean: bool = True
    ) -> int:
        """CONNECT; the code of the CONNACK."""
        who = text(client_id) + text(username) + text(password)
        return self._connect(0xC2 if clean else 0xC0, level, who)

    def connect_nameless(self, client_id: str, *, level: int = V5) -> int:
        """CONNECT with neither name nor password; the code of the CONNACK."""
        return self._connect(0x02, level, text(client_id))

    def _connect(self, flags: int, level: int, who: bytes) -> int:
        head = text("MQTT") + bytes([level, flags]) + struct.pack("!H", 60)
        self.send(packet(0x10, head + (b"\x00" if level == V5 else b"") + who))
        found = self.read()
        assert found is not None
        assert found[0] >> 4 == CONNACK
        return found[1][1]

    def subscribe(self, name: str) -> None:
        """SUBSCRIBE with QoS 1 to an MQTT 5 broker, and see that it is answered."""
        self.send(packet(0x82, b"\x00\x01\x00" + text(name) + b"\x01"))
        found = self.read()
        assert found is not None
        assert found[0] >> 4 == SUBACK

    def try_subscribe(self, name: str) -> str:
        """SUBSCRIBE to what may be no filter; what the broker made of it."""
        self.send(packet(0x82, b"\x00\x02\x00" + text(name) + b"\x01"))
        found = self.read()
        if found is None or found[0] >> 4 == DISCONNECT:
            return "the broker ends the connection"
        return f"SUBACK {found[1][-1]:#04x}"

    def published(self) -> list[bytes]:
        """Every PUBLISH that has come until the broker answers a ping, or has hung up."""
        self.send(b"\xc0\x00")
        came = []
        while (found := self.read()) is not None and found[0] >> 4 != PINGRESP:
            if found[0] >> 4 == PUBLISH:
                came.append(found[1])
        return came

    def read(self) -> tuple[int, bytes] | None:
        """The next packet, its first byte and its body; None when the broker has hung up."""
        head = self._take(1)
        length, shift = 0, 0
        while head and (digit := self._take(1)):
            length |= (digit[0] & 127) << shift
            shift += 7
            if not digit[0] & 128:
                body = self._take(length)
                return (head[0], body) if body is not None else None
        return None

    def survives(self) -> bool:
        """Whether the broker still answers on this line, whatever else it says first."""
        self.send(b"\xc0\x00")
        while (found := self.read()) is not None:
            if found[0] >> 4 == PINGRESP:
                return True
            if found[0] >> 4 == DISCONNECT:
                return False
        return False

    def _take(self, size: int) -> bytes | None:
        while len(self._held) < size:
            try:
                chunk = self._socket.recv(65_536)
            except ConnectionError:
                return None
            if not chunk:
                return None
            self._held += chunk
        taken, self._held = self._held[:size], self._held[size:]
        return taken
