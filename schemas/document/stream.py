"""The names that the live stream has for what happens, and the messages each of them comes from.

Programs that watch know these names; on MQTT nothing is called so.
"""

from dataclasses import dataclass

from schemas.assistant import Approval, Request, Response
from schemas.audit import AuditLine
from schemas.commands import Command, Reply
from schemas.devices import Heartbeat, Presence, Profile
from schemas.events import Event
from schemas.wire import WireModel


@dataclass(frozen=True, slots=True)
class Source:
    """A message, and which of its kind."""

    message: type[WireModel]
    which: str = ""

    @property
    def words(self) -> str:
        """The same in words."""
        return f"{self.message.__name__} {self.which}".strip()


@dataclass(frozen=True, slots=True)
class Name:
    """One name of the live stream."""

    name: str
    meaning: str
    sources: tuple[Source, ...]

    @property
    def on_mqtt(self) -> str:
        """What it is there, in words."""
        return ", ".join(each.words for each in self.sources)


NAMES = (
    Name(
        "device_register",
        "A device says what it is, or comes or goes.",
        (Source(Profile), Source(Presence, "of a device")),
    ),
    Name("device_heartbeat", "A device is alive, and how it is doing.", (Source(Heartbeat),)),
    Name("tool_execute", "A tool is to run on a device.", (Source(Command),)),
    Name(
        "tool_result", "How the run of a tool ended.", (Source(Reply, "whose `status` is one of the final ones"),)
    ),
    Name("event", "A device noticed something.", (Source(Event),)),
    Name("approval", "A person is asked, or the question is over.", (Source(Approval),)),
    Name("user_query", "A person asks the assistant.", (Source(Request),)),
    Name(
        "assistant_response",
        "What the assistant answers, or asks back.",
        (Source(Response, "of the type `final`, `question` or `error`"),),
    ),
    Name("llm_response_chunk", "A piece of an answer that is still coming.", (Source(Response, "of the type `chunk`"),)),
    Name(
        "command",
        "A command is in another state.",
        (
            Source(Reply, "of any `status`"),
            Source(AuditLine, "whose `action` begins with `command.`"),
        ),
    ),
)  # fmt: skip


def names_of(message: type[WireModel]) -> list[tuple[Name, Source]]:
    """What the live stream calls a message, and which of its kind."""
    return [(name, source) for name in NAMES for source in name.sources if source.message is message]


def table_of_names() -> str:
    """All names, as a table in Markdown."""
    lines = [
        "| name | on MQTT | what it says |",
        "| --- | --- | --- |",
        *(f"| `{each.name}` | {each.on_mqtt} | {each.meaning} |" for each in NAMES),
    ]
    return "\n".join(lines)
