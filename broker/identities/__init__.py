"""Who may connect to our broker and what they may do.

Devices, controllers and all others share one name space, and a name is given once.
`Identities` is the list in the broker's folder, `Local` has the running broker act on it.
"""

from broker.identities.activity import await_active
from broker.identities.errors import (
    BadName,
    BrokerUnreachable,
    IdentityError,
    NameTaken,
    NotWritten,
    UnknownIdentity,
)
from broker.identities.local import Local
from broker.identities.passwords import ROUNDS, hash_password, verify_password
from broker.identities.register import CHANGES, KEPT, PROBES, Credentials, Identities

__all__ = [
    "CHANGES",
    "KEPT",
    "PROBES",
    "ROUNDS",
    "BadName",
    "BrokerUnreachable",
    "Credentials",
    "Identities",
    "IdentityError",
    "Local",
    "NameTaken",
    "NotWritten",
    "UnknownIdentity",
    "await_active",
    "hash_password",
    "verify_password",
]
