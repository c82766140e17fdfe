"""Joining: from a code to an identity of this device's own.

The code is spoken to nobody: it tells which broker is the right one, and makes a password
and a proof. The private key is made here and never leaves.
"""

import asyncio
import hashlib
import logging
import ssl
from datetime import UTC, datetime

from broker.session import (
    ConnectFailed,
    Endpoint,
    PublishProperties,
    Received,
    Session,
    SessionError,
    Subscription,
    pinned,
    tls,
)
from device_node.vault import Identity
from schemas.joining import NO_CA, JoinCode, is_proven, prove
from schemas.keys import JoinRefused, JoinRequest, JoinResponse
from schemas.signing import BadKey, Signer, Verifier
from schemas.topics import Topics
from schemas.wire import MalformedMessage

logger = logging.getLogger(__name__)

REACHED_WITHIN = 10.0  # seconds
ANSWERED_WITHIN = 30.0  # seconds
ASK_EVERY = 3.0  # seconds; the controller may have been restarted meanwhile


REMEDY = "Ask for a new one: orion devices invite ID"


class JoinFailed(Exception):
    """This device did not join; the message is a sentence for a person, with the remedy.

    `unanswered`: the place may have been given to its key all the same.
    """

    def __init__(self, sentence: str, *, unanswered: bool = False) -> None:
        super().__init__(sentence)
        self.unanswered = unanswered


async def join(
    code: JoinCode, host: str, port: int, *, topics: Topics, hostname: str, signer: Signer | None = None
) -> Identity:
    """Ask the controller behind this broker for the place that the code is for.

    With a `signer` that was kept before, whoever got no answer can ask again with the same code.

    Raises:
        JoinFailed: not reached, not the right broker, or not let in.
    """
    ca = await _authority(code, host, port)
    endpoint = Endpoint(host, port, code.username, code.password, tls.context(ca or None))
    signer = signer or Signer.generate()
    session = Session(endpoint, client_id=code.username, session_expiry_s=0, clean_start=True)
    try:
        await session.connect(within_s=REACHED_WITHIN)
        try:
            answer = await _asked(session, code, topics, signer, hostname)
        finally:
            await session.close()
    except ConnectFailed as error:
        if error.not_let_in:
            raise JoinFailed(
                "The broker does not know this code: it was used, has expired, was replaced by a newer one, "
                f"or was voided by requests that did not prove it. {REMEDY}"
            ) from error
        raise JoinFailed(f"The broker at {host}:{port} {error}.") from error
    except SessionError as error:
        raise JoinFailed(
            f"The line to the broker broke before the answer came: {error}. Try again.", unanswered=True
        ) from error
    return _identity(answer, code, host, port, ca, signer)


async def _authority(code: JoinCode, host: str, port: int) -> str:
    """The broker's CA in PEM, proven to be the one of the code; empty for the system's authorities."""
    if code.ca == NO_CA:
        return ""
    try:
        return await asyncio.to_thread(pinned.fetch_ca, host, port, code.ca.hex(), within_s=REACHED_WITHIN)
    except pinned.PinFailed as error:
        raise JoinFailed(str(error)) from error


async def _asked(
    session: Session, code: JoinCode, topics: Topics, signer: Signer, hostname: str
) -> JoinResponse:
    topic = topics.join_request(code.invite_id)
    payload = JoinRequest(public_key=signer.public, hostname=hostname[:255]).encode()
    properties = PublishProperties(user_properties=prove(code.proof_key, topic, payload))
    await session.subscribe([Subscription(topics.join_response(code.invite_id))])
    try:
        async with asyncio.timeout(ANSWERED_WITHIN):
            while True:
                await session.publish(topic, payload, properties=properties)
                if (answer := await _answered(session, code)) is not None:
                    return answer
    except TimeoutError:
        raise JoinFailed(
            f"The controller did not answer within {ANSWERED_WITHIN:.0f} s. Is it running, under the same prefix "
            "(ORION_PREFIX)? Then try again with the same code.",
            unanswered=True,
        ) from None


async def _answered(session: Session, code: JoinCode) -> JoinResponse | None:
    """The controller's answer; None when it is time to ask again."""
    try:
        async with asyncio.timeout(ASK_EVERY):
            while True:
                for message in await session.receive(10):
                    session.ack(message)
                    if is_proven(code.proof_key, message.topic, message.payload, message.user_properties):
                        return _read(message)
                    logger.warning("An answer that does not prove the code was passed over")
    except TimeoutError:
        return None


def _read(message: Received) -> JoinResponse:
    try:
        return JoinResponse.decode(message.payload)
    except MalformedMessage as malformed:
        try:
            refused = JoinRefused.decode(message.payload)
        except MalformedMessage:
            raise JoinFailed(f"The controller's answer cannot be read: {malformed.reason}.") from malformed
        said = refused.error.message  # of some refusals the controller says the remedy itself
        raise JoinFailed(said if said.endswith(REMEDY) else f"{said} {REMEDY}") from None


def _identity(
    answer: JoinResponse, code: JoinCode, host: str, port: int, ca: str, signer: Signer
) -> Identity:
    if ca and (not answer.ca or not _is_pinned(answer.ca, code)):
        raise JoinFailed("The controller named another authority than the code does; nothing was kept.")
    try:
        Verifier.of(key.public for key in answer.keys)
    except BadKey as error:
        raise JoinFailed(f"The controller's keys cannot be used: {error}.") from error
    if not answer.keys:
        raise JoinFailed("The controller told no key to obey; nothing was kept.")
    return Identity(
        device_id=answer.device_id,
        host=host,
        port=port,
        ca=ca,
        controller_keys=tuple(answer.keys),
        joined_at=answer.at or datetime.now(UTC),
        password=answer.password,
        signing_secret=signer.secret,
    )


def _is_pinned(pem: str, code: JoinCode) -> bool:
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.strip())).digest() == code.ca
    except ValueError:
        return False
