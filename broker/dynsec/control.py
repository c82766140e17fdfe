"""A conversation with the dynamic-security plugin: commands go out, each answer is known by its mark.

The plugin does what a command says before it answers. Nothing here retries: whoever asks
knows whether asking twice does harm.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from broker.identities.errors import BrokerUnreachable
from broker.session import Endpoint, Session, SessionError, Subscription

logger = logging.getLogger(__name__)

TOPIC = "$CONTROL/dynamic-security/v1"
RESPONSES = f"{TOPIC}/response"
CONNECT_WITHIN = 5.0  # seconds
ANSWER_WITHIN = 5.0  # seconds; a command takes longer the more clients there are, 60 ms with 2,500

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one command. `error` is None when it was done."""

    command: str
    error: str | None
    data: Json = field(repr=False)


class Control:
    """One connection of the administrator."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def ask(self, *commands: Json) -> list[Answer]:
        """Have commands done one after the other, also after one that fails; their answers.

        Raises:
            BrokerUnreachable: no answer in time; the commands may have been done.
        """
        mark = secrets.token_hex(16)
        marked = [command | {"correlationData": mark} for command in commands]
        payload = json.dumps({"commands": marked}).encode()
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._session.publish(TOPIC, payload)
                answers = await self._answers(mark)
        except (TimeoutError, SessionError) as error:
            reason = f"no answer within {ANSWER_WITHIN:g} s" if isinstance(error, TimeoutError) else error
            raise BrokerUnreachable(
                f"The broker's dynamic-security plugin does not answer ({reason}). Is it loaded, and may "
                f"{self._session.endpoint.username!r} administer it?"
            ) from error
        if len(answers) != len(commands):
            raise BrokerUnreachable("The broker's dynamic-security plugin left a command unanswered.")
        return answers

    async def _answers(self, mark: str) -> list[Answer]:
        while True:
            for message in await self._session.receive(1):
                self._session.ack(message)
                found = [each for each in _responses(message.payload) if each.get("correlationData") == mark]
                if found:
                    return [_answer(each) for each in found]


@asynccontextmanager
async def conversation(admin: Endpoint) -> AsyncIterator[Control]:
    """A connection as the administrator, closed afterwards.

    Raises:
        BrokerUnreachable: it is not there, or does not let the administrator in.
    """
    # an id of its own: two conversations at once must not end each other
    session = Session(
        admin,
        client_id=f"{admin.username}-{secrets.token_hex(6)}",
        session_expiry_s=0,
        clean_start=True,
    )
    try:
        try:
            await session.connect(within_s=CONNECT_WITHIN)
            await session.subscribe([Subscription(RESPONSES)])
        except SessionError as error:
            raise BrokerUnreachable(
                f"The broker at {admin.host}:{admin.port} cannot be administered as {admin.username!r}: {error}."
            ) from error
        yield Control(session)
    finally:
        await session.close()


def _responses(payload: bytes) -> list[Json]:
    try:
        found = json.loads(payload)["responses"]
    except (ValueError, KeyError, TypeError):
        logger.warning("The dynamic-security plugin answered with something unreadable")
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _answer(response: Json) -> Answer:
    error = response.get("error")
    data = response.get("data")
    return Answer(
        str(response.get("command", "")),
        None if error is None else str(error),
        data if isinstance(data, dict) else {},
    )
