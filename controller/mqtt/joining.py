"""Joining: a device that has a code asks for its place, and gets an identity of its own.

One at a time: what is given out is given once. A request that is lost on the way here is
made again by the device, so nothing of it is kept before it is granted.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from broker.administration import Administration
from broker.identities import BadName, IdentityError, NameTaken, UnknownIdentity
from broker.rights import DEVICES
from broker.session import PublishProperties, Received
from controller.errors import OrionError
from controller.mqtt.complaints import Complaints
from controller.services import devices, invitations
from controller.services.invitations import Claim, Verdict
from controller.store import authority
from controller.store.keyring import KeyRing
from controller.store.store import Store
from schemas.errors import ErrorBody, ErrorCode
from schemas.joining import prove, username
from schemas.keys import JoinRefused, JoinResponse
from schemas.topics import Topics
from schemas.wire import MalformedMessage, WireModel

logger = logging.getLogger(__name__)

MAX_WAITING = 50  # requests; a device asks again
LOOK_EVERY = 5.0  # seconds between two looks for codes whose time is over
SAID_WITHIN = 5.0  # seconds for the broker to take an answer

EXPIRED = "This code has expired, or was replaced by a newer one. Ask for a new one: orion devices invite ID"
VOIDED = (
    "This code was voided: somebody asked with it several times and could not prove to have it. "
    "Ask for a new one: orion devices invite ID"
)

Say = Callable[[str, bytes, PublishProperties], asyncio.Future[int] | None]


@dataclass(frozen=True, slots=True)
class Host:
    """What a device that joins is given. Without an `administration` nobody can join."""

    administration: Administration | None
    keyring: KeyRing
    ca_path: Path | None  # read anew each time: the broker may be younger than the controller


class Joining:
    """Answers requests to join, and takes the broker's users of old codes away."""

    def __init__(
        self,
        store: Store,
        topics: Topics,
        host: Host,
        complaints: Complaints,
        *,
        say: Say,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._topics = topics
        self._host = host
        self._complaints = complaints
        self._say = say
        self._now = now
        self._waiting: asyncio.Queue[tuple[str, Received]] = asyncio.Queue(MAX_WAITING)

    def take(self, invite_id: str, message: Received) -> None:
        """A request arrived; when there are too many it is dropped."""
        if message.retain:
            self._complaints.add(username(invite_id), "a retained request to join")
            return
        try:
            self._waiting.put_nowait((invite_id, message))
        except asyncio.QueueFull:
            self._complaints.add(username(invite_id), "too many requests to join at once")

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_tidy(), name="join-tidy")
            while True:
                invite_id, message = await self._waiting.get()
                await self._surviving(self._answer(invite_id, message), invite_id)

    async def _keep_tidy(self) -> None:
        while True:
            await self._surviving(self._tidy(), "old codes")
            await asyncio.sleep(LOOK_EVERY)

    async def _surviving(self, work: Coroutine[None, None, None], what: str) -> None:
        try:
            await work
        except (IdentityError, OrionError) as error:
            logger.warning("Joining (%s) did not work and is tried again: %s", what, error)
        except Exception:  # the next request is somebody else's
            logger.exception("A request to join (%s) could not be handled", what)

    async def _answer(self, invite_id: str, message: Received) -> None:
        try:
            claim = await self._store.write(
                partial(
                    invitations.claim,
                    invite_id=invite_id,
                    topic=message.topic,
                    payload=message.payload,
                    properties=message.user_properties,
                    now=self._now(),
                )
            )
        except MalformedMessage as malformed:
            self._complaints.add(username(invite_id), str(malformed))
            return
        match claim.verdict:
            case Verdict.GRANTED:
                await self._grant(invite_id, claim)
            case Verdict.USED:
                await self._refuse(
                    invite_id, claim, ErrorCode.CONFLICT, "This code was used by another device."
                )
            case Verdict.EXPIRED:
                await self._refuse(invite_id, claim, ErrorCode.EXPIRED, EXPIRED)
                await self._close(invite_id)
            case Verdict.VOIDED:
                await self._refuse(invite_id, claim, ErrorCode.EXPIRED, VOIDED)
                await self._close(invite_id)
            case Verdict.TAKEN:
                taken = f"The name {claim.device_id!r} belongs to a user: ask for a code for another one."
                await self._refuse(invite_id, claim, ErrorCode.ALREADY_EXISTS, taken)
                await self._close(invite_id)
            case Verdict.CLOSED:
                closed = (
                    "a request to join with a code that counts no more: it was used, replaced, or is over"
                )
                self._complaints.add(username(invite_id), closed)
            case Verdict.UNPROVEN:
                self._complaints.add(username(invite_id), "a request to join without the code")

    async def _grant(self, invite_id: str, claim: Claim) -> None:
        administration = self._host.administration
        if administration is None:
            return
        try:
            password = await _password(administration, claim.device_id)
        except (NameTaken, BadName) as error:  # no device can ever have it: asking again is of no use
            await self._store.write(
                partial(devices.drop_enrolment, device_id=claim.device_id, now=self._now())
            )
            await self._refuse(invite_id, claim, ErrorCode.ALREADY_EXISTS, str(error))
            await self._close(invite_id)
            return
        ca = await asyncio.to_thread(authority.read, self._host.ca_path)
        said = JoinResponse(
            device_id=claim.device_id,
            password=password,
            ca=ca.pem,
            keys=self._host.keyring.keys,
            at=self._now(),
        )
        if await self._said(invite_id, claim, said):
            logger.info("%s has joined", claim.device_id)
            await self._close(invite_id)

    async def _refuse(self, invite_id: str, claim: Claim, code: ErrorCode, message: str) -> None:
        logger.warning("A request to join as %s was refused: %s", claim.device_id, message)
        await self._said(invite_id, claim, JoinRefused(error=ErrorBody(code=code, message=message)))

    async def _said(self, invite_id: str, claim: Claim, message: WireModel) -> bool:
        topic, payload = self._topics.join_response(invite_id), message.encode()
        properties = PublishProperties(user_properties=prove(claim.proof_key, topic, payload))
        sent = self._say(topic, payload, properties)
        if sent is None:
            return False
        done, _ = await asyncio.wait((sent,), timeout=SAID_WITHIN)
        return bool(done) and not sent.cancelled() and sent.exception() is None

    async def _tidy(self) -> None:
        for invite_id in await self._store.read(partial(invitations.over, now=self._now())):
            await self._close(invite_id)

    async def _close(self, invite_id: str) -> None:
        """The broker first: a code that it lets in is still looked after by `_tidy`."""
        if self._host.administration is not None:
            await _withdraw(self._host.administration, invite_id)
        await self._store.write(partial(invitations.close, invite_id=invite_id))


async def _password(administration: Administration, device_id: str) -> str:
    try:
        return await administration.add_device(device_id)
    except NameTaken:  # it joins again, or the name is none of a device's
        return await administration.rotate(device_id, among=DEVICES)


async def _withdraw(administration: Administration, invite_id: str) -> None:
    """Let nobody in with this code any more."""
    try:
        await administration.remove(username(invite_id))
    except UnknownIdentity:
        return
