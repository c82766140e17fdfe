"""What holds for the whole installation: told to the store at its start, known in every unit of work.

A session that was told nothing has the strictest rules.
"""

from dataclasses import dataclass

from sqlmodel import Session

from schemas.devices import Risk
from schemas.ids import Instance

_KEY = "house rules"


@dataclass(frozen=True, slots=True)
class HouseRules:
    """Who we are, and what may happen here; it changes with a restart only."""

    instance: Instance = "main"  # the controller whose chain the audit goes into
    mqtt_max_risk: Risk = Risk.LOW  # what a person's words that came by MQTT may cause at most
    mqtt_decisions: bool = False  # whether approvals may be decided by MQTT

    def known_in(self) -> dict[str, object]:
        """The `info` of a session that shall know them."""
        return {_KEY: self}


def of(session: Session) -> HouseRules:
    """The rules of this session's installation."""
    found = session.info.get(_KEY)
    return found if isinstance(found, HouseRules) else HouseRules()
