"""Where the broker of one installation lives and what it may take.

Values only: nothing here reads the environment, `orion` composes them from its sources.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from broker import process
from schemas.topics import DEFAULT_PREFIX


class BrokerSettings(BaseModel):
    """One supervised Mosquitto. It listens on loopback unless `host` says otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65_535)] = 1883
    prefix: str = DEFAULT_PREFIX
    binary: Path | None = None  # found on the PATH and in the usual places when None
    max_connections: Annotated[int, Field(ge=-1)] = -1  # of clients at once; -1 is no limit
    memory_limit: Annotated[int, Field(ge=0)] = 0  # bytes; 0 is no limit
    start_within_s: Annotated[float, Field(gt=0)] = 10.0
    stop_within_s: Annotated[float, Field(gt=0)] = 3.0

    @property
    def directory(self) -> Path:
        """Everything of the broker: configuration, identities, database, locks."""
        return self.data_dir / "broker"

    @property
    def config_path(self) -> Path:
        return self.directory / process.CONFIG_FILE

    @property
    def pid_path(self) -> Path:
        return self.directory / process.PID_FILE
