"""Runs a MicroPython program on CPython: the few things that a board has and CPython spells otherwise.

`umqtt.simple` itself is the boards' own; only what it stands on is played: sockets that are
streams, the modules' short names, and the ticks of `time`.
"""

import binascii
import runpy
import socket
import struct
import sys
import time
import types
from typing import Any


class Stream:
    """A socket that reads and writes like a file, as MicroPython's do."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self.connect = self._socket.connect
        self.close = self._socket.close
        self.setblocking = self._socket.setblocking

    def write(self, data: bytes | str, size: int | None = None) -> None:
        self._socket.sendall((data.encode() if isinstance(data, str) else bytes(data))[:size])

    def read(self, size: int) -> bytes | None:
        """All of it, less at the end of the line, None when nothing is there and nobody waits."""
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


def module(name: str, **names: Any) -> None:
    made: Any = types.ModuleType(name)
    vars(made).update(names)
    sys.modules[name] = made


def main(program: str) -> None:
    module("usocket", socket=Stream, getaddrinfo=socket.getaddrinfo)
    module("ustruct", pack=struct.pack, pack_into=struct.pack_into)
    module("ubinascii", hexlify=binascii.hexlify)
    ticks: Any = time
    ticks.ticks_ms = lambda: time.monotonic_ns() // 1_000_000
    ticks.ticks_diff = lambda later, earlier: later - earlier
    ticks.sleep_ms = lambda milliseconds: time.sleep(milliseconds / 1000)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
