"""What a clause comes to: calls whose device may still have to be settled."""

from dataclasses import dataclass

from pydantic import JsonValue

from controller.assistant.candidates import KnownDevice


@dataclass(frozen=True, slots=True)
class Draft:
    """A call whose device may still have to be settled."""

    tool: str
    arguments: dict[str, JsonValue]
    device: KnownDevice | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What `it` and `in it` mean: the folder and the thing of the step before, when there was just one."""

    folder: str | None = None
    thing: str | None = None
    fresh: bool = False  # the thing is a file that the last step creates, still empty
    made: tuple[str, ...] = ()  # the folders that earlier steps make


@dataclass(slots=True)
class Trouble:
    """The best reason seen so far why a sentence is not understood."""

    reason: str = ""
    phrase: str = ""
    devices: tuple[KnownDevice, ...] = ()

    def note(self, reason: str, phrase: str = "", devices: tuple[KnownDevice, ...] = ()) -> None:
        if not self.reason:
            self.reason, self.phrase, self.devices = reason, phrase, devices


class Reject(Exception):
    """This template caught something that it must not."""
