"""A paho client driven by the asyncio loop itself: no thread, no polling.

The loop watches the socket (`add_reader`, `add_writer`), and one timer looks after
keep-alive. Only the TCP and TLS handshake, which paho does blocking, runs in a worker
thread, and nothing else touches the client meanwhile. On Windows the selector event
loop is needed: the Proactor loop cannot watch sockets.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

logger = logging.getLogger(__name__)

MAX_READS = 128  # packets handled before the loop gets its turn


class Transport:
    """Moves bytes between a paho client and its socket until `gone` is called, once.

    While what was read is `full`, nothing more is read: the network holds the broker back.
    """

    def __init__(
        self,
        client: Client,
        *,
        keepalive_s: int,
        gone: Callable[[str], None],
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self.writing = False  # paho calls `on_publish` for QoS 0 from inside a write
        self.handled = 0  # packets that reached a callback; the session counts them here
        self._client = client
        self._gone = gone
        self._full = full
        self._paused = False
        self._tick_s = min(5.0, max(0.25, keepalive_s / 4))
        self._loop = asyncio.get_running_loop()
        self._socket: Any = None
        self._watched = False
        self._write_watched = False
        self._flush_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_socket_register_write = self._on_want_write

    async def open(self, connect: Callable[[], MQTTErrorCode]) -> None:
        """Run the blocking `connect` in a thread, then take the socket over.

        Raises:
            OSError: the broker cannot be reached, or TLS failed.
        """
        opening: asyncio.Future[None] = self._loop.create_future()
        # a daemon: a name server or broker that never answers must not keep the program alive
        threading.Thread(
            target=self._connect, args=(connect, opening), name="mqtt-connect", daemon=True
        ).start()
        await opening
        self._loop.add_reader(self._socket, self._readable)
        self._watched = True
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        self._flush()

    def flush(self) -> None:
        """Write what is queued at the end of this turn of the loop, all in one go."""
        if not self._flush_due and not self._closed:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def read_on(self) -> None:
        """There is room again for what is read."""
        if self._paused and self._watched and not self._full():
            self._paused = False
            self._loop.add_reader(self._socket, self._readable)
            self._loop.call_soon(self._readable)  # what TLS has decrypted does not make the socket readable

    def close(self) -> None:
        """Let go of the socket without another word to the broker."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._unwatch()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self, connect: Callable[[], MQTTErrorCode], opening: asyncio.Future[None]) -> None:
        """In the thread."""
        error: Exception | None = None
        try:
            connect()
        except Exception as raised:  # noqa: BLE001 - raised again where `open` waits for it
            error = raised
        try:
            self._loop.call_soon_threadsafe(self._opened, opening, error)
        except RuntimeError:  # the program has ended meanwhile
            self.close()

    def _opened(self, opening: asyncio.Future[None], error: Exception | None) -> None:
        if opening.done():  # nobody waits any more
            self.close()
        elif error is not None:
            opening.set_exception(error)
        else:
            opening.set_result(None)

    def _on_open(self, _client: Client, _userdata: object, sock: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock

    def _on_close(self, _client: Client, _userdata: object, _sock: object) -> None:
        self._unwatch()
        self._socket = None

    def _on_want_write(self, _client: Client, _userdata: object, _sock: object) -> None:
        if self._watched:  # before that the thread is at work, and `open` flushes after it
            self.flush()

    def _unwatch(self) -> None:
        if self._socket is None or not self._watched:
            return
        self._watched = False
        self._loop.remove_reader(self._socket)
        if self._write_watched:
            self._write_watched = False
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        for _ in range(MAX_READS):
            if self._paused or not self._watched:
                return
            if self._full():
                self._paused = True
                self._loop.remove_reader(self._socket)
                return
            before = self.handled
            if not self._guarded(self._client.loop_read):
                return
            if self.handled == before and not self._decrypted():
                return  # a part of a packet, or nothing left

    def _decrypted(self) -> bool:
        # bytes that TLS has read already will not make the socket readable again
        pending = getattr(self._socket, "pending", None)
        return pending is not None and pending() > 0

    def _flush(self) -> None:
        self._flush_due = False
        if self._closed or self._socket is None:
            return
        self.writing = True
        alive = self._guarded(self._client.loop_write)
        self.writing = False
        if not alive or self._socket is None:
            return
        if self._client.want_write() != self._write_watched:
            self._write_watched = not self._write_watched
            if self._write_watched:
                self._loop.add_writer(self._socket, self._flush)
            else:
                self._loop.remove_writer(self._socket)

    def _tick(self) -> None:
        if self._guarded(self._client.loop_misc, "the broker fell silent"):
            self._timer = self._loop.call_later(self._tick_s, self._tick)

    def _guarded(self, step: Callable[[], MQTTErrorCode], reason: str | None = None) -> bool:
        """Run one step of paho; whatever ends the connection is told once."""
        try:
            code = step()
        except Exception:  # a broker's bytes must not stop the event loop's callbacks
            logger.exception("Lost the connection over a packet that could not be handled")
            self._end("a packet could not be handled")
            return False
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._socket is None:
            self._end(reason or _reason(code))
            return False
        return True

    def _end(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._gone(reason)


def _reason(code: MQTTErrorCode) -> str:
    if code == MQTTErrorCode.MQTT_ERR_SUCCESS:
        return "closed"
    return _REASONS.get(code, code.name.removeprefix("MQTT_ERR_").lower().replace("_", " "))


_REASONS = {
    MQTTErrorCode.MQTT_ERR_CONN_LOST: "the broker closed the connection",
    MQTTErrorCode.MQTT_ERR_PROTOCOL: "the broker broke the protocol",
}
