"""What is said in a turn, for whoever may follow it beside the one who is answered."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.services.actors import Actor
from schemas.assistant import Response
from schemas.ids import MessageId


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks."""

    request_id: MessageId
    session_id: MessageId
    text: str


# who speaks to the assistant, and what they asked or are told
Overhear = Callable[[Actor, Query | Response], None]


def nobody(_actor: Actor, _said: Query | Response) -> None:
    """Nobody listens."""
