"""What holds for the whole installation: told to the store at its start, known in every unit of work.

A session that was told nothing has the strictest rules.
"""

from dataclasses import dataclass

from sqlmodel import Session

from schemas.devices import Risk

_KEY = "house rules"


@dataclass(frozen=True, slots=True)
class HouseRules:
    """Settings that decide what may happen; they change with a restart only."""

    mqtt_max_risk: Risk = Risk.LOW  # what a person's words that came by MQTT may cause at most
    mqtt_decisions: bool = False  # whether approvals may be decided by MQTT

    def known_in(self) -> dict[str, object]:
        """The `info` of a session that shall know them."""
        return {_KEY: self}


def of(session: Session) -> HouseRules:
    """The rules of this session's installation."""
    found = session.info.get(_KEY)
    return found if isinstance(found, HouseRules) else HouseRules()
