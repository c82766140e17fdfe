"""The registry: which devices have a place here, what they said, and who is online.

State moves on evidence: a device is online because its presence says so in the same
life (`boot_id`) as its profile, offline only by word of that life, and stale when it
beat in that life and fell silent.
"""

from controller.services.devices.ailments import Ailments, ailing
from controller.services.devices.clocks import MAX_SKEW
from controller.services.devices.conflicts import end as end_conflicts
from controller.services.devices.conflicts import over as conflicts_over
from controller.services.devices.enrolment import (
    check_enrolment,
    drop_enrolment,
    enrol,
    forbid_unsigned,
    forget_key,
    note_forgery,
    public_keys,
)
from controller.services.devices.heartbeats import Beat, store_heartbeat, store_heartbeats
from controller.services.devices.listing import Listed, Wanted, listed
from controller.services.devices.presence import nobody_is_known_online, store_presence, store_profile
from controller.services.devices.registry import (
    NewDevice,
    PolicyChange,
    add,
    adopt,
    change,
    every,
    find,
    get,
    groups,
    profile_of,
    remove,
    unadopted,
)
from controller.services.devices.silence import call_stale, silent
from controller.services.devices.status import (
    BROKER_RESTARTED,
    REVOKED,
    SENT_TOO_MUCH,
    DeviceStatus,
    absence,
    is_revoked,
    let_in,
    mark_revoked,
    revoked,
)
from controller.services.devices.suspensions import check_shut_out, put_out, resume, suspend, suspended

__all__ = [
    "BROKER_RESTARTED",
    "MAX_SKEW",
    "REVOKED",
    "SENT_TOO_MUCH",
    "Ailments",
    "Beat",
    "DeviceStatus",
    "Listed",
    "NewDevice",
    "PolicyChange",
    "Wanted",
    "absence",
    "add",
    "adopt",
    "ailing",
    "call_stale",
    "change",
    "check_enrolment",
    "check_shut_out",
    "conflicts_over",
    "drop_enrolment",
    "end_conflicts",
    "enrol",
    "every",
    "find",
    "forbid_unsigned",
    "forget_key",
    "get",
    "groups",
    "is_revoked",
    "let_in",
    "listed",
    "mark_revoked",
    "nobody_is_known_online",
    "note_forgery",
    "profile_of",
    "public_keys",
    "put_out",
    "remove",
    "resume",
    "revoked",
    "silent",
    "store_heartbeat",
    "store_heartbeats",
    "store_presence",
    "store_profile",
    "suspend",
    "suspended",
    "unadopted",
]
