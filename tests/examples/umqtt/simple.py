"""What boards know as `umqtt.simple`, written for CPython: the same names, the same blocking manner, MQTT 3.1.1.

Our own words, from the standard (OASIS MQTT 3.1.1) and from how that module is called; a board
has its own. What a program may lean on is kept: `sock` reads and writes like a file and may be
wrapped, `setblocking(True)` follows the first byte of each packet, `pid` counts messages.
"""

import socket
from collections.abc import Callable
from typing import Any

CONNACK, PUBLISH, PUBACK, SUBACK = 0x20, 0x30, 0x40, 0x90
TIMEOUT = 30.0  # seconds


class MQTTException(Exception):
    """The broker did not let us in, or refused a filter."""


class Stream:
    """A socket that reads and writes like a file, as a board's do."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), TIMEOUT)
        self.close = self._socket.close

    def setblocking(self, yes: bool) -> None:
        self._socket.settimeout(TIMEOUT if yes else 0.0)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int) -> bytes | None:
        """So many bytes, fewer at the end of the line; None when nothing is there and nobody waits."""
        found = b""
        while len(found) < size:
            try:
                more = self._socket.recv(size - len(found))
            except BlockingIOError:
                return None
            if not more:
                break
            found += more
        return found


class MQTTClient:
    """One connection at a time; everything waits for its acknowledgement."""

    def __init__(
        self, client_id: str, server: str, port: int, user: str, password: str, keepalive: int = 0
    ) -> None:
        self._where = (server, port)
        self._names = (client_id, user, password)
        self._keepalive = keepalive
        self._will: tuple[str, bytes, bool, int] | None = None
        self._taken: Callable[[bytes, bytes], Any] = lambda _topic, _payload: None
        self.pid = 0
        self.sock: Any = None

    def set_callback(self, taken: Callable[[bytes, bytes], Any]) -> None:
        self._taken = taken

    def set_last_will(self, topic: str, payload: bytes, retain: bool = False, qos: int = 0) -> None:
        self._will = topic, payload, retain, qos

    def connect(self, clean_session: bool = True) -> bool:
        """Reach the broker and be let in; whether it kept a session for us."""
        client_id, user, password = self._names
        self.sock = Stream(*self._where)
        flags = 0xC0 | (0x02 if clean_session else 0)
        body = _text(client_id)
        if self._will is not None:
            topic, payload, retain, qos = self._will
            flags |= 0x04 | qos << 3 | (0x20 if retain else 0)
            body += _text(topic) + len(payload).to_bytes(2, "big") + payload
        head = _text("MQTT") + bytes([4, flags]) + self._keepalive.to_bytes(2, "big")
        self._send(0x10, head + body + _text(user) + _text(password))
        answer = self._wait_for(CONNACK)
        if answer[1]:
            raise MQTTException(answer[1])
        return bool(answer[0] & 1)

    def ping(self) -> None:
        self._send(0xC0, b"")

    def publish(self, topic: str, payload: bytes, retain: bool = False, qos: int = 0) -> None:
        body = _text(topic)
        if qos:
            self.pid += 1
            body += self.pid.to_bytes(2, "big")
        self._send(PUBLISH | qos << 1 | int(retain), body + payload)
        while qos and self._wait_for(PUBACK) != self.pid.to_bytes(2, "big"):
            pass

    def subscribe(self, topic: str, qos: int = 0) -> None:
        self.pid += 1
        self._send(0x82, self.pid.to_bytes(2, "big") + _text(topic) + bytes([qos]))
        if self._wait_for(SUBACK)[2] == 0x80:
            raise MQTTException(0x80)

    def check_msg(self) -> None:
        """Take in one message if there is one, and do not wait for it."""
        self.sock.setblocking(False)
        self._take()

    def _wait_for(self, kind: int) -> bytes:
        while True:
            found = self._take()
            if found is not None and found[0] & 0xF0 == kind:
                return found[1]

    def _take(self) -> tuple[int, bytes] | None:
        """One packet; a message goes to the callback, and is acknowledged after that."""
        first = self.sock.read(1)
        self.sock.setblocking(True)
        if first is None:
            return None
        if not first:
            raise OSError("the broker closed the line")
        body = self._exactly(self._length())
        if first[0] & 0xF0 == PUBLISH:
            self._hand_over(first[0], body)
        return first[0], body

    def _hand_over(self, first: int, body: bytes) -> None:
        after = 2 + int.from_bytes(body[:2], "big")
        topic, packet_id = body[2:after], b""
        if first & 0x06:
            packet_id, after = body[after : after + 2], after + 2
        self._taken(topic, body[after:])
        if packet_id:
            self._send(PUBACK, packet_id)

    def _length(self) -> int:
        length, shift = 0, 0
        while True:
            (digit,) = self._exactly(1)
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return length

    def _exactly(self, size: int) -> bytes:
        data: bytes | None = self.sock.read(size)
        if data is None or len(data) < size:
            raise OSError("the line ended in the middle of a packet")
        return data

    def _send(self, first: int, body: bytes) -> None:
        length, digits = len(body), b""
        while True:
            length, digit = divmod(length, 128)
            digits += bytes([digit | (0x80 if length else 0)])
            if not length:
                break
        self.sock.write(bytes([first]) + digits + body)


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data
