"""Which tools there are: on the devices that somebody sees, and on how many of them each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from controller.services import targets
from controller.services.actors import Actor, Role
from controller.store.tables import Device
from schemas.devices import Risk


@dataclass(slots=True)
class Offer:
    """One tool by its name, as the riskiest of the devices that offer it has it. `adopted`: on how many it may be used."""

    name: str
    description: str
    risk: Risk
    read_only: bool
    devices: int = 0
    adopted: int = 0


def groups(session: Session, *, actor: Actor) -> dict[str, int]:
    """The groups that somebody sees devices of, by name, each with how many."""
    seen: Counter[str] = Counter()
    for device_id, named in session.exec(select(Device.device_id, Device.groups)):
        if actor.role_on(device_id, named) is not Role.GUEST:
            seen.update(set(named))
    return dict(sorted(seen.items()))


def tools(session: Session, *, actor: Actor) -> list[Offer]:
    """The tools that the devices offer which somebody sees, by name."""
    rows = session.exec(
        select(Device).where(col(Device.profile).is_not(None)).execution_options(yield_per=100)
    )
    return _joined(row for row in rows if actor.role_on(row.device_id, row.groups) is not Role.GUEST)


def _joined(rows: Iterable[Device]) -> list[Offer]:
    found: dict[str, Offer] = {}
    for row in rows:
        for name, offered in targets.of(row).tools.items():
            tool = offered.tool
            offer = found.get(name)
            if offer is None:
                offer = found[name] = Offer(name, tool.description, tool.risk, offered.read_only)
            elif tool.risk.rank > offer.risk.rank:
                offer.description, offer.risk = tool.description, tool.risk
            offer.read_only = offer.read_only and offered.read_only
            offer.devices += 1
            offer.adopted += offered.adopted
    return [found[name] for name in sorted(found)]
