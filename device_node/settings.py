"""What a node is told at its start. Values only: `orion` reads environment, file and flags."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from broker.session import Endpoint
from schemas.ids import DeviceId
from schemas.keys import Key
from schemas.signing import Signer
from schemas.topics import DEFAULT_PREFIX


class NodeSettings(BaseModel):
    """One node on one device."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    data_dir: Path
    device_id: DeviceId
    endpoint: Endpoint
    policy_path: Path  # the owner's rules; without the file nothing is allowed
    signer: Signer | None = None  # what this device signs with; None: it was not enrolled
    controller_keys: tuple[Key, ...] = ()  # whom an enrolled device obeys
    joined_at: datetime | None = None  # by the controller's clock: that moment has passed
    prefix: str = DEFAULT_PREFIX
    name: str | None = None  # how the device calls itself; its host name when None
    heartbeat_s: Annotated[float, Field(gt=0)] = 30.0
    max_running: Annotated[int, Field(ge=1, le=64)] = 4  # tools at once
    max_waiting: Annotated[int, Field(ge=1, le=10_000)] = 100  # commands; beyond that the answer is `busy`
    max_spooled: Annotated[int, Field(ge=10)] = 10_000  # replies and events without an Ack
    max_spooled_bytes: Annotated[int, Field(ge=1_048_576)] = 64 * 1024 * 1024
    will_delay_s: Annotated[int, Field(ge=0)] = 5

    @property
    def directory(self) -> Path:
        """Where the node keeps its journal, its trash and what can be undone."""
        return self.data_dir / "node" / self.device_id
