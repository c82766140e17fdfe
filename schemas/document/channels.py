"""Every kind of topic: who speaks to whom on it, what is said there, and how it travels.

Both descriptions of the contract are written from this table, `docs/wire.md` and
`docs/asyncapi.yaml`; the topics themselves are spelled by `schemas.topics`.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas import assistant, audit, commands, devices, events, keys
from schemas.topics import Kind, Topics
from schemas.wire import WireModel

CONTROLLER = "controller"


class Seal(StrEnum):
    """What shows who wrote a message: user properties over its topic and payload."""

    NONE = "none"
    SIGNATURE = "signature"  # by the controller's key
    DEVICE = "device"  # by the device's own key, where it was enrolled
    PROOF = "proof"  # by whoever has the join code


@dataclass(frozen=True, slots=True)
class Channel:
    """One kind of topic. `also`: what the controller does there besides, in the other direction."""

    name: str
    kind: Kind
    speaker: str
    hearer: str
    messages: tuple[type[WireModel], ...]
    says: str
    kept: str = "no"
    qos: int = 1
    seal: Seal = Seal.NONE
    expires: str = ""  # the longest life of a message, in words; empty: it has no end
    also: str = ""
    answered_on: str = ""  # the name of the channel that has the answers

    @property
    def retained(self) -> bool:
        """Whether the broker keeps the last message."""
        return self.kept.startswith("yes")

    @property
    def is_sent(self) -> bool:
        """Whether it is the controller that speaks here."""
        return self.speaker == CONTROLLER

    def address(self, topics: Topics) -> str:
        """Its topics, with names in braces for what differs."""
        match self.kind:
            case Kind.REPLY:
                return topics.reply("{device_id}", "{instance}")
            case Kind.REQUEST | Kind.DECISION | Kind.RESPONSE:
                return topics.user("{username}", self.kind)
            case Kind.APPROVAL:
                return topics.approval("{approval_id}")
            case Kind.CONTROLLER_PRESENCE:
                return topics.controller_presence("{instance}")
            case Kind.KEYS:
                return topics.keys()
            case Kind.AUDIT:
                return topics.audit()
            case Kind.JOIN_REQUEST:
                return topics.join_request("{invite_id}")
            case Kind.JOIN_RESPONSE:
                return topics.join_response("{invite_id}")
            case _:
                return topics.device("{device_id}", self.kind)


WILL = "yes, also as the Last Will"

CHANNELS = (
    Channel(
        "devicePresence",
        Kind.PRESENCE,
        "device",
        "all",
        (devices.Presence,),
        "Whether a device is there.",
        kept=WILL,
        also="Say that a device is offline that was shut out or revoked; clear the topic of one that was removed.",
    ),
    Channel(
        "deviceProfile",
        Kind.PROFILE,
        "device",
        "all",
        (devices.Profile,),
        "What a device is and which tools it offers.",
        kept="yes",
        seal=Seal.DEVICE,
        also="Clear the topic of a device that was removed.",
    ),
    Channel(
        "deviceHeartbeat",
        Kind.HEARTBEAT,
        "device",
        "all",
        (devices.Heartbeat,),
        "Signs of life and load, every 30 s unless configured otherwise.",
        kept="yes",
        qos=0,
        also="Clear the topic of a device that was removed.",
    ),
    Channel(
        "deviceEvent",
        Kind.EVENT,
        "device",
        CONTROLLER,
        (events.Event,),
        "Something a device noticed. It keeps it until an Ack names it.",
        seal=Seal.DEVICE,
        answered_on="deviceAck",
    ),
    Channel(
        "deviceCommand",
        Kind.COMMAND,
        CONTROLLER,
        "device",
        (commands.Command,),
        "An order to one device; it takes effect at most once, before it expires.",
        kept="never",
        seal=Seal.SIGNATURE,
        expires="What is left until `expires_at`.",
        answered_on="deviceReply",
    ),
    Channel(
        "deviceCancel",
        Kind.CANCEL,
        CONTROLLER,
        "device",
        (commands.Cancel,),
        "Stop a command.",
        kept="never",
        seal=Seal.SIGNATURE,
        expires="What is left until `expires_at`.",
    ),
    Channel(
        "deviceReply",
        Kind.REPLY,
        "device",
        CONTROLLER,
        (commands.Reply,),
        "What a device says of one command. It keeps a final word until an Ack names it.",
        seal=Seal.DEVICE,
        answered_on="deviceAck",
    ),
    Channel(
        "deviceAck",
        Kind.ACK,
        CONTROLLER,
        "device",
        (commands.Ack,),
        "What the controller has stored for good, and what it will never take.",
        seal=Seal.SIGNATURE,
    ),
    Channel(
        "userRequest",
        Kind.REQUEST,
        "user",
        CONTROLLER,
        (assistant.Request,),
        "Free text for the assistant.",
        answered_on="userResponse",
    ),
    Channel(
        "userDecision",
        Kind.DECISION,
        "user",
        CONTROLLER,
        (assistant.Decision,),
        "A person's word on a pending approval.",
        answered_on="userResponse",
    ),
    Channel(
        "userResponse",
        Kind.RESPONSE,
        CONTROLLER,
        "user",
        (assistant.Response,),
        "An answer, in one piece or more.",
    ),
    Channel(
        "approval",
        Kind.APPROVAL,
        CONTROLLER,
        "approvers",
        (assistant.Approval,),
        "A question to a person.",
        kept="yes; empty once it is settled",
        seal=Seal.SIGNATURE,
        also="Find what an earlier controller left there, to clear what is settled.",
    ),
    Channel(
        "controllerPresence",
        Kind.CONTROLLER_PRESENCE,
        CONTROLLER,
        "all",
        (devices.Presence,),
        "Whether a controller is there.",
        kept=WILL,
        also="Hear its own word come back, behind all that the broker kept.",
    ),
    Channel(
        "controllerKeys",
        Kind.KEYS,
        CONTROLLER,
        "all",
        (keys.Keys,),
        "The keys that the controllers sign with.",
        kept="yes",
        seal=Seal.SIGNATURE,
    ),
    Channel(
        "joinRequest",
        Kind.JOIN_REQUEST,
        "who has a join code",
        CONTROLLER,
        (keys.JoinRequest,),
        "Ask for a place.",
        seal=Seal.PROOF,
        answered_on="joinResponse",
    ),
    Channel(
        "joinResponse",
        Kind.JOIN_RESPONSE,
        CONTROLLER,
        "who has a join code",
        (keys.JoinResponse, keys.JoinRefused),
        "The place, or why there is none.",
        seal=Seal.PROOF,
    ),
    Channel(
        "audit",
        Kind.AUDIT,
        CONTROLLER,
        "admins",
        (audit.AuditLine,),
        "One line per decision and outcome, without arguments.",
        qos=0,
    ),
)
