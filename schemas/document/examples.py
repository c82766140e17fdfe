"""Messages as they could travel, for whoever reads a description of them.

They are made of the models, so that none is shown which nobody could send.
"""

import hashlib
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from schemas import assistant, audit, commands, devices, events, keys
from schemas.builtin import TOOLS
from schemas.errors import ErrorBody, ErrorCode
from schemas.signing import KEY_BYTES, key_id, to_text
from schemas.topics import Topics
from schemas.wire import WireModel

_AT = datetime(2026, 2, 12, 10, 30, 5, 120_000, tzinfo=UTC)
_SOON = _AT + timedelta(minutes=1)
_DEVICE = "workshop-pc"
_ASKS = "ada"
_PUBLIC = to_text(bytes(range(KEY_BYTES)))
_ARGUMENTS = {"path": "/srv/files/Test"}


def _id(number: int) -> str:
    return f"0199f6a2-7c00-7000-8000-{number:012x}"


_BOOT, _EVENT, _COMMAND, _APPROVAL, _SESSION, _REQUEST, _DECISION = map(_id, range(1, 8))
_PLANNED = [assistant.ApprovalCommand(device_id=_DEVICE, tool="delete_path", arguments=dict(_ARGUMENTS))]


def _hash(planned: list[assistant.ApprovalCommand]) -> str:
    # texts of ASCII alone: sorted keys without blanks are their RFC 8785 form
    plain = json.dumps([each.to_json() for each in planned], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


_KEY = keys.Key(key_id=key_id(_PUBLIC), public=_PUBLIC, not_before=_AT, not_after=_AT + timedelta(days=365))


def examples(topics: Topics) -> dict[type[WireModel], list[WireModel]]:
    """At least one of each kind."""
    found: defaultdict[type[WireModel], list[WireModel]] = defaultdict(list)
    for each in _all(topics):
        found[type(each)].append(each)
    return dict(found)


def _all(topics: Topics) -> tuple[WireModel, ...]:
    return (
        devices.Presence(state="online", at=_AT, boot_id=_BOOT),
        devices.Presence(state="offline", at=_AT, boot_id=_BOOT, reason="connection_lost"),
        devices.Profile(
            device_id=_DEVICE,
            boot_id=_BOOT,
            tools=[
                TOOLS["create_directory"],
                devices.Tool(
                    name="water_garden",
                    description="Waters the garden.",
                    parameters={
                        "type": "object",
                        "properties": {"minutes": {"type": "integer", "minimum": 1, "maximum": 60}},
                        "required": ["minutes"],
                        "additionalProperties": False,
                    },
                    risk=devices.Risk.MEDIUM,
                    timeout_s=90.0,
                ),
            ],
            at=_AT,
            hostname="workshop",
            os=devices.OperatingSystem(type="linux", version="12"),
            agent=devices.Agent(name="orion-node", version="0.1.0"),
            hardware=devices.Hardware(cpu="8 cores", ram_gb=16.0, disk_gb=512.5),
            home="/home/ada",
            allowed_paths=["/srv/files"],
        ),
        devices.Heartbeat(
            at=_AT,
            seq=12,
            boot_id=_BOOT,
            uptime_s=3600.5,
            cpu_percent=12.5,
            memory_percent=40.0,
            disks=[devices.Disk(mount="/", percent=71.0, free_gb=140.2)],
            temperatures={"cpu": 51.5},
        ),
        events.Event(
            id=_EVENT,
            type="low_disk_space",
            severity=events.Severity.WARNING,
            data={"mount": "/", "percent": 91.5},
            at=_AT,
        ),
        commands.Command(
            id=_COMMAND,
            tool="create_directory",
            arguments=dict(_ARGUMENTS),
            issued_at=_AT,
            expires_at=_SOON,
            timeout_s=15.0,
            reply_to=topics.reply(_DEVICE, "main"),
            requested_by=commands.RequestedBy(user=_ASKS, via=commands.Via.ASSISTANT),
            session_id=_SESSION,
        ),
        commands.Cancel(id=_id(8), command_id=_COMMAND, at=_AT, expires_at=_SOON),
        commands.Reply(
            command_id=_COMMAND,
            status=commands.ReplyStatus.PROGRESS,
            at=_AT,
            boot_id=_BOOT,
            progress=0.5,
            message="Half of it is done.",
        ),
        commands.Reply(
            command_id=_COMMAND,
            status=commands.ReplyStatus.SUCCEEDED,
            at=_AT,
            boot_id=_BOOT,
            result={"created": True},
            duration_ms=12.5,
        ),
        commands.Reply(
            command_id=_COMMAND,
            status=commands.ReplyStatus.REJECTED,
            at=_AT,
            boot_id=_BOOT,
            error=ErrorBody(code=ErrorCode.PATH_NOT_ALLOWED, message="That folder is not allowed."),
        ),
        commands.Ack(
            at=_AT,
            events=[_EVENT],
            replies=[_COMMAND],
            refused=[commands.Refusal(id=_id(9), code=ErrorCode.NOT_FOUND)],
        ),
        assistant.Request(id=_REQUEST, text="Maak een map Test op mijn laptop", at=_AT, stream=True),
        assistant.Decision(
            id=_DECISION, approval_id=_APPROVAL, approval_hash=_hash(_PLANNED), decision="approve", at=_AT
        ),
        assistant.Response(
            request_id=_REQUEST, seq=0, type="chunk", at=_AT, session_id=_SESSION, text="De map "
        ),
        assistant.Response(
            request_id=_REQUEST,
            seq=1,
            type="final",
            at=_AT,
            session_id=_SESSION,
            text="De map Test is gemaakt op workshop-pc.",
        ),
        assistant.Approval(
            id=_APPROVAL,
            hash=_hash(_PLANNED),
            summary="delete_path on workshop-pc: path=/srv/files/Test",
            risk=devices.Risk.HIGH,
            reasons=["high risk asks a person"],
            commands=_PLANNED,
            requested_by=_ASKS,
            created_at=_AT,
            expires_at=_SOON,
        ),
        keys.Keys(keys=[_KEY], at=_AT),
        keys.JoinRequest(public_key=_PUBLIC, hostname="workshop"),
        keys.JoinResponse(
            device_id=_DEVICE,
            password=to_text(bytes(24)),
            ca="-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
            keys=[_KEY],
            at=_AT,
        ),
        keys.JoinRefused(error=ErrorBody(code=ErrorCode.EXPIRED, message="This code has expired.")),
        audit.AuditLine(
            at=_AT,
            actor=_ASKS,
            via=commands.Via.ASSISTANT,
            action="command.succeeded",
            device_id=_DEVICE,
            tool="create_directory",
            command_id=_COMMAND,
        ),
    )
