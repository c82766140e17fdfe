"""The stream as a WebSocket: a text message for each message, and nearly nothing the other way.

A program shows its token in the header. A browser cannot, so it says it first of all: in an address a
token would be in every log on the way.
"""

import asyncio
from collections import Counter, deque
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from controller.api.access import addresses
from controller.api.access.refusals import Unauthorized
from controller.api.live import lines
from controller.api.live.hub import Hub, TooManyReaders
from controller.api.live.messages import Control
from controller.api.live.reader import HURRY, End, Reader
from controller.errors import OrionError, Refused

SAYS_WHO_WITHIN = 5.0  # seconds
MAX_SIZE = 8 * 1024  # bytes of one message that comes in
WAITING = 128  # who have not said yet who they are
OF_ONE = 16  # the same of one address; a proxy on this computer has them from all
LOOPBACK = ("127.", "::1")
PING = '{"type":"ping"}'  # answered by a `keep_alive`; to the letter, so nothing has to be read
RATE, RATE_WITHIN = 20, 10.0  # messages that come in, in so many seconds


class Auth(BaseModel):
    """The first message of who showed no token yet."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: Literal["auth"]
    token: Annotated[str, Field(min_length=1, max_length=4_000, repr=False)]
    last_event_id: Annotated[str, Field(max_length=64)] | None = None


def frame(_message_id: str, _kind: str, text: bytes) -> bytes:
    """A text message, as a server sends it: whole, and without a mask."""
    size = len(text)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + text
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def check_origin(websocket: WebSocket) -> None:
    """Make sure that no page of somebody else's opens a stream with what a browser sends by itself.

    Raises:
        Refused: a browser says that it is one.
    """
    origin = websocket.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != websocket.headers.get("host", "").lower():
        raise Refused("A page of another origin may not open a stream here.")


@dataclass(slots=True, eq=False)
class _Silent:
    """Somebody who has not said yet who they are."""

    address: str
    patience: asyncio.Timeout
    subscriber: str = field(init=False)
    gives_way: bool = False

    def __post_init__(self) -> None:
        self.subscriber = addresses.subscriber(self.address)

    def give_way(self) -> None:
        """Wait for their word no longer."""
        self.gives_way = True
        self.patience.reschedule(asyncio.get_running_loop().time())


class Door:
    """Lets in who have not said who they are, so many at a time.

    A newcomer always gets a place, so nobody keeps others out by saying nothing: who has it longest gives way, of
    the address that has most.
    """

    def __init__(self) -> None:
        self._silent: list[_Silent] = []

    @property
    def waiting(self) -> int:
        """How many have not said yet who they are."""
        return len(self._silent)

    async def first(self, websocket: WebSocket, address: str) -> Auth | None:
        """What somebody says first of all; None: nothing of use, and the line is closed."""
        line = lines.under_websocket(websocket.scope)
        silent = _Silent(address, asyncio.timeout(SAYS_WHO_WITHIN))
        try:
            message = await self._heard(websocket, silent)
            if message["type"] == "websocket.disconnect":  # they have gone without a word
                return None
            return Auth.model_validate_json(message.get("text") or "")
        except TimeoutError:
            await _close(websocket, End.UNAVAILABLE if silent.gives_way else End.UNAUTHORIZED)
            line.hang_up()
        except ValidationError:
            await _close(websocket, End.BAD_MESSAGE)
        return None

    async def _heard(self, websocket: WebSocket, silent: _Silent) -> MutableMapping[str, Any]:
        self._make_room(silent)
        self._silent.append(silent)
        try:
            async with silent.patience:
                await websocket.accept()
                return await websocket.receive()
        finally:
            self._silent.remove(silent)

    def _make_room(self, newcomer: _Silent) -> None:
        here = [each for each in self._silent if not (each.gives_way or each.patience.expired())]
        of_one = [each for each in here if each.subscriber == newcomer.subscriber]
        if len(of_one) >= OF_ONE and not newcomer.address.startswith(LOOPBACK):
            of_one[0].give_way()
        elif len(here) >= WAITING:
            ((most, _),) = Counter(each.subscriber for each in here).most_common(1)
            next(each for each in here if each.subscriber == most).give_way()


async def turn_away(websocket: WebSocket, error: OrionError) -> None:
    """Close on somebody who was let in to say who they are."""
    match error:
        case Unauthorized():
            end = End.UNAUTHORIZED
        case Refused() if not isinstance(error, TooManyReaders):
            end = End.REFUSED
        case _:
            end = End.UNAVAILABLE
    await _close(websocket, end)


async def serve(websocket: WebSocket, hub: Hub, reader: Reader) -> None:
    """Tell a reader what there is, until one of the two sides ends it."""
    line = lines.under_websocket(websocket.scope)
    try:
        if websocket.application_state is WebSocketState.CONNECTING:  # it was known who it is
            await websocket.accept()
        await _tell(websocket, line, reader)
    finally:
        hub.leave(reader)
    try:
        async with asyncio.timeout(HURRY):
            await _close(websocket, reader.end or End.GONE)
    except TimeoutError:
        line.cut()


async def _tell(websocket: WebSocket, line: lines.WebSocketLine, reader: Reader) -> None:
    listening = asyncio.create_task(_listen(websocket, reader), name="stream-listening")
    try:
        with suppress(TimeoutError):
            while (made := await reader.next()) is not None:
                await reader.send(line.write(made))
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _listen(websocket: WebSocket, reader: Reader) -> None:
    """Hear what the other side says: that it goes, or that it wants to hear from us."""
    heard: deque[float] = deque(maxlen=RATE)
    while reader.end is None:
        message = await websocket.receive()
        now = asyncio.get_running_loop().time()
        if message["type"] == "websocket.disconnect":
            reader.finish(End.GONE)
        elif len(heard) == RATE and now - heard[0] < RATE_WITHIN:
            reader.finish(End.TOO_FAST)
        elif message.get("text") != PING:
            reader.finish(End.BAD_MESSAGE)
        else:
            heard.append(now)
            reader.say(Control.KEEP_ALIVE)


async def _close(websocket: WebSocket, end: End) -> None:
    if end is not End.GONE:
        with suppress(WebSocketDisconnect):  # it has gone meanwhile
            await websocket.close(end.code, end.word)
