"""Room that was taken while there was some: what was refused on a full disk outlives the program.

The file is written in place and never grows. Each refused id has a record of its own in it,
with where its answer goes, until the journal has taken it over.
"""

import os
import struct
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

RECORDS = 1_000
# expiry, status, length of the id, the id, length of the topic of its answer, the topic
_BODY = struct.Struct("<dBH256sH256s")
LONGEST_TOPIC = 256  # bytes; an answer to a longer one is remembered without it
_BODY_WITHOUT_TOPIC = struct.Struct("<dBH256s")  # of the first releases
_CHECK = struct.Struct("<I")
SIZE = _BODY.size + _CHECK.size  # bytes of one record
_EMPTY = bytes(SIZE)


@dataclass(frozen=True, slots=True)
class Refused:
    """One id that was answered: `rejected`, or else `interrupted`."""

    command_id: str
    expires_at: float
    interrupted: bool
    reply_to: str = ""  # empty: not known any more


class Reserve:
    """The file of one node. Its methods block, and raise `OSError` when it cannot be used.

    They may be called from several threads at once: no two ids get the same place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spoilt = False  # whether something that was written down could not be read when it was opened
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self._free = list(reversed(range(RECORDS)))

    def open(self) -> list[Refused]:
        """Take the room if that is not done yet; what earlier lives had to refuse.

        A file that is not as it was written is made anew with what of it can be read, and `spoilt` is set.
        """
        content = self.path.read_bytes() if self.path.exists() else b""
        is_old = len(content) == RECORDS * (_BODY_WITHOUT_TOPIC.size + _CHECK.size)
        body = _BODY_WITHOUT_TOPIC if is_old else _BODY
        size = body.size + _CHECK.size
        pieces = [content[place * size : (place + 1) * size] for place in range(RECORDS)]
        read = [_read(piece, body) for piece in pieces]
        whole = len(content) == RECORDS * size and all(
            refused is not None or not any(piece) for refused, piece in zip(read, pieces, strict=True)
        )
        self.spoilt = self.path.exists() and not whole
        if is_old or not whole:
            self._make(b"".join(_EMPTY if refused is None else _record(refused) for refused in read))
        self._free = [place for place in reversed(range(RECORDS)) if read[place] is None]
        found = {place: refused for place, refused in enumerate(read) if refused is not None}
        self._places = {refused.command_id: place for place, refused in found.items()}
        return [found[place] for place in reversed(found)]

    def holds(self, command_id: str) -> bool:
        """Whether it would be known after a kill."""
        return command_id in self._places

    def put(self, refused: Refused) -> bool:
        """Write it down; False when every place is taken."""
        with self._lock:
            if not self._free:
                return False
            place = self._free[-1]
            self._write(place, _record(refused))
            self._free.pop()
            self._places[refused.command_id] = place
            return True

    def drop(self, command_ids: list[str]) -> None:
        """The journal has these now."""
        with self._lock:
            for one in command_ids:
                if (place := self._places.get(one)) is not None:
                    self._write(place, _EMPTY)
                    del self._places[one]
                    self._free.append(place)

    def _make(self, content: bytes) -> None:
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("wb") as file:
            draft.chmod(0o600)
            file.write(content)
        draft.replace(self.path)

    def _write(self, place: int, record: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(descriptor, place * SIZE, os.SEEK_SET)
            os.write(descriptor, record)
        finally:
            os.close(descriptor)


def _record(refused: Refused) -> bytes:
    name, topic = refused.command_id.encode(), refused.reply_to.encode()
    if len(topic) > LONGEST_TOPIC:
        topic = b""
    body = _BODY.pack(refused.expires_at, 1 + refused.interrupted, len(name), name, len(topic), topic)
    return body + _CHECK.pack(zlib.crc32(body))


def _read(record: bytes, form: struct.Struct) -> Refused | None:
    if len(record) != form.size + _CHECK.size:
        return None
    body, check = record[: form.size], record[form.size :]
    expires_at, status, length, name, *told = form.unpack(body)
    if status not in (1, 2) or _CHECK.pack(zlib.crc32(body)) != check:
        return None
    topic_length, topic = told or (0, b"")
    try:
        return Refused(name[:length].decode(), expires_at, status == 2, topic[:topic_length].decode())
    except UnicodeDecodeError:
        return None
