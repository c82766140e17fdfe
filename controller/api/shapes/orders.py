"""What somebody orders, as it comes over HTTP."""

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictBool, model_validator

from controller.api.shapes.shown import asked
from controller.services import commands, rollouts
from controller.services.conditions import ONLINE, Condition
from schemas.ids import DeviceId, ToolName
from schemas.wire import Integer, JsonObject

MOST = 10_000  # devices of one group
FOR_GROUPS = frozenset({"rate_per_s", "max_in_flight", "stop_after"})
ValidFor = Annotated[float, Field(gt=0, le=commands.VALID_AT_MOST, strict=True)]


class ToolCondition(BaseModel):
    """A look that must answer true right before a command leaves; `field`: what of its answer."""

    model_config = asked({"tool": "path_info", "arguments": {"path": "/srv/files"}, "field": "exists"})

    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    field: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class Wanted(BaseModel):
    """What should be done on a device, or on every device of a group, at a pace: now, or again and again."""

    device_id: DeviceId | None = None
    group: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    rate_per_s: Annotated[float, Field(ge=rollouts.SLOWEST, le=rollouts.FASTEST, strict=True)] | None = None
    max_in_flight: Annotated[Integer, Field(ge=1, le=MOST, strict=True)] | None = rollouts.MAX_IN_FLIGHT
    stop_after: Annotated[Integer, Field(ge=1, le=MOST, strict=True)] | None = None
    tool: ToolName
    arguments: JsonObject = Field(default_factory=dict)
    valid_s: ValidFor = commands.VALID_FOR
    when_online: StrictBool = False
    condition: Literal["online"] | ToolCondition | None = None

    def as_request(self) -> commands.CommandRequest:
        """As the services know it; to a group it names no device."""
        return commands.CommandRequest(
            self.device_id or "",
            self.tool,
            self.arguments,
            valid_s=self.valid_s,
            when_online=self.when_online,
            condition=self._condition(),
        )

    def _condition(self) -> Condition | None:
        if isinstance(self.condition, ToolCondition):
            return Condition(self.condition.tool, self.condition.arguments, self.condition.field)
        return ONLINE if self.condition == "online" else None

    @model_validator(mode="after")
    def _names_whom(self) -> Self:
        if (self.device_id is None) == (self.group is None):
            raise ValueError("name either a device_id or a group")
        if self.group is None and (odd := sorted(FOR_GROUPS & self.model_fields_set)):
            raise ValueError(f"{', '.join(odd)}: for a group only")
        return self

    @property
    def pace(self) -> rollouts.Pace:
        return rollouts.Pace(self.rate_per_s, self.max_in_flight, self.stop_after)


class NewCommand(Wanted):
    """What a device should do, or every device of a group, at a pace."""

    model_config = asked(
        {"device_id": "workshop-pc", "tool": "create_directory", "arguments": {"path": "/srv/files/Test"}}
    )

    dry_run: StrictBool = False
    timeout_s: Annotated[float, Field(gt=0, le=commands.MAX_TIMEOUT, strict=True)] | None = None

    def as_request(self) -> commands.CommandRequest:
        """As the services know it; to a group it names no device."""
        return replace(super().as_request(), dry_run=self.dry_run, timeout_s=self.timeout_s)


class NewUndo(BaseModel):
    """How what a command changed should be put back."""

    model_config = asked({"dry_run": True})

    dry_run: StrictBool = False
    valid_s: ValidFor = commands.VALID_FOR
