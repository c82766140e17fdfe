"""What of the fleet somebody sees at this moment, and of the commands on it.

What is not seen does not exist: it is answered like what never was there.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, Self

from sqlalchemy import ColumnElement, and_, exists, or_, true
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from controller.errors import UnknownDevice
from controller.services.actors import Actor, Role
from controller.store.tables import ApprovalRow, Device, ToolExecution
from schemas import builtin

_OWN_TOOLS = sorted(builtin.CONTROLLER_TOOLS)  # answered from the controller's records, for who asked


class Ordered(Protocol):
    """A command, as far as it matters who sees it."""

    @property
    def requested_by(self) -> str: ...
    @property
    def api_key_id(self) -> str | None: ...
    @property
    def tool_name(self) -> str: ...
    @property
    def device_id(self) -> str: ...


class Asked(Protocol):
    """An approval, as far as it matters who sees it."""

    @property
    def requested_by(self) -> str: ...
    @property
    def commands(self) -> Sequence[Mapping[str, Any]]: ...


class Sight:
    """What one actor sees. Made for one look at the store; what it knows of devices is of that moment."""

    def __init__(self, session: Session, actor: Actor) -> None:
        self.actor = actor
        self._session = session

    def kept(self) -> Self:
        """The same for later, when the look at the store is over: it goes on to know what it knows now."""
        if not self.is_the_same_everywhere:
            _ = self.roles
        return self

    @property
    def is_the_same_everywhere(self) -> bool:
        """Whether they reach the same on every device, so that none has to be looked at."""
        return self.actor.sees_all and not self.actor.grants

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """The devices that are seen by whoever does not see all, each with their role on it."""
        places = self._session.exec(select(Device.device_id, Device.groups))
        found = ((device_id, self.actor.role_on(device_id, groups)) for device_id, groups in places)
        return {device_id: role for device_id, role in found if role is not Role.GUEST}

    def role_on(self, device_id: str) -> Role:
        """What they may reach there; on what has no place any more what they have everywhere."""
        if self.is_the_same_everywhere:
            return self.actor.role
        return self.roles.get(device_id, self.actor.role if self.actor.sees_all else Role.GUEST)

    def sees(self, device_id: str) -> bool:
        """Whether they see anything of this device."""
        return self.actor.sees_all or device_id in self.roles

    def check(self, device_id: str) -> None:
        """Make sure that they do.

        Raises:
            UnknownDevice: to them there is none.
        """
        if not self.sees(device_id):
            raise UnknownDevice(device_id)

    def among(self, device_id: Mapped[str]) -> ColumnElement[bool]:
        """The rows of devices that they see."""
        return true() if self.actor.sees_all else device_id.in_(self.roles)

    def of_commands(self) -> ColumnElement[bool]:
        """The commands that they see: their own, and those on the devices they see.

        What somebody asked the controller itself holds their own memories, and is theirs alone.
        """
        if self.actor.role is Role.ADMIN and not self.actor.is_narrowed:
            return true()
        own = col(ToolExecution.requested_by) == self.actor.user
        others = col(ToolExecution.tool_name).not_in(_OWN_TOOLS)
        if (
            self.actor.key is not None and self.actor.is_narrowed
        ):  # what its user did elsewhere is not opened by it
            own = col(ToolExecution.api_key_id) == self.actor.key.key_id
        return or_(own, and_(others, self.among(col(ToolExecution.device_id))))

    def command(self, row: Ordered) -> bool:
        """Whether they see this one."""
        own = self._may_know_all(row)
        if self.actor.key is not None and self.actor.is_narrowed:
            own = row.api_key_id == self.actor.key.key_id
        return own or (row.tool_name not in _OWN_TOOLS and self.sees(row.device_id))

    def whole(self, row: Ordered) -> bool:
        """Whether they see what it was told and what it answered: who ordered it, and who could have."""
        return self._may_know_all(row) or self.commands_it(row)

    def commands_it(self, row: Ordered) -> bool:
        """Whether they may have things done where this command goes."""
        return self.role_on(row.device_id).rank >= Role.OPERATOR.rank

    def said(self, row: Ordered) -> bool:
        """Whether they see in which words it was asked for, and in which conversation."""
        return self._may_know_all(row)

    def of_cards(self) -> ColumnElement[bool]:
        """The approvals that they see: they carry arguments, so their own, and all for who decides."""
        own = true() if self.actor.role is Role.ADMIN else col(ApprovalRow.requested_by) == self.actor.user
        if not self.actor.is_narrowed:
            return own
        elsewhere = exists().where(
            col(ToolExecution.approval_id) == col(ApprovalRow.id),
            col(ToolExecution.group_name).is_(None),
            col(ToolExecution.device_id).not_in(self.roles),
        )
        return and_(own, ~elsewhere)

    def card(self, row: Asked) -> bool:
        """Whether they see this one; with a key for some devices, only what is about these alone."""
        if self.actor.role is not Role.ADMIN and row.requested_by != self.actor.user:
            return False
        return not self.actor.is_narrowed or all(self.sees(each["device_id"]) for each in row.commands)

    def _may_know_all(self, row: Ordered) -> bool:
        return row.requested_by == self.actor.user or self.actor.role is Role.ADMIN
