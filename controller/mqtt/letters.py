"""What the controller's messages say: rows of the store as payloads, with their properties."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from broker.session import PublishProperties
from controller.mqtt.routes import Receipt
from controller.services import settling
from controller.store.tables import ApprovalRow, ToolExecution
from schemas import traces
from schemas.assistant import Approval
from schemas.commands import Ack, Cancel, Command, Refusal, RequestedBy, Via
from schemas.devices import Risk
from schemas.ids import new_id
from schemas.signing import UserProperties
from schemas.topics import Kind, Topics

CANCEL_VALID = timedelta(minutes=5)
JSON = "application/json"
MOST_IN_ACK = 128  # ids; each takes at most 6 bytes a character, so an Ack stays under 64 KiB


SignedBy = Callable[[str, bytes], UserProperties]  # topic and payload → the properties of a signature


def unsigned(_topic: str, _payload: bytes) -> UserProperties:
    """No signature, for a broker on which nobody asks for one."""
    return ()


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, ready to be published."""

    topic: str
    payload: bytes
    properties: PublishProperties


def command(row: ToolExecution, topics: Topics, instance: str, *, attempt: int, now: datetime) -> Letter:
    """A command, with what `wire.md` puts into its properties."""
    reply_to = topics.reply(row.device_id, instance)
    message = Command(
        id=row.id,
        tool=row.tool_name,
        arguments=settling.parameters(row),
        issued_at=row.issued_at,
        expires_at=row.expires_at,
        timeout_s=row.timeout_s,
        reply_to=reply_to,
        requested_by=RequestedBy(user=row.requested_by, via=Via(row.via)),
        approval_id=row.approval_id,
        session_id=row.session_id,
        dry_run=row.dry_run or None,
        attempt=attempt,
    )
    properties = PublishProperties(
        expiry_s=_seconds_left(row.expires_at, now),
        response_topic=reply_to,
        correlation=row.id.encode(),
        content_type=JSON,
        user_properties=((traces.HEADER, traces.of_command(row.trace_id, row.id).traceparent),),
    )
    return Letter(topics.device(row.device_id, Kind.COMMAND), message.encode(), properties)


def cancel(device_id: str, command_id: str, topics: Topics, *, now: datetime) -> Letter:
    """The wish that a command that has left be stopped."""
    message = Cancel(id=new_id(), command_id=command_id, at=now, expires_at=now + CANCEL_VALID)
    properties = PublishProperties(expiry_s=_seconds_left(message.expires_at, now), content_type=JSON)
    return Letter(topics.device(device_id, Kind.CANCEL), message.encode(), properties)


def card(row: ApprovalRow) -> bytes:
    """A question to a person, as it is retained."""
    message = Approval.model_validate(
        {
            "id": row.id,
            "hash": row.hash,
            "summary": row.summary,
            "risk": Risk(row.risk),
            "reasons": row.reasons,
            "commands": row.commands,
            "requested_by": row.requested_by,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        }
    )
    return message.encode()


def acks(receipts: Iterable[Receipt], *, now: datetime) -> list[tuple[str, Ack]]:
    """One Ack a device for everything of a batch; more only where it would grow too long to be sent."""
    by_device: defaultdict[str, list[Receipt]] = defaultdict(list)
    for receipt in dict.fromkeys(receipts):
        by_device[receipt.device_id].append(receipt)
    return [
        (device_id, _ack(each[start : start + MOST_IN_ACK], now))
        for device_id, each in by_device.items()
        for start in range(0, len(each), MOST_IN_ACK)
    ]


def _ack(receipts: list[Receipt], now: datetime) -> Ack:
    refused = [Refusal(id=one.refused[0], code=one.refused[1]) for one in receipts if one.refused]
    return Ack(
        at=now,
        events=[one.event for one in receipts if one.event] or None,
        replies=[one.reply for one in receipts if one.reply] or None,
        refused=refused or None,
    )


def _seconds_left(expires_at: datetime, now: datetime) -> int:
    return max(1, math.ceil((expires_at - now).total_seconds()))
