"""One examination of one device: what is known of it, and how it is asked.

Every id begins with `conform-`, so that its rows in an audit can be told apart. Only commands of
this examination are acknowledged: of everything else nothing was stored here.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from orion.conform import call as calls
from orion.conform.call import Call
from orion.conform.line import INSTANCE, Heard, Json, Line
from schemas.devices import Presence, Profile
from schemas.ids import new_id
from schemas.signing import Verifier
from schemas.topics import Kind
from schemas.wire import JsonObject, MalformedMessage, WireModel, format_instant

Message = TypeVar("Message", bound=WireModel)

FINAL = frozenset({"succeeded", "failed", "rejected", "expired", "cancelled", "interrupted"})
RAN = frozenset({"accepted", "progress", "succeeded", "failed", "interrupted"})
LASTS = 60.0  # seconds until an examination's command expires
TIMEOUT = 30.0  # seconds a tool may take
PREFIX = "conform-"


@dataclass
class Examination:
    """What the checks share. Times are in seconds."""

    line: Line
    within_s: float = 5.0  # for an answer
    watch_s: float = 20.0  # for what a device says once more by itself
    patience_s: float = 180.0  # for a person to act, and for the broker to notice
    heartbeat_s: float = 30.0  # between two heartbeats, at most
    mqtt3: bool = False  # the device speaks MQTT 3.1.1
    disconnects: bool = False  # somebody is there who cuts the device off
    call: Call | None = None  # what it is asked to do
    no_call: str = "the device offers nothing that only looks and needs no arguments; name a tool with --tool"
    say: Callable[[str], None] = lambda _text: None
    began_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    sent: dict[str, Json] = field(default_factory=dict)  # the commands of this examination, as first sent
    withheld: str | None = None  # a command whose answer is not acknowledged, to see whether it comes again
    acked: set[str] = field(default_factory=set)
    dropped: tuple[Json, float] | None = None  # one whose answer was acknowledged, and when
    stored: int = 0  # messages that were there before the first live one
    verifier: Verifier | None = None  # of what the device signs, where its key is known
    gone: bool = False  # it stopped answering while it was examined
    left_at: int | None = None  # where what was heard before it was cut off ends
    back: Heard | None = None  # its presence after that
    forged_after: int | None = None  # where what was heard before the first forged command ends

    @property
    def device_id(self) -> str:
        return self.line.device_id

    # What it says of itself

    def presence(self) -> Heard | None:
        return next(reversed(self.line.all(Kind.PRESENCE)), None)

    def profile(self) -> Heard | None:
        return next(reversed(self.line.all(Kind.PROFILE)), None)

    def read_profile(self) -> Profile | None:
        """The profile, when it is one."""
        return _read_as(Profile, self.profile())

    def read_presence(self) -> Presence | None:
        """The presence, when it is one."""
        return _read_as(Presence, self.presence())

    def lives(self) -> set[str]:
        """The boot ids that it has given itself."""
        said = [*self.line.all(Kind.PRESENCE), *self.line.all(Kind.PROFILE)]
        return {str(each.said.get("boot_id")) for each in said}

    @property
    def enrolled(self) -> bool:
        """Whether it signs, and so acts on nothing that is not signed."""
        heard = self.profile()
        return heard is not None and any(name == "signature" for name, _ in heard.message.user_properties)

    def alarms(self) -> list[str]:
        """Ids of the events in which it told that it refused what this examination forged."""
        if self.forged_after is None:
            return []
        said = [one.said for one in self.line.all(Kind.EVENT, after=self.forged_after)]
        found = {str(each.get("id")) for each in said if _is_alarm(each.get("data"))}
        return sorted(found)

    # What it is asked

    async def is_offline(self) -> bool:
        """Whether its presence says so, and it does not answer either."""
        said = self.read_presence()
        if said is None or said.state != "offline":
            return False
        lasts = timedelta(seconds=self.within_s)  # nothing of this is to reach it when it returns
        command = self.command(
            Call(calls.NO_SUCH_TOOL, {}), expires_at=format_instant(datetime.now(UTC) + lasts)
        )
        mark = await self.give(command, lasts_s=self.within_s)

        def is_there() -> bool | None:
            now = self.read_presence()
            return self.replies(command, after=mark) != [] or now != said or None

        return await self.line.until(is_there, within_s=self.within_s) is None

    def choose(self, tool: str | None, given: JsonObject, *, may_write: bool) -> None:
        """Decide what every check asks for, or why nothing can be asked.

        Raises:
            NoSuchCall: the tool that a person named cannot be called like this.
        """
        profile = self.read_profile()
        if profile is None:
            self.no_call = "there is no profile to choose a tool from"
        elif self.enrolled and not self.line.signs:
            self.no_call = "it acts on signed commands only, and there is no key here to sign with"
        else:
            self.call = calls.chosen(profile.tools, tool, given, may_write=may_write)

    def command(self, call: Call | None = None, **changes: Any) -> Json:
        """A command with every required field; `changes` take the place of some."""
        call = call or self.call or Call(calls.NO_SUCH_TOOL, {})
        now = datetime.now(UTC)
        return {
            "id": PREFIX + new_id(),
            "tool": call.tool,
            "arguments": call.arguments,
            "issued_at": format_instant(now),
            "expires_at": format_instant(now + timedelta(seconds=LASTS)),
            "timeout_s": TIMEOUT,
            "reply_to": self.line.topics.reply(self.device_id, INSTANCE),
            "requested_by": {"user": "conform", "via": "cli"},
            "attempt": 1,
        } | changes

    async def give(self, command: Json, *, lasts_s: float | None = LASTS, **how: Any) -> int:
        """Send a command; where what was heard before it ends."""
        self.sent.setdefault(command["id"], command)
        mark = self.line.mark()
        await self.line.send(
            Kind.COMMAND,
            json.dumps(command).encode(),
            command_id=command["id"],
            reply_to=command["reply_to"] or None,
            lasts_s=lasts_s,
            **how,
        )
        return mark

    async def cancel(self, command_id: str, *, lasts_s: float = LASTS) -> int:
        """Send a cancel; where what was heard before it ends."""
        now = datetime.now(UTC)
        cancel = {
            "id": PREFIX + new_id(),
            "command_id": command_id,
            "at": format_instant(min(now, now + timedelta(seconds=lasts_s))),
            "expires_at": format_instant(now + timedelta(seconds=lasts_s)),
        }
        mark = self.line.mark()
        await self.line.send(
            Kind.CANCEL, json.dumps(cancel).encode(), lasts_s=lasts_s if lasts_s > 0 else None
        )
        return mark

    async def ask(self, command: Json, *, within_s: float | None = None, **how: Any) -> Heard | None:
        """Send a command and wait for its final reply."""
        return await self.final(command, after=await self.give(command, **how), within_s=within_s)

    async def final(self, command: Json, *, after: int = 0, within_s: float | None = None) -> Heard | None:
        """The first final reply to a command, wherever it is said; None when there is none in time."""

        def look() -> Heard | None:
            return next((one for one in self.replies(command, after=after) if _status(one) in FINAL), None)

        found = await self.line.until(look, within_s=within_s or self.within_s)
        if found is not None and command["id"] != self.withheld:
            await self.ack([command["id"]])
        return found

    def replies(self, command: Json, *, after: int = 0) -> list[Heard]:
        """What was said of a command on any topic of the device."""
        return [
            one
            for one in self.line.heard[after:]
            if one.said.get("command_id") == command["id"] and one.address.kind is not Kind.CANCEL
        ]

    def statuses(self, command: Json, *, after: int = 0) -> list[str]:
        return [_status(one) for one in self.replies(command, after=after)]

    async def ack(self, command_ids: list[str]) -> None:
        """Tell the device that these answers are known for good."""
        message = {"at": format_instant(datetime.now(UTC)), "replies": command_ids}
        await self.line.send(Kind.ACK, json.dumps(message).encode())
        self.acked |= set(command_ids)

    async def tidy(self) -> None:
        """Acknowledge every final reply of this examination that still waits for it."""
        waiting = {
            str(one.said.get("command_id"))
            for one in self.line.all(Kind.REPLY)
            if _status(one) in FINAL and str(one.said.get("command_id")).startswith(PREFIX)
        }
        if unacked := waiting - self.acked - {self.withheld}:
            await self.ack(sorted(unacked))

    def acked_by_others(self, command_id: str) -> bool:
        """Whether a controller of the installation has answered the reply: it refuses what it did not send."""
        named: list[Any] = []
        for one in self.line.all(Kind.ACK):
            named += one.said.get("replies") or []
            named += [each.get("id") for each in one.said.get("refused") or [] if isinstance(each, dict)]
        return command_id in named

    async def fence(self) -> bool:
        """Ask something plain: True when it is answered, and so all before it has been looked at."""
        return await self.ask(self.command()) is not None


def _read_as(model: type[Message], heard: Heard | None) -> Message | None:
    if heard is None:
        return None
    try:
        return model.decode(heard.message.payload)
    except MalformedMessage:
        return None


def _is_alarm(data: Any) -> bool:
    return isinstance(data, dict) and data.get("code") == "bad_signature" and data.get("kind") == "command"


def _status(heard: Heard) -> str:
    return str(heard.said.get("status"))
