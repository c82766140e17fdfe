"""Risk against role and policy profile: the one table of what is allowed, asked or denied.

Each function answers for one side; the stricter answer wins.
"""

from enum import StrEnum

from controller.services.actors import Role
from schemas.devices import Risk


class Verdict(StrEnum):
    """What one layer says. `rank` orders them: the strictest layer decides."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}


class PolicyProfile(StrEnum):
    """How much a device may be asked to do."""

    OBSERVE = "observe"
    ASSIST = "assist"
    MANAGE = "manage"


ALLOW, ASK, DENY = Verdict.ALLOW, Verdict.ASK, Verdict.DENY

# risk:                      low     medium  high    critical
_ROLES: dict[Role, tuple[Verdict, ...]] = {
    Role.GUEST: (DENY, DENY, DENY, DENY),
    Role.VIEWER: (ALLOW, DENY, DENY, DENY),  # and read-only tools only
    Role.OPERATOR: (ALLOW, ALLOW, ASK, DENY),
    Role.ADMIN: (ALLOW, ALLOW, ALLOW, ASK),
}
_PROFILES: dict[PolicyProfile, tuple[Verdict, ...]] = {
    PolicyProfile.OBSERVE: (ALLOW, ALLOW, DENY, DENY),  # and read-only tools only
    PolicyProfile.ASSIST: (ALLOW, ALLOW, ASK, DENY),
    PolicyProfile.MANAGE: (ALLOW, ALLOW, ALLOW, ASK),
}


def by_role(role: Role, risk: Risk, *, read_only: bool) -> Verdict:
    """What a role may do by itself."""
    if role is Role.VIEWER and not read_only:
        return DENY
    return _ROLES[role][risk.rank]


def by_profile(profile: PolicyProfile, risk: Risk, *, read_only: bool) -> Verdict:
    """What a device of this policy profile lets anybody do."""
    if profile is PolicyProfile.OBSERVE and not read_only:
        return DENY
    return _PROFILES[profile][risk.rank]
