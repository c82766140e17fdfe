"""What the stream tells of: committed changes, and what is said in turns of the assistant.

A state that was told is not told again, and of heartbeats no more than somebody can look at.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.api import views
from controller.api.live.backlog import Backlog
from controller.api.live.messages import Kind, OfCard, OfCommand, OfDevice, OfTurn
from controller.api.views.rows import Json
from controller.assistant.overheard import Query
from controller.services.actors import Actor
from controller.store.notices import (
    ApprovalChanged,
    CommandChanged,
    CommandLeft,
    EventsStored,
    HeartbeatsTaken,
    Notice,
    PlaceChanged,
    PlaceGone,
)
from controller.store.tables import ApprovalRow, Device, EventRow, ToolExecution
from schemas.assistant import Response

BEAT_EVERY = 1.0  # seconds between two heartbeats of one device, at least
BEATS_PER_S = 20_000.0  # to all readers together; with more devices and readers each device's are fewer
REMEMBERED = 4_096  # devices, and commands and cards, of which is known what was told last
RESPONSES = {
    "final": Kind.ASSISTANT_RESPONSE,
    "question": Kind.ASSISTANT_RESPONSE,
    "error": Kind.ASSISTANT_RESPONSE,
    "chunk": Kind.LLM_RESPONSE_CHUNK,
}


@dataclass(slots=True)
class _Latest:
    """What was told last, of some things: no more of it than whether it is the same."""

    told: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def is_new(self, name: str, view: Json) -> bool:
        """Whether this was not what was told last."""
        known = hash(json.dumps(view, default=str))
        if self.told.get(name) == known:
            return False
        self.told[name] = known
        self.told.move_to_end(name)
        while len(self.told) > REMEMBERED:
            self.told.popitem(last=False)
        return True


class Sources:
    """Fills a backlog. `clock`: seconds that only grow; `readers`: how many there are."""

    def __init__(self, backlog: Backlog, *, clock: Callable[[], float], readers: Callable[[], int]) -> None:
        self._backlog = backlog
        self._clock = clock
        self._readers = readers
        self._devices = _Latest()
        self._orders = _Latest()
        self._beats: OrderedDict[str, float] = OrderedDict()  # when each device's was told last

    def hear(self, notice: Notice) -> None:
        """Tell what a committed transaction changed."""
        match notice:
            case PlaceChanged(device):
                self._device(device)
            case PlaceGone(device_id):
                self._gone(device_id)
            case HeartbeatsTaken():
                self._heartbeats(notice)
            case EventsStored(rows):
                for row in rows:
                    data = views.event(EventRow(**row)) | {"resolves": row["resolves"]}
                    self._backlog.add(Kind.EVENT, data, OfDevice(row["device_id"]))
            case CommandLeft(command):
                self._backlog.add(
                    Kind.TOOL_EXECUTE, views.departure(command), _of(command), command_id=command.id
                )
            case CommandChanged(command, final):
                self._command(command, final=final)
            case ApprovalChanged(card):
                self._card(card)

    def overhear(self, actor: Actor, said: Query | Response) -> None:
        """Tell what was said in a turn to who speaks in it."""
        key_id = actor.key.key_id if actor.key is not None else None
        if isinstance(said, Query):
            query: Json = {
                "request_id": said.request_id,
                "session_id": said.session_id,
                "user": actor.user,
                "via": actor.via.value,
                "text": said.text,
            }
            self._backlog.add(Kind.USER_QUERY, query, OfTurn(actor.user, key_id, is_told=True))
        elif (kind := RESPONSES.get(said.type)) is not None:
            self._backlog.add(kind, said.to_json(), OfTurn(actor.user, key_id))

    def forget(self) -> None:
        """Nobody listens: what was told last is of no use to who comes next."""
        self._devices, self._orders = _Latest(), _Latest()
        self._beats.clear()

    def _device(self, row: Device) -> None:
        view = views.device(row)
        # a heartbeat is a message of its own
        same = {name: value for name, value in view.items() if name not in ("last_seen_at", "last_heartbeat")}
        if self._devices.is_new(row.device_id, same):
            self._backlog.add(Kind.DEVICE_REGISTER, view, OfDevice(row.device_id))

    def _gone(self, device_id: str) -> None:
        self._devices.told.pop(device_id, None)
        self._beats.pop(device_id, None)
        gone = {"device_id": device_id, "status": "removed"}
        self._backlog.add(Kind.DEVICE_REGISTER, gone, OfDevice(device_id))

    def _heartbeats(self, notice: HeartbeatsTaken) -> None:
        now = self._clock()
        every = max(BEAT_EVERY, len(self._beats) * self._readers() / BEATS_PER_S)
        for device_id, heartbeat, _at in notice.beats:
            last = self._beats.get(device_id)
            if last is not None and now - last < every:
                continue
            self._beats[device_id] = now
            self._beats.move_to_end(device_id)
            data = {"device_id": device_id} | heartbeat.to_json()
            self._backlog.add(Kind.DEVICE_HEARTBEAT, data, OfDevice(device_id))

    def _command(self, row: ToolExecution, *, final: bool) -> None:
        view = views.command(row)
        if not self._orders.is_new(row.id, view):
            return
        concern = _of(row)
        self._backlog.add(Kind.COMMAND, view, concern, command_id=row.id)
        if final and row.published_at is not None:  # what never left has no result
            self._backlog.add(Kind.TOOL_RESULT, views.outcome(row), concern, command_id=row.id)

    def _card(self, row: ApprovalRow) -> None:
        view = views.approval(row)
        if self._orders.is_new(row.id, view):
            self._backlog.add(Kind.APPROVAL, view, OfCard(row.requested_by, row.commands))


def _of(row: ToolExecution) -> OfCommand:
    return OfCommand(row.requested_by, row.api_key_id, row.tool_name, row.device_id)
