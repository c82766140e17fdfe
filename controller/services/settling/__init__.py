"""How a command moves on: released, answered, expired, cancelled; each final status once.

Every change of a row's status happens here, is audited, and is announced to whoever
waits. A plan is a chain: a step leaves when the one it follows has succeeded, and is
cancelled when that one ended in any other way.
"""

from controller.services.settling.answers import NEVER_SETTLED_BY, Settled, published, settle
from controller.services.settling.clock import GRACE, LISTENS_FOR, PATIENCE, Watch, deadline, due, expire
from controller.services.settling.dispatch import (
    CALLED_OFF,
    Departure,
    called_back,
    depart,
    judge_again,
    never_sent,
    not_taken,
)
from controller.services.settling.judging import parameters, recheck
from controller.services.settling.moving import (
    device_came,
    finish,
    followers,
    leave,
    let_go,
    release,
)

__all__ = [
    "CALLED_OFF",
    "GRACE",
    "LISTENS_FOR",
    "NEVER_SETTLED_BY",
    "PATIENCE",
    "Departure",
    "Settled",
    "Watch",
    "called_back",
    "deadline",
    "depart",
    "device_came",
    "due",
    "expire",
    "finish",
    "followers",
    "judge_again",
    "leave",
    "let_go",
    "never_sent",
    "not_taken",
    "parameters",
    "published",
    "recheck",
    "release",
    "settle",
]
